"""The text of a series' metadata is that of each instance alone."""

import json
import random
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from filmless.dicom import json_model, json_text, part10
from filmless.dicom.json_text import SeriesText, mapped
from filmless.dicom.scan import scan
from filmless.kit.errors import Refused

LE = "1.2.840.10008.1.2.1"
FILES = sorted(Path(str(get_testdata_file("CT_small.dcm"))).parent.glob("*.dcm"))


def alone(data: bytes, syntax: str) -> tuple[dict[str, object], list[tuple[int, str]]]:
    warnings: list[tuple[int, str]] = []
    found = json_model.from_data_set(data, syntax, warn=lambda tag, words: warnings.append((tag, words)))
    return found, warnings


def test_all_files_one_after_the_other() -> None:
    """Files of every kind through one writer: what it keeps of one must not reach into the next."""
    texts, compared = SeriesText(), 0
    for path in FILES:
        raw = path.read_bytes()
        try:
            meta = part10.read_meta(raw)
        except Refused:
            continue
        data, syntax = raw[meta.data_set_offset :], meta.transfer_syntax_uid
        for _ in range(2):
            warnings: list[tuple[int, str]] = []
            text = texts.of_data_set(
                data,
                transfer_syntax_uid=syntax,
                warn=lambda tag, words, heard=warnings: heard.append((tag, words)),
            )
            expected, heard = alone(data, syntax)
            assert json.loads(text) == expected, path.name
            assert list(json.loads(text)) == sorted(expected), path.name
            assert sorted(warnings) == sorted(heard), path.name
            with mapped(path, meta.data_set_offset, len(data)) as part:
                assert texts.of_data_set(part, transfer_syntax_uid=syntax) == text
            offset = meta.data_set_offset
            assert texts.of_file(path, offset, len(data), transfer_syntax_uid=syntax) == text, path.name
        compared += 1
    assert compared > 60


def test_a_file_whose_pixels_come_last_is_not_looked_at_as_a_whole(tmp_path: Path) -> None:
    """Wherever the file is changed or cut, it says what its bytes say."""
    short = 0
    for name in ("CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "rtdose.dcm"):
        raw = Path(str(get_testdata_file(name))).read_bytes()
        meta = part10.read_meta(raw)
        data, syntax = bytearray(raw[meta.data_set_offset :]), meta.transfer_syntax_uid
        pixels = scan(data, syntax, None).pixel_offset
        assert pixels is not None
        rng = random.Random(name)
        for turn in range(150):
            odd = bytearray(data)
            if turn:
                for _ in range(rng.randrange(1, 4)):
                    odd[rng.randrange(pixels + 12)] = rng.choice((0, 0xFF, 0x41, rng.randrange(256)))
            if turn % 3 == 2:
                odd = odd[: rng.randrange(len(odd))]
            path = tmp_path / f"{turn}.dcm"
            path.write_bytes(bytes(100) + odd + b"behind")
            found = SeriesText().of_file(path, 100, len(odd), transfer_syntax_uid=syntax)
            assert found == SeriesText().of_data_set(bytes(odd), transfer_syntax_uid=syntax), (name, turn)
            short += json_text._before_pixels(path, 100, len(odd), syntax) is not None
    assert 100 < short < 500


@pytest.mark.parametrize("character_set", ["", "ISO_IR 100", "ISO_IR 192"])
def test_keeps_nothing_of_another_character_set(character_set: str) -> None:
    texts = SeriesText()
    name = b"\x10\x00\x10\x00PN\x06\x00M\xc3\xbcll^"
    for assumed in ("ISO_IR 100", "ISO_IR 192", character_set):
        expected = json_model.from_data_set(name, LE, character_set=assumed)
        assert json.loads(texts.of_data_set(name, transfer_syntax_uid=LE, character_set=assumed)) == expected


def test_a_data_set_in_parts_is_the_whole() -> None:
    """As a corrected object leaves: its header anew, then its pixels from the file."""
    compared = 0
    for path in FILES:
        raw = path.read_bytes()
        try:
            meta = part10.read_meta(raw)
        except Refused:
            continue
        data, syntax = raw[meta.data_set_offset :], meta.transfer_syntax_uid
        at = scan(data, syntax, None).pixel_offset
        if at and "99" not in syntax:
            whole = SeriesText().of_data_set(data, transfer_syntax_uid=syntax)
            assert SeriesText().of_data_set(data[:at], data[at:], transfer_syntax_uid=syntax) == whole, (
                path.name
            )
            compared += 1
    assert compared > 40


def test_adds_what_the_object_lacks_and_leaves_what_it_has() -> None:
    name = b"\x10\x00\x10\x00PN\x04\x00A^B "
    more = {0x00100010: {"vr": "PN"}, 0x00083002: {"vr": "UI", "Value": ["1.2"]}}
    text = SeriesText().of_data_set(name, transfer_syntax_uid=LE, more=more)
    expected = (
        '{"00083002":{"vr":"UI","Value":["1.2"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"}]}}'
    )
    assert text == expected
