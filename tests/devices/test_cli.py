"""`filmless devices` and `filmless jobs` as a person calls them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.devices.test_checks import answering
from tests.peers import free_port

from filmless.app.cli import filmless
from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.db import events
from filmless.db.durable import Jobs, jobs_url
from filmless.db.work import reading
from filmless.kit.errors import Conflict, Refused


class Cli:
    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str) -> Result:
        result = CliRunner().invoke(filmless, [*arguments, "--home", str(self.home)], catch_exceptions=True)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *arguments: str) -> Any:
        result = self(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        with open_index(load(self.home, environment={})) as engine, reading(engine) as connection:
            return [(event.kind, dict(event.body)) for event in events.after(connection, 0)]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "home")


def test_a_device_lives_from_add_to_remove(cli):
    added = cli.json("devices", "add", "CT1", "10.0.0.7", "104", "--description", "CT", "--service", "store")
    assert (added["ae_title"], added["host"], added["port"], added["services"]) == (
        *("CT1", "10.0.0.7", 104),
        ["store"],
    )
    assert "10.0.0.7:104" in cli("devices", "list").output
    assert [one["ae_title"] for one in cli.json("devices", "list")] == ["CT1"]
    changed = cli.json(
        *("devices", "change", "CT1", "--port", "11112", "--tls", "--quirk", "implicit-only"),
        *("--disabled", "--reason", "moved to another network"),
    )
    assert (changed["port"], changed["tls"], changed["enabled"]) == (11112, True, False)
    assert changed["quirks"] == ["implicit-only"]
    assert cli.json("devices", "change", "CT1", "--quirk", "none", "--reason", "repaired")["quirks"] == []
    assert "associations are refused" in cli("devices", "show", "CT1").output
    assert "Removed CT1." in cli("devices", "remove", "CT1", "--reason", "scrapped").output
    assert "No devices yet" in cli("devices", "list").output
    kinds = [(kind, body["reason"]) for kind, body in cli.events()]
    assert kinds == [
        ("device-added", "CT"),
        ("device-changed", "moved to another network"),
        ("device-changed", "repaired"),
        ("device-removed", "scrapped"),
    ]
    assert all(body["by"] for _, body in cli.events())
    assert [one["what"] for one in cli.json("devices", "history", "CT1", "--limit", "2")] == [
        "device-removed",
        "device-changed",
    ]
    told = cli("devices", "history").output
    assert ("moved to another network" in told, "scrapped" in told) == (True, True)
    assert "There are more than 1" in cli("devices", "history", "--limit", "1").output
    assert "Nothing has happened" in cli("devices", "history", "CT2").output


def test_changes_need_a_reason_and_something_to_change(cli):
    cli("devices", "add", "CT1")
    assert "Missing option '--reason'" in cli("devices", "change", "CT1", "--port", "1").output
    assert "Missing option '--reason'" in cli("devices", "remove", "CT1").output
    assert "say what to change" in cli("devices", "change", "CT1", "--reason", "because").output


def test_what_is_wrong_is_said(cli):
    cli("devices", "add", "CT1")
    with pytest.raises(Conflict, match="already a device CT1"):
        cli("devices", "add", "CT1")
    with pytest.raises(Refused, match="Did you mean CT1"):
        cli("devices", "show", "CT2")
    with pytest.raises(Refused, match="no host and port"):
        cli("devices", "check", "CT1")
    assert "Invalid value for '--service'" in cli("devices", "add", "X", "--service", "fax").output


def test_the_list_says_when_it_is_cut(cli):
    for number in range(3):
        cli("devices", "add", f"CT{number}")
    assert len(cli.json("devices", "list", "--limit", "2")) == 2
    assert "more than 2" in cli("devices", "list", "--limit", "2").output


def test_a_check_says_why_and_is_kept(cli):
    with answering() as device:
        cli("devices", "add", "CT1", device.host, str(device.port))
        cli("devices", "add", "GONE", "127.0.0.1", str(free_port()))
        cli("devices", "add", "MUTE")
        good = cli("devices", "check", "CT1")
        assert (good.exit_code, "answers" in good.output) == (0, True)
        every = cli("devices", "check", "--json")
    assert every.exit_code == 4
    assert {one["ae_title"]: one["ok"] for one in json.loads(every.output)} == {"CT1": True, "GONE": False}
    assert "nothing listens there" in cli("devices", "show", "GONE").output
    assert cli.json("devices", "show", "CT1")["check_ok"] is True


def test_quirks_are_explained(cli):
    assert "Implicit VR Little Endian only" in CliRunner().invoke(filmless, ["devices", "quirks"]).output


def test_jobs_are_listed_cancelled_and_resumed_with_the_reason(cli):
    cli("devices", "add", "CT1", "127.0.0.1", "104")
    assert cli("jobs", "list").output == "No jobs.\n"
    settings = load(cli.home, environment={})
    with Jobs(jobs_url(settings.home, settings.index_url)) as jobs:
        first = jobs.add("send", {"study_uids": ["1.2.3"]}, device="CT1", queue="sends")
        second = jobs.add("notify", {"study_uid": "1.2.3"}, device="MR1", queue="notices")
    assert [one["id"] for one in cli.json("jobs", "list")] == [second, first]
    assert [one["id"] for one in cli.json("jobs", "list", "--device", "CT1")] == [first]
    assert "more than 1" in cli("jobs", "list", "--limit", "1").output
    assert cli.json("jobs", "show", first)["state"] == "waiting"
    assert "Missing option '--reason'" in cli("jobs", "cancel", first).output
    assert cli.json("jobs", "cancel", first, "--reason", "wrong study")["state"] == "cancelled"
    assert [one["id"] for one in cli.json("jobs", "list", "--state", "cancelled")] == [first]
    shown = cli("jobs", "show", first).output
    assert re.search(r"^cancelled: .* by .+: wrong study$", shown, re.MULTILINE)
    assert cli.json("jobs", "resume", first, "--reason", "right after all")["state"] == "waiting"
    with pytest.raises(Conflict, match="is waiting"):
        cli("jobs", "resume", first, "--reason", "again")
    assert "Missing option '--reason'" in cli("jobs", "resume", first).output
    decided = [(kind, body["job"], body["reason"]) for kind, body in cli.events() if kind.startswith("job-")]
    assert decided == [
        ("job-cancelled", first, "wrong study"),
        ("job-resumed", first, "right after all"),
    ]


def test_a_home_without_an_archive_is_refused(tmp_path):
    nowhere = Cli(tmp_path / "nowhere")
    for arguments in (("devices", "list"), ("jobs", "list")):
        with pytest.raises(Refused, match="no Filmless archive"):
            nowhere(*arguments)
    assert not (tmp_path / "nowhere").exists()
