"""Persons on both databases: making, finding, changing; their numbers."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from tests import trails

from filmless.access.acting import Acting
from filmless.access.model import SYSTEM
from filmless.db.work import reading, writing
from filmless.kit.errors import Conflict, Refused
from filmless.patients import persons
from filmless.patients.persons import Identifier, NewPerson


@pytest.fixture
def acting(engine: Engine) -> Iterator[Acting]:
    with trails.trail_of(engine) as trail:
        yield Acting(SYSTEM, trail)


def test_a_person_is_found_by_all_that_may_be_typed(engine: Engine, acting: Acting) -> None:
    card = Identifier("NI", "11010119800131123x")
    with writing(engine) as connection:
        lyu = persons.create(
            connection,
            NewPerson("吕㐂𠮷", sex="M", birth_date="1980-01-31", phone="13800001234", identifiers=(card,)),
            acting,
        )
        persons.create(connection, NewPerson("王芳", identifiers=(Identifier("VN", "4711"),)), acting)
        smith = persons.create(connection, NewPerson(name_alphabetic="Smith^John", patient_id="S-1"), acting)
    assert persons.name_of(lyu) == "LYU^XIJI=吕^㐂𠮷" and persons.shown(lyu) == "吕㐂𠮷"
    assert lyu.patient_id.startswith("P") and lyu.identifier("MR") == lyu.patient_id
    with reading(engine) as connection:
        for text in (
            *("吕", "吕㐂", "吕 㐂𠮷", "lyu", "LV XIJI", "lu xi", "lxj", "xiji lyu"),
            *("110101 19800131 123X", "13800001234", "00001234", "19800131", lyu.patient_id),
        ):
            assert [one.id for one in persons.find(connection, text, 10)] == [lyu.id], text
        for text in ("john smith", "Smith John", "js", "s-1"):
            assert [one.id for one in persons.find(connection, text, 10)] == [smith.id], text
        assert persons.find(connection, "nobody", 10) == persons.find(connection, " ", 10) == []
        assert len(persons.find(connection, "w", 1)) == 1
        found = persons.by_identifier(connection, "VN", "4711")
        assert found is not None and found.name_alphabetic == "WANG^FANG"


def test_nobody_has_anothers_number(engine: Engine, acting: Acting) -> None:
    card = Identifier("NI", "11010119800131123X")
    with writing(engine) as connection:
        first = persons.create(connection, NewPerson("王芳", identifiers=(card,)), acting)
        second = persons.create(connection, NewPerson("李芳"), acting)
    with pytest.raises(Conflict, match="another person"), writing(engine) as connection:
        persons.add_identifier(connection, second.id, card, acting)
    with pytest.raises(Conflict), writing(engine) as connection:
        persons.create(connection, NewPerson("王小芳", patient_id=first.patient_id), acting)
    with writing(engine) as connection:
        held = next(one for one in first.identifiers if one.kind == "NI")
        ended = persons.end_identifier(connection, first.id, held.id, acting)
        assert not ended.identifier("NI")
        # it still finds him, until it is somebody else's
        assert persons.by_identifier(connection, "NI", card.value).id == first.id  # type: ignore[union-attr]
        persons.add_identifier(connection, second.id, card, acting)
        assert persons.by_identifier(connection, "NI", card.value).id == second.id  # type: ignore[union-attr]
        own = next(one for one in first.identifiers if one.kind == "MR")
        with pytest.raises(Refused, match="change it"):
            persons.end_identifier(connection, first.id, own.id, acting)


def test_who_changes_says_what_he_saw(engine: Engine, acting: Acting) -> None:
    with writing(engine) as connection:
        person = persons.create(connection, NewPerson("曾乐"), acting)
        assert person.name_alphabetic == "ZENG^LE"
        changed = persons.change(connection, person.id, {"name_alphabetic": "ZENG^YUE"}, acting, seen=1)
        assert changed.name_alphabetic == "ZENG^YUE" and changed.changes == 2
        with pytest.raises(Conflict, match="meanwhile"):
            persons.change(connection, person.id, {"sex": "F"}, acting, seen=1)
        for wrong in (
            {"sex": "X"},
            {"birth_date": "20010229"},
            {"name_ideographic": "a=b"},
            {"status": "void"},
        ):
            with pytest.raises(Refused):
                persons.change(connection, person.id, wrong, acting)
        # another name is read anew
        again = persons.change(connection, person.id, {"name_ideographic": "单于"}, acting, seen=2)
        assert (again.name_ideographic, again.name_alphabetic) == ("单^于", "SHAN^YU")
        assert persons.change(connection, person.id, {"sex": ""}, acting).changes == again.changes
    assert [
        one.body["detail"]["attributes"]
        for one in trails.entries(engine, "access")
        if "attributes" in one.body["detail"]
    ]


def test_unknown_ones_are_told_apart_and_likely_ones_are_ranked(engine: Engine, acting: Acting) -> None:
    with writing(engine) as connection:
        one, other = (persons.unknown(connection, "M", acting, issuer="H1") for _ in range(2))
        assert one.unknown and one.patient_id.startswith("U") and one.patient_id != other.patient_id
        assert one.name_ideographic.startswith("无名氏男") and one.name_ideographic != other.name_ideographic
        told = NewPerson(
            "王芳", sex="F", birth_date="19800131", phone="139", identifiers=(Identifier("NI", "N1"),)
        )
        same = persons.create(connection, told, acting)
        namesake = persons.create(connection, NewPerson("王芳", sex="F", birth_date="19900131"), acting)
        sounds = persons.create(connection, NewPerson("汪方", sex="F", birth_date="19800131"), acting)
        persons.create(connection, NewPerson("李四"), acting)
        found = persons.likely(connection, told)
        assert [(found[0].person.id, found[0].score)] == [(same.id, 100)]
        assert [each.person.id for each in found] == [same.id, sounds.id]
        (twin,) = persons.likely(connection, NewPerson("王芳", birth_date="199001"), limit=1)
        assert twin.person.id == namesake.id and twin.why == ("name", "birth-date")
