from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmless.dicom import json_model, part10, uids
from filmless.dicom.json_read import decimal, to_data_set
from filmless.kit.errors import Refused
from tests.dicom.sample_files import dicom_files

LE = uids.EXPLICIT_VR_LE


def test_real_metadata_there_and_back() -> None:
    compared = 0
    for path in dicom_files("odd", "charsets"):
        if _there_and_back(path):
            compared += 1
    assert compared > 60


def _there_and_back(path: Path) -> bool:
    data = path.read_bytes()
    warned: list[tuple[int, str]] = []
    try:
        meta = part10.read_meta(data)
    except Refused:
        return False
    first = json_model.from_data_set(
        data[meta.data_set_offset :],
        meta.transfer_syntax_uid,
        inline_limit=None,
        warn=lambda *w: warned.append(w),
    )
    first = {
        tag: member for tag, member in first.items() if "BulkDataURI" not in member and tag != "00080005"
    }
    if warned:
        return False
    again = json_model.from_data_set(to_data_set(first), LE, inline_limit=None)
    again.pop("00080005", None)
    assert again.keys() == first.keys(), path
    for tag, member in first.items():
        if member["vr"] not in ("DS", "SQ", "UN"):  # DS may be rounded, UN may turn out to be known
            assert _without_padding(again[tag]) == _without_padding(member), (path, tag)
    return True


def _without_padding(member: dict[str, object]) -> object:
    if member["vr"] == "OB" and "InlineBinary" in member:
        return None  # odd lengths are padded
    return member


def test_a_bad_value_costs_only_itself() -> None:
    warned: list[int] = []
    data = to_data_set(
        {
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Wang^XiaoDong", "Ideographic": "王^小东"}]},
            "00280010": {"vr": "US", "Value": ["many"]},
            "00280011": {"vr": "US", "Value": [512]},
            "00280100": {"vr": "ZZ", "Value": [1]},
            "00280030": {"vr": "DS", "Value": [0.1234567890123456789, "0.5", None]},
            "PatientID": {"vr": "LO"},
            "7FE00010": {"vr": "OW", "BulkDataURI": "x"},
        },
        warn=lambda tag, _: warned.append(tag),
    )
    back = json_model.from_data_set(data, LE)
    assert back["00080005"]["Value"] == ["ISO_IR 192"]
    assert back["00100010"]["Value"] == [{"Alphabetic": "Wang^XiaoDong", "Ideographic": "王^小东"}]
    assert back["00280011"]["Value"] == [512]
    assert back["00280030"]["Value"] == [0.12345678901235, 0.5, None]
    assert sorted(warned) == [0, 0x00280010, 0x00280100, 0x7FE00010]


def test_bulk_data_are_fetched() -> None:
    data = to_data_set({"00091001": {"vr": "OB", "BulkDataURI": "here"}}, bulk=lambda uri: uri.encode())
    assert data.endswith(b"here")


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.5, "0.5"), (1.0, "1.0"), (-1.23456789012345e-300, "-1.23456789e-300"), (1 / 3, "0.33333333333333")],
)
def test_decimals_fit_in_sixteen_characters(number: float, text: str) -> None:
    assert decimal(number) == text


@given(number=st.floats(-1e300, 1e300))
def test_every_decimal_fits_and_stays_close(number: float) -> None:
    assert len(decimal(number)) <= 16
    assert float(decimal(number)) == pytest.approx(number, rel=1e-7)


@given(
    st.dictionaries(
        st.sampled_from(["00100010", "00280010", "0040A730", "junk", "00081140"]),
        st.recursive(
            st.none() | st.text(max_size=5) | st.integers(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.fixed_dictionaries(
                    {"vr": st.sampled_from(["PN", "US", "SQ", "OB", "ZZ", ""]), "Value": inner}
                )
            ),
            max_leaves=8,
        ),
    )
)
def test_whatever_is_sent_never_raises(content: dict[str, object]) -> None:
    assert isinstance(to_data_set(content), bytes)
