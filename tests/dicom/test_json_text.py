"""The text of a series' metadata is that of each instance alone."""

import json
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from filmless.dicom import json_model, part10
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
        compared += 1
    assert compared > 60


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
