from io import BytesIO

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmless.dicom import part10, uids
from filmless.kit.errors import Refused
from tests.dicom.build import as_file, element

DATA_SET = element(0x00080018, "UI", b"1.2.3.4") + element(0x00080060, "CS", b"MR")


@pytest.mark.parametrize("private", [b"", b"key", b"even", b"x" * 70000])
def test_what_we_write_is_read_by_pydicom_and_by_us(private: bytes) -> None:
    head = part10.build_preamble_and_meta(
        "1.2.840.10008.5.1.4.1.1.4",
        "1.2.3.45",
        uids.EXPLICIT_VR_LE,
        private_information=private,
        source_ae="MR1",
    )
    assert len(head) % 2 == 0
    theirs = pydicom.dcmread(BytesIO(head + DATA_SET))
    assert theirs.file_meta.MediaStorageSOPInstanceUID == "1.2.3.45"
    assert theirs.file_meta.FileMetaInformationGroupLength == len(head) - 144
    assert theirs.Modality == "MR"
    for source in (head + DATA_SET, memoryview(head + DATA_SET), BytesIO(head + DATA_SET)):
        meta = part10.read_meta(source)
        assert meta.sop_class_uid == "1.2.840.10008.5.1.4.1.1.4"
        assert meta.sop_instance_uid == "1.2.3.45"
        assert meta.transfer_syntax_uid == uids.EXPLICIT_VR_LE
        assert meta.data_set_offset == len(head)
        assert meta.source_ae == "MR1"
        assert meta.private_information.rstrip(b"\0") == private
        assert meta.private_creator == (uids.PRIVATE_CREATOR if private else "")
        assert not meta.guessed


def test_files_without_preamble_or_meta() -> None:
    whole = as_file(DATA_SET)
    assert part10.read_meta(whole[132:]).transfer_syntax_uid == uids.EXPLICIT_VR_LE
    bare = part10.read_meta(DATA_SET)
    assert (bare.transfer_syntax_uid, bare.data_set_offset, bare.guessed) == (uids.EXPLICIT_VR_LE, 0, True)
    implicit = b"\x08\x00\x60\x00\x02\x00\x00\x00MR"
    assert part10.read_meta(implicit).transfer_syntax_uid == uids.IMPLICIT_VR_LE
    big = b"\x00\x08\x00\x60CS\x00\x02MR"
    assert part10.read_meta(big).transfer_syntax_uid == uids.EXPLICIT_VR_BE


def test_a_wrong_group_length_does_not_matter() -> None:
    whole = bytearray(as_file(DATA_SET))
    whole[140:144] = b"\xff\xff\x00\x00"
    assert whole[part10.read_meta(bytes(whole)).data_set_offset :] == DATA_SET


@pytest.mark.parametrize("noise", [b"", b"PK\x03\x04" + b"zip" * 100, b"<html>" * 50, b"\0" * 500])
def test_other_files_are_refused(noise: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        part10.read_meta(noise)
    assert refusal.value.code == "not-dicom"


@given(
    data=st.binary(max_size=400),
    prefix=st.sampled_from([b"", bytes(128) + b"DICM", bytes(128) + b"DICM\x02\x00"]),
)
def test_noise_is_refused_or_read(data: bytes, prefix: bytes) -> None:
    try:
        assert part10.read_meta(prefix + data).data_set_offset <= len(prefix + data)
    except Refused as refusal:
        assert refusal.code == "not-dicom"
