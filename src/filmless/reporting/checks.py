"""Does a report fit the exam and itself? Warnings for whoever writes it, and what must not be missing."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from filmless.department import tasks
from filmless.department.exams import Exam
from filmless.kit.errors import Refused
from filmless.reporting import find
from filmless.reporting.model import SECTION_WORDS, Report, whole
from filmless.reporting.templates import by_key


@dataclass(frozen=True, slots=True)
class Warning:
    """`code`: "empty", "sex", "side", "side-differs", "field-missing", "field-range", "comparison", "no-result",
    "late-images", "whose-images";
    `section`: where; `words`: what was found; `blocks`: it cannot be submitted like this."""

    code: str
    section: str
    words: str
    blocks: bool = False


#: tasks that say that the images are not those that were read any more
IMAGES_CHANGED: Final = ("late-images", "images-rejected")

#: organs that only one sex has: "F" words in a report of a man, and the other way round
_ORGANS: Final[Mapping[str, re.Pattern[str]]] = {
    "F": re.compile(
        r"子宫|卵巢|输卵管|宫颈|阴道|附件区|妊娠|孕囊|胎儿|胎盘"
        r"|\buter(?:us|ine)\b|\bovar(?:y|ies|ian)\b|\bcervi(?:x|cal os)\b"
        r"|\bendometri\w+|\bfallopian\b|\bpregnan\w+|\bf(?:o)?et(?:us|al)\b|\bplacenta\w*|\bvagina\w*",
        re.IGNORECASE,
    ),
    "M": re.compile(
        r"前列腺|精囊|睾丸|附睾|阴茎|阴囊|\bprostat\w+|\bseminal vesicles?\b|\btest(?:is|es|icle|icular)\b"
        r"|\bepididym\w+|\bpenis\b|\bscrot\w+",
        re.IGNORECASE,
    ),
}
#: words of sides. Chinese ones not within others of the same signs (左右, 左心, 右心 are no sides of the body)
_LEFT: Final = re.compile(
    r"左(?!右|心|房|室|主|前降|回旋)|\bleft\b(?! (?:ventric|atri|heart|anterior))", re.IGNORECASE
)
_RIGHT: Final = re.compile(
    r"(?<!左)右(?!心|房|室|冠)|\bright\b(?! (?:ventric|atri|heart|coronary))", re.IGNORECASE
)
_COMPARED: Final = re.compile(
    r"较前|对比前|与前(?:次|片)|较\d{4}|前次检查|\bcompared (?:to|with)\b|\bunchanged\b|\binterval\b",
    re.IGNORECASE,
)
_NO_ABNORMALITY: Final = re.compile(
    r"未见(?:明显|明确)?异常[。；;]?$"
    r"|\bnormal\b|\bno (?:acute |significant )?abnormalit",
    re.IGNORECASE,
)


def warnings(
    content: Mapping[str, Any],
    exams: Sequence[Exam],
    sex: str,
    template: Mapping[str, Any] | None = None,
    *,
    priors: int = 0,
) -> list[Warning]:
    """What is to be looked at again before this is signed. `sex`: "M", "F", "O" or ""."""
    given = whole(content)
    required = (template or {}).get("required") or ["impression"]
    found = [
        Warning("empty", name, SECTION_WORDS.get(name, (name, name))[0], blocks=True)
        for name in dict.fromkeys(["impression", *required])
        if not str(given.get(name, "")).strip()
    ]
    for section in ("findings", "impression", "advice"):
        text = str(given[section])
        if sex in ("M", "F"):
            organ = _ORGANS["F" if sex == "M" else "M"].search(text)
            if organ:
                found.append(Warning("sex", section, organ.group()))
    found += _sides(given, exams)
    found += _fields(given["fields"], (template or {}).get("fields") or [])
    text = f"{given['findings']} {given['impression']}"
    if priors and not str(given["comparison"]).strip() and not _COMPARED.search(text):
        found.append(Warning("comparison", "comparison", str(priors)))
    if not priors and not str(given["comparison"]).strip() and _COMPARED.search(text):
        found.append(Warning("comparison", "comparison", ""))
    if given["result"] == "positive" and _NO_ABNORMALITY.search(str(given["impression"]).strip()):
        found.append(Warning("result-differs", "impression", str(given["impression"]).strip()[:60]))
    return found


def _sides(given: Mapping[str, Any], exams: Sequence[Exam]) -> list[Warning]:
    found: list[Warning] = []
    said = {name: _said(str(given[name])) for name in ("findings", "impression")}
    sides = {one.side for one in exams}
    if sides in ({"L"}, {"R"}):
        (side,) = sides
        other, pattern = ("R", _RIGHT) if side == "L" else ("L", _LEFT)
        for name, found_sides in said.items():
            if other in found_sides and side not in found_sides:
                match = pattern.search(str(given[name]))
                found.append(Warning("side", name, match.group() if match else ""))
    # what the impression says of one side only, the findings know of that side
    if len(said["impression"]) == 1 and said["findings"] and not said["impression"] <= said["findings"]:
        found.append(Warning("side-differs", "impression", ""))
    return found


def _said(text: str) -> set[str]:
    found = set()
    if _LEFT.search(text):
        found.add("L")
    if _RIGHT.search(text):
        found.add("R")
    if re.search(r"双侧|两侧|双肺|双肾|\bbilateral\b|\bboth\b", text, re.IGNORECASE):
        found |= {"L", "R"}
    return found


def _fields(values: Mapping[str, Any], fields: Sequence[Mapping[str, Any]]) -> list[Warning]:
    found: list[Warning] = []
    for field in fields:
        name, value = str(field.get("name", "")), values.get(str(field.get("name", "")))
        if field.get("required") and value in (None, "", []):
            found.append(Warning("field-missing", name, str(field.get("label_en") or name), blocks=True))
        if field.get("kind") == "number" and value not in (None, ""):
            low, high = field.get("least"), field.get("most")
            if not isinstance(value, int | float):
                found.append(Warning("field-range", name, str(value)[:40], blocks=True))
            elif (low is not None and value < low) or (high is not None and value > high):
                found.append(Warning("field-range", name, str(value)))
    return found


def of_report(
    connection: Connection, report: Report, content: Mapping[str, Any], *, priors: int = 0
) -> list[Warning]:
    """The warnings for a report with this content."""
    exams = find.exams_of(connection, report.id)
    person = find.person_row(connection, exams[0].person)
    template = by_key(connection, report.template)
    found = warnings(content, exams, person.sex, template.content if template else None, priors=priors)
    for one in exams:
        for task in tasks.open_tasks(connection, exam=one.id):
            if task.kind in IMAGES_CHANGED:
                found.append(Warning("late-images", "", str(task.body.get("count", ""))))
    ids = {one.id for one in exams}
    # images were moved from or to it, and it is not clear where they belong
    doubted = tasks.open_tasks(connection, kinds=("moved-images",), limit=5000)
    if any(task.exam in ids or task.body.get("to") in ids for task in doubted):
        found.append(Warning("whose-images", "", ""))
    return found


def require_complete(connection: Connection, report: Report, content: Mapping[str, Any]) -> None:
    """Raises Refused (code "incomplete") where something is missing that has to be there."""
    missing = [one for one in of_report(connection, report, content) if one.blocks]
    if missing:
        names = ", ".join(dict.fromkeys(one.words for one in missing))
        raise Refused(f"The report is not complete: {names}.", code="incomplete")
