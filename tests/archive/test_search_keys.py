"""Attributes that an engineer makes searchable: what was there, what arrives, and both ways of asking."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydicom.dataset import Dataset
from sqlalchemy import Engine, func, select
from tests.archive.conftest import Put, ct
from tests.archive.web.test_qido import Client

from filmless.access.audit.tables import audit
from filmless.access.model import SYSTEM
from filmless.archive import search_index, search_keys, searchable
from filmless.archive.model import Source
from filmless.archive.query import LEVELS, Asked, Options, search, understand
from filmless.archive.search_index import Indexer
from filmless.archive.store import Archive
from filmless.archive.tables import attribute_values
from filmless.archive.web.qido_answers import answered
from filmless.db.work import reading, writing
from filmless.kit.errors import Refused


@pytest.fixture
def indexer(archive: Archive, engine: Engine) -> Iterator[Indexer]:
    return Indexer(engine, archive.root)


#: what does not depend on the database
ON_ONE = pytest.mark.parametrize("backend", ["sqlite"])


def made(number: int, **attributes: Any) -> Dataset:
    base = f"1.2.7.{number}"
    return ct(
        SpecificCharacterSet="ISO_IR 192",
        PatientID=f"K{number}",
        StudyInstanceUID=base,
        SeriesInstanceUID=f"{base}.1",
        SOPInstanceUID=f"{base}.1.1",
        **attributes,
    )


def add(engine: Engine, attribute: str, level: Any, vr: str = "") -> int:
    with writing(engine) as connection:
        return search_keys.add(connection, attribute, level=level, by="test", vr=vr).id


def index(indexer: Indexer, key: int) -> None:
    while indexer.some(key, 0.0)[0]:
        pass


def by_c_find(engine: Engine, level: str, *asked: Asked) -> list[str]:
    """UIDs of the level's answers, and the tags that were not supported."""
    with reading(engine) as connection:
        extras = searchable.read(connection)
        understood = understand(level, LEVELS[1:], asked, Options(relational=True), extras)
        assert understood.unsupported == ()
        tag = {"STUDY": 0x0020000D, "SERIES": 0x0020000E, "IMAGE": 0x00080018}[level]
        return sorted(found[tag] for found in search(connection, SYSTEM, understood.query))


CASES: list[tuple[str, str, dict[int, Any], list[tuple[str, list[int]]]]] = [
    # attribute, level, value by object, [(asked, objects found)]
    (
        "Manufacturer",
        "series",
        {1: "ACME", 2: "Acme Corp", 3: "OTHER", 4: None},
        [("ACME", [1]), ("A*", [1, 2]), ("*c*", [2]), ("OTHER\\ACME", [1, 3])],
    ),
    (
        "AcquisitionDate",
        "instance",
        {1: "20240101", 2: "20240229", 3: "20230101", 4: None},
        [("20240101", [1]), ("20240101-20240301", [1, 2]), ("-20231231", [3])],
    ),
    (
        "SeriesTime",
        "series",
        {1: "0830", 2: "120000.5", 3: "2359", 4: None},
        [("0830", [1]), ("0800-1200", [1, 2]), ("1201-", [3])],
    ),
    (
        "OperatorsName",
        "series",
        {1: "Müller^Jörg", 2: "WANG^FANG=王^芳", 3: ["Doe^A", "Roe^B"], 4: None},
        [("muller^jorg", [1]), ("王*", [2]), ("MULL*", [1]), ("roe^b", [3]), ("=王^芳", [2])],
    ),
    (
        "KVP",
        "instance",
        {1: "120", 2: "120.0", 3: "80.5", 4: None},
        [("120", [1, 2]), ("1.2e2", [1, 2]), ("80.50", [3])],
    ),
    (
        "DeviceUID",
        "instance",
        {1: "1.9.1", 2: "1.9.2", 3: "1.9.2", 4: None},
        [("1.9.1", [1]), ("1.9.1\\1.9.2", [1, 2, 3])],
    ),
    (
        "PatientComments",
        "patient",
        {1: "for a study", 2: "none", 3: "for a study", 4: None},
        [("for*", [1, 3])],
    ),
]


@pytest.mark.parametrize(("attribute", "level", "values", "asked"), CASES, ids=[case[0] for case in CASES])
async def test_what_was_there_and_what_arrives(
    put: Put,
    engine: Engine,
    indexer: Indexer,
    tmp_path: Path,
    attribute: str,
    level: str,
    values: dict[int, Any],
    asked: list[tuple[str, list[int]]],
) -> None:
    there = list(values)[:2]
    for number in there:
        put(made(number, **{attribute: values[number]}))
    key = add(engine, attribute, level)
    client = Client(engine, tmp_path)
    # until everything is indexed it cannot be asked for: no answer is a part of the truth
    answer = await client.get("/studies", {attribute: asked[0][0]})
    assert attribute in answer.headers["warning"]
    # while the job has not begun
    for number in set(values) - set(there):
        put(made(number, **{attribute: values[number]}))
    index(indexer, key)
    client = Client(engine, tmp_path)
    with reading(engine) as connection:
        tag = searchable.read(connection).keys[0].tags[0]
    for value, expected in asked:
        wanted = [f"1.2.7.{number}" for number in expected]
        assert sorted(await client.uids("STUDY", "/studies", {attribute: value})) == wanted, value
        assert by_c_find(engine, "STUDY", Asked(tag, "", value)) == wanted, value
    # what is matched is returned as it was received
    resource = {"series": "/series", "instance": "/instances"}.get(level, "/studies")
    (one,) = (await client.get(resource, {"PatientID": "K1", attribute: asked[0][0]})).json()
    (returned,) = one[f"{tag:08X}"]["Value"]
    expected_value = values[1]
    if isinstance(returned, dict):
        returned = returned["Alphabetic"]
    assert str(returned) in (expected_value, str(float(expected_value)) if attribute == "KVP" else "")


async def test_paths_into_sequences_match_within_one_item(
    put: Put, engine: Engine, indexer: Indexer, tmp_path: Path
) -> None:
    def code(value: str, scheme: str) -> Dataset:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator = value, scheme
        return item

    def region(*codes: Dataset) -> Dataset:
        item = Dataset()
        item.AnatomicRegionModifierSequence = list(codes)
        item.CodeValue = codes[0].CodeValue
        return item

    put(made(1, ReasonForRequestedProcedureCodeSequence=[code("A", "X"), code("B", "Y")]))
    put(made(2, ReasonForRequestedProcedureCodeSequence=[code("A", "Y"), code("B", "X")]))
    put(made(3, AnatomicRegionSequence=[region(code("deep", "Z"))]))
    sequence = "ReasonForRequestedProcedureCodeSequence"
    for name in ("CodeValue", "CodingSchemeDesignator"):
        index(indexer, add(engine, f"{sequence}.{name}", "study"))
    deep = "AnatomicRegionSequence.AnatomicRegionModifierSequence.CodeValue"
    index(indexer, add(engine, deep, "instance"))
    client = Client(engine, tmp_path)
    assert await client.uids("STUDY", "/studies", {f"{sequence}.CodeValue": "A"}) == ["1.2.7.2", "1.2.7.1"]
    both = {f"{sequence}.CodeValue": "A", f"{sequence}.CodingSchemeDesignator": "X"}
    assert await client.uids("STUDY", "/studies", both) == ["1.2.7.1"]
    item = {
        0x00080100: Asked(0x00080100, "SH", "A"),
        0x00080102: Asked(0x00080102, "SH", "X"),
    }
    assert by_c_find(engine, "STUDY", Asked(0x0040100A, "SQ", items=(item,))) == ["1.2.7.1"]
    (one,) = (await client.get("/studies", both)).json()
    assert [item["00080100"]["Value"] for item in one["0040100A"]["Value"]] == [["A"], ["B"]]
    assert await client.uids("STUDY", "/studies", {deep: "de*"}) == ["1.2.7.3"]
    assert await client.uids("STUDY", "/studies", {deep: "A"}) == []


def _rows(engine: Engine, path: str) -> int:
    with reading(engine) as connection:
        statement = select(func.count()).where(attribute_values.c.path.in_((path, path + "#")))
        return connection.scalar(statement) or 0


def test_the_job_may_be_cut_off_and_goes_on(
    put: Put, engine: Engine, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "_CHUNK", 2)
    for number in range(7):
        put(made(number, KVP="120"))
    key = add(engine, "KVP", "instance")
    assert indexer.some(key, 0.0) == (True, {"done": 2, "failed": 0})
    with reading(engine) as connection:
        (standing,) = search_keys.standings(connection)
    assert (standing.done, standing.total, standing.key.ready) == (2, 7, False)
    # another worker, after a kill; and again when all is done
    index(Indexer(engine, indexer._root), key)
    index(indexer, key)
    assert _rows(engine, "KVP") == 14
    with reading(engine) as connection:
        (standing,) = search_keys.standings(connection)
    assert (standing.done, standing.key.ready) == (7, True)


def test_arrivals_during_the_job_are_indexed_once(put: Put, engine: Engine, indexer: Indexer) -> None:
    for number in range(6):
        put(made(number, KVP="100"))
    key = add(engine, "KVP", "instance")
    senders = [
        threading.Thread(target=put, args=(made(number, KVP="100"), Source("CT2"))) for number in range(6, 16)
    ]
    for sender in senders:
        sender.start()
    index(indexer, key)
    for sender in senders:
        sender.join()
    assert _rows(engine, "KVP") == 32
    assert len(by_c_find(engine, "IMAGE", Asked(0x00180060, "DS", "100"))) == 16


def test_a_replaced_object_has_its_new_value(put: Put, engine: Engine, indexer: Indexer) -> None:
    put(made(1, KVP="100"))
    index(indexer, add(engine, "KVP", "instance"))
    put(made(1, KVP="140"), Source("CT1", duplicates="replace"))
    assert by_c_find(engine, "IMAGE", Asked(0x00180060, "DS", "100")) == []
    assert by_c_find(engine, "IMAGE", Asked(0x00180060, "DS", "140")) == ["1.2.7.1.1.1"]


def test_a_removed_key_leaves_nothing_behind(put: Put, engine: Engine, indexer: Indexer) -> None:
    put(made(1, KVP="100"))
    key = add(engine, "KVP", "instance")
    index(indexer, key)
    assert search_keys.remove(engine, "00180060", by="test") == "KVP"
    assert _rows(engine, "KVP") == 0
    # a job that is left does nothing; new arrivals have no values
    assert indexer.some(key, 0.0) == (False, {})
    put(made(2, KVP="100"))
    assert _rows(engine, "KVP") == 0
    again = add(engine, "KVP", "instance")
    assert again != key
    index(indexer, again)
    assert _rows(engine, "KVP") == 4


REFUSED = [
    ("PatientNmae", "study", "no-attribute"),
    ("../etc", "study", "no-attribute"),
    ("PatientID", "study", "searchable"),
    ("RequestAttributesSequence.RequestedProcedureID", "series", "searchable"),
    ("RequestAttributesSequence.ReasonForTheRequestedProcedure", "study", "other-level"),
    ("PatientID.CodeValue", "study", "no-sequence"),
    ("PixelData", "instance", "vr-not-searched"),
    ("00091001", "instance", "vr-not-searched"),
    (".".join(["ContentSequence"] * 7), "instance", "no-attribute"),
]


@ON_ONE
def test_what_cannot_be_made_searchable(engine: Engine) -> None:
    for attribute, level, code in REFUSED:
        with pytest.raises(Refused) as refused:
            add(engine, attribute, level)
        assert refused.value.code == code, attribute


@ON_ONE
def test_a_private_attribute_by_its_tag(put: Put, engine: Engine, indexer: Indexer) -> None:
    data_set = made(1)
    block = data_set.private_block(0x0009, "ACME", create=True)
    block.add_new(0x01, "LO", "left")
    put(data_set)
    index(indexer, add(engine, "00091001", "instance", "LO"))
    assert by_c_find(engine, "IMAGE", Asked(0x00091001, "LO", "le*")) == ["1.2.7.1.1.1"]


def test_the_command_adds_lists_and_removes(tmp_path: Path) -> None:
    from filmless.app.cli import filmless

    def run(*words: str) -> str:
        result = CliRunner().invoke(filmless, [*words, "--home", str(tmp_path / "home")])
        assert result.exit_code == 0, result.output
        return result.output

    (tmp_path / "home").mkdir()
    from filmless.db import migrate
    from filmless.db.engine import open_engine

    engine = open_engine(f"sqlite:///{tmp_path}/home/index.sqlite")
    migrate.upgrade(engine)
    assert "No attribute" in run("search-keys", "list")
    assert "index-key-1" in run("search-keys", "add", "KVP", "--level", "instance")
    assert "0 of 0, job waiting" in run("search-keys", "list")
    assert "index-key-1" in run("jobs", "list")
    index(Indexer(engine, tmp_path / "home" / "store"), 1)
    assert "ready" in run("search-keys", "list")
    assert "not searched any more" in run("search-keys", "remove", "kvp")
    with reading(engine) as connection:
        told = [json.loads(body) for body in connection.scalars(select(audit.c.body).order_by(audit.c.seq))]
    engine.dispose()
    assert [one["what"] for one in told if one["what"].startswith("search key")] == [
        "search key added",
        "search key removed",
    ]
    assert "No attribute" in run("search-keys", "list")


def test_all_attributes_are_those_made_searchable_too() -> None:
    echo, other = 0x00180081, 0x00189004
    extras = searchable.SearchKeys(
        (
            searchable.SearchKey(1, "series", (echo,), "EchoTime", "DS"),
            searchable.SearchKey(2, "series", (other,), "ContentQualification", "CS", ready=False),
        )
    )
    everywhere = (True, True, True)
    returned, unsupported = answered("SERIES", *everywhere, (), extras)
    assert echo in returned
    assert other not in returned
    assert unsupported == ()
    assert echo not in answered("STUDY", *everywhere, (), extras)[0]
