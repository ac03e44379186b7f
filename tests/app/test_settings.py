"""Settings: where they come from, which wins, and what is refused."""

from pathlib import Path

import pytest

from filmless.app import settings as settings_module
from filmless.app.settings import Settings, load
from filmless.kit.errors import Refused


def loaded(home: Path, text: str = "", **environment: str) -> Settings:
    if text:
        (home / "filmless.toml").write_text(text, "utf-8")
    return load(home, environment=environment)


def refused(home: Path, text: str = "", **environment: str) -> str:
    with pytest.raises(Refused) as caught:
        loaded(home, text, **environment)
    return caught.value.message


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    found = load(environment={"HOME": str(tmp_path)})
    assert found.home == Path("~/.filmless").expanduser()
    assert (found.server.bind, found.server.dicom_port, found.server.http_port) == ("0.0.0.0", 11112, 8104)
    assert found.server.aet == found.net.ae_title == "FILMLESS"
    assert found.index_url == f"sqlite:///{found.home}/index.sqlite"
    assert found.devices.unknown_callers == "refuse"
    assert found.devices.trust_local
    assert found.origins == {}


def test_file_then_environment_then_options_win(tmp_path: Path) -> None:
    (tmp_path / "filmless.toml").write_text('aet = "FILE"\ndicom_port = 1\nhttp_port = 1\n', "utf-8")
    environment = {"FILMLESS_DICOM_PORT": "2", "FILMLESS_HTTP_PORT": "2"}
    found = load(tmp_path, environment=environment, http_port=3, aet=None)
    assert (found.server.aet, found.server.dicom_port, found.server.http_port) == ("FILE", 2, 3)
    assert found.net.ae_title == "FILE"
    assert found.origins == {
        ".aet": str(tmp_path / "filmless.toml"),
        ".dicom_port": "environment FILMLESS_DICOM_PORT",
        ".http_port": "option --http-port",
    }


def test_sections_are_the_rooms(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        """
        [archive]
        duplicates = "replace"
        settle_seconds = 5
        private_storage_classes = ["1.2.3"]
        [devices]
        trust_local = false
        [net]
        max_associations = 7
        """,
        FILMLESS_ARCHIVE_FOLDER_FILES="9",
        FILMLESS_DEVICES_BEHIND_PROXY="yes",
        FILMLESS_DATABASE_URL="postgresql+psycopg://u:secret@db/filmless",
    )
    assert found.archive.duplicates == "replace"
    assert found.archive.settle_seconds == 5.0
    assert found.archive.private_storage_classes == ("1.2.3",)
    assert found.archive.folder_files == 9
    assert (found.devices.trust_local, found.devices.behind_proxy) == (False, True)
    assert found.net.max_associations == 7
    assert found.index_url == "postgresql+psycopg://u:secret@db/filmless"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dicom_prot = 1", "unknown key dicom_prot in {file} (did you mean dicom_port?)"),
        (
            "[archive]\nduplicate = 'replace'",
            "unknown key [archive] duplicate in {file} (did you mean duplicates?)",
        ),
        ("[archiv]\nx = 1", "unknown section [archiv] in {file} (did you mean archive?)"),
        ("zzzz = 1", "unknown key zzzz in {file}"),
        ("[net]\nae_title = 'X'", "unknown key [net] ae_title in {file}"),
        ("dicom_port = '11112'", "dicom_port in {file}: must be a whole number, not '11112'"),
        ("dicom_port = true", "dicom_port in {file}: must be a whole number, not True"),
        ("dicom_port = 70000", "dicom_port must be a port number from 1 to 65535"),
        ("aet = 'SEVENTEEN LETTERS'", "aet must be 1 to 16 characters"),
        ("[http]\nprocesses = 17", "in [http]: processes must be from 1 to 16"),
        ("[archive]\nduplicates = 'both'", "in [archive]: duplicates must be one of"),
        ("[devices]\nunknown_callers = 'ask'", "must be one of refuse, quarantine, accept, not 'ask'"),
        ("[tls]\nport = 2762", "in [tls]: a TLS port needs certificate and key"),
        ("[net]\nmax_pdu = -5", "[net] max_pdu in {file}: cannot be below 0, as -5 is"),
        ("[net]\nmax_associations = 0", "[net] max_associations in {file}: must be more than 0"),
        ("[archive]\nprivate_storage_classes = ['my class']", "'my class' is not a UID"),
        ("[database]\nurl = 'mysql://u:p@db/x'", "in [database]: url must begin with postgresql+psycopg://"),
        ("dicom_port = ", "is not TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    assert words.format(file=tmp_path / "filmless.toml") in refused(tmp_path, text)


def test_every_number_that_is_0_by_default_may_be_0(tmp_path: Path) -> None:
    for section, name, value in settings_module.values(loaded(tmp_path)):
        if isinstance(value, int | float) and not isinstance(value, bool) and not value:
            loaded(tmp_path, **{settings_module.variable(section, name): "0"})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "FILMLESS_DICOM_PROT",
            "1",
            "unknown environment variable FILMLESS_DICOM_PROT (did you mean FILMLESS_DICOM_PORT?)",
        ),
        ("FILMLESS_DICOM_PORT", "x", "environment FILMLESS_DICOM_PORT: must be a whole number, not 'x'"),
        ("FILMLESS_NET_IDLE_TIMEOUT", "-1", "environment FILMLESS_NET_IDLE_TIMEOUT: cannot be below 0"),
        ("FILMLESS_DEVICES_TRUST_LOCAL", "maybe", "must be true or false, not 'maybe'"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(tmp_path: Path, name: str, value: str, words: str) -> None:
    assert words in refused(tmp_path, **{name: value})


def test_the_source_of_a_wrong_value_is_named_and_no_other(tmp_path: Path) -> None:
    words = refused(tmp_path, "aet = 'SEVENTEEN LETTERS'", FILMLESS_DICOM_PORT="11113")
    assert words.endswith(f"(set by {tmp_path / 'filmless.toml'})")


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    words = refused(tmp_path, "one = 1\ntwo = 2\n", FILMLESS_THREE="3")
    assert all(name in words for name in ("one", "two", "FILMLESS_THREE"))


def test_names_of_tests_and_bench_are_no_settings(tmp_path: Path) -> None:
    loaded(tmp_path, FILMLESS_SAMPLES="/x", FILMLESS_TEST_X="1", FILMLESS_BENCH_N="2", FILMLESS_SOAK_N="3")


def test_a_named_settings_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="There is no settings file"):
        load(tmp_path, tmp_path / "other.toml", environment={})
    (tmp_path / "other.toml").write_text("aet = 'OTHER'", "utf-8")
    assert load(tmp_path, tmp_path / "other.toml", environment={}).server.aet == "OTHER"


def test_a_child_process_gets_exactly_these_settings(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        environment={
            "FILMLESS_ARCHIVE_PRIVATE_STORAGE_CLASSES": "1.2.3, 1.2.4",
            "FILMLESS_DEVICES_TRUST_LOCAL": "no",
            "FILMLESS_ARCHIVE_SETTLE_SECONDS": "1.5",
        },
        aet="CHILD",
        dicom_port=4242,
    )
    child = load(environment=found.environment())
    for section in ("server", "net", "archive", "devices", "database", "log", "tls"):
        assert getattr(child, section) == getattr(found, section)
    assert child.home == found.home


def test_every_key_has_a_default_but_no_secret_has_one() -> None:
    for section, cls in settings_module.SECTIONS.items():
        for name in settings_module.keys(section):
            if settings_module.is_secret(section, name):
                assert not getattr(cls(), name)
    assert settings_module.is_secret("database", "url")
