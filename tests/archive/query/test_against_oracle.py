"""Every query must find exactly what brute force finds, on both databases, for both kinds of principal."""

from typing import Any

import pytest
from sqlalchemy import Engine
from tests.archive.query import objects, oracle

from filmless.access.model import Principal, device_principal
from filmless.archive.query import KEYS, LEVELS, Asked, Options, search, understand
from filmless.db.work import reading

DEVICE = device_principal("WORKSTATION")
QUALITY = device_principal("QC", quality_control=True)
HOSPITAL = objects.hospital()

NAME, ID, ISSUER, BIRTH, SEX = 0x00100010, 0x00100020, 0x00100021, 0x00100030, 0x00100040
STUDY, DATE, TIME, ACCESSION, DESCRIPTION, DOCTOR = (
    0x0020000D,
    0x00080020,
    0x00080030,
    0x00080050,
    0x00081030,
    0x00080090,
)
SERIES, MODALITY, NUMBER, SERIES_TEXT, PART = 0x0020000E, 0x00080060, 0x00200011, 0x0008103E, 0x00180015
STEP_DATE, STEP_TIME, REQUEST, CODES = 0x00400244, 0x00400245, 0x00400275, 0x00081032
IMAGE, CLASS, ROWS = 0x00080018, 0x00080016, 0x00280010
MODALITIES, CLASSES = oracle.MODALITIES, oracle.CLASSES
CT = "1.2.840.10008.5.1.4.1.1.2"

#: (level, keys); the number of answers must lie between none and all, or the query shows nothing
QUERIES: list[tuple[str, dict[int, Any]]] = [
    # names: one group or several, any case, accents, wildcards
    ("PATIENT", {NAME: "Smith^John"}),
    ("PATIENT", {NAME: "smith^JOHN^^"}),
    ("PATIENT", {NAME: "SMITH*"}),
    ("PATIENT", {NAME: "sm?th*"}),
    ("PATIENT", {NAME: "*oh*"}),
    ("PATIENT", {NAME: "*^J?N*"}),
    ("PATIENT", {NAME: "MÜLLER*"}),
    ("PATIENT", {NAME: "müller^jörg"}),
    ("PATIENT", {NAME: "muller^*"}),
    ("PATIENT", {NAME: "buc^jerome*"}),
    ("PATIENT", {NAME: "*^jerome"}),
    ("PATIENT", {NAME: "lukasz*"}),
    ("PATIENT", {NAME: "王*"}),
    ("PATIENT", {NAME: "王^小东"}),
    ("PATIENT", {NAME: "王^?东"}),
    ("PATIENT", {NAME: "*伟"}),
    ("PATIENT", {NAME: "WANG*=王*"}),
    ("PATIENT", {NAME: "=王^小东"}),
    ("PATIENT", {NAME: "=*東*"}),
    ("PATIENT", {NAME: "==やまだ*"}),
    ("PATIENT", {NAME: "*=山田*=やまだ^*"}),
    ("PATIENT", {NAME: "ヤマダ*"}),
    ("PATIENT", {NAME: "홍*"}),
    ("PATIENT", {NAME: "A[b]c*"}),
    ("PATIENT", {NAME: "a[?]c^100%_*"}),
    ("PATIENT", {NAME: "*100%*"}),
    ("PATIENT", {NAME: "doe"}),
    ("PATIENT", {NAME: "Nobody^At All"}),
    ("PATIENT", {}),
    ("PATIENT", {NAME: "*"}),
    # identifiers are case-sensitive, "_" and "%" are no wildcards
    ("PATIENT", {ID: "P0010"}),
    ("PATIENT", {ID: "p0010"}),
    ("PATIENT", {ID: "P00?0"}),
    ("PATIENT", {ID: "P001*"}),
    ("PATIENT", {ID: "*_x"}),
    ("PATIENT", {ID: "P0_10"}),
    ("PATIENT", {ID: "P0001\\P0002\\P0003"}),
    ("PATIENT", {ISSUER: "HOSP-A", SEX: "F"}),
    ("PATIENT", {BIRTH: "19800229"}),
    ("PATIENT", {BIRTH: "-19800229"}),
    ("PATIENT", {BIRTH: "19800301-"}),
    # dates and times
    ("STUDY", {DATE: "20240229"}),
    ("STUDY", {DATE: "20240229-20240301"}),
    ("STUDY", {DATE: "-20240229"}),
    ("STUDY", {DATE: "20240301-"}),
    ("STUDY", {DATE: "20230105\\20240302"}),
    ("STUDY", {TIME: "0830"}),
    ("STUDY", {TIME: "08"}),
    ("STUDY", {TIME: "083000-120000"}),
    ("STUDY", {TIME: "12-"}),
    ("STUDY", {TIME: "-0830"}),
    ("STUDY", {TIME: "083059.6-"}),
    ("STUDY", {DATE: "20240229-20240301", TIME: "0800-1200"}),
    # study
    ("STUDY", {ID: "P0010"}),
    ("STUDY", {ACCESSION: "ACC*"}),
    ("STUDY", {ACCESSION: "acc*"}),
    ("STUDY", {STUDY: "1.2.3.1.0\\1.2.3.2.0\\1.2.3.99.0"}),
    ("STUDY", {DESCRIPTION: "ct thorax*"}),
    ("STUDY", {DESCRIPTION: "MRT Schadel"}),
    ("STUDY", {DESCRIPTION: "*CT*"}),
    ("STUDY", {DESCRIPTION: "头颅*"}),
    ("STUDY", {DESCRIPTION: "x [1]?"}),
    ("STUDY", {DOCTOR: "house*"}),
    ("STUDY", {DOCTOR: "林*"}),
    ("STUDY", {DOCTOR: "ming"}),
    ("STUDY", {DOCTOR: "L*一"}),
    ("STUDY", {DOCTOR: "=明"}),
    ("STUDY", {DOCTOR: "*in*=*"}),
    ("STUDY", {MODALITIES: "CT"}),
    ("STUDY", {MODALITIES: "CT\\MR"}),
    ("STUDY", {MODALITIES: "?R"}),
    ("STUDY", {CLASSES: CT}),
    ("STUDY", {NAME: "王*", MODALITIES: "CT", DATE: "20240101-"}),
    ("STUDY", {CODES: {0x00080100: "CTTHOR"}}),
    ("STUDY", {CODES: {0x00080100: "CTTHOR", 0x00080102: "LN"}}),
    ("STUDY", {CODES: {0x00080100: "MR*"}}),
    # series and images, keys above them included
    ("SERIES", {STUDY: "1.2.3.1.0"}),
    ("SERIES", {STUDY: "1.2.3.1.0\\1.2.3.2.0\\1.2.3.4.0\\1.2.3.5.0", MODALITY: "CT\\MR\\US"}),
    ("SERIES", {MODALITY: "CT"}),
    ("SERIES", {MODALITY: "CT\\PT", PART: "HEAD"}),
    ("SERIES", {NUMBER: "3"}),
    ("SERIES", {NUMBER: "01"}),
    ("SERIES", {SERIES_TEXT: "*thorax*"}),
    ("SERIES", {STEP_DATE: "20240301", STEP_TIME: "0900"}),
    ("SERIES", {REQUEST: {0x00400009: "SPS1"}}),
    ("SERIES", {REQUEST: {0x00400009: "SPS1", 0x00401001: "RP1"}}),
    ("SERIES", {NAME: "WANG*", MODALITIES: "MR"}),
    ("IMAGE", {SERIES: "1.2.3.1.0.0"}),
    ("IMAGE", {CLASS: CT}),
    ("IMAGE", {ROWS: "512", MODALITY: "CT"}),
    ("IMAGE", {NAME: "王*", DATE: "20240301-", 0x00200013: "2"}),
    ("IMAGE", {IMAGE: "1.2.3.1.0.0.0\\1.2.3.2.0.0.0"}),
    # keys below the level: there is one that ...
    ("PATIENT", {STUDY: "1.2.3.4.0"}),
    ("PATIENT", {DATE: "20240229", TIME: "0830"}),
    ("PATIENT", {MODALITY: "CT", PART: "HEAD"}),
    ("PATIENT", {MODALITIES: "CT", NAME: "*a*"}),
    ("PATIENT", {REQUEST: {0x00400009: "SPS1"}, CLASS: CT}),
    ("STUDY", {MODALITY: "CT", PART: "HEAD"}),
    ("STUDY", {MODALITY: "SR", CLASS: CT, DATE: "20240101-"}),
    ("STUDY", {IMAGE: "1.2.3.1.0.0.0"}),
    ("SERIES", {CLASS: CT, ROWS: "256"}),
]
#: these find nothing or everything on purpose
EXTREMES = {"Nobody^At All", "P0_10", "p0010", "=*東*", "L*一"}


def asked(keys: dict[int, Any]) -> list[Asked]:
    return [
        Asked(tag, "SQ", items=({inner: Asked(inner, "", text) for inner, text in key.items()},))
        if isinstance(key, dict)
        else Asked(tag, "", key)
        for tag, key in keys.items()
    ]


def find(
    engine: Engine,
    principal: Principal,
    level: str,
    keys: dict[int, Any],
    *,
    returned: tuple[int, ...] = (),
    **options: bool,
) -> list[dict[int, Any]]:
    wanted = asked({**dict.fromkeys(returned, ""), **keys})
    understood = understand(level, LEVELS, wanted, Options(**{"relational": True, **options}))
    assert understood.unsupported == ()
    with reading(engine) as connection:
        return list(search(connection, principal, understood.query))


@pytest.mark.parametrize("principal", [DEVICE, QUALITY], ids=["device", "quality-control"])
@pytest.mark.parametrize(("level", "keys"), QUERIES, ids=lambda value: str(value)[:60])
def test_finds_what_brute_force_finds(
    filled: Engine, level: str, keys: dict[int, Any], principal: Principal
) -> None:
    expected = oracle.answer(HOSPITAL, level, keys, quality_control=principal.quality_control)
    found = [row[oracle.UNIQUE[level]] for row in find(filled, principal, level, keys)]
    assert sorted(found) == sorted(expected)
    if keys and not EXTREMES & {str(key) for key in keys.values()} and keys != {NAME: "*"}:
        everything = oracle.answer(HOSPITAL, level, {}, quality_control=principal.quality_control)
        assert 0 < len(expected) < len(everything)


@pytest.mark.parametrize(
    "keys",
    [
        {DATE: "20240229-20240301", TIME: "1000-0900"},
        {DATE: "20240229-20240301", TIME: "12-"},
        {DATE: "20240229-20240302", TIME: "-0830"},
        {DATE: "-20240301", TIME: "-12"},
        {DATE: "20240301-", TIME: "12"},
    ],
    ids=str,
)
def test_date_and_time_as_one_range(filled: Engine, keys: dict[int, Any]) -> None:
    expected = oracle.answer(HOSPITAL, "STUDY", keys, combined=True)
    apart = oracle.answer(HOSPITAL, "STUDY", keys)
    found = {row[STUDY] for row in find(filled, DEVICE, "STUDY", keys, combined_datetime=True)}
    assert found == expected
    assert expected != apart or keys == {DATE: "-20240301", TIME: "-12"}


@pytest.mark.parametrize("principal", [DEVICE, QUALITY], ids=["device", "quality-control"])
def test_computed_keys(filled: Engine, principal: Principal) -> None:
    qc = principal.quality_control
    returned = (0x00201200, 0x00201202, 0x00201204, ID)
    rows = find(filled, principal, "PATIENT", {}, returned=returned)
    assert len(rows) > 30
    for row in rows:
        got = (row[0x00201200], row[0x00201202], row[0x00201204])
        assert tuple(map(int, got)) == oracle.counts(HOSPITAL, ID, row[ID], qc)
    returned = (0x00201206, 0x00201208, MODALITIES, CLASSES, STUDY, 0x00201200)
    for row in find(filled, principal, "STUDY", {}, returned=returned):
        _, series, instances = oracle.counts(HOSPITAL, STUDY, row[STUDY], qc)
        assert (int(row[0x00201206]), int(row[0x00201208])) == (series, instances)
        inside = [one for one in oracle.seen(HOSPITAL, qc) if one[STUDY] == row[STUDY]]
        assert row[MODALITIES] == "\\".join(sorted({one[MODALITY] for one in inside} - {""}))
        assert set(row[CLASSES].split("\\")) == {one[CLASS] for one in inside}
    for row in find(filled, principal, "SERIES", {}, returned=(0x00201209,)):
        assert int(row[0x00201209]) == oracle.counts(HOSPITAL, SERIES, row[SERIES], qc)[2]


def test_values_come_back_as_they_were_received(filled: Engine) -> None:
    returned = (NAME, ID, ISSUER, BIRTH, SEX, STUDY, DATE, TIME, ACCESSION, DESCRIPTION, DOCTOR)
    returned += (SERIES, MODALITY, NUMBER, SERIES_TEXT, PART, STEP_DATE, STEP_TIME, IMAGE, CLASS, ROWS)
    truth = {one[IMAGE]: one for one in oracle.seen(HOSPITAL, quality_control=False)}
    rows = find(filled, DEVICE, "IMAGE", {}, returned=returned)
    assert len(rows) == len(truth) > 100
    for row in rows:
        assert {tag: row[tag] for tag in returned} == {tag: truth[row[IMAGE]][tag] for tag in returned}


def test_only_matching_items_of_a_sequence_come_back(filled: Engine) -> None:
    rows = find(filled, DEVICE, "SERIES", {REQUEST: {0x00400009: "SPS1", 0x00401001: ""}})
    assert len(rows) > 3
    for row in rows:
        assert row[REQUEST]
        for item in row[REQUEST]:
            assert item["00400009"]["Value"] == ["SPS1"]
            assert set(item) == {"00400009", "00401001"}


def test_every_supported_key_can_be_returned(filled: Engine) -> None:
    everything = tuple(sorted(KEYS))
    for principal in (DEVICE, QUALITY):
        rows = find(filled, principal, "IMAGE", {STUDY: "1.2.3.1.0"}, returned=everything)
        assert rows
        assert all(set(row) == set(everything) for row in rows)
