"""gzip streams from parts: every reader must see the text that was meant."""

import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmless.kit import deflated


@given(st.binary(max_size=300), st.binary(max_size=70000))
def test_joins_check_sums(first: bytes, second: bytes) -> None:
    assert deflated.joined_crc(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(
        first + second
    )


def whole(parts: list[deflated.Part], between: bytes) -> bytes:
    stream = deflated.Stream()
    out = bytearray(stream.start())
    for number, part in enumerate(parts):
        if number and between:
            out += stream.text(between)
        out += stream.part(part)
    return bytes(out + stream.text(b"end") + stream.end())


def part_of(pieces: list[bytes], width: int) -> deflated.Part:
    """A part of these pieces with a blank between each two."""
    writer = deflated.PartWriter(width)
    data = writer.text(pieces[0])
    for piece in pieces[1:]:
        data += writer.blank()
        data += writer.text(piece)
    return deflated.Part(data, writer.length, writer.crc, width, writer.blanks, writer.factor)


words = st.text(alphabet='ab"é:,影', max_size=60).map(lambda text: text.encode() * 3)
texts = st.lists(words, min_size=1, max_size=12)


@given(st.lists(texts, min_size=1, max_size=4), st.binary(min_size=16, max_size=16))
def test_fills_in_blanks(series: list[list[bytes]], filling: bytes) -> None:
    parts = [part_of(pieces, 16).filled(filling) for pieces in series]
    expected = b",\n".join(filling.join(pieces) for pieces in series) + b"end"
    packed = whole(parts, b",\n")
    assert gzip.decompress(packed) == expected
    assert [b"".join(deflated.inflated(part, 7)) for part in parts] == [filling.join(one) for one in series]
    assert gzip.GzipFile(fileobj=io.BytesIO(packed)).read() == expected


def test_refers_back_over_many_windows() -> None:
    # each piece is like the one before, 5000 bytes long: referring back is what makes it small
    pieces = [
        b"".join(b"%d:%d;" % (at, at * at) for at in range(500)) + b"%d" % number for number in range(40)
    ]
    part = part_of(pieces, 100)
    assert len(part.data) < 40 * 105 + len(part_of(pieces[:1], 100).data) + 40 * 200
    for filling in (b"a" * 100, b"0:0;1:1;2:4;3:9;4:16" * 5):
        assert gzip.decompress(whole([part.filled(filling)], b"")) == filling.join(pieces) + b"end"


def test_refuses_another_width() -> None:
    with pytest.raises(ValueError, match="width"):
        part_of([b"a", b"b"], 8).filled(b"short")
