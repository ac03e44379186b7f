"""What a job, a device's check, an alarm or the audit trail says went wrong is kept as an English sentence; who reads
Chinese reads it in Chinese: web/src/i18n/reasons.zh.ts has it, and is held here against the source."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from filmless.devices.model import REFUSALS
from filmless.dicom.statuses import STATUSES
from tests.app.test_problem_words import SOURCE, calls, constants, errors

TABLE = SOURCE.parents[1] / "web" / "src" / "i18n" / "reasons.zh.ts"

#: where such sentences are made: every text there that has a space
MADE_IN = (
    "access/audit/verify.py",
    "access/linking.py",
    "access/oidc.py",
    "app/alarms/channels.py",
    "app/alarms/conditions.py",
    "app/calling.py",
    "app/control.py",
    "app/dicom.py",
    "archive/codec_process.py",
    "archive/codecs.py",
    "archive/commitment/*.py",
    "archive/leaving.py",
    "archive/overlays.py",
    "archive/references.py",
    "archive/retrieve/delivery.py",
    "archive/retrieve/presence.py",
    "archive/retrieve/sending.py",
    "archive/search_index.py",
    "db/durable.py",
    "devices/checks.py",
    "devices/service.py",
    "dicom/dimse.py",
    "dicom/frames.py",
    "dicom/pixels/*.py",
    "dicom/recode.py",
    "dicom/rewrite.py",
    "dicom/ul/engine.py",
    "dicom/ul/pdu.py",
    "exchange/jobs.py",
    "exchange/notify.py",
    "exchange/send.py",
    "net/*.py",
)
#: where values that are not as the standard asks are noted of an object that is stored
LENIENT_IN = (
    "archive/entry.py",
    "archive/levels.py",
    "dicom/charset.py",
    "dicom/header.py",
    "dicom/json_model.py",
    "dicom/scan.py",
)
#: of these nobody hears by a reason: when a server starts, and buffers
NOT_MADE_IN = {"net/server.py", "net/slabs.py"}
#: for a log, a programmer, a library
NOT_SAID = re.compile(r"(_?log|_?logger)\.\w+|\w*(Value|Type|Key|Lookup|EOF|OS)Error|\w*\.execute|text")
#: texts of those files that no screen shows
ELSEWHERE = {
    # of the routes about jobs, devices and links: errors, which have their words by their codes
    "There is no job {}. `filmless jobs list` shows those there are.",
    "The job {} is {} already.",
    "The job {} is {}; only cancelled and failed jobs resume.",
    "There is already a device {}; `filmless devices change` changes it.",
    "A device has no {} to change.",
    # names of steps, of what is told to the trail, of what goes over the wire
    "attempt {}",
    "back off",
    "identity linked",
    "identities unlinked",
    "Bearer {}",
    "REPEATABLE READ",
    "application/json; charset=utf-8",
    "not a request of Filmless",
    "no such transaction was asked for",
    "str | int | Sequence[Sequence[Element]]",
    "account locked",
    # what a mail server says, after its number
    "{} {}",
    # in the result of a job, on the command line
    "asked, no result yet",
    "{} kept, {} not",
    "{} cannot be read: {}.",
    "{} has no SOP Class or SOP Instance UID.",
    # promises to ourselves
    "a handler replied after its final reply",
    "a handler ended without a final reply",
    # a correction that is only looked at
    "-",
}


def shape(node: ast.expr) -> str:
    """A text as it is written, with {} for what is put in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of what is below a node: no docstrings and types, nothing that is only logged."""
    if isinstance(tree, ast.arg | ast.AnnAssign):
        children = [tree.value] if isinstance(tree, ast.AnnAssign) and tree.value else []
    elif isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
        children = [*tree.args.defaults, *tree.body]
    else:
        children = list(ast.iter_child_nodes(tree))
    for node in children:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.Call) and NOT_SAID.fullmatch(ast.unparse(node.func)):
            continue
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, shape(node)
            for part in node.values:
                yield from texts(part) if isinstance(part, ast.FormattedValue) else ()
            continue
        if isinstance(node, ast.expr) and shape(node):
            yield node.lineno, shape(node)
        yield from texts(node)


def given() -> Iterator[tuple[str, str]]:
    """(place, text) of each reason= that is written out, and of causes of sign-ins that failed."""
    for name, node in calls():
        found = [one.value for one in node.keywords if one.arg == "reason"]
        found += node.args[2:3] if getattr(node.func, "id", "") == "_Found" else []
        for one in found:
            yield from ((f"{name}:{node.lineno}", said) for said in (shape(one), *constants(one)) if said)


@cache
def said() -> dict[str, str]:
    """Every sentence that a screen may show as a reason -> where it is made."""
    found = {words: "dicom/statuses.py" for _, words, _ in STATUSES.values()}
    found |= {words: "devices/model.py" for words, _ in REFUSALS.values()}
    for pattern in MADE_IN:
        for path in sorted(SOURCE.glob(pattern)):
            name = path.relative_to(SOURCE).as_posix()
            if name in NOT_MADE_IN:
                continue
            for line, text in texts(ast.parse(path.read_text("utf-8"))):
                if " " in text.strip():
                    found.setdefault(text, f"{name}:{line}")
    status_words = ast.parse((SOURCE / "dicom" / "statuses.py").read_text("utf-8")).body[-1]
    found |= {text: "dicom/statuses.py" for _, text in texts(status_words) if "{" in text}
    for place, call, code in errors():
        # who was refused is told to the trail with its words
        if code in ("not-permitted", "not-allowed", "no-storage-class"):
            found |= {text: place for text in (shape(call.args[0]), *constants(call.args[0])) if text}
    found |= {text: place for place, text in given()}
    return {text: place for text, place in found.items() if text not in ELSEWHERE}


def table(path: Path = TABLE) -> dict[str, str]:
    """Sentence, with its holes by name -> in Chinese."""
    text = path.read_text("utf-8").partition("export const foreign")[0]
    form = re.compile(r"""^  (?:'((?:[^'\\]|\\.)+)'|"([^"]+)"|(\w+)): '(.+)',$""", re.MULTILINE)
    return {(a or b or c).replace("\\'", "'"): words for a, b, c, words in form.findall(text)}


def unnamed(english: str) -> str:
    return re.sub(r"\{\w+\}", "{}", english)


def happened() -> Iterator[tuple[str, str]]:
    """(place, word) of what the audit trail is told to have happened, where it is written out."""
    for name, node in calls():
        called = node.func
        entry = "Entry" in (getattr(called, "id", ""), getattr(called, "attr", ""))
        found = [one.value for one in node.keywords if one.arg == "what" and entry]
        if isinstance(called, ast.Attribute) and called.attr == "note":
            found += node.args[1:2] if getattr(called.value, "id", "") == "acting" else []
        for one in found:
            yield from ((f"{name}:{node.lineno}", word) for word in constants(one))


def keys_of(file: str, table: str) -> set[str]:
    """The keys of one table of words in Chinese."""
    text = (TABLE.parent / "zh" / file).read_text("utf-8")
    inside = text.partition(f"  {table}: {{\n")[2].partition("\n  },")[0]
    return {
        a or b or c
        for a, b, c in re.findall(r"""^    (?:'([^']+)'|"([^"]+)"|(\w+)):""", inside, re.MULTILINE)
    }


def lenient() -> dict[str, str]:
    """What is noted of values that are not as the standard asks -> where."""
    found = {}
    for name in LENIENT_IN:
        for node in ast.walk(ast.parse((SOURCE / name).read_text("utf-8"))):
            said: list[ast.expr] = []
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "warn":
                said = node.args[1:2]
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "fault":
                said = [one for one in ast.walk(node.value) if isinstance(one, ast.Constant)]
            found |= {shape(one): f"{name}:{node.lineno}" for one in said if " " in shape(one)}
    return found


def test_what_is_stored_leniently_has_words_in_chinese() -> None:
    made, known = lenient(), {unnamed(english) for english in table(TABLE.with_name("lenient.zh.ts"))}
    assert len(made) > 15
    missing = {text: place for text, place in made.items() if text not in known}
    assert not missing, "add them to web/src/i18n/lenient.zh.ts"


def test_what_happened_has_words_in_chinese() -> None:
    known = keys_of("audit.ts", "whats") | keys_of("department.ts", "notes")
    # names of the standard are the same everywhere
    names = re.compile(r"[A-Z-]+|DICOMweb|[A-Z]+-RS")
    found = {word: place for place, word in happened()}
    assert len(found) > 60
    missing = {word: at for word, at in found.items() if word not in known and not names.fullmatch(word)}
    assert not missing, "add them to audit.whats in web/src/i18n"


def test_every_reason_has_words_in_chinese() -> None:
    known = {unnamed(english) for english in table()}
    missing = {text: place for text, place in said().items() if text not in known}
    assert not missing, "add them to web/src/i18n/reasons.zh.ts"


def test_no_words_are_left_of_reasons_that_are_gone() -> None:
    made = said()
    assert [english for english in table() if unnamed(english) not in made] == []


def test_chinese_words_are_whole() -> None:
    holes = re.compile(r"\{(\w+)\}")
    for english, chinese in [*table().items(), *table(TABLE.with_name("lenient.zh.ts")).items()]:
        assert re.search(r"[\u4e00-\u9fff]|^\{known\}", chinese), english
        assert set(holes.findall(chinese)) <= set(holes.findall(english)), english
    assert len({unnamed(english) for english in table()}) == len(table())
