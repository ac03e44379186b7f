"""What the code streams say of themselves: precision, sign, components, colour (ISO 10918-1, 14495-1, 15444-1)."""

from typing import NamedTuple

_J2K_SIZ = b"\xff\x4f\xff\x51"


class Stream(NamedTuple):
    """`bits` per sample as coded, `rows` and `columns`, 0 where not known; `signed` in JPEG 2000 only; `transformed`:
    a JPEG 2000 stream with the multiple component transformation, which decoding undoes."""

    bits: int = 0
    signed: bool = False
    transformed: bool = False
    rows: int = 0
    columns: int = 0


class JpegColour(NamedTuple):
    """What a JPEG says about its colours: component identifiers, JFIF marker, Adobe transform (None: no marker)."""

    components: tuple[int, ...] = ()
    jfif: bool = False
    adobe: int | None = None


def stream_facts(data: bytes) -> Stream:
    """The facts of one compressed frame of JPEG, JPEG-LS, JPEG 2000 or HTJ2K; empty facts for anything else."""
    if data[:2] == b"\xff\xd8":
        header = _frame_header(data)
        return Stream(bits=header.bits, rows=header.rows, columns=header.columns)
    at = data.find(_J2K_SIZ) if data[:4] == b"\0\0\0\x0c" else (0 if data.startswith(_J2K_SIZ) else -1)
    if at < 0 or len(data) < at + 43:
        return Stream()
    depth = data[at + 42]
    coding = data.find(b"\xff\x52", at + 40, at + 4096)
    transformed = coding >= 0 and coding + 9 <= len(data) and data[coding + 8] == 1
    width, height, left, top = (int.from_bytes(data[at + n : at + n + 4], "big") for n in (8, 12, 16, 20))
    return Stream(
        bits=(depth & 0x7F) + 1,
        signed=bool(depth & 0x80),
        transformed=transformed,
        rows=height - top,
        columns=width - left,
    )


def jpeg_colour(data: bytes) -> JpegColour:
    """How the colours of a JPEG are meant."""
    return _frame_header(data).colour


class _FrameHeader(NamedTuple):
    bits: int = 0
    rows: int = 0
    columns: int = 0
    colour: JpegColour = JpegColour()


def _frame_header(data: bytes) -> _FrameHeader:
    """What precedes the first scan of a JPEG or JPEG-LS."""
    jfif, adobe = False, None
    pos = 2
    while pos + 4 <= len(data) and data[pos] == 0xFF:
        marker = data[pos + 1]
        if marker == 0xFF:  # a fill byte
            pos += 1
            continue
        length = int.from_bytes(data[pos + 2 : pos + 4], "big")
        body = data[pos + 4 : pos + 2 + length]
        if marker == 0xE0 and body.startswith(b"JFIF\0"):
            jfif = True
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            adobe = body[11]
        elif (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            if len(body) < 6:
                break
            rows, columns = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            colour = JpegColour(tuple(body[6 : 6 + 3 * body[5] : 3]), jfif, adobe)
            return _FrameHeader(body[0], rows, columns, colour)
        elif marker == 0xDA:
            break
        pos += 2 + length
    return _FrameHeader(colour=JpegColour((), jfif, adobe))
