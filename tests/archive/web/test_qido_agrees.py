"""QIDO-RS and C-FIND answer alike; what pydicom made and stored comes back; pages hold while objects arrive."""

import asyncio
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from sqlalchemy import Engine
from tests.archive.conftest import Put, ct
from tests.archive.query import objects, oracle
from tests.archive.query.conftest import filled  # noqa: F401
from tests.archive.web.test_qido import DOCTOR, Client

from filmless.access.model import ENGINEER, Principal
from filmless.archive.query import LEVELS, BadKey, Options, search, understand
from filmless.archive.query.identifier import AnswerWriter, read_request
from filmless.archive.rejection import apply_note
from filmless.db.work import reading, writing
from filmless.kit import clock

HOSPITAL = objects.hospital()
EXPLICIT_LE = "1.2.840.10008.1.2.1"

#: keyword -> (tag, VR's own traps): asked for with values of the hospital, cut, widened or spoiled
ASKED = {
    "PatientName": 0x00100010,
    "PatientID": 0x00100020,
    "PatientBirthDate": 0x00100030,
    "StudyDate": 0x00080020,
    "StudyTime": 0x00080030,
    "AccessionNumber": 0x00080050,
    "StudyDescription": 0x00081030,
    "ReferringPhysicianName": 0x00080090,
    "Modality": 0x00080060,
    "SeriesNumber": 0x00200011,
    "BodyPartExamined": 0x00180015,
    "Rows": 0x00280010,
    "StudyInstanceUID": 0x0020000D,
}
POOLS = {word: sorted({one[tag] for one in HOSPITAL if one[tag]}) for word, tag in ASKED.items()}


def _spoiled(word: str) -> st.SearchStrategy[str]:
    """A value of the hospital as it is, as a range, with wildcards, as a list, in capitals."""
    values = st.sampled_from(POOLS[word])
    if word in ("StudyDate", "PatientBirthDate"):
        return st.one_of(
            values,
            st.builds("{}-{}".format, values, values),
            values.map("-{}".format),
            values.map("{}-".format),
        )
    if word == "StudyTime":
        return st.one_of(values.map(lambda text: text.split(".")[0]), values.map(lambda text: f"{text[:4]}-"))
    if word in ("Rows", "SeriesNumber"):
        return values
    if word == "StudyInstanceUID":
        return st.lists(values, min_size=1, max_size=3).map("\\".join)

    def cut(text: str, at: int) -> str:
        return text[: at % (len(text) + 1)] + "*"

    def hidden(text: str, at: int) -> str:
        at %= len(text)
        return text[:at] + "?" + text[at + 1 :]

    number = st.integers(0, 20)
    return st.one_of(
        values, st.builds(cut, values, number), st.builds(hidden, values, number), values.map(str.upper)
    )


QUERIES = st.lists(st.sampled_from(sorted(ASKED)), min_size=1, max_size=3, unique=True).flatmap(
    lambda words: st.fixed_dictionaries({word: _spoiled(word) for word in words})
)


def _encoded(data_set: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, data_set)
    return bytes(buffer.getvalue())


def _by_c_find(
    engine: Engine, who: Principal, level: str, keys: dict[str, str], fuzzy: bool
) -> list[Dataset]:
    request = Dataset()
    request.SpecificCharacterSet = "ISO_IR 192"
    request.QueryRetrieveLevel = level
    for word in (
        "PatientName",
        "PatientID",
        "StudyDate",
        "StudyTime",
        "ModalitiesInStudy",
        "StudyInstanceUID",
    ):
        setattr(request, word, "")
    for word, value in keys.items():
        request.add_new(ASKED[word], _VRS[word], int(value) if word == "Rows" else value.split("\\"))
    read = read_request(_encoded(request), EXPLICIT_LE, "")
    options = Options(relational=True, combined_datetime=True, fuzzy=fuzzy)
    query = understand(read.level, LEVELS[1:], read.asked, options).query
    writer = AnswerWriter(
        EXPLICIT_LE, query.level, query.returned, ae_title="A", character_sets=("ISO_IR 192",)
    )
    with reading(engine) as connection:
        answers = [writer.write(found) for found in search(connection, who, query)]
    return [
        read_dataset(DicomBytesIO(answer), is_implicit_VR=False, is_little_endian=True) for answer in answers
    ]


_VRS = {
    "PatientName": "PN", "PatientID": "LO", "PatientBirthDate": "DA", "StudyDate": "DA", "StudyTime": "TM",
    "AccessionNumber": "SH", "StudyDescription": "LO", "ReferringPhysicianName": "PN", "Modality": "CS",
    "SeriesNumber": "IS", "BodyPartExamined": "CS", "Rows": "US", "StudyInstanceUID": "UI",
}  # fmt: skip


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    keys=QUERIES,
    level=st.sampled_from(["STUDY", "SERIES", "IMAGE"]),
    fuzzy=st.booleans(),
    quality=st.booleans(),
)
def test_both_ways_of_asking_find_the_same(
    filled: Engine,  # noqa: F811
    tmp_path: Path,
    keys: dict[str, str],
    level: str,
    fuzzy: bool,
    quality: bool,
) -> None:
    who = ENGINEER if quality else DOCTOR
    client = Client(filled, tmp_path, who)
    path = {"STUDY": "/studies", "SERIES": "/series", "IMAGE": "/instances"}[level]
    query = {**keys, "fuzzymatching": str(fuzzy).lower()}
    answer = asyncio.run(client.get(path, query))
    try:
        expected = _by_c_find(filled, who, level, keys, fuzzy)
    except (BadKey, ValueError):
        assert answer.status_code == 400
        return
    assert answer.status_code == 200, answer.text
    tag = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
    found = {
        str(one[tag].value): one for one in (Dataset.from_json(json.dumps(one)) for one in answer.json())
    }
    assert sorted(found) == sorted(str(one[tag].value) for one in expected)
    for one in expected:
        other = found[str(one[tag].value)]
        for word in ("PatientName", "PatientID", "StudyDate", "StudyTime", "ModalitiesInStudy", *keys):
            if word in other:
                assert str(one[word].value or "") == str(other[word].value or ""), word


# what was stored


def _made() -> list[Dataset]:
    """Objects of three patients, with what real ones have: several character sets, odd values, sequences."""
    found = []
    names = ["WANG^XIAODONG=王^小东", "Müller^Jörg", "Yamada^Tarou=山田^太郎=やまだ^たろう"]
    for patient, study, one, image in itertools.product(range(3), range(2), range(2), range(2)):
        base = f"1.2.826.{patient}.{study}"
        request = Dataset()
        request.ScheduledProcedureStepID = f"SPS{study}"
        request.RequestedProcedureID = f"RP{patient}"
        data_set = ct(
            PatientName=names[patient],
            PatientID=f"M{patient}",
            PatientBirthDate=f"19{70 + patient}0102",
            StudyInstanceUID=base,
            SeriesInstanceUID=f"{base}.{one}",
            SOPInstanceUID=f"{base}.{one}.{image}",
            StudyDate=f"2024010{study + 1}",
            StudyTime=f"1{patient}0203.5",
            AccessionNumber=f"AC{patient}{study}",
            StudyDescription=f'Study <script>{patient}</script> "quoted"',
            ModalitiesInStudy=None,
            Modality=["CT", "MR"][one],
            SeriesNumber=one + 1,
            SeriesDescription=f"Série {one}",
            InstanceNumber=image + 1,
            NumberOfFrames=3 if image else None,
            ReferringPhysicianName="House^Gregory",
            PerformedProcedureStepStartDate="20240101",
            PerformedProcedureStepStartTime="0930",
            TimezoneOffsetFromUTC="+0800",
            RequestAttributesSequence=[request],
        )
        data_set.SpecificCharacterSet = "ISO_IR 192"
        found.append(data_set)
    return found


async def test_what_pydicom_made_comes_back(put: Put, engine: Engine, tmp_path: Path) -> None:
    sets = _made()
    for one in sets:
        put(one)
    client = Client(engine, tmp_path)
    by_uid = {str(one.SOPInstanceUID): one for one in sets}
    answers = (await client.get("/instances")).json()
    assert {one["00080018"]["Value"][0] for one in answers} == set(by_uid)
    computed = {"00080056", "00080061", "00081190", "00201206", "00201208", "00201209"}
    for answer in answers:
        made = by_uid[answer["00080018"]["Value"][0]]
        expected = json.loads(made.to_json())
        for tag in set(answer) - computed:
            if tag == "00280008" and tag not in expected:
                continue
            wanted = expected.get(tag, {})
            assert answer[tag]["vr"] == wanted.get("vr", answer[tag]["vr"]), tag
            assert answer[tag].get("Value") == wanted.get("Value"), tag
        assert answer["00080061"]["Value"] == ["CT", "MR"]
        assert (answer["00201206"]["Value"], answer["00201208"]["Value"]) == ([2], [4])
        assert answer["00201209"]["Value"] == [2]
    found = await client.uids(
        "SERIES", "/series", {"RequestAttributesSequence.ScheduledProcedureStepID": "SPS1"}
    )
    assert set(found) == {str(one.SeriesInstanceUID) for one in sets if str(one.StudyDate).endswith("2")}
    both = {"00400275.00400009": "SPS1", "00400275.00401001": "RP2"}
    found = await client.uids("SERIES", "/series", both)
    assert set(found) == {"1.2.826.2.1.0", "1.2.826.2.1.1"}


def _study(number: int, day: str = "20240101") -> Dataset:
    base = f"1.2.9.{number}"
    return ct(
        PatientID=f"N{number}",
        StudyInstanceUID=base,
        SeriesInstanceUID=f"{base}.1",
        SOPInstanceUID=f"{base}.1.1",
        StudyDate=day,
        StudyTime=f"{number % 24:02d}0000",
    )


@pytest.mark.parametrize("way", ["offset", "link"])
async def test_pages_neither_repeat_nor_lose_while_objects_come_and_go(
    put: Put, engine: Engine, tmp_path: Path, way: str
) -> None:
    for number in range(20):
        put(_study(number, f"202401{number + 1:02d}"))
    client = Client(engine, tmp_path)
    before = await client.uids("STUDY", "/studies")
    assert before == [f"1.2.9.{number}" for number in range(19, -1, -1)]
    got: list[str] = []
    query, offset, late = "limit=4", 0, 100
    while True:
        answer = await client.get("/studies", query if way == "link" else f"limit=4&offset={offset}")
        page = [one["0020000D"]["Value"][0] for one in answer.json()]
        got += page
        offset += len(page)
        if len(page) < 4:
            break
        query = answer.links.get("next", {}).get("url", "").partition("?")[2]
        # newer ones come before everything, and one that was shown goes
        put(_study(late, "20250101"))
        put(_study(late + 1, "20230101"))
        late += 2
        with writing(engine) as connection:
            apply_note(
                connection,
                note_uid=f"1.2.8.{late}",
                code="113039",
                sop_instance_uids=[f"{page[0]}.1.1"],
                by="test",
                reason="",
                at=clock.now(),
            )
        if way == "link" and not query:
            break
    assert len(got) == len(set(got))
    # all that was there throughout, each once, in its order; and of what came, only what belongs behind
    assert [uid for uid in got if uid in before] == before
    assert {uid for uid in got if uid not in before} <= {f"1.2.9.{number}" for number in range(101, late, 2)}


async def test_an_offset_out_of_turn_counts_from_the_beginning(
    put: Put, engine: Engine, tmp_path: Path
) -> None:
    for number in range(6):
        put(_study(number, f"202401{number + 1:02d}"))
    client = Client(engine, tmp_path)
    assert await client.uids("STUDY", "/studies", "limit=2&offset=3") == ["1.2.9.2", "1.2.9.1"]
    # another principal's pages, and another question's, are not these
    assert await client.uids("STUDY", "/studies", "limit=2") == ["1.2.9.5", "1.2.9.4"]
    put(_study(50, "20250101"))
    assert await client.uids("STUDY", "/studies", "limit=2&offset=2") == ["1.2.9.3", "1.2.9.2"]
    assert await client.uids("STUDY", "/studies", "limit=2&offset=2&PatientID=N*") == ["1.2.9.4", "1.2.9.3"]
    # from the beginning again: what is new is first
    assert await client.uids("STUDY", "/studies", "limit=1&offset=0") == ["1.2.9.50"]


def test_the_property_has_something_to_ask() -> None:
    assert all(len(pool) > 1 for pool in POOLS.values())
    assert len(oracle.answer(HOSPITAL, "IMAGE", {})) > 100
