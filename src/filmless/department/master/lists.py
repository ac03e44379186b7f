"""Sites, departments, wards, rooms, stations, procedures, classes, reasons, staff: looked at, written, switched off.

Nothing is deleted: old exams keep their words, and a code is never given anew.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import time
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, insert, or_, select, update

from filmless.access.account_tables import accounts
from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.department.exams.guards import BLOCKING
from filmless.department.numbers import DATES
from filmless.department.tables import places, staff, stations, words
from filmless.kit import clock
from filmless.kit.errors import Refused

PLACES: Final = ("site", "department", "ward", "room")
REASONS: Final = (
    "reason-cancel",
    "reason-hold",
    "reason-override",
    "reason-reject",
    "reason-void",
    "reason-stop",
)
WORDS: Final = ("procedure", "exam-class", *REASONS)
#: how identity is checked for a class: not at all, kept where it is done, asked for, asked for by a document
POLICIES: Final = ("none", "recorded", *BLOCKING)
#: VR CS of a modality (PS3.3 C.7.3.1.1.1)
_MODALITY: Final = re.compile(r"[A-Z0-9_]{1,16}")
_CODE: Final = re.compile(r"[A-Za-z0-9._-]{1,16}")
_AE: Final = re.compile(r"[!-\[\]-~]{1,16}")


def all_places(connection: Connection, *, limit: int = 2000) -> Sequence[Row[Any]]:
    """Rows of `places`, sites first."""
    return connection.execute(select(places).order_by(places.c.kind, places.c.code).limit(limit)).all()


def all_stations(connection: Connection, *, limit: int = 500) -> Sequence[Row[Any]]:
    """Rows of `stations`."""
    return connection.execute(select(stations).order_by(stations.c.code).limit(limit)).all()


def all_words(connection: Connection, *, limit: int = 5000) -> Sequence[Row[Any]]:
    """Rows of `department_words`, kind by kind; what others keep there is not among them."""
    return connection.execute(
        select(words).where(words.c.kind.in_(WORDS)).order_by(words.c.kind, words.c.id).limit(limit)
    ).all()


def all_staff(connection: Connection, *, limit: int = 2000) -> Sequence[Row[Any]]:
    """Rows of `staff`."""
    return connection.execute(select(staff).order_by(staff.c.account).limit(limit)).all()


def all_names(connection: Connection, *, limit: int = 5000) -> list[tuple[str, str, str]]:
    """(account, name in Chinese, in English) of whoever may appear on a screen: as staff has it, else as the account is
    called."""
    query = (
        select(accounts.c.name, accounts.c.display_name, staff.c.name_zh, staff.c.name_en)
        .outerjoin(staff, staff.c.account == accounts.c.name)
        .where(or_(accounts.c.display_name != "", staff.c.account.is_not(None)))
        .order_by(accounts.c.name)
        .limit(limit)
    )
    return [
        (row.name, row.name_zh or row.display_name, row.name_en or row.display_name)
        for row in connection.execute(query)
    ]


def called(connection: Connection, account: str) -> str:
    """What an account is called on paper and at consoles: in Chinese, else in English, else by its own name."""
    row = connection.execute(
        select(accounts.c.display_name, staff.c.name_zh, staff.c.name_en)
        .outerjoin(staff, staff.c.account == accounts.c.name)
        .where(accounts.c.name == account)
    ).one_or_none()
    return (row and (row.name_zh or row.display_name or row.name_en)) or account


def put_place(
    connection: Connection, kind: str, code: str, values: Mapping[str, Any], acting: Acting
) -> None:
    """Write a site, department, ward or room. Raises Refused (code "bad-value")."""
    _one_of(kind, PLACES, "kind of place")
    _fits(code, _CODE, "code")
    _named(values)
    more = _only(values.get("more", {}), {"prefix": str, "issuer": str, "imaging": bool})
    if not re.fullmatch(r"[A-Za-z0-9]{0,2}", more.get("prefix", "")):
        raise Refused("A site's prefix in exam numbers has at most two letters or digits.", code="bad-value")
    _put(connection, places, {"kind": kind, "code": code}, {**values, "more": more}, acting)


def put_station(connection: Connection, code: str, values: Mapping[str, Any], acting: Acting) -> None:
    """Write a station. Raises Refused (code "bad-value")."""
    _fits(code, _CODE, "code")
    _named(values)
    _fits(str(values.get("modality", "")), _MODALITY, "modality")
    title = str(values.get("ae_title", ""))
    if title:
        _fits(title, _AE, "AE title")
    _check_hours(values.get("hours", {}))
    abilities = _only(
        values.get("abilities", {}),
        {"worklist": bool, "mpps": bool, "max_wait": int, "worklist_shows": str, "auto_finish": bool},
    )
    _put(connection, stations, {"code": code}, {**values, "abilities": abilities}, acting)


def put_words(
    connection: Connection, kind: str, code: str, values: Mapping[str, Any], acting: Acting
) -> None:
    """Write a procedure, a class of exams or a reason. Raises Refused (code "bad-value")."""
    _one_of(kind, WORDS, "kind of words")
    _fits(code, _CODE, "code")
    _named(values)
    check = _MORE.get(kind)
    more = check(code, values.get("more", {})) if check else {}
    _put(connection, words, {"kind": kind, "code": code}, {**values, "more": more}, acting)


def put_staff(connection: Connection, account: str, values: Mapping[str, Any], acting: Acting) -> None:
    """Write what is known of an account as a member of the department. Raises Refused (code "not-found")."""
    if connection.execute(select(accounts.c.id).where(accounts.c.name == account)).first() is None:
        raise Refused(f"There is no account {account}.", code="not-found")
    _put(connection, staff, {"account": account}, values, acting)


def _put(
    connection: Connection,
    table: Table,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    acting: Acting,
) -> None:
    where = [table.c[name] == value for name, value in key.items()]
    before = connection.execute(select(table).where(*where).with_for_update()).one_or_none()
    written = {**values, "changed_at": clock.now()}
    if before is None:
        connection.execute(insert(table).values(**key, **written))
        different = sorted(values)
    else:
        different = sorted(name for name, value in values.items() if getattr(before, name) != value)
        if not different:
            return
        connection.execute(update(table).where(*where).values(**written))
    acting.note(
        connection,
        f"{table.name} written",
        kind=Kind.CONFIG,
        settings={".".join(map(str, key.values())): different},
    )


def _procedure(_code: str, given: Mapping[str, Any]) -> dict[str, Any]:
    more = _only(
        given,
        {
            "modality": str,
            "body_part": str,
            "minutes": int,
            "sides": bool,
            "contrast": bool,
            "preparation_zh": str,
            "preparation_en": str,
            "template": str,
            "double_sign": bool,
            "fee": str,
            "weight": float,
            "due_minutes": int,
        },
    )
    _fits(str(more.get("modality", "")), _MODALITY, "modality")
    if more.get("body_part"):
        _fits(str(more["body_part"]).replace(" ", "_"), _MODALITY, "body part")
    if not 1 <= int(more.get("minutes", 15)) <= 720:
        raise Refused("A procedure takes 1 to 720 minutes.", code="bad-value")
    return more


def _exam_class(code: str, given: Mapping[str, Any]) -> dict[str, Any]:
    if not re.fullmatch("[A-Z]", code):
        raise Refused(
            "The code of a class is one capital letter: exam numbers begin with it.", code="bad-value"
        )
    more = _only(
        given,
        {
            "needs": str,
            "date": str,
            "digits": int,
            "stat": bool,
            "green": bool,
            "identity": str,
            "identity_exam": str,
            "safety": str,
            "patient_class": str,
            "order": int,
        },
    )
    _one_of(more.get("needs", ""), ("", "VN", "AN"), "needed number")
    _one_of(more.get("date", "yymmdd"), tuple(DATES), "form of the date")
    _one_of(more.get("identity", "none"), POLICIES, "check of identity")
    _one_of(more.get("identity_exam", "none"), POLICIES, "check of identity")
    _one_of(more.get("safety", ""), ("", "required"), "safety questions")
    _one_of(more.get("patient_class", ""), ("", "O", "I", "E", "P"), "class of patient")
    # letter, two of the site and the date leave this much of 16
    if not 3 <= int(more.get("digits", 4)) <= 6:
        raise Refused("A serial number has 3 to 6 digits.", code="bad-value")
    return more


_MORE: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    "procedure": _procedure,
    "exam-class": _exam_class,
}


def _only(given: Mapping[str, Any], known: Mapping[str, type]) -> dict[str, Any]:
    """What is known of it, of its type."""
    made: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise Refused(f"{name} is not known here.", code="bad-value")
        if value is None:
            continue
        wanted = known[name]
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise Refused(f"{name} is not of its kind.", code="bad-value")
        made[name] = value
    return made


def _named(values: Mapping[str, Any]) -> None:
    if not (values.get("name_zh") or values.get("name_en")):
        raise Refused("Give it a name.", code="bad-value")


def _fits(value: str, pattern: re.Pattern[str], what: str) -> None:
    if not pattern.fullmatch(value):
        raise Refused(f"This is no {what}: {value!r}.", code="bad-value")


def _one_of(value: Any, known: Sequence[str], what: str) -> None:
    if value not in known:
        raise Refused(f"This is no {what}: {value!r}.", code="bad-value")


def _check_hours(hours: Any) -> None:
    if not isinstance(hours, dict):
        raise Refused("Hours are written by weekday.", code="bad-value")
    for day, spans in hours.items():
        if day not in {str(number) for number in range(7)}:
            raise Refused("Weekdays are 0 (Monday) to 6.", code="bad-value")
        last = time(0)
        for number, span in enumerate(spans):
            try:
                opens, closes = time.fromisoformat(span[0]), span[1]
                ends = time.max if closes == "24:00" else time.fromisoformat(closes)
            except (ValueError, TypeError, IndexError):
                raise Refused(f"These are no hours: {span!r}.", code="bad-value") from None
            if opens >= ends or (number and opens < last):
                raise Refused(
                    "Hours follow one another, each with its end after its beginning.", code="bad-value"
                )
            last = ends
