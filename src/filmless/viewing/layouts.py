"""Hanging protocols: "this layout for exams like this", of a person, a department or the hospital."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from filmless.access.model import Action, Principal, may, permit
from filmless.access.tables import study_access
from filmless.archive.query.visibility import in_force, seen
from filmless.archive.tables import series, studies
from filmless.kit import clock
from filmless.kit.errors import Refused
from filmless.viewing.tables import layouts

#: of one owner; bytes of one as JSON text
MOST: Final = 500
LONGEST: Final = 64 << 10
OWNERS: Final = ("user", "department", "hospital")


@dataclass(frozen=True, slots=True)
class Layout:
    """`number` 0: not kept yet. `owner`: of OWNERS; `department` only where that owns it.

    For exams of `modality`, `body_part` and with all words of `procedure` in the description; "" is any.
    """

    number: int
    owner: str
    department: str
    name: str
    modality: str
    body_part: str
    procedure: str
    content: Mapping[str, Any]
    changed_at: datetime | None = None
    changed_by: str = ""


@dataclass(frozen=True, slots=True)
class Exam:
    """What a layout is chosen by."""

    modalities: frozenset[str]
    body_parts: frozenset[str]
    #: descriptions of study, series and protocol, in small letters
    text: str
    department: str


def all_for(connection: Connection, principal: Principal, *, department: str = "") -> list[Layout]:
    """The layouts that count for a principal, and with `department` those of this one; newest first."""
    found = connection.execute(
        select(layouts).where(_counting(principal, department)).order_by(layouts.c.id.desc()).limit(4 * MOST)
    )
    return [_layout(row) for row in found]


def keep(connection: Connection, principal: Principal, wanted: Layout) -> Layout:
    """Keep a new layout, or one of `number` in the place of what it was. Raises Refused: "not-permitted",
    "not-found", "too-large"."""
    _check(principal, wanted.owner, wanted.department)
    text = json.dumps(dict(wanted.content), ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > LONGEST:
        raise Refused(f"A layout has at most {LONGEST >> 10} KiB.", code="too-large")
    values = {
        "owner": wanted.owner,
        "account_id": principal.account if wanted.owner == "user" else None,
        "department": wanted.department,
        "name": wanted.name,
        "modality": wanted.modality.upper(),
        "body_part": wanted.body_part.upper(),
        "procedure": wanted.procedure.lower(),
        "content": text,
        "changed_at": clock.now(),
        "changed_by": principal.name,
    }
    if wanted.number:
        _owned(connection, principal, wanted.number)
        connection.execute(update(layouts).where(layouts.c.id == wanted.number).values(**values))
        number = wanted.number
    else:
        same = and_(
            layouts.c.owner == values["owner"],
            layouts.c.department == values["department"],
            layouts.c.account_id == principal.account
            if wanted.owner == "user"
            else layouts.c.account_id.is_(None),
        )
        if (connection.scalar(select(func.count()).select_from(layouts).where(same)) or 0) >= MOST:
            raise Refused(f"At most {MOST} layouts are kept.", code="too-large")
        number = int(
            connection.execute(insert(layouts).values(**values).returning(layouts.c.id)).scalar_one()
        )
    return _layout(connection.execute(select(layouts).where(layouts.c.id == number)).one())


def remove(connection: Connection, principal: Principal, number: int) -> Layout:
    """Delete a layout; returns what it was. Raises Refused ("not-found", "not-permitted")."""
    found = _owned(connection, principal, number)
    connection.execute(delete(layouts).where(layouts.c.id == number))
    return found


def exam_of(connection: Connection, principal: Principal, study_uid: str) -> Exam | None:
    """What is known of a study, None where the principal sees none."""
    query = (
        select(
            studies.c.id,
            studies.c.modalities,
            studies.c.study_description,
            study_access.c.department,
        )
        .select_from(studies.outerjoin(study_access, study_access.c.study_uid == studies.c.study_uid))
        .where(studies.c.study_uid == study_uid, in_force("STUDY", principal), seen(principal))
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    parts = connection.execute(
        select(
            series.c.modality,
            series.c.body_part_examined,
            series.c.series_description,
            series.c.protocol_name,
        )
        .where(series.c.study == row.id, in_force("SERIES", principal))
        .order_by(series.c.id)
        .limit(200)
    ).all()
    texts = [row.study_description, *(text for one in parts for text in (one[2], one[3]))]
    return Exam(
        frozenset(one.modality for one in parts if one.modality),
        frozenset(one.body_part_examined.upper() for one in parts if one.body_part_examined),
        " ".join(texts).lower(),
        row.department or "",
    )


def matching(connection: Connection, principal: Principal, exam: Exam) -> list[Layout]:
    """The layouts for such an exam, the best first: one's own before those of the department and of the hospital; of
    one owner the one that says most of the exam, then the newest."""
    found = [one for one in all_for(connection, principal, department=exam.department) if fits(one, exam)]
    return sorted(found, key=lambda one: (OWNERS.index(one.owner), -_said(one), -one.number))


def fits(layout: Layout, exam: Exam) -> bool:
    """Whether a layout is for such an exam."""
    return (
        (not layout.modality or layout.modality in exam.modalities)
        and (not layout.body_part or layout.body_part in exam.body_parts)
        and all(word in exam.text for word in layout.procedure.split())
    )


def _said(layout: Layout) -> int:
    return 4 * bool(layout.procedure) + 2 * bool(layout.body_part) + bool(layout.modality)


def _departments(principal: Principal) -> frozenset[str]:
    """The departments to which somebody's grants are confined: those are his."""
    return frozenset(name for grant in principal.grants for name in grant.scope.departments or ())


def _counting(principal: Principal, department: str) -> ColumnElement[bool]:
    owners = [layouts.c.owner == "hospital"]
    if principal.account:
        owners.append(layouts.c.account_id == principal.account)
    if may(principal, Action.LAYOUTS):
        owners.append(layouts.c.owner == "department")
    names = _departments(principal) | ({department} if department else set())
    if names:
        owners.append(and_(layouts.c.owner == "department", layouts.c.department.in_(sorted(names))))
    return or_(*owners)


def _check(principal: Principal, owner: str, department: str) -> None:
    """Raises Refused where the principal may not change layouts of this owner."""
    if owner == "user":
        if not principal.account:
            raise Refused("Only an account has layouts of its own.", code="not-permitted")
        return
    narrowed = permit(principal, Action.LAYOUTS)
    if narrowed.unlimited:
        return
    scopes = [grant.scope for grant in narrowed.grants]
    if owner == "hospital" and not any(one.departments is None and one.sites is None for one in scopes):
        raise Refused("Your rights are those of a department, not of the hospital.", code="not-permitted")
    if owner == "department" and not any(
        one.departments is None or department in one.departments for one in scopes
    ):
        raise Refused("Your rights are those of another department.", code="not-permitted")


def _owned(connection: Connection, principal: Principal, number: int) -> Layout:
    row = connection.execute(select(layouts).where(layouts.c.id == number)).one_or_none()
    if row is None or (row.owner == "user" and row.account_id != principal.account):
        raise Refused("There is no such layout.", code="not-found")
    _check(principal, row.owner, row.department)
    return _layout(row)


def _layout(row: Any) -> Layout:
    return Layout(
        row.id,
        row.owner,
        row.department,
        row.name,
        row.modality,
        row.body_part,
        row.procedure,
        json.loads(row.content),
        row.changed_at,
        row.changed_by,
    )
