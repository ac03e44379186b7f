"""The command line as a person meets it."""

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from filmless.app import cli
from filmless.app.settings import load
from filmless.kit.errors import Conflict, Defect, Refused, Unavailable
from tests import made
from tests.peers import filmless_command, free_port, run


def test_help_is_quick_because_it_loads_no_command() -> None:
    code = "import sys; from filmless.app.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted(n for n in sys.modules if n.split('.')[0] in ('sqlalchemy', 'pydicom', 'uvicorn', 'dbos')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    took = []
    for _ in range(3):
        began = time.perf_counter()
        run(*filmless_command(), "--help")
        took.append(time.perf_counter() - began)
    assert min(took) < 0.6, "it should take a tenth of a second"


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_loads_and_has_help(name: str) -> None:
    result = CliRunner().invoke(cli.filmless, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage: " in result.output


def test_help_lists_every_command() -> None:
    output = CliRunner().invoke(cli.filmless, ["--help"]).output
    assert all(f"  {name} " in output for name in cli.COMMANDS)


@pytest.mark.parametrize(
    ("error", "code"),
    [(Refused("no"), 2), (Conflict("no"), 3), (Unavailable("no"), 4), (Defect("no"), 70)],
)
def test_errors_are_one_sentence_and_an_exit_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(importlib.import_module("filmless.app.cli.serve"), "settings", failing)
    with pytest.raises(SystemExit) as ended:
        cli.main(["settings"])
    assert ended.value.code == code
    assert capsys.readouterr().err == "filmless: no\n"


def test_a_database_that_does_not_answer_is_said_without_a_traceback(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://u:hidden@127.0.0.1:{free_port()}/x"
    (tmp_path / "filmless.toml").write_text(f'[database]\nurl = "{url}"\n', "utf-8")
    done = run(*filmless_command(), "devices", "list", "--home", tmp_path, check=False)
    assert (done.status, len(done.output.splitlines())) == (4, 1)
    assert done.output.startswith("filmless: The database does not answer: ")
    assert "hidden" not in done.output


def test_a_damaged_index_and_a_path_that_is_none_are_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_text("no database")
    done = run(*filmless_command(), "check", "--home", tmp_path, check=False)
    assert (done.status, "The database is damaged" in done.output) == (4, True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "filmless.toml").write_text("")
    run(*filmless_command(), "devices", "add", "CT1", "--home", tmp_path / "home")
    (tmp_path / "file").write_text("")
    done = run(
        *filmless_command(), "backup", tmp_path / "file" / "x", "--home", tmp_path / "home", check=False
    )
    assert (done.status, done.output) == (4, f"filmless: {tmp_path / 'file' / 'x'}: Not a directory.\n")


def test_ctrl_c_is_said_in_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def long() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module("filmless.app.cli.serve"), "settings", long)
    with pytest.raises(SystemExit) as ended:
        cli.main(["settings"])
    assert (ended.value.code, capsys.readouterr().err) == (130, "\nStopped.\n")


def test_a_mistyped_home_is_noticed(tmp_path: Path) -> None:
    for command in (["check"], ["quarantine", "list"], ["backup", str(tmp_path / "b")]):
        done = run(*filmless_command(), *command, "--home", tmp_path / "typo", check=False)
        assert done.status == 2, done.output
        assert "There is no Filmless archive" in done.output
        assert not (tmp_path / "typo").exists()
    # which would empty an index that is elsewhere
    done = run(*filmless_command(), "rebuild", "--yes", "--home", tmp_path / "typo", check=False)
    assert (done.status, "no objects in" in done.output) == (2, True), done.output
    assert not (tmp_path / "typo").exists()


def test_settings_are_shown_with_their_origin_and_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "filmless.toml").write_text(
        'aet = "SHOWN"\n[database]\nurl = "postgresql+psycopg://u:hidden-word@h/d"\n', "utf-8"
    )
    output = run(*filmless_command(), "settings", "--home", tmp_path).output
    assert f'aet = "SHOWN"    # {tmp_path}/filmless.toml; FILMLESS_AET' in output
    assert "dicom_port = 11112    # default; FILMLESS_DICOM_PORT" in output
    assert "hidden-word" not in output
    assert "url = (not shown)" in output


def test_shown_settings_can_be_a_settings_file(tmp_path: Path) -> None:
    output = run(*filmless_command(), "settings", "--home", tmp_path).output
    text = "\n".join(output.splitlines()[2:])
    (tmp_path / "shown.toml").write_text(text, "utf-8")
    shown, defaults = load(tmp_path, tmp_path / "shown.toml", environment={}), load(tmp_path, environment={})
    for section in ("server", "net", "archive", "find", "retrieve", "codecs", "devices", "log", "tls"):
        assert getattr(shown, section) == getattr(defaults, section)


def test_an_unknown_setting_refuses_every_command(tmp_path: Path) -> None:
    (tmp_path / "filmless.toml").write_text("dicom_prot = 1\n", "utf-8")
    done = run(*filmless_command(), "serve", "--home", tmp_path, check=False)
    assert done.status == 2
    assert "unknown key dicom_prot" in done.output
    assert "did you mean dicom_port?" in done.output


def test_output_into_a_closed_pipe_is_no_error() -> None:
    shell = f"{' '.join(filmless_command())} settings --home /nowhere/at/all | head -1"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "home" in done.stdout


def test_every_list_has_a_limit_and_every_act_a_reason() -> None:
    """Of the commands by which an engineer runs the server (those that only read or copy need no reason)."""
    lists, acts = [], []
    for group in ("devices", "quarantine", "reject", "associations", "jobs"):
        found = cli.filmless.get_command(click.Context(cli.filmless), group)
        assert isinstance(found, click.Group)
        for name, command in found.commands.items():
            options = {parameter.name for parameter in command.params}
            if name == "list":
                lists.append(group)
                assert "limit" in options, f"{group} {name}"
            elif name == "history":
                assert "limit" in options, f"{group} {name}"
            elif name not in ("show", "quirks", "check"):
                acts.append(f"{group} {name}")
                assert "reason" in options, f"{group} {name}"
    assert len(lists) == 5
    assert len(acts) >= 10


def test_a_purge_needs_a_reason_which_is_kept(tmp_path: Path) -> None:
    home, series = tmp_path / "home", made.series(tmp_path, 1)
    filmless = filmless_command()
    run(*filmless, "import", tmp_path, "--home", home)
    run(*filmless, "reject", "add", "--study", series.study_uid, "--code", "expired",
        "--reason", "ten years", "--home", home)  # fmt: skip
    purge = (*filmless, "purge", "--older-than", "0", "--home", home)
    refused = run(*purge, "--yes", check=False)
    assert (refused.status, "--reason" in refused.output) == (2, True)
    assert "Would delete 2 objects" in run(*purge, "--dry-run").output
    assert "Deleted 2 objects" in run(*purge, "--yes", "--reason", "list 7 of the records office").output
    lines = [json.loads(line) for line in (home / "store" / "ledger.jsonl").read_text("utf-8").splitlines()]
    purged = [line for line in lines if line["what"] == "purge"]
    assert {line["reason"] for line in purged} == {"list 7 of the records office"}
    assert len(purged) == 2


def test_what_an_import_assumes_can_be(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made.series(tmp_path / "in", 1)
    for option, value in (("--character-set", "GB18O30"), ("--issuer", "A\\B")):
        done = run(*filmless_command(), "import", tmp_path / "in", option, value, "--home", home, check=False)
        assert done.status == 2, done.output
    assert not home.exists()


def test_a_lost_index_is_noticed_and_made_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made.series(tmp_path / "in", 2)
    run(*filmless_command(), "import", tmp_path / "in", "--home", home)
    for name in ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm"):
        (home / name).unlink(missing_ok=True)
    ports = ("--bind", "127.0.0.1", "--dicom-port", "0", "--http-port", "0")
    for command in (("serve", *ports), ("import", tmp_path / "in")):
        done = run(*filmless_command(), *command, "--home", home, check=False)
        assert (done.status, "`filmless rebuild`" in done.output) == (2, True)
    assert not (home / "index.sqlite").exists()
    rebuilt = run(*filmless_command(), "rebuild", "--yes", "--home", home).output
    assert "2 objects in the archive" in rebuilt
    assert "no differences" in run(*filmless_command(), "check", "--home", home).output


def test_a_doubt_about_identity_is_listed_for_a_steward(tmp_path: Path) -> None:
    home, filmless = tmp_path / "home", filmless_command()
    for number, (name, study) in enumerate((("DOE^JANE", "1.2.3.1"), ("ROE^RICHARD", "1.2.3.2"))):
        data_set = made.image(number, name=name, patient_id="P1", study=study, series=study + ".1")
        data_set.StudyDate = ""
        (tmp_path / f"{number}.dcm").write_bytes(made.part10(data_set))
    run(*filmless, "import", tmp_path / "0.dcm", "--home", home)
    assert "no doubt" in run(*filmless, "flags", "list", "--home", home).output
    run(*filmless, "import", tmp_path / "1.dcm", "--home", home)
    listed = run(*filmless, "flags", "list", "--home", home).output
    assert "one patient ID and issuer" in listed
    assert "P1 DOE^JANE" in listed
    assert "P1 ROE^RICHARD" in listed
    sop = str(data_set.SOPInstanceUID)
    assert "Nothing of this object" in run(*filmless, "flags", "show", sop, "--home", home).output
    assert run(*filmless, "flags", "show", "1.2.3", "--home", home, check=False).status == 2
