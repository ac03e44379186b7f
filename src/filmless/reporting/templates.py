"""Templates and phrases: those of the hospital, a department and one's own. A change is a new revision; reports keep
the one that they were written by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select

from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.access.model import Action, Principal, may
from filmless.department.exams import Exam
from filmless.department.tables import staff, words
from filmless.kit import clock
from filmless.kit.errors import Refused
from filmless.reporting.first_templates import PHRASES, TEMPLATES
from filmless.reporting.model import empty_content
from filmless.reporting.tables import templates as table

#: of one owner
MOST: Final = 2000
_FIRST: Final = {"template": TEMPLATES, "phrase": PHRASES}
#: of two with one code, the one nearer to the person counts
_NEAR: Final = {"user": 0, "department": 1, "hospital": 2}


@dataclass(frozen=True, slots=True)
class Template:
    """A template or a phrase. `id` 0 and `revision` 1: one that Filmless comes with."""

    id: int
    kind: str
    code: str
    revision: int
    name_zh: str
    name_en: str
    owner: str
    owner_name: str
    modality: str
    body_part: str
    content: Mapping[str, Any]
    active: bool
    changed_at: datetime | None
    changed_by: str

    @property
    def key(self) -> str:
        """By which a report names it."""
        return f"{self.code}@{self.revision}"[:40]


def all_for(connection: Connection, who: Principal, *, kind: str = "") -> list[Template]:
    """The newest revision of each that this account may use, in the order of their codes."""
    newest = (
        select(
            table.c.kind,
            table.c.owner,
            table.c.owner_name,
            table.c.code,
            func.max(table.c.revision).label("revision"),
        )
        .where(_mine(connection, who))
        .group_by(table.c.kind, table.c.owner, table.c.owner_name, table.c.code)
        .subquery()
    )
    same = and_(
        *(table.c[name] == newest.c[name] for name in ("kind", "owner", "owner_name", "code", "revision"))
    )
    kept = [Template(**row._mapping) for row in connection.execute(select(table).join(newest, same))]
    found = {(one.kind, one.owner, one.owner_name, one.code): one for one in kept}
    for what, first in _FIRST.items():
        for code, values in first.items():
            one = Template(
                0,
                what,
                code,
                1,
                owner="hospital",
                owner_name="",
                active=True,
                changed_at=None,
                changed_by="",
                **values,
            )
            found.setdefault((what, "hospital", "", code), one)
    chosen = [one for one in found.values() if one.active and kind in ("", one.kind)]
    return sorted(chosen, key=lambda one: (one.kind, _NEAR[one.owner], one.code))


def _mine(connection: Connection, who: Principal) -> ColumnElement[bool]:
    department = connection.scalar(select(staff.c.department).where(staff.c.account == who.name)) or ""
    return or_(
        table.c.owner == "hospital",
        and_(table.c.owner == "user", table.c.owner_name == who.name),
        and_(table.c.owner == "department", table.c.owner_name == department),
    )


def fitting(found: list[Template], exam: Exam, *, named: str = "") -> list[Template]:
    """Those for an exam, the best first: the one that its procedure names, its modality and part, its modality, any."""

    def rank(one: Template) -> tuple[int, int, str]:
        if named and one.code == named:
            return 0, _NEAR[one.owner], one.code
        fit = 4 - 2 * bool(one.modality) - bool(one.body_part)
        return fit, _NEAR[one.owner], one.code

    return sorted(
        (
            one
            for one in found
            if (one.modality in ("", exam.modality) and one.body_part in ("", exam.body_part))
            or (named and one.code == named)
        ),
        key=rank,
    )


def for_exam(connection: Connection, exam: Exam, who: Principal, *, kind: str = "") -> list[Template]:
    """The templates and phrases for an exam, the best first."""
    more = connection.scalar(
        select(words.c.more).where(words.c.kind == "procedure", words.c.code == exam.procedure)
    )
    return fitting(all_for(connection, who, kind=kind), exam, named=(more or {}).get("template", ""))


def beginning(
    connection: Connection, exam: Exam, who: Principal, language: str = "zh"
) -> tuple[str, str, dict[str, Any]]:
    """(the template's key, the language, the content) with which a report of this exam begins: nothing is said in it,
    but how the exam was made."""
    content = empty_content()
    found = for_exam(connection, exam, who, kind="template")
    if not found:
        return "", language, content
    text = found[0].content.get("text", {}).get(language, {})
    content["technique"] = str(text.get("technique", ""))
    return found[0].key, language, content


def by_key(connection: Connection, key: str) -> Template | None:
    """The template that a report was written by, as it was then."""
    code, _, revision = key.partition("@")
    if not code or not revision.isdigit():
        return None
    row = connection.execute(
        select(table).where(
            table.c.kind == "template", table.c.code == code, table.c.revision == int(revision)
        )
    ).first()
    if row is not None:
        return Template(**row._mapping)
    if code in TEMPLATES and revision == "1":
        return Template(
            0,
            "template",
            code,
            1,
            owner="hospital",
            owner_name="",
            active=True,
            changed_at=None,
            changed_by="",
            **TEMPLATES[code],
        )
    return None


@dataclass(frozen=True, slots=True)
class Wish:
    """A template or phrase as somebody wants it."""

    kind: str
    code: str
    owner: str
    name_zh: str
    name_en: str
    modality: str
    body_part: str
    content: Mapping[str, Any]


def keep(connection: Connection, wish: Wish, acting: Acting, *, active: bool = True) -> Template:
    """Add a revision of one, the first or the next. Raises Refused: "not-permitted", "too-many", "no-department"."""
    who = acting.who
    if wish.owner != "user" and not may(who, Action.TEMPLATES):
        raise Refused("Templates of all are kept by the section head.", code="not-permitted")
    name = {"user": who.name, "hospital": ""}.get(wish.owner)
    if name is None:
        name = connection.scalar(select(staff.c.department).where(staff.c.account == who.name)) or ""
        if not name:
            raise Refused("You belong to no department.", code="no-department")
    same = and_(table.c.kind == wish.kind, table.c.owner == wish.owner, table.c.owner_name == name)
    if (connection.scalar(select(func.count()).select_from(table).where(same)) or 0) >= MOST:
        raise Refused(f"At most {MOST} are kept.", code="too-many")
    last = connection.scalar(select(func.max(table.c.revision)).where(same, table.c.code == wish.code)) or 0
    if wish.owner == "hospital" and wish.code in _FIRST[wish.kind]:
        last = max(last, 1)
    row = connection.execute(
        insert(table)
        .values(
            kind=wish.kind,
            code=wish.code,
            revision=last + 1,
            name_zh=wish.name_zh,
            name_en=wish.name_en,
            owner=wish.owner,
            owner_name=name,
            modality=wish.modality,
            body_part=wish.body_part,
            content=dict(wish.content),
            active=active,
            changed_at=clock.now(),
            changed_by=who.name,
        )
        .returning(table)
    ).one()
    if wish.owner != "user":
        what = f"{wish.kind} {'kept' if active else 'removed'}"
        acting.note(connection, what, kind=Kind.CONFIG, code=wish.code, owner=wish.owner, revision=last + 1)
    return Template(**row._mapping)


def remove(connection: Connection, kind: str, owner: str, code: str, acting: Acting) -> None:
    """Switch one off; reports that were written by it keep it. Raises Refused (code "not-found")."""
    found = [
        one for one in all_for(connection, acting.who, kind=kind) if one.owner == owner and one.code == code
    ]
    if not found:
        raise Refused("There is no such template.", code="not-found")
    one = found[0]
    wish = Wish(kind, code, owner, one.name_zh, one.name_en, one.modality, one.body_part, one.content)
    keep(connection, wish, acting, active=False)
