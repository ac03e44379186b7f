"""Data sets of references, against pydicom's reading and writing."""

import pytest
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage

from filmless.archive.references import (
    FAILED_SOP_SEQUENCE,
    FAILURE_REASON,
    REFERENCED_SOP_SEQUENCE,
    TRANSACTION_UID,
    TRANSFER_SYNTAXES,
    Reference,
    encode,
    read_transaction,
    reference_items,
)
from filmless.kit.errors import Refused

A, B = Reference(CTImageStorage, "1.2.3.1"), Reference(MRImageStorage, "1.2.3.22")
SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian]


def written(dataset: Dataset, syntax: str) -> bytes:
    file = DicomBytesIO()
    file.is_little_endian = True
    file.is_implicit_VR = syntax == ImplicitVRLittleEndian
    write_dataset(file, dataset)
    return file.getvalue()


def dataset(*, failed: bool = True) -> Dataset:
    made = Dataset()
    made.TransactionUID = "1.2.826.7"
    made.ReferencedSOPSequence = [Dataset()]
    made.ReferencedSOPSequence[0].ReferencedSOPClassUID = A.sop_class_uid
    made.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = A.sop_instance_uid
    if failed:
        made.FailedSOPSequence = [Dataset()]
        made.FailedSOPSequence[0].ReferencedSOPClassUID = B.sop_class_uid
        made.FailedSOPSequence[0].ReferencedSOPInstanceUID = B.sop_instance_uid
        made.FailedSOPSequence[0].FailureReason = 0x0112
    return made


def test_both_syntaxes_are_offered():
    assert set(TRANSFER_SYNTAXES) == set(SYNTAXES)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_result_is_encoded_as_pydicom_would(syntax):
    failed = [*reference_items([B])[0], (FAILURE_REASON, "US", 0x0112)]
    data = encode(
        [
            (TRANSACTION_UID, "UI", "1.2.826.7"),
            (REFERENCED_SOP_SEQUENCE, "SQ", reference_items([A])),
            (FAILED_SOP_SEQUENCE, "SQ", [failed]),
        ],
        syntax,
    )
    assert data == written(dataset(), syntax)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_result_is_read(syntax):
    found = read_transaction(written(dataset(), syntax), syntax)
    assert found == ("1.2.826.7", [(A, None), (B, 0x0112)])


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_sequences_of_undefined_length_are_read(syntax):
    made = dataset()
    made["ReferencedSOPSequence"].is_undefined_length = True
    assert read_transaction(written(made, syntax), syntax)[1][0] == (A, None)


@pytest.mark.parametrize("missing", ["TransactionUID", "class", "instance", "cut"])
def test_what_names_nothing_is_refused(missing):
    made = dataset(failed=False)
    if missing == "TransactionUID":
        del made.TransactionUID
    elif missing == "class":
        del made.ReferencedSOPSequence[0].ReferencedSOPClassUID
    elif missing == "instance":
        made.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = ""
    data = written(made, ExplicitVRLittleEndian)
    with pytest.raises(Refused):
        read_transaction(data[:-3] if missing == "cut" else data, ExplicitVRLittleEndian)
