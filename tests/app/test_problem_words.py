"""Whatever the server refuses, a person reads why: in English by the answer's own words, in Chinese by its code."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "filmless"
FAMILIES = {"Refused", "Conflict", "Unavailable", "Defect"}
#: what no browser hears of: the command line, and what runs without it
NOT_ON_SCREENS = (
    "app/backup.py",
    "app/cli/",
    "app/conformance/",
    "app/copying.py",
    "app/demonstration/",
    "app/destination.py",
    "app/simulation/",
    "app/restore.py",
    "app/running.py",
    "app/serve.py",
    "app/settings.py",
    "app/supervise.py",
    "archive/rebuild.py",
    "db/migrations/",
)
#: codes that no literal beside an error names: who makes them
MADE = {
    "change-password": "access/sign_in.py, what a session must do first",
    "add-second-factor": "the same",
    "document-elsewhere": "department/identity_check.py",
    "over": "department/performed/recording.py",
    "memory": "archive/codec_process.py",
    "offline": "web/src/api/client.ts, where nobody answers",
    "different-object": "archive/model.py, causes of quarantine",
    "no-series-uid": "the same",
    "no-sop-instance-uid": "the same",
    "no-study-uid": "the same",
    "uid-mismatch": "the same",
    "unknown-sender": "the same",
    "webhook": "app/alarms/channels.py",
    "not-allowed-method": "net/http/problems.py",
    "precondition-failed": "the same",
}
CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def constants(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may be: itself, or either side of a condition."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from constants(node.body)
        yield from constants(node.orelse)


@cache
def calls() -> list[tuple[str, ast.Call]]:
    """(file, call) of every call in src/ that may have to do with a screen."""
    return [
        (path.relative_to(SOURCE).as_posix(), node)
        for path in sorted(SOURCE.rglob("*.py"))
        if not path.relative_to(SOURCE).as_posix().startswith(NOT_ON_SCREENS)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    ]


def errors() -> Iterator[tuple[str, ast.Call, str]]:
    """(place, call, code) of every error with a code that is made in src/ and may reach a screen."""
    for name, node in calls():
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for keyword in node.keywords:
            if keyword.arg == "code" and (called in FAMILIES or called in ("problem", "__init__")):
                for code in constants(keyword.value):
                    if CODE.fullmatch(code):
                        yield f"{name}:{node.lineno}", node, code


def chinese() -> dict[str, str]:
    text = (ROOT / "web" / "src" / "i18n" / "problems.zh.ts").read_text("utf-8")
    return {
        a or b: words for a, b, words in re.findall(r"^  (?:'([\w-]+)'|(\w+)): '(.+)',$", text, re.MULTILINE)
    }


def test_every_code_has_words_in_chinese() -> None:
    known = chinese()
    missing = {code: place for place, _, code in errors() if code not in known}
    assert not missing, "add them to web/src/i18n/problems.zh.ts"
    assert not MADE.keys() - known.keys()
    assert all(re.search(r"[\u4e00-\u9fff]", words) for words in known.values())


def test_every_error_has_words_in_english() -> None:
    made = [(place, call) for place, call, _ in errors() if getattr(call.func, "id", "") in FAMILIES]
    assert len(made) > 500
    assert [
        place for place, call in made if not call.args or not ast.unparse(call.args[0]).strip("'\"")
    ] == []


def test_no_words_are_left_of_codes_that_are_gone() -> None:
    raised = {code for _, _, code in errors()} | MADE.keys()
    assert chinese().keys() - raised == set()
