"""C-GET with pynetdicom and dcmtk as requestors, C-MOVE with dcmtk's tools."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE, build_role, evt
from tests.archive.retrieve.conftest import HOST, ROOT, Home, compressed_slice, encoded, slice_of
from tests.archive.retrieve.test_move import Responses, counters, failed, study
from tests.peers import getscu, movescu, storescp

from filmless.dicom import uids
from filmless.dicom.sopclasses import CT_IMAGE, MR_IMAGE, PATIENT_ROOT_GET, STUDY_ROOT_GET

Got = dict[str, tuple[str, bytes]]


def get(
    port: int,
    keys: dict[str, Any],
    accepts: Sequence[tuple[str, Sequence[str]]] = ((CT_IMAGE, (uids.EXPLICIT_VR_LE,)),),
    *,
    model: str = STUDY_ROOT_GET,
    roles: bool = True,
    answers: dict[str, int] | None = None,
    cancel_after: int = 0,
    abort_after: int = 0,
) -> tuple[Responses, Got]:
    """All responses of a C-GET, and what arrived."""
    got: Got = {}

    def store(event: Any) -> int:
        uid = event.request.AffectedSOPInstanceUID
        got[uid] = (event.context.transfer_syntax, event.request.DataSet.getvalue())
        if cancel_after and len(got) == cancel_after:
            event.assoc.send_c_cancel(9, query_model=model)
        if abort_after and len(got) == abort_after:
            event.assoc.abort()
        return (answers or {}).get(uid, 0x0000)

    ae = AE("GETTER")
    ae.dimse_timeout = 2 if abort_after else 30  # after an abort of its own it waits that long
    ae.add_requested_context(model)
    for sop_class, syntaxes in accepts:
        for syntax in syntaxes:
            ae.add_requested_context(sop_class, syntax)
    negotiated = [build_role(sop_class, scp_role=True) for sop_class, _ in accepts] if roles else []
    association = ae.associate(HOST, port, ext_neg=negotiated, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert association.is_established
    identifier = Dataset()
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    responses = list(association.send_c_get(identifier, model, msg_id=9))
    if association.is_established:
        association.release()
    return responses, got


async def test_every_object_comes_back_as_it_was_stored(home: Home) -> None:
    await asyncio.to_thread(home.store_study, 1, 5)
    await asyncio.to_thread(home.store, slice_of(1, 2, 1), uids.IMPLICIT_VR_LE)
    accepts = [(CT_IMAGE, (uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE))]
    responses, got = await asyncio.to_thread(get, home.port, study(1), accepts)
    final, identifier = responses[-1]
    assert (final.Status, counters(final), identifier) == (0x0000, (6, 0, 0), None)
    assert {uid: data for uid, (_, data) in got.items()} == home.stored
    assert sorted(ts for ts, _ in got.values()) == [uids.IMPLICIT_VR_LE] + [uids.EXPLICIT_VR_LE] * 5


async def test_the_stored_syntax_where_it_is_the_one_accepted_else_uncompressed(home: Home) -> None:
    compressed = compressed_slice(1, 1, 1)
    uid = await asyncio.to_thread(home.store, compressed, uids.RLE_LOSSLESS)
    _, got = await asyncio.to_thread(
        get, home.port, study(1), [(CT_IMAGE, (uids.EXPLICIT_VR_LE, uids.RLE_LOSSLESS))]
    )
    assert got[uid] == (uids.RLE_LOSSLESS, home.stored[uid])
    _, got = await asyncio.to_thread(get, home.port, study(1), [(CT_IMAGE, (uids.IMPLICIT_VR_LE,))])
    assert got[uid] == (uids.IMPLICIT_VR_LE, encoded(slice_of(1, 1, 1), explicit=False))


async def test_a_class_that_was_not_proposed_is_a_failure_in_the_list(home: Home) -> None:
    ct = await asyncio.to_thread(home.store, slice_of(1, 1, 1))
    mr = await asyncio.to_thread(home.store, slice_of(1, 2, 1, sop_class=MR_IMAGE))
    responses, got = await asyncio.to_thread(get, home.port, study(1))
    final, identifier = responses[-1]
    assert (final.Status, counters(final), failed(identifier)) == (0xB000, (1, 0, 1), [mr])
    assert set(got) == {ct}


async def test_without_role_selection_everything_is_a_failure_in_the_list(home: Home) -> None:
    stored = await asyncio.to_thread(home.store_study, 1, 3)
    responses, got = await asyncio.to_thread(get, home.port, study(1), roles=False)
    final, identifier = responses[-1]
    assert (final.Status, counters(final)) == (0xA702, (0, 0, 3))
    assert failed(identifier) == sorted(stored)
    assert not got


async def test_who_names_a_patient_is_given_no_other_ones_images_under_the_same_study_uid(home: Home) -> None:
    other = slice_of(1, 2, 1)
    other.PatientID, other.PatientName = "Q7", "Somebody^Else"
    one = await asyncio.to_thread(home.store, slice_of(1, 1, 1))
    two = await asyncio.to_thread(home.store, other)
    for named, expected in (("P1", {one}), ("Q7", {two}), ("R9", set()), ("", {one, two}), ("*", {one, two})):
        _, got = await asyncio.to_thread(get, home.port, {**study(1), "PatientID": named})
        assert set(got) == expected, named
    # where the UID is of one patient alone, the study is asked for and nobody else
    three = await asyncio.to_thread(home.store, slice_of(2, 1, 1))
    _, got = await asyncio.to_thread(get, home.port, {**study(2), "PatientID": "what it was before"})
    assert set(got) == {three}


async def test_results_come_from_the_requestors_answers(home: Home) -> None:
    ok, warned, refused = await asyncio.to_thread(home.store_study, 1, 3)
    responses, _ = await asyncio.to_thread(
        get, home.port, study(1), answers={warned: 0xB007, refused: 0xA900}
    )
    final, identifier = responses[-1]
    assert (final.Status, counters(final), failed(identifier)) == (0xB000, (1, 1, 1), [refused])
    assert ok not in failed(identifier)


async def test_cancel_ends_after_the_object_under_way(home: Home) -> None:
    await asyncio.to_thread(home.store_study, 1, 30)
    responses, got = await asyncio.to_thread(get, home.port, study(1), cancel_after=2)
    final, _ = responses[-1]
    assert final.Status == 0xFE00
    assert final.NumberOfCompletedSuboperations == len(got) < 30
    assert final.NumberOfRemainingSuboperations == 30 - len(got)


async def test_a_requestor_that_aborts_half_way_leaves_nothing_behind(home: Home) -> None:
    await asyncio.to_thread(home.store_study, 1, 30)
    _, got = await asyncio.to_thread(get, home.port, study(1), abort_after=2)
    assert len(got) < 30
    deadline = asyncio.get_running_loop().time() + 10
    while home.server.associations and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.01)
    assert not home.server.associations


async def test_a_missing_key_is_refused_and_nothing_found_is_success(home: Home) -> None:
    keys = {"QueryRetrieveLevel": "PATIENT"}
    responses, _ = await asyncio.to_thread(get, home.port, keys, model=PATIENT_ROOT_GET)
    [(refused, _)] = responses
    assert refused.Status == 0xA900
    responses, _ = await asyncio.to_thread(get, home.port, study(404))
    [(final, _)] = responses
    assert (final.Status, counters(final)) == (0x0000, (0, 0, 0))


async def test_an_object_larger_than_what_is_read_at_once_streams(home: Home) -> None:
    large = slice_of(1, 1, 1, rows=40_000)
    large.add_new(0x00091010, "OB", b"\0\1" * (3 << 20))
    uid = await asyncio.to_thread(home.store, large)
    assert len(home.stored[uid]) > 8 << 20
    responses, got = await asyncio.to_thread(get, home.port, study(1))
    assert responses[-1][0].Status == 0x0000
    assert got[uid][1] == home.stored[uid]


@pytest.mark.interop
async def test_getscu_brings_back_what_was_stored(home: Home, tmp_path: Path) -> None:
    await asyncio.to_thread(home.store_study, 1, 7)
    done = await asyncio.to_thread(
        getscu, home.port, tmp_path / "got", "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={ROOT}.1"
    )
    assert done.status == 0, done.output
    files = [path for path in (tmp_path / "got").iterdir() if path.is_file()]
    assert {uid: data for path in files for uid, data in [data_set(path)]} == home.stored


@pytest.mark.interop
@pytest.mark.parametrize("option", ["+x=", "+xi"])
async def test_movescu_to_storescp(home: Home, tmp_path: Path, option: str) -> None:
    compressed = compressed_slice(1, 2, 1)
    await asyncio.to_thread(home.store_study, 1, 6)
    await asyncio.to_thread(home.store, compressed, uids.RLE_LOSSLESS)
    scp = storescp(tmp_path / "moved", *([option] if option == "+xi" else []))
    await asyncio.to_thread(scp.start)
    try:
        home.add_device("STORESCP", scp.port)
        done = await asyncio.to_thread(
            movescu, home.port, "STORESCP", "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={ROOT}.1"
        )
    finally:
        await asyncio.to_thread(scp.stop)
    assert done.status == 0, done.output
    files = [path for path in (tmp_path / "moved").iterdir() if path.is_file()]
    assert len(files) == 7
    if option == "+xi":
        expected = {
            f"{ROOT}.1.{s}.{n}": encoded(slice_of(1, s, n), explicit=False)
            for s, n in [*((1, n) for n in range(1, 7)), (2, 1)]
        }
    else:
        expected = home.stored
    assert {uid: data for path in files for uid, data in [data_set(path)]} == expected


@pytest.mark.interop
async def test_movescu_is_told_of_an_unknown_destination(home: Home) -> None:
    await asyncio.to_thread(home.store_study, 1, 1)
    done = await asyncio.to_thread(
        movescu, home.port, "NOBODY", "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={ROOT}.1"
    )
    assert "MoveDestinationUnknown" in done.output.replace(" ", "")


def data_set(path: Path) -> tuple[str, bytes]:
    """(SOP Instance UID, the bytes after the file meta information) of a Part 10 file."""
    meta = dcmread(path, stop_before_pixels=True).file_meta
    data = path.read_bytes()
    return str(meta.MediaStorageSOPInstanceUID), data[144 + meta.FileMetaInformationGroupLength :]
