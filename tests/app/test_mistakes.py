"""What is typed wrongly, or by the wrong account, is answered with a sentence and an exit code: no traceback."""

import os
from pathlib import Path

import pytest

from filmless.app.cli import main
from filmless.app.index import open_index
from filmless.app.serve import run
from filmless.app.settings import load
from filmless.kit.errors import Refused

BEYOND = "99999999999999999999999"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mistakes") / "home"
    with open_index(load(folder, environment={}), create=True):
        pass
    return folder


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        (["quarantine", "discard", BEYOND, "--reason", "x"], 2, "is not in the range"),
        (["users", "revoke", "li", BEYOND], 2, "is not in the range"),
        (["quarantine", "list", "--limit", BEYOND], 2, "is not in the range"),
        (["shares", "with", "1.2", "li", "--days", BEYOND], 2, "is not in the range"),
        (["purge", "--older-than", BEYOND, "--dry-run"], 2, "is not in the range"),
        (["devices", "remove", "CT1", "--reason", " "], 2, "say why, in words"),
        (["reports", "verify", "55"], 2, "There is no such report"),
        (["access", "cares", "NOBODY"], 0, "Nobody is said to care"),
        (
            ["access", "care", "P1", "--ward", "W", "--until", "2020-01-01", "--reason", "x"],
            2,
            "ended already",
        ),
        (["access", "show", "1.2.3"], 0, "The archive has no study with this UID now"),
        (["flags", "settle", BEYOND, "--reason", "x"], 2, "is not in the range"),
        (["purge", "--reason", "old", "--yes"], 0, "There is nothing to delete"),
    ],
)
def test_it_is_said_in_words(
    home: Path, capsys: pytest.CaptureFixture[str], command: list[str], status: int, words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--home", str(home)])
    told = capsys.readouterr()
    assert (ended.value.code, words in told.out + told.err) == (status, True), told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_root_leaves_nothing_in_the_home_of_another_account(tmp_path: Path) -> None:
    settings = load(tmp_path / "home", environment={})
    with open_index(settings, create=True):
        pass
    os.chown(settings.home / "index.sqlite", 12345, 12345)
    with pytest.raises(Refused, match="belongs to the account #12345"), open_index(settings):
        pass
    # the server would be ready, and its web process and worker refused for ever
    with pytest.raises(Refused, match="belongs to the account #12345"):
        run(settings, print)


def test_lists_in_the_environment_are_taken_as_the_settings_show_them() -> None:
    for text in ('["127.0.0.1", "10.0.0.0/8"]', "127.0.0.1, 10.0.0.0/8"):
        found = load("/nowhere", environment={"FILMLESS_HTTP_TRUSTED_PROXIES": text})
        assert tuple(map(str, found.http.trusted_proxies)) == ("127.0.0.1", "10.0.0.0/8")
    with pytest.raises(Refused, match="must be a list such as"):
        load("/nowhere", environment={"FILMLESS_HTTP_TRUSTED_PROXIES": '["127.0.0.1'})


def test_ports_that_are_the_same_are_named() -> None:
    environment = {"FILMLESS_TLS_PORT": "11112", "FILMLESS_TLS_PEERS": "none"}
    environment |= {"FILMLESS_TLS_CERTIFICATE": "a.pem", "FILMLESS_TLS_KEY": "a.key"}
    with pytest.raises(Refused, match="another one than dicom_port"):
        load("/nowhere", environment=environment)
