from datetime import UTC, datetime
from io import BytesIO

import pydicom
import pytest

from filmless.dicom import uids
from filmless.dicom.builders.kos import REJECTION_TITLES, Reference, rejection_note
from filmless.dicom.scan import Header, scan, sequence_items, text, text_pn
from filmless.kit.errors import Refused
from tests.dicom.build import as_file, element

AT = datetime(2026, 3, 1, 14, 5, 6, tzinfo=UTC)
CT = "1.2.840.10008.5.1.4.1.1.2"
ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"
REFERENCES = [
    Reference("1.2.3.1", CT, "1.2.3.1.1"),
    Reference("1.2.3.1", CT, "1.2.3.1.2"),
    Reference("1.2.3.2", ECG, "1.2.3.2.1"),
]


def _source(charset: bytes = b"GB18030", name: bytes = "王^小东".encode("gb18030")) -> Header:
    return scan(
        element(0x00080005, "CS", charset)
        + element(0x00080020, "DA", b"20260228")
        + element(0x00080050, "SH", b"A1")
        + element(0x00100010, "PN", name)
        + element(0x00100020, "LO", b"P1")
        + element(0x00100021, "LO", b"HOSPITAL")
        + element(0x0020000D, "UI", b"1.2.3"),
        uids.EXPLICIT_VR_LE,
    )


@pytest.mark.parametrize("code", REJECTION_TITLES)
def test_a_note_names_what_it_rejects_and_why(code: str) -> None:
    note = rejection_note(_source(), REFERENCES, code, reason="运动伪影", at=AT)
    found = pydicom.dcmread(BytesIO(as_file(note.data_set)))
    assert found.SOPClassUID == note.sop_class_uid == "1.2.840.10008.5.1.4.1.1.88.59"
    assert found.SOPInstanceUID == note.sop_instance_uid
    assert found.StudyInstanceUID == "1.2.3"
    assert (found.Modality, found.StudyID, found.ContentTime) == ("KO", "", "140506.000000")
    assert found.PatientName.family_name == "王"
    assert found.IssuerOfPatientID == "HOSPITAL"
    title = found.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning) == (
        code,
        "DCM",
        REJECTION_TITLES[code],
    )
    evidence = found.CurrentRequestedProcedureEvidenceSequence[0]
    assert evidence.StudyInstanceUID == "1.2.3"
    assert [
        Reference(series.SeriesInstanceUID, sop.ReferencedSOPClassUID, sop.ReferencedSOPInstanceUID)
        for series in evidence.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    ] == REFERENCES
    content = found.ContentSequence
    assert [item.ValueType for item in content] == ["TEXT", "IMAGE", "IMAGE", "WAVEFORM"]
    assert content[0].TextValue == "运动伪影"
    assert [int(tag) for tag in found.keys()] == sorted(int(tag) for tag in found.keys())  # noqa: SIM118


def test_a_reason_outside_the_objects_character_set_makes_the_note_utf_8() -> None:
    note = rejection_note(
        _source(b"ISO_IR 100", "Müller^Jörg".encode("latin_1")), REFERENCES, "113001", reason="模糊", at=AT
    )
    header = scan(note.data_set, uids.EXPLICIT_VR_LE)
    assert header.character_set == "ISO_IR 192"
    assert text_pn(header, 0x00100010) == "Müller^Jörg"
    assert text(sequence_items(header, 0x0040A043)[0], 0x00080100) == "113001"


def test_the_bytes_of_the_source_are_kept_where_they_can_be() -> None:
    source = _source(b"ISO_IR 100", "Müller^Jörg  ".encode("latin_1"))
    header = scan(rejection_note(source, REFERENCES, "113039", at=AT).data_set, uids.EXPLICIT_VR_LE)
    assert header.values[0x00100010] == source.values[0x00100010]


def test_what_cannot_be_a_note_is_refused() -> None:
    for references, code in (([], "113001"), (REFERENCES, "113000")):
        with pytest.raises(Refused):
            rejection_note(_source(), references, code, at=AT)
    with pytest.raises(Refused):
        rejection_note(scan(b"", uids.EXPLICIT_VR_LE), REFERENCES, "113001", at=AT)
