"""C-FIND over a socket, asked by pynetdicom and decoded by pydicom."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from sqlalchemy import Engine, text
from tests.archive.query import objects, oracle
from tests.raw import RawAssociation, element
from tests.trails import keys as keys_of_trail

from filmless.access.audit.trail import Trail
from filmless.archive import find
from filmless.archive.find import FindHandler, FindSettings, negotiate
from filmless.devices.model import Device
from filmless.dicom.dimse import CommandField
from filmless.dicom.sopclasses import FIND_MODELS, PATIENT_ROOT_FIND, PATIENT_STUDY_ONLY_FIND, STUDY_ROOT_FIND
from filmless.dicom.uids import UNCOMPRESSED
from filmless.dicom.ul.negotiation import NegotiationPolicy
from filmless.net.model import Admission, NetSettings
from filmless.net.server import Server, Services

HOSPITAL = objects.hospital()
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"

Answers = list[tuple[Dataset, Dataset | None]]


@asynccontextmanager
async def serving(engine: Engine, settings: FindSettings, device: Device) -> AsyncIterator[int]:
    trail = Trail(engine, keys_of_trail())
    handler = FindHandler(engine, settings, trail)
    services = Services()
    services.add(FIND_MODELS, (CommandField.C_FIND_RQ,), handler)
    policy = NegotiationPolicy(dict.fromkeys(FIND_MODELS, (*UNCOMPRESSED, BIG)), extended=negotiate)

    async def admit(_request: object, _peer: object) -> Admission:
        return Admission(device, policy)

    server = Server(NetSettings(ae_title="FILMLESS"), services, admit)
    yield await server.start("127.0.0.1", 0)
    await server.stop(grace=0)
    handler.close()
    await asyncio.to_thread(trail.close)


def keys(level: str, **values: Any) -> Dataset:
    request = Dataset()
    request.QueryRetrieveLevel = level
    for keyword, value in values.items():
        setattr(request, keyword, value)
    return request


def ask(
    port: int,
    request: Dataset,
    *,
    model: str = STUDY_ROOT_FIND,
    syntax: str = EXPLICIT,
    extended: bytes = b"",
    cancel_after: int = 0,
) -> Answers:
    ae = AE(ae_title="WORKSTATION")
    ae.dimse_timeout = ae.acse_timeout = 20
    ae.add_requested_context(model, syntax)
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid, item.service_class_application_information = model, extended
    association = ae.associate("127.0.0.1", port, ext_neg=[item] if extended else [])
    assert association.is_established
    answers: Answers = []
    for status, identifier in association.send_c_find(request, model, msg_id=7):
        answers.append((status, identifier))
        if cancel_after and len(answers) == cancel_after:
            association.send_c_cancel(7, query_model=model)
    association.release()
    return answers


async def asked(
    engine: Engine,
    request: Dataset,
    *,
    settings: FindSettings = FindSettings(ae_title="ARCHIVE"),  # noqa: B008 frozen
    device: Device = Device("WORKSTATION"),  # noqa: B008 frozen
    **how: Any,
) -> tuple[list[Dataset], Dataset]:
    """(pending identifiers, final status)."""
    async with serving(engine, settings, device) as port:
        answers = await asyncio.to_thread(ask, port, request, **how)
    *pending, (final, _) = answers
    assert all(identifier is not None for _, identifier in pending)
    return [identifier for _, identifier in pending if identifier is not None], final


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG])
async def test_answers_carry_what_was_asked_for(filled: Engine, syntax: str) -> None:
    request = keys(
        "STUDY",
        PatientName="WANG*",
        PatientID="",
        StudyDate="",
        StudyTime="",
        StudyInstanceUID="",
        ModalitiesInStudy="",
        NumberOfStudyRelatedInstances="",
        ProcedureCodeSequence=[],
    )
    found, final = await asked(filled, request, syntax=syntax)
    expected = oracle.answer(HOSPITAL, "STUDY", {0x00100010: "WANG*"})
    assert final.Status == 0x0000
    assert {one.StudyInstanceUID for one in found} == expected
    assert len(found) == len(expected) > 3
    truth = {one[0x0020000D]: one for one in oracle.seen(HOSPITAL, quality_control=False)}
    for one in found:
        true = truth[one.StudyInstanceUID]
        assert str(one.PatientName) == true[0x00100010]
        assert one.PatientID == true[0x00100020]
        assert (one.StudyDate, one.StudyTime) == (true[0x00080020], true[0x00080030])
        assert (one.QueryRetrieveLevel, one.RetrieveAETitle) == ("STUDY", "ARCHIVE")
        assert one.InstanceAvailability == "ONLINE"
        codes = [item.CodeValue for item in one.ProcedureCodeSequence]
        assert codes == [item[0x00080100] for item in true[0x00081032]]
        instances = oracle.counts(HOSPITAL, 0x0020000D, one.StudyInstanceUID, quality_control=False)[2]
        assert one.NumberOfStudyRelatedInstances == instances
        assert list(one.keys()) == sorted(one.keys())


@pytest.mark.parametrize(
    ("requested", "of_device", "expected"),
    [
        ("GB18030", "", "GB18030"),
        ("ISO_IR 100", "", "ISO_IR 192"),
        ("", "GBK", "GBK"),
        ("", "", "ISO_IR 192"),
        ("ISO_IR 100", "GB18030", "GB18030"),
        ("\\ISO 2022 IR 58", "", "\\ISO 2022 IR 58"),
    ],
)
async def test_character_set_of_an_answer(
    filled: Engine, requested: str, of_device: str, expected: str
) -> None:
    request = keys("PATIENT", PatientID="P0003", PatientName="")
    if requested:
        request.SpecificCharacterSet = requested.split("\\")
    device = Device("WORKSTATION", character_set=of_device)
    found, _ = await asked(filled, request, model=PATIENT_ROOT_FIND, device=device)
    (one,) = found
    # pydicom leaves the escape sequences of this one set in the text
    assert str(one.PatientName).replace("\x1b$)A", "") == "ZHANG^WEI=张^伟"
    assert one["SpecificCharacterSet"].value == (expected.split("\\") if "\\" in expected else expected)


async def test_plain_answers_need_no_character_set(filled: Engine) -> None:
    found, _ = await asked(filled, keys("PATIENT", PatientName="Smith^John"), model=PATIENT_ROOT_FIND)
    assert found
    assert all("SpecificCharacterSet" not in one for one in found)


@pytest.mark.parametrize("declared", ["GB18030", "ISO_IR 192", "GBK"])
async def test_a_request_in_its_own_character_set(filled: Engine, declared: str) -> None:
    request = keys("PATIENT", PatientName="王*")
    request.SpecificCharacterSet = declared
    found, _ = await asked(filled, request, model=PATIENT_ROOT_FIND)
    assert {one.PatientID for one in found} == oracle.answer(HOSPITAL, "PATIENT", {0x00100010: "王*"})
    assert len(found) >= 6


async def test_unsupported_keys_are_said_with_every_answer(filled: Engine) -> None:
    request = keys("STUDY", PatientID="P0001", StudyInstanceUID="", OperatorsName="SOMEBODY", KVP="120")
    async with serving(filled, FindSettings(), Device("WORKSTATION")) as port:
        answers = await asyncio.to_thread(ask, port, request)
    assert [status.Status for status, _ in answers[:-1]] == [0xFF01] * (len(answers) - 1) != []
    assert answers[-1][0].Status == 0
    assert "KVP" not in answers[0][1]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("model", "request_", "status", "words"),
    [
        (STUDY_ROOT_FIND, keys("PATIENT", PatientID="P1"), 0xA900, "Level must be one of STUDY"),
        (STUDY_ROOT_FIND, keys("", StudyInstanceUID=""), 0xA900, "Level must be one of"),
        (PATIENT_STUDY_ONLY_FIND, keys("SERIES", PatientID="P1"), 0xA900, "PATIENT, STUDY"),
        (STUDY_ROOT_FIND, keys("SERIES", SeriesInstanceUID=""), 0xA900, "StudyInstanceUID is needed"),
        (STUDY_ROOT_FIND, keys("IMAGE", StudyInstanceUID="1.2"), 0xA900, "SeriesInstanceUID is needed"),
        (PATIENT_ROOT_FIND, keys("STUDY", StudyInstanceUID="1.2"), 0xA900, "PatientID is needed"),
        (STUDY_ROOT_FIND, keys("STUDY", StudyTime="25"), 0xC001, "a time or a range"),
    ],
)
async def test_refusals_in_plain_words(
    filled: Engine, model: str, request_: Dataset, status: int, words: str
) -> None:
    found, final = await asked(filled, request_, model=model)
    assert found == []
    assert final.Status == status
    assert words in final.ErrorComment
    assert len(final.ErrorComment) <= 64
    if status == 0xC001:
        assert final.OffendingElement == 0x00080030


async def test_negotiated_relational_and_fuzzy(filled: Engine) -> None:
    assert negotiate(STUDY_ROOT_FIND, b"\1\1\1\1") == b"\1\1\1\0"
    assert negotiate("1.2.840.10008.1.1", b"\1") is None
    request = keys("SERIES", SeriesInstanceUID="", Modality="CT")
    _, refused = await asked(filled, request)
    assert refused.Status == 0xA900
    found, final = await asked(filled, request, extended=b"\1\0\0")
    assert final.Status == 0
    assert {one.SeriesInstanceUID for one in found} == oracle.answer(HOSPITAL, "SERIES", {0x00080060: "CT"})
    by_quirk = Device("WORKSTATION", quirks=frozenset({"relational"}))
    assert len((await asked(filled, request, device=by_quirk))[0]) == len(found)
    request = keys("PATIENT", PatientName="Xiao Dong Wang")
    assert (await asked(filled, request, model=PATIENT_ROOT_FIND))[0] == []
    fuzzy, _ = await asked(filled, request, model=PATIENT_ROOT_FIND, extended=b"\0\0\1")
    assert {str(one.PatientName).split("=")[0] for one in fuzzy} == {"WANG^XIAODONG", "Wang^Xiao Dong"}


async def test_rejected_objects_are_shown_to_quality_control_alone(filled: Engine) -> None:
    request = keys("SERIES", SeriesInstanceUID="")
    how: dict[str, Any] = {"extended": b"\1"}
    plain, _ = await asked(filled, request, **how)
    more, _ = await asked(filled, request, device=Device("QC", quality_control=True), **how)
    assert {one.SeriesInstanceUID for one in plain} == oracle.answer(HOSPITAL, "SERIES", {})
    assert {one.SeriesInstanceUID for one in more} == oracle.answer(
        HOSPITAL, "SERIES", {}, quality_control=True
    )
    assert len(more) > len(plain)


async def test_too_many_answers_end_with_advice(filled: Engine) -> None:
    found, final = await asked(
        filled, keys("STUDY", StudyInstanceUID=""), settings=FindSettings(max_answers=5)
    )
    assert len(found) == 5
    assert final.Status == 0xA700
    assert "ask for less" in final.ErrorComment


async def test_cancel_ends_the_answers(filled: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    # the search goes on only when the cancel is there, so that it cannot come too late
    seen = threading.Event()
    really = FindHandler.__call__

    async def watched(self: FindHandler, *args: Any) -> AsyncIterator[Any]:
        cancelled: asyncio.Event = args[-1]
        count = 0
        async for reply in really(self, *args):
            yield reply
            count += 1
            if count == 3:
                await asyncio.wait_for(cancelled.wait(), 20)
                seen.set()

    monkeypatch.setattr(FindHandler, "__call__", watched)
    monkeypatch.setattr(find._Search, "FIRST", 2)
    found, final = await asked(filled, keys("STUDY", StudyInstanceUID=""), cancel_after=1)
    assert seen.is_set()
    assert final.Status == 0xFE00
    assert 0 < len(found) <= 4
    assert filled.pool.checkedout() == 0  # type: ignore[attr-defined]


def _slow(
    engine: Engine, begun: threading.Event, proceed: threading.Event
) -> Callable[[object, object, object], Any]:
    def search(connection: Any, _principal: object, _query: object) -> Any:
        begun.set()
        assert proceed.wait(20)
        if engine.dialect.name == "sqlite":
            endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
            connection.execute(text(endless)).all()
        else:
            connection.execute(text("SELECT pg_sleep(60)")).all()
        yield {}

    return search


async def test_a_search_without_end_is_ended(filled: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    proceed = threading.Event()
    proceed.set()
    monkeypatch.setattr(find, "search", _slow(filled, threading.Event(), proceed))
    settings = FindSettings(timeout=0.2)
    found, final = await asyncio.wait_for(
        asked(filled, keys("STUDY", StudyInstanceUID=""), settings=settings), 20
    )
    assert found == []
    assert final.Status == 0xA700
    assert "too long" in final.ErrorComment
    assert filled.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_a_lost_association_leaves_no_search_behind(
    filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the statement begins when its association is lost already: an interrupt that comes before it is of no use
    begun, lost = threading.Event(), threading.Event()
    monkeypatch.setattr(find, "search", _slow(filled, begun, lost))

    def ask_and_abort(port: int) -> None:
        association = RawAssociation(port, [(STUDY_ROOT_FIND, [IMPLICIT])])
        request = element(0x00080052, "STUDY") + element(0x0020000D, "")
        association.request(1, {0x0002: STUDY_ROOT_FIND, 0x0100: 0x0020, 0x0700: 0}, request)
        assert begun.wait(20)
        association.abort()
        lost.set()

    async with serving(filled, FindSettings(), Device("WORKSTATION")) as port:
        await asyncio.to_thread(ask_and_abort, port)
        deadline = asyncio.get_running_loop().time() + 20
        while filled.pool.checkedout():  # type: ignore[attr-defined]
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.01)


async def test_a_slow_device_leaves_room_for_others(filled: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, proceed = threading.Event(), threading.Event()
    really = find.search

    def search(connection: Any, principal: Any, query: Any) -> Any:
        if principal.name == "SLOW":
            begun.set()
            assert proceed.wait(20)
        yield from really(connection, principal, query)

    monkeypatch.setattr(find, "search", search)
    trail = Trail(filled, keys_of_trail())
    handler = FindHandler(filled, FindSettings(threads=2), trail)
    services = Services()
    services.add(FIND_MODELS, (CommandField.C_FIND_RQ,), handler)

    async def admit(request: Any, _peer: object) -> Admission:
        return Admission(
            Device(request.calling_ae), NegotiationPolicy(dict.fromkeys(FIND_MODELS, (IMPLICIT,)))
        )

    request = element(0x00080052, "STUDY") + element(0x0020000D, "")

    def call(title: str) -> RawAssociation:
        association = RawAssociation(port, [(STUDY_ROOT_FIND, [IMPLICIT])], calling=title)
        association.request(1, {0x0002: STUDY_ROOT_FIND, 0x0100: 0x0020, 0x0700: 0}, request)
        return association

    def final(association: RawAssociation) -> int:
        while (status := association.read_message().status) == 0xFF00:
            pass
        association.close()
        return status

    server = Server(NetSettings(ae_title="FILMLESS"), services, admit)
    port = await server.start("127.0.0.1", 0)
    try:
        slow = [await asyncio.to_thread(call, "SLOW") for _ in range(3)]
        assert await asyncio.to_thread(begun.wait, 20)
        quick = await asyncio.to_thread(call, "QUICK")
        assert await asyncio.wait_for(asyncio.to_thread(final, quick), 10) == 0
        assert filled.pool.checkedout() == 1  # type: ignore[attr-defined]
        # one that waits for a place can be cancelled, and one that goes away leaves its place to the next
        await asyncio.to_thread(slow[1].cancel, 1, 1)
        assert await asyncio.wait_for(asyncio.to_thread(final, slow[1]), 10) == 0xFE00
        await asyncio.to_thread(slow[0].abort)
        proceed.set()
        assert await asyncio.wait_for(asyncio.to_thread(final, slow[2]), 20) == 0
    finally:
        proceed.set()
        await server.stop(grace=0)
        handler.close()
        await asyncio.to_thread(trail.close)


async def test_no_place_in_time_is_said(filled: Engine) -> None:
    handler_settings = FindSettings(threads=1, timeout=0.2)
    handler = FindHandler(filled, handler_settings, Trail(filled, keys_of_trail()))
    cancelled = asyncio.Event()
    place = await handler._place("SLOW", cancelled)
    assert place is not None
    assert await handler._place("QUICK", cancelled) is None
    handler._leave(place)
    assert await handler._place("QUICK", cancelled) is not None
    handler.close()


async def test_answers_that_are_taken_too_slowly_end_the_search(
    filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find._Search, "FIRST", 2)
    found, final = await asked(filled, keys("STUDY", StudyInstanceUID=""), settings=FindSettings(longest=0))
    assert len(found) == 2
    assert final.Status == 0xA700 and "too long" in final.ErrorComment
    assert filled.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_a_giant_identifier_is_refused_at_once(filled: Engine) -> None:
    def ask_much(port: int) -> int:
        with RawAssociation(port, [(STUDY_ROOT_FIND, [IMPLICIT])]) as association:
            names = element(0x00100010, "\\".join(["A*"] * 300_000))
            (answer,) = association.find(element(0x00080052, "STUDY") + names)
            return answer.status

    async with serving(filled, FindSettings(), Device("WORKSTATION")) as port:
        assert await asyncio.wait_for(asyncio.to_thread(ask_much, port), 20) == 0xC001
