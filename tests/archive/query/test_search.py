"""What the oracle does not cover: names by sound, negotiated matching, objects for retrieval, plans."""

import random
from itertools import islice

import pytest
from bench import synthetic
from sqlalchemy import Engine, event, text
from tests.archive.query import objects, oracle
from tests.archive.query.test_against_oracle import DEVICE, HOSPITAL, QUALITY, asked, find

from filmless.access.model import ENGINEER, Principal
from filmless.archive.query import LEVELS, Options, instances_of, search, understand
from filmless.archive.query.keys import Level
from filmless.archive.query.search import prepare
from filmless.db.work import reading

NAME, ID, DATE, MODALITIES = 0x00100010, 0x00100020, 0x00080020, 0x00080061


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Xiao Dong Wang", {"WANG^XIAODONG=王^小东", "Wang^Xiao Dong=王^晓东"}),
        ("wang xiaodong", {"WANG^XIAODONG=王^小东", "Wang^Xiao Dong=王^晓东"}),
        ("王小东", {"WANG^XIAODONG=王^小东", "王^小东"}),
        ("Wang Xiaodong=王小东", {"WANG^XIAODONG=王^小东"}),
        ("Zang Wei", {"ZHANG^WEI=张^伟"}),
        ("Smith John", {"Smith^John", "SMITH^JOAN^Q", "Smyth^Jon"}),
        ("Lv Bu", {"LÜ^BU=吕^布"}),
        ("Zzyzx", set()),
    ],
)
def test_names_by_sound(filled: Engine, name: str, expected: set[str]) -> None:
    found = {row[NAME] for row in find(filled, DEVICE, "PATIENT", {NAME: name}, fuzzy=True)}
    assert found == expected
    in_studies = {row[NAME] for row in find(filled, DEVICE, "STUDY", {NAME: name, ID: ""}, fuzzy=True)}
    assert in_studies == expected


def test_multiple_values_all_have_to_be_there(filled: Engine) -> None:
    rows = find(filled, DEVICE, "STUDY", {MODALITIES: "CT\\MR"}, multiple_values=True)
    both = oracle.answer(HOSPITAL, "STUDY", {MODALITIES: "CT"}) & oracle.answer(
        HOSPITAL, "STUDY", {MODALITIES: "MR"}
    )
    assert {row[0x0020000D] for row in rows} == both
    assert both


@pytest.mark.parametrize(
    ("level", "tag"),
    [
        ("STUDY", DATE),
        ("STUDY", 0x00080050),
        ("STUDY", 0x00081030),
        ("STUDY", 0x00080090),
        ("PATIENT", NAME),
        ("SERIES", 0x00180015),
        ("IMAGE", 0x00280010),
    ],
)
def test_empty_values_can_be_asked_for(filled: Engine, level: Level, tag: int) -> None:
    options = Options(relational=True, empty_value=True)
    query = understand(level, LEVELS, asked({tag: '""'}), options).query
    with reading(filled) as connection:
        found = {row[oracle.UNIQUE[level]] for row in search(connection, DEVICE, query)}
    expected = {
        one[oracle.UNIQUE[level]] for one in oracle.seen(HOSPITAL, quality_control=False) if not one[tag]
    }
    assert found == expected
    assert expected


def test_a_limit_and_an_early_end(filled: Engine) -> None:
    query = understand("IMAGE", LEVELS, [], Options(relational=True)).query
    with reading(filled) as connection:
        answers = search(connection, DEVICE, query)
        assert len(list(islice(answers, 3))) == 3
        answers.close()
        assert connection.scalar(text("SELECT 1")) == 1


@pytest.mark.parametrize("principal", [DEVICE, QUALITY, ENGINEER], ids=lambda one: one.name)
def test_objects_for_retrieval(filled: Engine, principal: Principal) -> None:
    visible = oracle.seen(HOSPITAL, principal.quality_control)
    with reading(filled) as connection:

        def uids(**given: object) -> list[str]:
            found = list(instances_of(connection, principal, **given))  # type: ignore[arg-type]
            assert all(one.path == f"current/{one.sop_instance}" for one in found)
            assert all((one.offset, one.size, len(one.sha256)) == (300, 100, 64) for one in found)
            return [one.sop_instance for one in found]

        def expected(tag: int, *values: str) -> list[str]:
            return sorted(one[0x00080018] for one in visible if one[tag] in values)

        patient = HOSPITAL[0][ID]
        assert sorted(uids(level="PATIENT", patient_id=patient)) == expected(ID, patient)
        assert uids(level="PATIENT", patient_id=patient, issuer="NOBODY") == []
        studies = ["1.2.3.1.0", "1.2.3.2.0", "1.2.3.2.0", "9.9"]
        assert sorted(uids(level="STUDY", study_uids=studies)) == expected(0x0020000D, *studies)
        series = ["1.2.3.1.0.0", "1.2.3.4.0.0"]
        assert sorted(uids(level="SERIES", series_uids=series)) == expected(0x0020000E, *series)
        assert sorted(uids(level="SERIES", study_uids=["1.2.3.1.0"], series_uids=series)) == expected(
            0x0020000E, "1.2.3.1.0.0"
        )
        everything = [one[0x00080018] for one in HOSPITAL] * 2
        random.Random(1).shuffle(everything)
        many = everything + [f"9.{number}" for number in range(700)]
        assert sorted(uids(level="IMAGE", sop_uids=many)) == sorted(one[0x00080018] for one in visible)
        assert uids(level="STUDY") == uids(level="PATIENT") == uids(level="IMAGE", study_uids=studies) == []


def test_the_small_hospital_is_worth_asking() -> None:
    codes = [one[0] for one in HOSPITAL]
    assert min(codes.count(code) for code in ("", "113001", "113039")) > 20
    assert len({one[ID] for one in HOSPITAL}) == 46
    assert objects.hospital() == HOSPITAL


PLANS: list[tuple[Level, dict[int, str], dict[str, bool], str]] = [
    ("STUDY", {ID: "00000007"}, {}, "patient_id"),
    ("STUDY", {NAME: "WANG^XIAODONG"}, {}, "name_alphabetic"),
    ("STUDY", {NAME: "WANG^X*"}, {}, "name_alphabetic"),
    ("STUDY", {NAME: "王^小*"}, {}, "name_ideographic"),
    ("STUDY", {NAME: "W?NG^X*"}, {}, "name_alphabetic"),
    ("STUDY", {NAME: "Xiao Dong Wang"}, {"fuzzy": True}, "ix_patient_sounds_sound"),
    ("STUDY", {DATE: "20200101-20200102"}, {}, "ix_studies_study_date"),
    ("STUDY", {0x00080050: "A00000001*"}, {}, "ix_studies_accession_number"),
    ("STUDY", {0x0020000D: f"{synthetic.ROOT}.1"}, {}, "study_uid"),
    ("PATIENT", {DATE: "20200101"}, {}, "ix_studies_study_date"),
    ("SERIES", {0x0020000D: f"{synthetic.ROOT}.1"}, {}, "ix_series_study"),
    ("IMAGE", {0x0020000E: f"{synthetic.ROOT}.1.1"}, {}, "ix_instances_series"),
    ("IMAGE", {0x00080018: f"{synthetic.ROOT}.1.1.1"}, {}, "sop_instance_uid"),
]


def test_common_searches_use_indexes(engine: Engine) -> None:
    synthetic.fill(engine, 2_000)
    sqlite = engine.dialect.name == "sqlite"
    with reading(engine) as connection:
        if not sqlite:
            # a table of a few pages is read as a whole however it is asked for
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        plans: list[str] = []

        @event.listens_for(connection, "before_cursor_execute", retval=True)
        def explain(_connection, _cursor, statement, parameters, _context, _many):  # type: ignore[no-untyped-def]
            return ("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN ") + statement, parameters

        for level, keys, options, index in PLANS:
            query = understand(
                level, LEVELS, asked(dict(keys)), Options(**{"relational": True, **options})
            ).query
            statement, _ = prepare(engine.dialect.name, DEVICE, query)
            plan = [str(row[-1]) for row in connection.execute(statement).cursor.fetchall()]  # type: ignore[attr-defined]
            plans.append("\n".join(plan))
            whole = [line for line in plan if line.startswith("SCAN ") or "Seq Scan on" in line]
            assert whole == [], f"{level} {keys}: {plan}"
            assert index in plans[-1], f"{level} {keys}: {plan}"
    assert len(plans) == len(PLANS)


def test_the_synthetic_index_is_what_it_says(engine: Engine) -> None:
    made = synthetic.fill(engine, 500)
    assert (made.studies, made.patients) == (500, synthetic.patient_of(500))
    for number in (1, 250, 500):
        patient = synthetic.patient_of(number)
        keys = {ID: synthetic.patient_id(patient), DATE: synthetic.day(number)}
        rows = find(engine, DEVICE, "STUDY", keys, returned=(NAME, 0x00201208, 0x0020000D))
        assert synthetic.study_uid(number) in {row[0x0020000D] for row in rows}
        assert {row[NAME] for row in rows} == {synthetic.patient_name(patient)}
    everything = find(engine, DEVICE, "STUDY", {}, returned=(0x00201206, 0x00201208))
    live = find(engine, QUALITY, "STUDY", {}, returned=(0x00201206, 0x00201208))
    assert sorted(map(str, everything)) == sorted(map(str, live))
    assert sum(int(row[0x00201206]) for row in everything) == made.series
