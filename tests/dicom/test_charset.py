"""Character sets: the standard's own examples (PS3.5 annexes H, I, J, K), every set, and wrong declarations."""

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import decode_bytes

from filmless.dicom import part10
from filmless.dicom.charset import can_encode, choose_charset, decode, encode, terms
from filmless.dicom.scan import TAG, scan, text_pn
from tests.dicom.sample_files import SAMPLES

#: PS3.5 H.3.1, H.3.2, I.2, J.1, J.2, K.2: declaration, bytes, text
EXAMPLES = [
    (
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    (
        "\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    (
        "ISO_IR 192",
        b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1",
        "Wang^XiaoDong=王^小東",
    ),
    ("GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东"),
    (
        "\\ISO 2022 IR 58",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab",
        "Zhang^XiaoDong=张^小东",
    ),
]


@pytest.mark.parametrize(("declared", "raw", "name"), EXAMPLES, ids=[e[0] or "none" for e in EXAMPLES])
def test_the_examples_of_the_standard_both_ways(declared: str, raw: bytes, name: str) -> None:
    assert decode(raw, declared, name=True) == (name, "")
    assert encode(name, declared, name=True) == raw
    assert can_encode(name, declared)


SETS = {
    "ISO_IR 100": "Äneas^Rüdiger",
    "ISO_IR 101": "Wałęsa^Łukasz",
    "ISO_IR 109": "Ĉapelo^Ĝis",
    "ISO_IR 110": "Ķēniņš^Ģirts",
    "ISO_IR 144": "Люкceмбypг",
    "ISO_IR 127": "قباني^لنزار",
    "ISO_IR 126": "Διονυσιος",
    "ISO_IR 138": "שרון^דבורה",
    "ISO_IR 148": "Çavuşoğlu^İbrahim",
    "ISO_IR 203": "Œuvre^€",
    "ISO_IR 13": "ﾔﾏﾀﾞ^ﾀﾛｳ",
    "ISO_IR 166": "สวัสดี",
    "ISO_IR 192": "王^𠮷野家",
    "GB18030": "王小东^𠮷㐀",
    "GBK": "王小东^镕",
    "ISO 2022 IR 100\\ISO 2022 IR 126": "Äneas^Διονυσιος",
    "\\ISO 2022 IR 87\\ISO 2022 IR 159": "山田^丂",
}


@pytest.mark.parametrize("declared", SETS)
def test_every_set_both_ways(declared: str) -> None:
    name = SETS[declared]
    assert can_encode(name, declared)
    raw = encode(name, declared, name=True)
    assert decode(raw, declared, name=True) == (name, "")


@pytest.mark.parametrize("declared", [d for d in SETS if "\\" not in d and d != "ISO_IR 203"])
def test_pydicom_reads_what_we_write(declared: str) -> None:
    from pydicom.charset import convert_encodings

    assert (
        decode_bytes(encode(SETS[declared], declared), convert_encodings(declared), set()) == SETS[declared]
    )


def test_bytes_that_look_like_delimiters_belong_to_their_characters() -> None:
    # second bytes of GBK may be 5C and 5E; of ISO 2022 IR 87 any of 21-7E
    for text, declared in (("乗^昞", "GB18030"), ("誠^", "GBK"), ("能\\予", "\\ISO 2022 IR 87")):
        assert decode(encode(text, declared, name=True), declared, name=True) == (text, "")


def test_korean_without_a_new_escape_after_a_delimiter() -> None:
    text, fault = decode(b"\x1b$)C\xb1\xe8^\xc8\xf1\xc1\xdf", "\\ISO 2022 IR 149", name=True)
    assert (text, fault) == ("김^희중", "")


def test_nothing_declared() -> None:
    assert decode("王".encode(), "") == ("王", "no character set is declared: read as UTF-8")
    assert decode(b"M\xfcller", "") == ("Müller", "no character set is declared: read as Latin-1")
    assert decode("王".encode("gb18030"), "", fallback="GB18030") == ("王", "")
    assert decode(b"plain", "no such set") == ("plain", "")


def test_wrong_declarations_are_told() -> None:
    text, fault = decode("Müller".encode(), "ISO_IR 127")
    assert text == "Müller" and "UTF-8" in fault
    text, fault = decode(b"M\xfcller", "ISO_IR 192")
    assert "�" in text and "ISO_IR 192" in fault
    text, fault = decode(b"M\xfcller", "ISO_IR 999")
    assert text == "Müller" and "ISO_IR 999" in fault
    assert decode(b"a\x1b$Xb", "\\ISO 2022 IR 87")[1] == "an unknown escape sequence"


def test_spellings_of_declarations() -> None:
    assert terms("ISO-IR 100") == ("ISO_IR 100",)
    assert terms("iso_ir_192 ") == ("ISO_IR 192",)
    assert terms("UTF-8") == ("ISO_IR 192",)
    assert terms("ISO 2022-IR 87\\ISO2022 IR 13") == ("ISO 2022 IR 87", "ISO 2022 IR 13")


def test_choosing_a_set() -> None:
    assert choose_charset("plain") == ""
    assert choose_charset("plain", "ISO_IR 100") == "ISO_IR 100"
    assert choose_charset("Müller", "ISO_IR 100") == "ISO_IR 100"
    assert choose_charset("王", "ISO_IR 100") == "ISO_IR 192"
    assert choose_charset("王") == "ISO_IR 192"
    assert encode("王", "ISO_IR 100") == b"?"


@given(text=st.text(max_size=40), declared=st.sampled_from(["ISO_IR 192", "GB18030", *SETS]))
def test_what_can_be_encoded_comes_back(text: str, declared: str) -> None:
    text = text.replace("\x1b", "").encode("utf-8", "ignore").decode()
    if can_encode(text, declared):
        assert decode(encode(text, declared), declared)[0] == text


@given(
    raw=st.binary(max_size=60), declared=st.sampled_from(["", "junk", "ISO 2022 IR 13\\ISO_IR 192", *SETS])
)
def test_any_bytes_can_be_read(raw: bytes, declared: str) -> None:
    assert isinstance(decode(raw, declared, name=True)[0], str)


@pytest.mark.skipif(SAMPLES is None, reason="FILMLESS_SAMPLES is not set")
def test_real_files_in_many_sets() -> None:
    assert SAMPLES is not None
    read = {}
    for path in sorted((SAMPLES / "charsets").glob("*.dcm")):
        data = path.read_bytes()
        meta = part10.read_meta(data)
        header = scan(data[meta.data_set_offset :], meta.transfer_syntax_uid)
        read[path.stem] = text_pn(header, TAG["PatientName"])
        assert read[path.stem] == str(pydicom.dcmread(path).PatientName).rstrip("^="), path
        assert not [w for w in header.warnings if w[0] == TAG["PatientName"]], path
    assert read["Lena-greek"] == "Test-Θ"
    assert read["Lena-utf8"] == "Test-éüäöòДΘĝדصķћ๛ﾈİ"
