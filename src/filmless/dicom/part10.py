"""DICOM files: preamble and file meta information (PS3.10 section 7.1), written to the letter, read leniently."""

from dataclasses import dataclass
from typing import BinaryIO

from filmless.dicom.uids import (
    EXPLICIT_VR_BE,
    EXPLICIT_VR_LE,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    IMPLICIT_VR_LE,
    PRIVATE_CREATOR,
)
from filmless.kit.errors import Refused

#: how much of a file is read in search of the end of its file meta information; bytes
MAX_META = 1 << 20

_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})


@dataclass(frozen=True, slots=True)
class Meta:
    """The file meta information; "" and b"" where an element is absent."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    #: where the data set begins in the file; bytes
    data_set_offset: int
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    source_ae: str = ""
    private_creator: str = ""
    private_information: bytes = b""
    #: the file does not say its transfer syntax: guessed from the first element
    guessed: bool = False


def build_preamble_and_meta(
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax_uid: str,
    *,
    private_information: bytes = b"",
    source_ae: str = "",
) -> bytes:
    """What precedes the data set in a file of ours: 128 zeros, "DICM", group 0002 with its length.

    `private_information` goes to (0002,0102) under our own creator UID. Always an even number of bytes.
    """
    elements = [
        b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01",
        _short(0x0002, b"UI", sop_class_uid, b"\0"),
        _short(0x0003, b"UI", sop_instance_uid, b"\0"),
        _short(0x0010, b"UI", transfer_syntax_uid, b"\0"),
        _short(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, b"\0"),
        _short(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, b" "),
    ]
    if source_ae:
        elements.append(_short(0x0016, b"AE", source_ae, b" "))
    if private_information:
        elements.append(_short(0x0100, b"UI", PRIVATE_CREATOR, b"\0"))
        padded = private_information + b"\0" * (len(private_information) % 2)
        elements.append(b"\x02\x00\x02\x01OB\x00\x00" + len(padded).to_bytes(4, "little") + padded)
    group = b"".join(elements)
    length = b"\x02\x00\x00\x00UL\x04\x00" + len(group).to_bytes(4, "little")
    return b"\0" * 128 + b"DICM" + length + group


def _short(element: int, vr: bytes, value: str, padding: bytes) -> bytes:
    raw = value.encode("ascii", "replace")
    raw += padding * (len(raw) % 2)
    return b"\x02\x00" + element.to_bytes(2, "little") + vr + len(raw).to_bytes(2, "little") + raw


def read_meta(source: bytes | bytearray | memoryview | BinaryIO) -> Meta:
    """The file meta information of a file, or of its first bytes; a file object is read from its start.

    Files without a preamble, or without any file meta information, are taken too: then the transfer syntax is
    guessed from the first element. Raises Refused (code "not-dicom") where it does not look like DICOM at all.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        head = bytes(source[:MAX_META])
    else:
        source.seek(0)
        head = source.read(16 << 10)
    meta = _read(head)
    if meta is None and not isinstance(source, bytes | bytearray | memoryview):
        head += source.read(MAX_META - len(head))
        meta = _read(head, last=True)
    elif meta is None:
        meta = _read(head, last=True)
    if meta is None:
        raise Refused("This is not a DICOM file.", code="not-dicom")
    return meta


def meta_so_far(head: bytes, *, last: bool = False) -> Meta | None:
    """The file meta information of a file of which `head` has come; None where more of it is needed.

    With `last` that is all there is, and None where it does not look like DICOM at all. So it also is where `head`
    has MAX_META bytes.
    """
    return _read(head, last=last or len(head) >= MAX_META)


def _read(head: bytes, *, last: bool = False) -> Meta | None:
    """None where the head does not hold the whole group; with `last`, what it does hold is all there is."""
    if head[128:132] == b"DICM":
        pos = 132
    elif head[:4] == b"DICM":
        pos = 4
    else:
        pos = 0
    start = pos
    explicit = head[pos : pos + 2] != b"\x02\x00" or head[pos + 4 : pos + 6].isalpha()
    values: dict[int, bytes] = {}
    while head[pos : pos + 2] == b"\x02\x00":
        if pos + 12 > len(head):
            break
        element = int.from_bytes(head[pos + 2 : pos + 4], "little")
        if not explicit:
            length, at = int.from_bytes(head[pos + 4 : pos + 8], "little"), pos + 8
        elif head[pos + 4 : pos + 6] in _LONG:
            length, at = int.from_bytes(head[pos + 8 : pos + 12], "little"), pos + 12
        else:
            length, at = int.from_bytes(head[pos + 6 : pos + 8], "little"), pos + 8
        if at + length > len(head):
            if not last:
                return None
            break
        values[element] = head[at : at + length]
        pos = at + length
    if len(head) - pos < 8 and not last:
        return None
    if pos == start and not plausible_data_set(head[pos : pos + 8]):
        return None
    syntax = _text(values.get(0x0010))
    return Meta(
        sop_class_uid=_text(values.get(0x0002)),
        sop_instance_uid=_text(values.get(0x0003)),
        transfer_syntax_uid=syntax or guess_transfer_syntax(head[pos : pos + 8]),
        data_set_offset=pos,
        implementation_class_uid=_text(values.get(0x0012)),
        implementation_version_name=_text(values.get(0x0013)),
        source_ae=_text(values.get(0x0016)),
        private_creator=_text(values.get(0x0100)),
        private_information=values.get(0x0102, b""),
        guessed=not syntax,
    )


def _text(value: bytes | None) -> str:
    return (value or b"").decode("ascii", "replace").strip("\0 ")


#: groups with which data sets begin; byte-swapped they are those of big endian
_FIRST_GROUPS = frozenset({0x0004, 0x0008, 0x0010})


def plausible_data_set(first: bytes) -> bool:
    """Whether a data set may begin with these eight bytes."""
    if len(first) < 8:
        return False
    little, big = int.from_bytes(first[:2], "little"), int.from_bytes(first[:2], "big")
    if little in _FIRST_GROUPS:
        return first[4:6].isalpha() or int.from_bytes(first[4:8], "little") < 1 << 16
    return big in _FIRST_GROUPS and first[4:6].isalpha()


def guess_transfer_syntax(first: bytes) -> str:
    """The uncompressed transfer syntax that the first eight bytes of a data set suggest."""
    if len(first) >= 6 and first[4:6].isalpha() and first[4:6].isupper():
        return EXPLICIT_VR_BE if first[0] == 0 else EXPLICIT_VR_LE
    return IMPLICIT_VR_LE
