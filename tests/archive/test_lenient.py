"""Values that no standard allows: stored as they came, indexed as far as the index can."""

import os
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from sqlalchemy import select
from tests.archive.conftest import CT, EXPLICIT_LE, Put, ct, encoded

from filmless.archive import integrity, ledger, rebuild
from filmless.archive.model import ArchiveSettings, Arrival, Cause, Kind, Source
from filmless.archive.store import Archive
from filmless.archive.tables import instance_warnings, quarantine
from filmless.db.work import reading
from filmless.kit.errors import Unavailable

TEXTS = {
    "PatientID": "LO", "PatientName": "PN", "PatientSex": "CS", "IssuerOfPatientID": "LO", "OtherPatientIDs": "LO",
    "PatientBirthTime": "TM", "StudyID": "SH", "AccessionNumber": "SH", "StudyDescription": "LO",
    "ReferringPhysicianName": "PN", "StudyDate": "DA", "StudyTime": "TM", "Modality": "CS", "SeriesNumber": "IS",
    "SeriesDescription": "LO", "BodyPartExamined": "CS", "Laterality": "CS", "ProtocolName": "LO",
    "StationName": "SH", "InstitutionName": "LO", "PerformedProcedureStepStartDate": "DA",
    "PerformedProcedureStepStartTime": "TM", "InstanceNumber": "IS", "ContentDate": "DA", "ContentTime": "TM",
    "NumberOfFrames": "IS", "SpecificCharacterSet": "CS", "OperatorsName": "PN", "PatientComments": "LT",
}  # fmt: skip


def raw(value: bytes) -> bytes:
    """The object with `value` in every attribute of text, encoded as explicit VR little endian by hand."""
    plain = ct(**dict.fromkeys(TEXTS))
    item = Dataset()
    item.ScheduledProcedureStepID = "MARKER"
    plain.RequestAttributesSequence = [item]
    for keyword in TEXTS:
        setattr(plain, keyword, "")
    data = encoded(plain)
    value += b" " * (len(value) % 2)
    for keyword, vr in TEXTS.items():
        tag = plain[keyword].tag
        mark = tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little") + vr.encode()
        at = data.index(mark)
        assert data[at + 6 : at + 8] == b"\0\0"
        data = data[: at + 6] + len(value).to_bytes(2, "little") + value + data[at + 8 :]
    return data


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"A\0B", id="nul"),
        pytest.param(b"\0" * 40, id="only nul"),
        pytest.param("é中".encode() * 2000, id="long"),
        pytest.param(bytes(range(1, 256)) * 20, id="every byte"),
        pytest.param(b"\xed\xa0\x80\xff\xfe", id="surrogate"),
        pytest.param(b"99999999999999999999", id="huge number"),
        pytest.param(b"\\".join([b"1.2.3"] * 500), id="many values"),
        pytest.param("".join(map(chr, range(0x4E00, 0x4E00 + 5000))).encode(), id="incompressible"),
    ],
)
@pytest.mark.parametrize("charset", ["", "ISO_IR 192"])
def test_wild_values_are_stored(archive: Archive, value: bytes, charset: str) -> None:
    source = Source("CT1", character_set=charset)
    data = raw(value)
    outcome = archive.store_blocking(Arrival(CT, "1.2.3.1.1.1", EXPLICIT_LE, source), [data])
    assert outcome.kind is Kind.STORED
    assert integrity.check(archive.engine, archive.root).differences == []


@pytest.mark.parametrize("value", ["x" * 4000, "中" * 4000, "".join(map(chr, range(0x4E00, 0x4E00 + 4000)))])
def test_long_values_inside_sequences_are_stored(archive: Archive, put: Put, value: str) -> None:
    item, other = Dataset(), Dataset()
    item.CodeMeaning = value
    other.PatientID = value
    data_set = ct(ProcedureCodeSequence=[item], OtherPatientIDsSequence=[other], PatientName=value)
    data_set.SpecificCharacterSet = "ISO_IR 192"
    assert put(data_set).kind is Kind.STORED


def test_an_announcement_that_is_no_uid_is_quarantined(archive: Archive) -> None:
    arrival = Arrival("1." * 40 + "1", "1.2\0.3" + "4" * 70, EXPLICIT_LE, Source("CT1"))
    outcome = archive.store_blocking(arrival, [encoded(ct(SOPInstanceUID=None))])
    assert (outcome.kind, outcome.cause) == (Kind.QUARANTINED, Cause.NO_SOP_INSTANCE_UID)


def test_what_is_in_quarantine_under_another_uid_is_no_difference(archive: Archive) -> None:
    arrival: Any = Arrival(CT, "1.2.3.9.9", EXPLICIT_LE, Source("CT1"))
    assert archive.store_blocking(arrival, [encoded(ct())]).cause is Cause.UID_MISMATCH
    with reading(archive.engine) as connection:
        assert len(connection.execute(select(quarantine)).all()) == 1
    assert integrity.check(archive.engine, archive.root).differences == []


def test_a_ledger_that_cannot_be_written_whole_stops_the_decision(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(ct())
    whole = os.write

    def half(fd: int, data: Any) -> int:
        return whole(fd, data[: len(data) // 2]) if b'"what"' in bytes(data[:200]) else whole(fd, data)

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(Unavailable):
        put(ct(PixelData=bytes(128)))
    monkeypatch.undo()
    assert put(ct(PixelData=bytes(128))).kind is Kind.QUARANTINED
    assert [line["what"] for line in ledger.read(archive.root)] == ["quarantine"]


def test_pixels_that_are_cut_short_are_stored_with_a_warning(archive: Archive, put: Put) -> None:
    whole = encoded(ct())
    outcome = archive.store_blocking(Arrival(CT, "1.2.3.1.1.1", EXPLICIT_LE, Source("CT1")), [whole[:-10]])
    assert outcome.kind is Kind.STORED
    assert [text for _, text in outcome.warnings] == [
        "its length reaches past the end of the data set: pixels are missing"
    ]
    assert put(ct(SOPInstanceUID="1.2.3.1.1.2")).warnings == ()


JPEG_LS = "1.2.840.10008.1.2.4.80"
_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
_CUT, _NO_END = "it is cut short: pixels are missing", "its end is missing: pixels may be missing"


def compressed(number: int, **behind: Any) -> bytes:
    """Two frames, one of them in two fragments; the values of the keywords follow the pixel data."""
    frames = [b"\xff\xd8\xff" + bytes(range(250)), b"\xff\xd8\xff" + bytes(999)]
    data_set = ct(
        SOPInstanceUID=f"1.2.3.1.1.{number}",
        NumberOfFrames=2,
        PixelData=encapsulate(frames, fragments_per_frame=2),
        **behind,
    )
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True
    return encoded(data_set)


def test_compressed_pixels_that_are_cut_short_are_stored_with_a_warning(archive: Archive) -> None:
    whole = compressed(0)
    assert whole.endswith(_END)
    padded = compressed(0, DataSetTrailingPadding=bytes(100))
    cases = [
        (whole, ""),
        # an odd number of bytes, rounded up
        (whole + b"\0", ""),
        (padded, ""),
        # within what follows: the pixels are all there
        (padded[:-50], ""),
        (whole[:-8], _NO_END),
        (whole[:-4], _NO_END),
        (whole[:-9], _CUT),
        (whole[:-600], _CUT),
        (compressed(0)[: whole.index(b"\xff\xd8\xff") + 20], _CUT),
        # its basic offset table has come by half
        (whole[: whole.index(b"\xff\xd8\xff") - 12], _CUT),
        # by another length of a fragment than it has
        (whole[:-8].replace(b"\xfe\xff\0\xe0\xf6\x01", b"\xfe\xff\0\xe0\xf6\x0f"), _CUT),
    ]
    told = []
    for number, (data, _) in enumerate(cases):
        uid = f"1.2.3.1.1.{number}"
        data = data.replace(b"1.2.3.1.1.0\0", uid.encode() + b"\0" * (12 - len(uid)))
        outcome = archive.store_blocking(Arrival(CT, uid, JPEG_LS, Source("CT1")), [data])
        assert outcome.kind is Kind.STORED
        told.append([text for tag, text in outcome.warnings if tag == "7FE00010"])
    assert told == [[words] if words else [] for _, words in cases]

    def kept() -> list[Any]:
        of = instance_warnings
        with reading(archive.engine) as connection:
            return [
                tuple(row)
                for row in connection.execute(
                    select(of.c.sop_instance_uid, of.c.tag, of.c.text).order_by(
                        of.c.sop_instance_uid, of.c.tag
                    )
                )
            ]

    before = kept()
    assert len(before) >= 7
    archive.stop()
    rebuild.rebuild(archive.engine, archive.root, ArchiveSettings())
    assert kept() == before
