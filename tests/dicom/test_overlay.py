"""Corrections laid over data sets: what changes is what was to change, as foreign readers see it."""

import io
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filmless.dicom import json_model, part10
from filmless.dicom.charset import can_encode, encode
from filmless.dicom.overlay import Layer, apply
from filmless.dicom.pixels import transcode
from filmless.dicom.rewrite import EXPLICIT_LE, IMPLICIT_LE, Encoding, inflate, reencode
from filmless.dicom.scan import scan
from filmless.dicom.uids import EXPLICIT_VR_LE, transfer_syntax
from filmless.kit.errors import Refused
from tests.dicom.build import element, sequence
from tests.dicom.sample_files import dicom_files

AT = datetime(2026, 11, 22, 4, 5, 6, 70, tzinfo=UTC)
NAME = {"vr": "PN", "Value": [{"Alphabetic": "Wang^Xiaoming", "Ideographic": "王^小明"}]}
PLAIN = Layer({0x00100020: {"vr": "LO", "Value": ["P9"]}, 0x00081030: {"vr": "LO", "Value": ["Head"]}}, AT)
CHINESE = Layer({0x00100010: NAME, 0x00080050: None}, AT)
NAMED = Layer({0x00100010: NAME}, AT)
BIG = Encoding(explicit=True, little=False)


def laid_over(data: bytes, ts: str, layers: Sequence[Layer]) -> tuple[bytes, bytes, str]:
    """(head before, whole after, its syntax): as archive.leaving does it, deflated ones inflated."""
    if transfer_syntax(ts).deflated:
        data, ts = inflate(data), EXPLICIT_VR_LE
    header = scan(data, ts, frozenset())
    rest = len(data) if header.pixel_offset is None else header.pixel_offset
    head = apply(data[:rest], layers, Encoding(header.explicit, header.little))
    return data[:rest], head + data[rest:], ts


def files() -> list[Path]:
    return dicom_files("odd", "charsets")


@pytest.mark.parametrize(
    "layers", [[PLAIN], [CHINESE], [PLAIN, CHINESE, PLAIN]], ids=["plain", "utf-8", "three"]
)
def test_everything_else_in_real_files_reads_as_before(layers: list[Layer]) -> None:
    changed = {f"{tag:08X}" for layer in layers for tag in layer.changes} | {"04000561", "00080005"}
    done = 0
    for path in files():
        with path.open("rb") as file:
            try:
                meta = part10.read_meta(file)
            except Refused:
                continue
            file.seek(meta.data_set_offset)
            data = file.read()
        ts = meta.transfer_syntax_uid
        try:
            _, after, after_ts = laid_over(data, ts, layers)
        except Refused:
            # damaged: it cannot leave corrected, and does not leave otherwise
            found = scan(data, ts, None)
            assert found.warnings or found.truncated, path
            continue
        before = json_model.from_data_set(data, ts)
        now = json_model.from_data_set(after, after_ts)
        assert {tag for tag in now if tag not in before} <= changed, path
        for tag, member in before.items():
            if tag not in changed:
                assert now.get(tag) == member, (path, tag)
        (*_, last) = now["04000561"]["Value"]
        assert last["04000563"] == {"vr": "LO", "Value": ["Filmless"]}, path
        if layers == [PLAIN]:
            assert now["00100020"]["Value"] == ["P9"] and now["00081030"]["Value"] == ["Head"]
            assert now.get("00080005") == before.get("00080005"), path
        else:
            assert now["00100010"]["Value"][0]["Ideographic"] == "王^小明", path
            assert "00080050" not in now
        done += 1
    assert done > 60


def _dump(folder: Path, data: bytes, ts: str) -> subprocess.CompletedProcess[bytes]:
    file = folder / "one.dcm"
    file.write_bytes(part10.build_preamble_and_meta("1.2.840.10008.5.1.4.1.1.7", "1.2.3", ts) + data)
    return subprocess.run(["dcmdump", "-q", str(file)], capture_output=True, check=False)


def _faults(folder: Path, data: bytes, ts: str) -> set[str]:
    file = folder / "one.dcm"
    file.write_bytes(part10.build_preamble_and_meta("1.2.840.10008.5.1.4.1.1.7", "1.2.3", ts) + data)
    done = subprocess.run(["dciodvfy", str(file)], capture_output=True, check=False)
    return {line for line in done.stderr.decode("latin-1").splitlines() if line.startswith("Error")}


SOUND = ("CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm",
         "US1_UNCI.dcm", "emri_small.dcm", "image_dfl.dcm", "reportsi.dcm", "MR_small_implicit.dcm")  # fmt: skip


def test_dcmtk_and_dciodvfy_find_no_new_fault(tmp_path: Path) -> None:
    by_name = {path.name: path for path in files()}
    seen = 0
    for name in SOUND:
        if name not in by_name:
            continue
        with by_name[name].open("rb") as file:
            meta = part10.read_meta(file)
            file.seek(meta.data_set_offset)
            data = file.read()
        _, after, ts = laid_over(data, meta.transfer_syntax_uid, [PLAIN, NAMED])
        assert _dump(tmp_path, after, ts).returncode == 0, name
        plain = inflate(data) if ts != meta.transfer_syntax_uid else data
        new = _faults(tmp_path, after, ts) - _faults(tmp_path, plain, ts)
        assert not new, (name, new)
        seen += 1
    assert seen >= 7


TEXTS = {
    "ISO_IR 100": "Müller^Jörg",
    "GB18030": "王^小东",
    "GBK": "王^小东",
    "ISO 2022 IR 6\\ISO 2022 IR 58": "Wang^Xiaodong=王^小东",
    "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
    "ISO 2022 IR 13\\ISO 2022 IR 87": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    "ISO_IR 144": "Люкceмбypг",
    "ISO_IR 192": "王^小东",
}


def small(declared: str, text: str, private: bytes = b"") -> bytes:
    name = encode(text, declared, name=True)
    item = element(0x00321060, "LO", encode(text.replace("^", " ").replace("=", " "), declared))
    own = element(0x00080005, "CS", b"ISO_IR 100") + element(0x00321060, "LO", "Körper".encode("latin-1"))
    return b"".join(
        [
            element(0x00080005, "CS", declared.encode()) if declared else b"",
            element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7"),
            element(0x00080018, "UI", b"1.2.3"),
            element(0x00081030, "LO", encode(text.replace("^", " ").replace("=", " "), declared)),
            element(0x00090010, "LO", b"FILMLESS TEST"),
            element(0x00091001, "LO", private or b"kept"),
            element(0x00091002, "UN", b"\xfe\xed\xfa\xce"),
            element(0x00100010, "PN", name),
            element(0x00100020, "LO", b"P1"),
            sequence(0x00400275, [item, own]),
        ]
    )


def read(data: bytes, ts: str) -> pydicom.Dataset:
    meta = part10.build_preamble_and_meta("1.2.840.10008.5.1.4.1.1.7", "1.2.3", ts)
    found = pydicom.dcmread(io.BytesIO(meta + data))
    found.decode()
    return found


@pytest.mark.parametrize("encoding", [EXPLICIT_LE, IMPLICIT_LE, BIG], ids=["explicit", "implicit", "big"])
@pytest.mark.parametrize("declared", TEXTS)
def test_text_outlives_the_change_of_character_set(declared: str, encoding: Encoding) -> None:
    text = TEXTS[declared]
    data = small(declared, text)
    before = data
    if encoding != EXPLICIT_LE:
        before = reencode(data, 0, len(data), EXPLICIT_LE, encoding)
    layer = Layer({0x00100020: {"vr": "LO", "Value": ["Ж王한ü"]}}, AT)
    after = apply(before, [layer], encoding)
    ts = {EXPLICIT_LE: EXPLICIT_VR_LE, IMPLICIT_LE: "1.2.840.10008.1.2", BIG: "1.2.840.10008.1.2.2"}[encoding]
    found = read(after, ts)
    plain = text.replace("^", " ").replace("=", " ")
    kept = can_encode("Ж王한ü", declared)
    assert found.SpecificCharacterSet == ("GB18030" if kept and declared == "GB18030" else "ISO_IR 192")
    assert found.PatientID == "Ж王한ü"
    assert str(found.PatientName) == text
    assert found.StudyDescription == plain
    first, second = found.RequestAttributesSequence
    assert first.RequestedProcedureDescription == plain
    assert (second.SpecificCharacterSet, second.RequestedProcedureDescription) == ("ISO_IR 100", "Körper")
    assert found[0x0009, 0x1002].value == b"\xfe\xed\xfa\xce"
    (record,) = found.OriginalAttributesSequence
    assert record.ModifiedAttributesSequence[0].PatientID == "P1"
    assert record.AttributeModificationDateTime == "20261122040506.000070+0000"


def test_old_values_are_told_in_their_own_character_set() -> None:
    after = apply(small("GB18030", "王^小东"), [Layer({0x00100010: NAME}, AT)], EXPLICIT_LE)
    # the set can hold the new name: nothing else is touched
    assert read(after, EXPLICIT_VR_LE).SpecificCharacterSet == "GB18030"
    after = apply(small("ISO_IR 100", "Müller^Jörg"), [CHINESE], EXPLICIT_LE)
    record = read(after, EXPLICIT_VR_LE).OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert (record.SpecificCharacterSet, str(record.PatientName)) == ("ISO_IR 100", "Müller^Jörg")
    # as they were sent, byte for byte
    assert "Müller^Jörg".encode("latin-1") in after


def test_what_nobody_declared_is_read_as_its_sender_is_known_to_write() -> None:
    data = small("", "DOE^JANE").replace(b"DOE^JANE", "王^小".encode("gb18030") + b"   ")
    after = apply(
        data, [Layer({0x00100020: {"vr": "LO", "Value": ["号1"]}}, AT)], EXPLICIT_LE, character_set="GB18030"
    )
    found = read(after, EXPLICIT_VR_LE)
    assert str(found.PatientName) == "王^小"
    after = apply(data, [CHINESE], EXPLICIT_LE, character_set="GB18030")
    (record,) = read(after, EXPLICIT_VR_LE).OriginalAttributesSequence[0].ModifiedAttributesSequence
    assert str(record.PatientName) == "王^小"


def test_bytes_that_are_no_text_are_kept_beside_what_can_be_read_of_them() -> None:
    data = small("ISO_IR 192", "DOE^JANE", private=b"ab\xff\xfe")
    after = apply(data, [PLAIN], EXPLICIT_LE)
    assert after.count(b"ab\xff\xfe") == 1, "the set holds the text: nothing is read, nothing is lost"
    broken = (
        small("ISO_IR 87", "DOE^JANE").replace(b"ISO_IR 87 ", b"ISO_IR 166").replace(b"kept", b"a\xdb\xffb")
    )
    after = apply(broken, [CHINESE], EXPLICIT_LE)
    found = read(after, EXPLICIT_VR_LE)
    assert "\ufffd" in found[0x0009, 0x1001].value
    (lost,) = found.OriginalAttributesSequence[0].NonconformingModifiedAttributesSequence
    assert (lost.SelectorAttribute, lost.NonconformingDataElementValue) == (0x00091001, b"a\xdb\xffb")


def test_an_old_value_that_is_none_of_its_vr_is_told_apart() -> None:
    data = small("ISO_IR 192", "DOE^JANE")
    data = (
        element(0x00080005, "CS", b"ISO_IR 192")
        + element(0x00080020, "DA", b"2nd of May")
        + data[data.index(b"\x08\x00\x30\x10") :]
    )
    after = apply(data, [Layer({0x00080020: {"vr": "DA", "Value": ["20260502"]}}, AT)], EXPLICIT_LE)
    (record,) = read(after, EXPLICIT_VR_LE).OriginalAttributesSequence
    assert record.ModifiedAttributesSequence[0].StudyDate == ""
    (lost,) = record.NonconformingModifiedAttributesSequence
    assert (lost.SelectorAttribute, lost.NonconformingDataElementValue) == (0x00080020, b"2nd of May")


def test_what_others_recorded_before_stays_in_front() -> None:
    theirs = element(0x04000562, "DT", b"20200101") + element(0x04000563, "LO", b"OTHER")
    for undefined in (False, True):
        own = sequence(0x04000561, [theirs])
        if undefined:
            own = own[:8] + b"\xff\xff\xff\xff" + own[12:] + b"\xfe\xff\xdd\xe0\0\0\0\0"
        after = apply(small("ISO_IR 100", "Müller") + own, [PLAIN, CHINESE], EXPLICIT_LE)
        found = read(after, EXPLICIT_VR_LE).OriginalAttributesSequence
        assert [one.ModifyingSystem for one in found] == ["OTHER", "Filmless", "Filmless"]
        assert theirs in after


def test_lengths_of_groups_that_change_go_and_others_stay() -> None:
    length = element(0x00080000, "UL", b"\x10\0\0\0"), element(0x00100000, "UL", b"\x20\0\0\0")
    data = length[0] + element(0x00080050, "SH", b"A1") + length[1] + element(0x00100020, "LO", b"P1")
    after = apply(data, [Layer({0x00100020: {"vr": "LO", "Value": ["P2"]}}, AT)], EXPLICIT_LE)
    assert after.startswith(length[0] + element(0x00080050, "SH", b"A1"))
    assert length[1] not in after


@settings(max_examples=60, deadline=None)
@given(
    declared=st.sampled_from(sorted(TEXTS)),
    values=st.lists(
        st.text(st.sampled_from("aZ 1ü王小Ж山한やﾔ"), min_size=1, max_size=12), min_size=1, max_size=4
    ),
    new=st.text(st.sampled_from("bü王Жやé😀"), min_size=1, max_size=10),
    implicit=st.booleans(),
)
def test_any_text_in_any_set(declared: str, values: list[str], new: str, implicit: bool) -> None:
    values = [text for text in values if can_encode(text, declared)] or ["a"]
    new = new.strip() or "b"
    one = encode("\\".join(values), declared)
    data = element(0x00080005, "CS", declared.encode()) + element(0x00101000, "LO", one)
    inner = sequence(0x00400275, [element(0x00400007, "LO", encode(values[0], declared))])
    data += inner
    encoding, ts = (IMPLICIT_LE, "1.2.840.10008.1.2") if implicit else (EXPLICIT_LE, EXPLICIT_VR_LE)
    before = reencode(data, 0, len(data), EXPLICIT_LE, encoding) if implicit else data
    after = apply(before, [Layer({0x00100010: {"vr": "PN", "Value": [{"Alphabetic": new}]}}, AT)], encoding)
    was, now = json_model.from_data_set(before, ts), json_model.from_data_set(after, ts)
    assert now["00101000"] == was["00101000"]
    assert now["00400275"] == was["00400275"]
    assert now["00100010"]["Value"] == [{"Alphabetic": new}]
    assert (
        apply(before, [Layer({0x00100010: {"vr": "PN", "Value": [{"Alphabetic": new}]}}, AT)], encoding)
        == after
    )


def test_damage_is_refused_not_made_worse() -> None:
    data = small("ISO_IR 100", "Müller")
    for cut in (len(data) - 3, 25):
        with pytest.raises(Refused):
            apply(data[:cut], [PLAIN], EXPLICIT_LE)


def test_transcoding_what_was_corrected(tmp_path: Path) -> None:
    path = next(path for path in files() if path.name == "CT_small.dcm")
    with path.open("rb") as file:
        meta = part10.read_meta(file)
        file.seek(meta.data_set_offset)
        data = file.read()
    _, after, ts = laid_over(data, meta.transfer_syntax_uid, [PLAIN, CHINESE])
    again = transcode(after, ts, "1.2.840.10008.1.2")
    assert str(read(again, "1.2.840.10008.1.2").PatientName) == "Wang^Xiaoming=王^小明"
