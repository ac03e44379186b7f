"""Implicit to explicit VR: byte by byte what transcoding the whole object gives."""

from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from filmless.dicom import part10
from filmless.dicom.explicit import explicit
from filmless.dicom.pixels import transcode
from filmless.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE, transfer_syntax
from filmless.kit.errors import Refused

FILES = sorted(Path(str(get_testdata_file("CT_small.dcm"))).parent.glob("*.dcm"))


def test_every_file_of_pydicom() -> None:
    compared = 0
    for path in FILES:
        raw = path.read_bytes()
        try:
            meta = part10.read_meta(raw)
            data, syntax = raw[meta.data_set_offset :], meta.transfer_syntax_uid
            if syntax != IMPLICIT_VR_LE:
                # made implicit first, where it can be
                if transfer_syntax(syntax).encapsulated:
                    continue
                data = transcode(data, syntax, IMPLICIT_VR_LE)
            expected = transcode(data, IMPLICIT_VR_LE, EXPLICIT_VR_LE)
            found = explicit(data)
        except Refused:
            continue
        if found is None:
            continue
        whole = found.head + data[found.start : found.start + found.length] + found.tail
        assert whole == expected, path.name
        compared += 1
    assert compared > 30


@pytest.mark.parametrize("cut", [1, 100, 600])
def test_leaves_broken_objects_to_others(cut: int) -> None:
    raw = Path(str(get_testdata_file("MR_small_implicit.dcm"))).read_bytes()
    data = raw[part10.read_meta(raw).data_set_offset :]
    assert explicit(data[:-cut]) is None
