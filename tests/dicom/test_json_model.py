import json
import warnings
from base64 import b64decode
from pathlib import Path

import pydicom

from filmless.dicom import json_model, part10, uids
from filmless.dicom.rewrite import EXPLICIT_LE, Encoding, reencode
from filmless.dicom.scan import scan
from filmless.kit.errors import Refused
from tests.dicom.build import as_file, element, image, sequence, us
from tests.dicom.sample_files import dicom_files


def _json(data: bytes, **options: object) -> tuple[dict[str, dict[str, object]], list[tuple[int, str]]]:
    warned: list[tuple[int, str]] = []
    out = json_model.from_data_set(
        data,
        uids.EXPLICIT_VR_LE,
        warn=lambda tag, words: warned.append((tag, words)),
        **options,  # type: ignore[arg-type]
    )
    json.dumps(out, allow_nan=False)
    return out, warned


def test_a_long_decimal_and_a_bad_value_cost_only_themselves() -> None:
    out, warned = _json(
        element(0x00180050, "DS", b"0.48828125000000000 ")
        + b"\x18\x00\x10\x13US\x03\x00\x01\x02\x03"
        + element(0x00200013, "IS", b"3rd ")
        + element(0x00280030, "DS", b"0.5\\wide\\0.25")
        + us(0x00280010, 12)
    )
    assert out["00180050"] == {"vr": "DS", "Value": [0.48828125]}
    assert out["00200013"] == {"vr": "IS", "Value": ["3rd"]}
    assert out["00280030"] == {"vr": "DS", "Value": [0.5, "wide", 0.25]}
    assert out["00280010"] == {"vr": "US", "Value": [12]}
    assert {tag for tag, _ in warned} == {0x00181310, 0x00200013, 0x00280030}


def test_names_text_and_empty_values() -> None:
    out, warned = _json(
        element(0x00080005, "CS", b"\\ISO 2022 IR 87")
        + element(0x00080008, "CS", b"ORIGINAL\\\\AXIAL")
        + element(0x00080050, "SH", b"")
        + element(0x00100010, "PN", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B")
        + element(0x00104000, "LT", b"  two\\parts \r\n")
    )
    assert out["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
    assert out["00080008"]["Value"] == ["ORIGINAL", None, "AXIAL"]
    assert out["00080050"] == {"vr": "SH"}
    assert out["00100010"]["Value"] == [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}]
    assert out["00104000"]["Value"] == ["  two\\parts \r\n"]
    assert not warned


def test_numbers_that_json_does_not_have() -> None:
    import struct

    out, _ = _json(
        element(0x00080001, "UL", b"")
        + element(0x00189073, "FD", struct.pack("<4d", float("nan"), float("inf"), -float("inf"), 1.5))
        + element(0x00280009, "AT", b"\x18\x00\x63\x10")
        + element(0x7FDF0010, "LO", b"x")
        + element(0x7FDF1001, "UV", struct.pack("<2Q", 2**63, 7))
    )
    assert out["00189073"]["Value"] == ["NaN", "inf", "-inf", 1.5]
    assert out["00280009"]["Value"] == ["00181063"]
    assert out["7FDF1001"]["Value"] == [str(2**63), 7]


def test_binary_inline_or_by_reference() -> None:
    data = image(bytes(32), rows=4, columns=4, extra=element(0x00091001, "OB", b"12345678"))
    out, _ = _json(data)
    assert b64decode(str(out["00091001"]["InlineBinary"])) == b"12345678"
    assert out["7FE00010"] == {"vr": "OW", "BulkDataURI": "7FE00010"}
    nested = sequence(0x00081140, [element(0x00091001, "OB", b"1"), element(0x00091001, "OB", b"12345678")])
    out, _ = _json(nested, inline_limit=4)
    assert out["00081140"]["Value"] == [
        {"00091001": {"vr": "OB", "InlineBinary": "MQA="}},
        {"00091001": {"vr": "OB", "BulkDataURI": "00081140/2/00091001"}},
    ]


def test_big_endian_words_are_exchanged() -> None:
    little = element(0x00281201, "OW", bytes(range(8)))
    big = reencode(little, 0, len(little), EXPLICIT_LE, Encoding(explicit=True, little=False))
    assert big != little
    out = json_model.from_data_set(big, uids.EXPLICIT_VR_BE)
    assert b64decode(out["00281201"]["InlineBinary"]) == bytes(range(8))


def test_only_the_tags_asked_for() -> None:
    header = scan(image(bytes(32), rows=4, columns=4), uids.EXPLICIT_VR_LE)
    assert json_model.from_header(header, [0x00280010, 0x00280011, 0x00321060]) == {
        "00280010": {"vr": "US", "Value": [4]},
        "00280011": {"vr": "US", "Value": [4]},
    }


def test_from_a_file(tmp_path: Path) -> None:
    data = image(bytes(32), rows=4, columns=4)
    whole = as_file(data)
    path = tmp_path / "one.dcm"
    path.write_bytes(whole + b"what follows is another's")
    out = json_model.from_file(path, len(whole) - len(data), len(data), uids.EXPLICIT_VR_LE)
    assert out == json_model.from_data_set(data, uids.EXPLICIT_VR_LE)
    assert out["00100010"]["Value"] == [{"Alphabetic": "Image^Made"}]


def test_real_files_lose_nothing_that_pydicom_keeps() -> None:
    compared = 0
    for path in dicom_files("odd", "studies", "charsets"):
        data = path.read_bytes()
        try:
            meta = part10.read_meta(data)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = pydicom.dcmread(path, force=True).to_json_dict(
                    suppress_invalid_tags=True, bulk_data_threshold=1, bulk_data_element_handler=lambda _: ""
                )
        except (Refused, RecursionError, EOFError):
            continue
        if path.stem == "rtplan_truncated":
            continue
        ours = json_model.from_data_set(data[meta.data_set_offset :], meta.transfer_syntax_uid)
        json.dumps(ours, allow_nan=False)
        for tag, value in theirs.items():
            if tag.endswith("0000") or tag == "FFFCFFFC":
                continue
            assert tag in ours, (path, tag)
            if value["vr"] in ("UI", "DA", "TM", "SH") and ours[tag]["vr"] == value["vr"]:
                known = [part or None for part in value.get("Value", [])]
                assert [part.strip() if part else None for part in known] == ours[tag].get(
                    "Value", []
                ) or not any(known), (path, tag)
        compared += 1
    assert compared > 60
