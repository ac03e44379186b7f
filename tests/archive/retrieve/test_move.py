"""C-MOVE with pynetdicom on both other ends: what arrives, in which syntax, and whether the account is true."""

import asyncio
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pynetdicom import AE, StoragePresentationContexts
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tests.archive.retrieve.conftest import HOST, ROOT, Home, compressed_slice, encoded, slice_of
from tests.archive.retrieve.receiver import receiver

from filmless.archive.retrieve import asked
from filmless.archive.retrieve.sending import RetrieveSettings
from filmless.devices.model import Device
from filmless.dicom import uids
from filmless.dicom.sopclasses import (
    CT_IMAGE,
    MR_IMAGE,
    PATIENT_ROOT_MOVE,
    PATIENT_STUDY_ONLY_MOVE,
    SECONDARY_CAPTURE,
    STUDY_ROOT_MOVE,
)

Responses = list[tuple[Dataset, Dataset | None]]


def move(
    port: int,
    keys: dict[str, Any],
    *,
    model: str = STUDY_ROOT_MOVE,
    to: str = "RECEIVER",
    relational: bool = False,
) -> Responses:
    """All responses of a C-MOVE."""
    from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

    ae = AE("MOVER")
    ae.add_requested_context(model)
    items = []
    if relational:
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid, item.service_class_application_information = model, b"\x01"
        items.append(item)
    association = ae.associate(HOST, port, ext_neg=items)
    assert association.is_established
    identifier = Dataset()
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    responses = list(association.send_c_move(identifier, to, model, msg_id=77))
    association.release()
    return responses


def study(number: int) -> dict[str, Any]:
    return {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": f"{ROOT}.{number}"}


def counters(status: Dataset) -> tuple[int, int, int]:
    """Completed, warning, failed."""
    return (
        status.NumberOfCompletedSuboperations,
        status.NumberOfWarningSuboperations,
        status.NumberOfFailedSuboperations,
    )


def failed(identifier: Dataset | None) -> list[str]:
    if identifier is None or "FailedSOPInstanceUIDList" not in identifier:
        return []
    value = identifier.FailedSOPInstanceUIDList
    return [value] if isinstance(value, str) else sorted(value)


async def test_every_object_arrives_as_it_was_stored(home: Home) -> None:
    uids_ = await asyncio.to_thread(home.store_study, 1, 5)
    implicit = await asyncio.to_thread(home.store, slice_of(1, 2, 1), uids.IMPLICIT_VR_LE)
    with receiver() as to:
        home.add_device("RECEIVER", to.port)
        responses = await asyncio.to_thread(move, home.port, study(1))
    final, identifier = responses[-1]
    assert (final.Status, counters(final), identifier) == (0x0000, (6, 0, 0), None)
    assert "NumberOfRemainingSuboperations" not in final
    assert {uid: data for uid, (_, data) in to.objects.items()} == home.stored
    assert {ts for uid, (ts, _) in to.objects.items() if uid in uids_} == {uids.EXPLICIT_VR_LE}
    assert to.objects[implicit][0] == uids.IMPLICIT_VR_LE
    assert set(to.originators) == {("MOVER", 77)}


async def test_pending_responses_count_down(home: Home) -> None:
    await asyncio.to_thread(home.store_study, 1, 4)
    with receiver() as to:
        home.add_device("RECEIVER", to.port)
        to.go_on.clear()
        moving = asyncio.create_task(asyncio.to_thread(move, home.port, study(1)))
        await asyncio.to_thread(to.first.wait, 10)
        await asyncio.sleep(0.1)  # some intervals pass while the first object is being answered
        to.go_on.set()
        responses = await moving
    *pending, (final, _) = responses
    assert final.Status == 0x0000
    assert pending
    for status, _ in pending:
        assert status.Status == 0xFF00
        assert status.NumberOfRemainingSuboperations + sum(counters(status)) == 4
    assert pending[0][0].NumberOfRemainingSuboperations == 4


async def test_a_receiver_that_takes_only_implicit_vr_gets_it(home: Home) -> None:
    plain = slice_of(1, 1, 1)
    compressed = compressed_slice(1, 1, 2)
    await asyncio.to_thread(home.store, plain)
    await asyncio.to_thread(home.store, compressed, uids.RLE_LOSSLESS)
    with receiver([(CT_IMAGE, (uids.IMPLICIT_VR_LE,))]) as to:
        home.add_device("RECEIVER", to.port)
        final, _ = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert (final.Status, counters(final)) == (0x0000, (2, 0, 0))
    assert {ts for ts, _ in to.objects.values()} == {uids.IMPLICIT_VR_LE}
    for number in (1, 2):
        expected = encoded(slice_of(1, 1, number), explicit=False)
        assert to.objects[f"{ROOT}.1.1.{number}"][1] == expected


async def test_a_compressed_object_goes_compressed_where_that_is_taken(home: Home) -> None:
    compressed = compressed_slice(1, 1, 1)
    uid = await asyncio.to_thread(home.store, compressed, uids.RLE_LOSSLESS)
    accepts = (uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_LE, uids.RLE_LOSSLESS)
    with receiver([(CT_IMAGE, accepts)]) as to:
        home.add_device("RECEIVER", to.port)
        final, _ = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert final.Status == 0x0000
    assert to.objects[uid] == (uids.RLE_LOSSLESS, home.stored[uid])
    proposed = [syntaxes for sop_class, syntaxes in to.proposals[0] if sop_class == CT_IMAGE]
    assert proposed[0] == [uids.RLE_LOSSLESS]


async def test_between_lossless_syntaxes_where_nothing_else_is_taken(home: Home) -> None:
    uid = await asyncio.to_thread(home.store, slice_of(1, 1, 1))
    with receiver([(CT_IMAGE, (uids.RLE_LOSSLESS,))]) as to:
        home.add_device("RECEIVER", to.port)
        final, _ = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert final.Status == 0x0000
    assert to.objects[uid][0] == uids.RLE_LOSSLESS
    assert len(to.objects[uid][1]) != len(home.stored[uid])


async def test_what_nobody_can_decode_fails_by_itself_and_is_listed(home: Home) -> None:
    good = await asyncio.to_thread(home.store, slice_of(1, 1, 1))
    bad = slice_of(1, 1, 2)
    bad.add_new(0x7FE00010, "OB", encapsulate([b"\xff\x4f\xff\x51" + b"\x13" * 500]))
    bad["PixelData"].is_undefined_length = True
    broken = await asyncio.to_thread(home.store, bad, uids.JPEG_2000_LOSSLESS)
    with receiver([(CT_IMAGE, (uids.IMPLICIT_VR_LE,))]) as to:
        home.add_device("RECEIVER", to.port)
        final, identifier = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert (final.Status, counters(final), failed(identifier)) == (0xB000, (1, 0, 1), [broken])
    assert set(to.objects) == {good}


async def test_results_come_from_the_receivers_answers(home: Home) -> None:
    ok, warned, refused, other = await asyncio.to_thread(home.store_study, 1, 4)
    answers = {warned: 0xB000, refused: 0xA700, other: 0xC001}
    with receiver(answer=lambda uid: answers.get(uid, 0)) as to:
        home.add_device("RECEIVER", to.port)
        final, identifier = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert (final.Status, counters(final)) == (0xB000, (1, 1, 2))
    assert failed(identifier) == sorted([refused, other])
    assert set(to.objects) == {ok, warned, refused, other}


async def test_nothing_arrived_is_never_success(home: Home) -> None:
    await asyncio.to_thread(home.store_study, 1, 3)
    with receiver(answer=lambda uid: 0xA700) as to:
        home.add_device("RECEIVER", to.port)
        final, identifier = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert (final.Status, counters(final)) == (0xA702, (0, 0, 3))
    assert failed(identifier) == sorted(home.stored)


async def test_a_class_that_the_receiver_does_not_know_fails_and_is_listed(home: Home) -> None:
    ct = await asyncio.to_thread(home.store, slice_of(1, 1, 1))
    mr = await asyncio.to_thread(home.store, slice_of(1, 2, 1, sop_class=MR_IMAGE))
    with receiver() as to:
        home.add_device("RECEIVER", to.port)
        final, identifier = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert (final.Status, counters(final), failed(identifier)) == (0xB000, (1, 0, 1), [mr])
    assert set(to.objects) == {ct}
    assert "accepts no transfer syntax" in final.ErrorComment


async def test_a_lost_file_fails_by_itself(home: Home) -> None:
    first, second, third = await asyncio.to_thread(home.store_study, 1, 3)
    path = next(p for p in home.archive.root.rglob("*.dcm") if second.encode() in p.read_bytes())
    path.unlink()
    with receiver() as to:
        home.add_device("RECEIVER", to.port)
        final, identifier = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert (final.Status, counters(final), failed(identifier)) == (0xB000, (2, 0, 1), [second])
    assert set(to.objects) == {first, third}


async def test_a_destination_that_is_not_in_the_list_is_unknown(home: Home) -> None:
    await asyncio.to_thread(home.store_study, 1, 1)
    [(status, identifier)] = await asyncio.to_thread(move, home.port, study(1), to="NOBODY")
    assert (status.Status, failed(identifier)) == (0xA801, [])


async def test_a_destination_that_does_not_answer_fails_everything(home: Home) -> None:
    stored = await asyncio.to_thread(home.store_study, 1, 3)
    with receiver() as to:
        port = to.port
    home.add_device("RECEIVER", port)
    final, identifier = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert (final.Status, counters(final)) == (0xA702, (0, 0, 3))
    assert failed(identifier) == sorted(stored)


async def test_an_index_that_does_not_answer_is_for_later(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any, **__: Any) -> Any:
        raise PoolTimeout("every connection is taken")

    home.add_device("RECEIVER", 1)
    monkeypatch.setattr(asked, "instances_of", busy)
    [(status, _)] = await asyncio.to_thread(move, home.port, study(1))
    assert status.Status == 0xA701


async def test_nothing_found_is_success_with_nothing_sent(home: Home) -> None:
    home.add_device("RECEIVER", 1)
    [(status, _)] = await asyncio.to_thread(move, home.port, study(99))
    assert (status.Status, counters(status)) == (0x0000, (0, 0, 0))


async def test_an_object_that_breaks_the_association_costs_itself_only(home: Home) -> None:
    stored = await asyncio.to_thread(home.store_study, 1, 5)
    with receiver(answer=lambda uid: -1 if uid == stored[2] else 0) as to:
        home.add_device("RECEIVER", to.port)
        final, identifier = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert (final.Status, counters(final), failed(identifier)) == (0xB000, (4, 0, 1), [stored[2]])
    assert set(to.objects) == {uid for uid in stored if uid != stored[2]}


async def test_a_receiver_that_breaks_every_association_fails_everything(home: Home) -> None:
    await asyncio.to_thread(home.store_study, 1, 5)
    with receiver(answer=lambda uid: -1) as to:
        home.add_device("RECEIVER", to.port)
        final, _ = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert (final.Status, counters(final)) == (0xA702, (0, 0, 5))
    assert len(to.proposals) == 2


async def test_each_object_on_an_association_of_its_own_where_the_device_wants_that(home: Home) -> None:
    await asyncio.to_thread(home.store_study, 1, 3)
    with receiver() as to:
        home.add_device("RECEIVER", to.port, quirks=["one-object-per-association", "implicit-only"])
        final, _ = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert (final.Status, counters(final)) == (0x0000, (3, 0, 0))
    assert to.proposals == [[(CT_IMAGE, [uids.IMPLICIT_VR_LE])]] * 3
    assert {ts for ts, _ in to.objects.values()} == {uids.IMPLICIT_VR_LE}


async def test_more_than_128_contexts_take_several_associations(home: Home) -> None:
    known = [str(context.abstract_syntax) for context in StoragePresentationContexts]
    classes = [uid for uid in known if uid_to_service_class(uid) is StorageServiceClass][:60]
    for number, sop_class in enumerate(classes, 1):
        await asyncio.to_thread(home.store, slice_of(1, 1, number, sop_class=sop_class))
    with receiver([(sop_class, (uids.EXPLICIT_VR_LE,)) for sop_class in classes]) as to:
        home.add_device("RECEIVER", to.port)
        final, _ = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert (final.Status, counters(final)) == (0x0000, (60, 0, 0))
    assert len(to.proposals) == 2
    assert all(len(proposal) <= 128 for proposal in to.proposals)


@pytest.mark.parametrize(
    ("model", "keys", "found"),
    [
        (PATIENT_ROOT_MOVE, {"QueryRetrieveLevel": "PATIENT", "PatientID": "P1"}, 3),
        (PATIENT_STUDY_ONLY_MOVE, {"QueryRetrieveLevel": "PATIENT", "PatientID": "P2"}, 1),
        (
            PATIENT_ROOT_MOVE,
            {"QueryRetrieveLevel": "STUDY", "PatientID": "P1", "StudyInstanceUID": f"{ROOT}.1"},
            3,
        ),
        (
            PATIENT_ROOT_MOVE,
            {"QueryRetrieveLevel": "STUDY", "PatientID": "P2", "StudyInstanceUID": f"{ROOT}.1"},
            0,
        ),
        (
            STUDY_ROOT_MOVE,
            {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": [f"{ROOT}.1", f"{ROOT}.2"]},
            4,
        ),
        (
            STUDY_ROOT_MOVE,
            {
                "QueryRetrieveLevel": "SERIES",
                "StudyInstanceUID": f"{ROOT}.1",
                "SeriesInstanceUID": f"{ROOT}.1.2",
            },
            1,
        ),
        (
            STUDY_ROOT_MOVE,
            {
                "QueryRetrieveLevel": "IMAGE",
                "StudyInstanceUID": f"{ROOT}.1",
                "SeriesInstanceUID": f"{ROOT}.1.1",
                "SOPInstanceUID": [f"{ROOT}.1.1.1", f"{ROOT}.1.1.2", f"{ROOT}.9.9.9"],
            },
            2,
        ),
    ],
)
async def test_each_model_and_level(home: Home, model: str, keys: dict[str, Any], found: int) -> None:
    for numbers in ((1, 1, 1), (1, 1, 2), (1, 2, 1), (2, 1, 1)):
        await asyncio.to_thread(home.store, slice_of(*numbers))
    with receiver() as to:
        home.add_device("RECEIVER", to.port)
        final, _ = (await asyncio.to_thread(move, home.port, keys, model=model))[-1]
    assert (final.Status, counters(final)) == (0x0000, (found, 0, 0))
    assert len(to.objects) == found


async def test_a_missing_unique_key_is_refused_unless_relational_was_negotiated(home: Home) -> None:
    uid = await asyncio.to_thread(home.store, slice_of(1, 1, 1))
    keys = {"QueryRetrieveLevel": "IMAGE", "SOPInstanceUID": uid}
    with receiver() as to:
        home.add_device("RECEIVER", to.port)
        [(refused, _)] = await asyncio.to_thread(move, home.port, keys)
        assert refused.Status == 0xA900
        assert refused.ErrorComment == "one Study Instance UID needed at the level IMAGE"
        final, _ = (await asyncio.to_thread(move, home.port, keys, relational=True))[-1]
    assert (final.Status, counters(final)) == (0x0000, (1, 0, 0))


class TestARelationalDevice:
    @pytest.fixture
    def caller(self) -> Device:
        return Device("CALLER", quirks=frozenset({"relational"}))

    async def test_needs_not_negotiate(self, home: Home) -> None:
        uid = await asyncio.to_thread(home.store, slice_of(1, 1, 1))
        keys = {"QueryRetrieveLevel": "IMAGE", "SOPInstanceUID": uid}
        with receiver() as to:
            home.add_device("RECEIVER", to.port)
            final, _ = (await asyncio.to_thread(move, home.port, keys))[-1]
        assert (final.Status, set(to.objects)) == (0x0000, {uid})


async def test_cancel_stops_after_the_object_under_way_and_tells_the_rest(home: Home) -> None:
    await asyncio.to_thread(home.store_study, 1, 6)
    with receiver() as to:
        home.add_device("RECEIVER", to.port)
        to.go_on.clear()

        def cancelling() -> Responses:
            ae = AE("MOVER")
            ae.add_requested_context(STUDY_ROOT_MOVE)
            association = ae.associate(HOST, home.port)
            identifier = Dataset()
            for keyword, value in study(1).items():
                setattr(identifier, keyword, value)
            found = []
            for status, answer in association.send_c_move(identifier, "RECEIVER", STUDY_ROOT_MOVE, msg_id=5):
                if not found and to.first.wait(10):
                    association.send_c_cancel(5, query_model=STUDY_ROOT_MOVE)
                found.append((status, answer))
                if len(found) == 3:
                    to.go_on.set()  # two intervals after the cancel: it has long been read
            association.release()
            return found

        responses = await asyncio.to_thread(cancelling)
    final, identifier = responses[-1]
    assert final.Status == 0xFE00
    assert final.NumberOfRemainingSuboperations == 5
    assert counters(final) == (1, 0, 0)
    assert failed(identifier) == []
    assert len(to.objects) == 1


async def test_a_mover_that_goes_away_ends_the_sending(home: Home) -> None:
    await asyncio.to_thread(home.store_study, 1, 6)
    with receiver() as to:
        home.add_device("RECEIVER", to.port)
        to.go_on.clear()

        def leaving() -> None:
            ae = AE("MOVER")
            ae.add_requested_context(STUDY_ROOT_MOVE)
            association = ae.associate(HOST, home.port)
            identifier = Dataset()
            for keyword, value in study(1).items():
                setattr(identifier, keyword, value)
            next(iter(association.send_c_move(identifier, "RECEIVER", STUDY_ROOT_MOVE)))
            to.first.wait(10)
            association.abort()

        await asyncio.to_thread(leaving)
        assert await asyncio.to_thread(to.ended.wait, 10)
        to.go_on.set()
    assert len(to.objects) <= 1
    assert not home.server.associations


class TestARareInterval:
    @pytest.fixture
    def retrieve_settings(self) -> RetrieveSettings:
        return RetrieveSettings(pending_interval=3600)

    async def test_needs_no_pending_response(self, home: Home) -> None:
        await asyncio.to_thread(home.store_study, 1, 5)
        with receiver() as to:
            home.add_device("RECEIVER", to.port)
            responses = await asyncio.to_thread(move, home.port, study(1))
        assert [status.Status for status, _ in responses] == [0x0000]
        assert len(to.objects) == 5


async def test_video_is_never_touched(home: Home) -> None:
    h264 = "1.2.840.10008.1.2.4.102"
    film = slice_of(1, 1, 1, sop_class=SECONDARY_CAPTURE)
    uid = await asyncio.to_thread(
        home.store_bytes, SECONDARY_CAPTURE, film.SOPInstanceUID, encoded(film), h264
    )
    with receiver([(SECONDARY_CAPTURE, (uids.EXPLICIT_VR_LE,))]) as to:
        home.add_device("RECEIVER", to.port)
        final, identifier = (await asyncio.to_thread(move, home.port, study(1)))[-1]
    assert (final.Status, failed(identifier)) == (0xA702, [uid])
    with receiver([(SECONDARY_CAPTURE, (uids.EXPLICIT_VR_LE, h264))]) as other:
        home.add_device("OTHER", other.port)
        final, _ = (await asyncio.to_thread(move, home.port, study(1), to="OTHER"))[-1]
    assert (final.Status, other.objects[uid]) == (0x0000, (h264, home.stored[uid]))
