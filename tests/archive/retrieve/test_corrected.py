"""What leaves by C-GET and C-MOVE of corrected objects, and what does not leave because it was rejected meanwhile."""

import asyncio
import io
from typing import Any

import pydicom
import pytest
from pynetdicom import AE, build_role, evt
from tests.archive.retrieve.conftest import HOST, ROOT, Home, compressed_slice, slice_of
from tests.archive.retrieve.test_get import get
from tests.archive.retrieve.test_move import counters, study

from filmless.access.model import ENGINEER
from filmless.archive import reject
from filmless.archive.corrections import service
from filmless.archive.corrections.model import Level, Target
from filmless.archive.retrieve.sending import RetrieveSettings
from filmless.dicom import part10, uids
from filmless.dicom.sopclasses import CT_IMAGE, STUDY_ROOT_GET

NAME = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Wang^Xiaoming", "Ideographic": "王^小明"}]}}


def correct(home: Home, number: int = 1) -> None:
    service.correct(
        home.engine,
        home.archive.root,
        ENGINEER,
        Target(Level.STUDY, f"{ROOT}.{number}"),
        NAME,
        reason="typo",
        by="li",
    )


def read(data: bytes, ts: str) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(part10.build_preamble_and_meta(CT_IMAGE, "1.2", ts) + data))


@pytest.fixture(params=[4 << 20, 0], ids=["in-memory", "streamed"])
def retrieve_settings(request: pytest.FixtureRequest) -> RetrieveSettings:
    return RetrieveSettings(
        pending_interval=0.02, whole_object_bytes=request.param, read_ahead=1, believed_seconds=0
    )


async def test_corrected_objects_leave_corrected_in_every_syntax(home: Home) -> None:
    await asyncio.to_thread(home.store_study, 1, 2)
    await asyncio.to_thread(home.store, slice_of(1, 2, 1), uids.IMPLICIT_VR_LE)
    await asyncio.to_thread(home.store, compressed_slice(1, 3, 1), uids.RLE_LOSSLESS)
    await asyncio.to_thread(correct, home)
    # as stored where it is accepted, else transcoded with the corrected header
    for accepted in ((uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE, uids.RLE_LOSSLESS), (uids.IMPLICIT_VR_LE,)):
        responses, got = await asyncio.to_thread(get, home.port, study(1), [(CT_IMAGE, accepted)])
        assert (responses[-1][0].Status, counters(responses[-1][0])) == (0x0000, (4, 0, 0))
        for uid, (ts, data) in got.items():
            data_set = read(data, ts)
            assert str(data_set.PatientName) == "Wang^Xiaoming=王^小明"
            (item,) = data_set.OriginalAttributesSequence
            assert str(item.ModifiedAttributesSequence[0].PatientName) == "Patient^1"
            stored = home.stored[uid]
            if len(accepted) == 3:
                # from the pixels on not one byte is another
                tail = stored[stored.index(b"\xe0\x7f\x10\x00") :]
                assert data.endswith(tail)
            number = int(uid.rsplit(".", 1)[1])
            if ts != uids.RLE_LOSSLESS:
                series = int(uid.split(".")[-2])
                assert data_set.PixelData == slice_of(1, series, number).PixelData


async def test_what_is_rejected_or_corrected_meanwhile_does_not_leave(home: Home) -> None:
    names = await asyncio.to_thread(home.store_study, 1, 8)
    got: dict[str, Any] = {}

    def store(event: Any) -> int:
        if not got:
            reject.reject(
                home.archive, ENGINEER, code="113037", by="li", reason="wrong patient", sop_uids=[names[6]]
            )
            correct(home)
        got[event.request.AffectedSOPInstanceUID] = event.request.DataSet.getvalue()
        return 0x0000

    def retrieve() -> list[Any]:
        ae = AE("GETTER")
        ae.add_requested_context(STUDY_ROOT_GET)
        ae.add_requested_context(CT_IMAGE, uids.EXPLICIT_VR_LE)
        role = build_role(CT_IMAGE, scp_role=True)
        association = ae.associate(HOST, home.port, ext_neg=[role], evt_handlers=[(evt.EVT_C_STORE, store)])
        identifier = pydicom.Dataset()
        for keyword, value in study(1).items():
            setattr(identifier, keyword, value)
        responses = list(association.send_c_get(identifier, STUDY_ROOT_GET))
        association.release()
        return responses

    responses = await asyncio.to_thread(retrieve)
    final, identifier = responses[-1]
    # never one half of a study under one name and the other under another, with success said of both
    assert final.Status == 0xB000
    assert set(identifier.FailedSOPInstanceUIDList) == set(names) - set(got) >= {*names[6:]}
    assert all(data == home.stored[uid] for uid, data in got.items())
    got[""] = b""  # corrects no more
    responses = await asyncio.to_thread(retrieve)
    assert counters(responses[-1][0]) == (7, 0, 0)
    del got[""]
    assert set(got) == set(names) - {names[6]}
    for data in got.values():
        assert str(read(data, uids.EXPLICIT_VR_LE).PatientName) == "Wang^Xiaoming=王^小明"
