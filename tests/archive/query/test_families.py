"""Family names of studies: the database keeps them whoever writes, and who is asked for by them is found in order."""

import random
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, insert, select, update

from filmless.access.model import Action, Grant, Principal, Role, Scope, account_principal, permit
from filmless.access.tables import study_access
from filmless.archive.query import families, page, page_if_known
from filmless.archive.query.request import Query
from filmless.archive.searchable import NO_KEYS
from filmless.archive.tables import studies, study_families
from filmless.archive.web.qido_request import Resource, read_request
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.patients import names
from filmless.patients.tables import patients

#: most begin like another one, some in two of their groups; more than families.MOST begin with L
FAMILIES = (
    "WANG=王", "WANG=王=wang", "Wangari", "WANG SUN=王孫", "LI=李=li", "LIN=林", "LIU=刘", "LIANG=梁", "LUO", "LYU",
    "LAN", "LEI", "LONG", "LU", "Müller", "M\u00fcller==Mueller", "", "=王", "O'Brien", "[x]*y",
)  # fmt: skip
READER = permit(account_principal("reader", 1, [Grant(Role.ATT)]), Action.SEARCH)
STEWARD = permit(account_principal("steward", 2, [Grant(Role.PAD, Scope(sensitive=True))]), Action.SEARCH)


def _name(rng: random.Random) -> str:
    given = rng.choice(("WEI", "Anna", ""))
    return "=".join(
        f"{group}^{given}" if given and group else group for group in rng.choice(FAMILIES).split("=")
    )


def _told(name: str) -> dict[str, str]:
    keys = names.keys(name)
    columns = {"alphabetic": keys.alphabetic, "ideographic": keys.ideographic, "phonetic": keys.phonetic}
    return {"name": name, **{f"name_{group}": value for group, value in columns.items()}}


def _person(connection: Connection, number: int, rng: random.Random) -> None:
    row = {"id": number, "patient_id": f"P{number}", "issuer": "", "other_ids": [], "attributes": {}}
    connection.execute(insert(patients).values(**row, created_at=clock.now(), **_told(_name(rng))))


def _moment(rng: random.Random) -> dict[str, str]:
    return {
        "study_date": f"202601{rng.randrange(1, 5):02d}",
        "study_time": f"{rng.randrange(10, 14)}0000.000000",
    }


def _study(connection: Connection, number: int, rng: random.Random) -> None:
    row = {"id": number, "patient": rng.randrange(1, 31), "study_uid": f"1.2.{number}", **_moment(rng)}
    more: dict[str, Any] = {"sop_classes": [], "attributes": {}, "instance_count": rng.choice((0, 1, 1, 1))}
    connection.execute(insert(studies).values(**row, **more, created_at=clock.now(), changed_at=clock.now()))
    if rng.random() < 0.2:
        # only who may see sensitive studies finds it
        connection.execute(
            insert(study_access).values(study_uid=f"1.2.{number}", sensitive=True, changed_at=clock.now())
        )


@pytest.fixture
def hospital(engine: Engine) -> Engine:
    """30 patients with 300 studies, changed in every way that there is."""
    rng = random.Random(7)
    with writing(engine) as connection:
        for number in range(1, 31):
            _person(connection, number, rng)
        for number in range(1, 301):
            _study(connection, number, rng)
        for _ in range(120):
            one = studies.c.id == rng.randrange(1, 301)
            who = patients.c.id == rng.randrange(1, 31)
            match rng.randrange(4):
                case 0:
                    connection.execute(update(studies).where(one).values(**_moment(rng)))
                case 1:
                    connection.execute(update(studies).where(one).values(patient=rng.randrange(1, 31)))
                case 2:
                    connection.execute(update(patients).where(who).values(**_told(_name(rng))))
                case _:
                    connection.execute(delete(studies).where(one))
    return engine


def _everyone(connection: Connection) -> list[Any]:
    return list(
        connection.execute(
            select(
                studies,
                patients.c.name_alphabetic,
                patients.c.name_ideographic,
                patients.c.name_phonetic,
                study_access.c.sensitive,
            )
            .join(patients, patients.c.id == studies.c.patient)
            .outerjoin(study_access, study_access.c.study_uid == studies.c.study_uid)
        )
    )


def _keys(row: Any) -> tuple[str, str, str]:
    return row.name_alphabetic, row.name_ideographic, row.name_phonetic


def test_the_database_keeps_them_whatever_changes(hospital: Engine) -> None:
    with reading(hospital) as connection:
        kept = [tuple(row) for row in connection.execute(select(study_families))]
        wanted = {
            (key.split("^")[0], row.study_date, row.study_time, row.id)
            for row in _everyone(connection)
            for key in _keys(row)
            if key.split("^")[0]
        }
    assert len(kept) == len(set(kept)) > 200
    assert set(kept) == wanted


def _asked(start: str, more: str = "") -> Query:
    return read_request(Resource("STUDY"), f"PatientName={start}*{more}", NO_KEYS, 100).query


def _found(rows: Any, readers: Any) -> list[str]:
    read = dict(readers)[0x0020000D]
    return [read(row) for row in rows]


@pytest.mark.parametrize("who", [READER, STEWARD], ids=["reader", "steward"])
@pytest.mark.parametrize("start", ["WANG", "Wa", "wang s", "L", "LI", "M", "王", "李", "O'", "[x]", "Nobody"])
def test_the_newest_are_found_in_order(hospital: Engine, who: Principal, start: str) -> None:
    key = names.key(start)
    with reading(hospital) as connection:
        wanted = sorted(
            (
                (row.study_date, row.study_time, row.id, row.study_uid)
                for row in _everyone(connection)
                if any(one.startswith(key) for one in _keys(row))
                and row.instance_count
                and (who is STEWARD or not row.sensitive)
            ),
            reverse=True,
        )
        for limit in (3, 40, 400):
            query = replace(_asked(start), limit=limit)
            # the second time by a statement that is known
            for ask in (page, page_if_known):
                answer = ask(connection, who, query, beyond=10)
                assert answer is not None
                assert _found(answer.rows, answer.readers) == [row[-1] for row in wanted[:limit]]
                assert answer.behind == min(max(len(wanted) - limit, 0), 10)


def test_what_is_a_search_for_a_family_name() -> None:
    for start, more, wanted in (
        ("WANG", "", "wang"),
        ("WANG", "&StudyDate=20260101-", "wang"),
        ("WANG^W", "", ""),
        ("W?", "", ""),
        ("WANG=", "", ""),
        ("WANG", "&orderby=PatientID", ""),
    ):
        query = _asked(start, more)
        match = dict(query.keys)[0x00100010]
        assert families.beginning(query, match) == wanted
