"""What the project promises of itself: lock files, the two commands, documents that lead somewhere."""

import configparser
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from filmless.app import cli
from filmless.app.settings import load

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
RUN = [re.match(r"[A-Za-z0-9_.-]+", one).group().lower() for one in PROJECT["dependencies"]]  # type: ignore[union-attr]
TEST = [re.match(r"[A-Za-z0-9_.-]+", one).group().lower() for one in PROJECT["optional-dependencies"]["test"]]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "wanted"), [("requirements.lock", RUN), ("requirements-test.lock", [*RUN, *TEST])]
)
def test_lock_files_are_exact_with_hashes_and_name_no_registry(name: str, wanted: list[str]) -> None:
    text = (ROOT / name).read_text("utf-8")
    locked = dict(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", text, re.MULTILINE))
    assert set(wanted) <= set(locked)
    hashed = re.findall(
        r"^[a-z0-9._-]+\S*==\S+(?: ; .*)? \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE
    )
    assert len(hashed) == len(re.findall(r"^\w.*", text, re.MULTILINE)) >= len(wanted)
    assert not re.search(r"https?:|index-url|find-links", text)


def test_both_lock_files_agree() -> None:
    def read(name: str) -> dict[str, str]:
        text = (ROOT / name).read_text("utf-8")
        return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", text, re.MULTILINE))

    assert read("requirements.lock").items() <= read("requirements-test.lock").items()


def test_every_dependency_has_its_line() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    assert [name for name in (*RUN, *TEST) if not re.search(rf"\b{re.escape(name)}\b", text)] == []


def test_the_readme_has_exactly_two_commands_that_set_up() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert re.findall(r"^    (\S.*)$", text, re.MULTILINE) == ["make run", "make test"]


def test_links_between_documents_lead_somewhere() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    broken = [
        f"{document}: {target}"
        for document in tracked
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / document).read_text("utf-8"))
        if not ((ROOT / document).parent / target).exists()
    ]
    assert broken == []
    assert len(tracked) > 8


def test_the_settings_file_for_production_can_be_loaded(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "filmless.toml").read_text("utf-8")
    load(tmp_path, ROOT / "deploy" / "filmless.toml", environment={})
    # and so it can with everything that is only shown in it
    (tmp_path / "all.toml").write_text(re.sub(r"^#(\[|\w+ =)", r"\1", text, flags=re.MULTILINE), "utf-8")
    found = load(tmp_path, tmp_path / "all.toml", environment={})
    assert found.tls.port == 2762
    assert found.database.url.startswith("postgresql")


@pytest.mark.parametrize("unit", ["filmless.service", "filmless-backup.service"])
def test_units_call_commands_that_there_are(unit: str) -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(ROOT / "deploy" / unit)
    program, command, *arguments = parser["Service"]["ExecStart"].split()
    assert program == "/opt/filmless/.venv/bin/filmless"
    options = {
        option
        for parameter in cli.filmless.get_command(None, command).params  # type: ignore[arg-type, union-attr]
        for option in parameter.opts
    }
    assert {one for one in arguments if one.startswith("--")} <= options
    assert parser["Service"]["User"] == "filmless"


def test_commands_in_the_documents_exist() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {
        name
        for document in documents
        for name in re.findall(
            r"(?:`|^ +|/)filmless ([a-z][a-z-]*)", document.read_text("utf-8"), re.MULTILINE
        )
    }
    assert named - set(cli.COMMANDS) == set()
    assert {"serve", "backup", "restore", "check", "rebuild"} <= named
