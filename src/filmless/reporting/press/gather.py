"""What is printed of a report, gathered from the database."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from filmless.department import exams as department
from filmless.department.exams import Exam
from filmless.department.tables import orders, places
from filmless.kit.errors import Refused
from filmless.reporting import find, letterhead, writing
from filmless.reporting.ages import age
from filmless.reporting.find import Released
from filmless.reporting.letterhead import Letterhead
from filmless.reporting.model import WHOLE, Report, Revision, check_path, whole
from filmless.reporting.persons import shown_name
from filmless.reporting.press.layout import Addendum, Sheet
from filmless.reporting.settings import ReportingSettings
from filmless.reporting.templates import by_key


@dataclass(frozen=True, slots=True)
class Gathered:
    """A sheet without its pictures, the key images that belong on it, and the revision that it shows (0: a draft)."""

    sheet: Sheet
    images: tuple[dict[str, Any], ...]
    revision: int
    exams: tuple[Exam, ...]
    person: Any
    base: Revision | None
    #: the picture beside the hospital's name; else the file that the sheet names
    logo: bytes = b""


def headed(gathered: Gathered, head: Letterhead) -> Gathered:
    """Under this head; a name that it lacks is as it was."""
    zh = gathered.sheet.language == "zh"
    sheet = replace(
        gathered.sheet,
        hospital=(head.hospital_zh if zh else head.hospital_en) or gathered.sheet.hospital,
        department=(head.department_zh if zh else head.department_en) or gathered.sheet.department,
        logo=head.path,
    )
    return replace(gathered, sheet=sheet, logo=head.logo)


def released_sheet(
    connection: Connection,
    report: Report,
    settings: ReportingSettings,
    *,
    revision: int = 0,
    base_url: str = "",
    copy: int = 0,
) -> Gathered:
    """What counts of a report now, or counted when `revision` was released. Raises Refused (code "not-released")."""
    text = as_of(connection, report, revision or report.released)
    if text is None:
        text = find.submitted(connection, report)
        if text is None:
            raise Refused("Nothing of this report is released.", code="not-released")
        return _gathered(connection, report, text, settings, "provisional", base_url, copy)
    standing = "correction" if text.base.kind == "correction" else "final"
    if text.last.number != report.released:
        standing = "superseded" if report.released else "retracted"
    return _gathered(connection, report, text, settings, standing, base_url, copy)


def as_of(connection: Connection, report: Report, number: int) -> Released | None:
    """What counted when the revision of this number was the newest released one."""
    if not number:
        return None
    found = [one for one in find.revisions(connection, report.id) if one.number <= number]
    bases = [one for one in found if one.kind in WHOLE]
    if not bases or found[-1].kind not in (*WHOLE, "addendum", "identity"):
        return None
    addenda = [one for one in found if one.kind == "addendum" and one.number > bases[-1].number]
    return Released(bases[-1], tuple(addenda))


def draft_sheet(connection: Connection, report: Report, settings: ReportingSettings) -> Gathered:
    """What is being written, for whoever writes it; marked as a draft."""
    content = writing.current(connection, report)
    return _sheet(connection, report, content, None, settings, "draft", "", 0)


def _gathered(
    connection: Connection,
    report: Report,
    text: Released,
    settings: ReportingSettings,
    standing: str,
    base_url: str,
    copy: int,
) -> Gathered:
    return _sheet(connection, report, text.base.content, text, settings, standing, base_url, copy)


def _sheet(
    connection: Connection,
    report: Report,
    content: Any,
    text: Released | None,
    settings: ReportingSettings,
    standing: str,
    base_url: str,
    copy: int,
) -> Gathered:
    language = text.base.language if text else report.language
    zh = language == "zh"
    group = find.exams_of(connection, report.id)
    exam = group[0]
    person = find.person_row(connection, exam.person)
    order = connection.execute(select(orders).where(orders.c.id == exam.order_id)).one()
    written = [one for one in (report.author, report.reviewer) if one]
    people = find.names_of(connection, [*written, *((one.by for one in text.addenda) if text else ())])
    signed = _signed_at(connection, report, text)
    given = whole(content)
    template = by_key(connection, text.base.template if text else report.template)

    def called(account: str) -> str:
        name = people.get(account)
        return name.signed(language) if name else ""

    plain = Gathered(
        Sheet(
            language=language,
            hospital=_place(connection, "site", exam.site, zh=zh),
            department="",
            logo="",
            name=_name(person, zh=zh),
            sex=person.sex,
            age=age(person.birth_date, exam.finished_at or exam.started_at),
            patient_id=person.patient_id,
            number=exam.number,
            aliases=tuple(
                number
                for one in group
                for number, alias in department.numbers_of(connection, one.id)
                if alias == "matched" and number != one.number
            ),
            modality=exam.modality,
            patient_class=order.patient_class,
            requested_by=_place(connection, "department", order.department, zh=zh),
            requester=order.requester,
            ward=_place(connection, "ward", order.ward, zh=zh),
            bed=order.bed,
            diagnosis=order.diagnosis,
            procedures=tuple(
                (one.procedure_zh if zh else one.procedure_en) or one.procedure for one in group
            ),
            body_part=exam.body_part,
            side=exam.side,
            examined_at=exam.finished_at or exam.started_at,
            content=given,
            fields=_fields(given["fields"], template.content if template else {}, zh=zh),
            addenda=tuple(
                Addendum(one.content, called(one.by), one.at) for one in (text.addenda if text else ())
            ),
            author=called(report.author),
            reviewer=called(report.reviewer) if standing not in ("draft", "provisional") else "",
            signed_at=signed,
            standing=standing,
            reason=text.base.reason if text else "",
            check_code=_code(text.last.hash) if text and standing not in ("draft", "provisional") else "",
            link=base_url + check_path(text.last) if base_url and text else "",
            copy=copy,
        ),
        tuple(given["images"]),
        text.last.number if text else 0,
        tuple(group),
        person,
        text.base if text else None,
    )
    return headed(plain, letterhead.of(connection, settings))


def _signed_at(connection: Connection, report: Report, text: Released | None) -> datetime | None:
    if text is None:
        return None
    found = [
        one.signed_at for one in find.signatures_of(connection, report.id) if one.revision == text.base.number
    ]
    return found[-1] if found else None


def _code(digest: str) -> str:
    """The beginning of a revision's hash, for people to compare."""
    return "-".join(digest[at : at + 4] for at in (0, 4, 8, 12))


def _name(person: Any, *, zh: bool) -> str:
    pinyin = (person.name_alphabetic or "").replace("^", " ").strip()
    if zh or not pinyin:
        return shown_name(person)
    native = shown_name(person)
    return pinyin if native == pinyin else f"{pinyin} ({native})"


def _place(connection: Connection, kind: str, code: str, *, zh: bool) -> str:
    if not code:
        return ""
    row = connection.execute(
        select(places.c.name_zh, places.c.name_en).where(places.c.kind == kind, places.c.code == code)
    ).first()
    if row is None:
        return code
    return (row.name_zh or row.name_en if zh else row.name_en or row.name_zh) or code


def _fields(values: Any, template: Any, *, zh: bool) -> tuple[tuple[str, str], ...]:
    known = {str(one.get("name")): one for one in template.get("fields", [])}
    found = []
    for name, value in values.items():
        if value in (None, "", []):
            continue
        one = known.get(name, {})
        label = (one.get("label_zh") if zh else one.get("label_en")) or name
        labels = {
            str(choice.get("value")): (choice.get("label_zh") if zh else choice.get("label_en"))
            for choice in one.get("choices", [])
        }
        shown = [
            labels.get(str(part)) or _number(part) for part in (value if isinstance(value, list) else [value])
        ]
        unit = f" {one['unit']}" if one.get("unit") else ""
        found.append((str(label), "、".join(shown) + unit if zh else ", ".join(shown) + unit))
    return tuple(found)


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
