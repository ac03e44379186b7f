"""Multipart bodies: what is read is what was written, however the network cuts it."""

import email.message
import email.policy
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmless.dicom.web.multipart import (
    Data,
    End,
    MultipartParser,
    Part,
    boundary_of,
    closing,
    content_type,
    new_boundary,
    parse_content_type,
    part_head,
)
from filmless.kit.errors import Refused

Parts = list[tuple[dict[str, str], bytes]]


def read(body: bytes, boundary: bytes = b"b", cuts: list[int] | None = None, **limits: int) -> Parts:
    """The parts of a body cut at `cuts`; checks that events come in order."""
    parser = MultipartParser(boundary, **limits)
    parts: Parts = []
    open_part = False
    edges = [0, *sorted(cut for cut in cuts or [] if cut < len(body)), len(body)]
    for start, end in pairwise(edges):
        for event in parser.feed(body[start:end]):
            if isinstance(event, Part):
                assert not open_part
                open_part = True
                parts.append((dict(event.headers), b""))
            elif isinstance(event, Data):
                assert open_part
                assert event.content
                parts[-1] = (parts[-1][0], parts[-1][1] + bytes(event.content))
            else:
                assert isinstance(event, End)
                assert open_part
                open_part = False
    parser.finish()
    assert not open_part
    return parts


def read_bytewise(body: bytes, boundary: bytes = b"b", **limits: int) -> Parts:
    return read(body, boundary, list(range(1, len(body))), **limits)


#: data that look like what surrounds them
NASTY = st.lists(
    st.sampled_from(
        [
            b"\r",
            b"\n",
            b"\r\n",
            b"-",
            b"--",
            b"--b",
            b"\n--b\n",
            b"\r\n--bb",
            b"--b--",
            b"\r\n--b-",
            b" ",
            b"x",
        ]
    ),
    max_size=12,
).map(b"".join)
BODIES = st.one_of(NASTY, st.binary(max_size=40))


def is_delimiter_free(data: bytes) -> bool:
    # what no sender may put into a part (RFC 2046 5.1.1); a part's data follow a line end
    framed = b"\r\n" + data + b"\r\n"
    at = 0
    while (at := framed.find(b"\r\n--b", at)) >= 0:
        rest = framed[at + 5 :]
        if (
            rest.startswith(b"--")
            or rest.lstrip(b" \t").startswith((b"\r\n", b"\r\r\n--b"))
            or rest == b"\r\n"
        ):
            return False
        at += 1
    # a line end of the data may make a delimiter together with what follows
    return not data.endswith((b"\r\n--b-",))


@given(
    st.lists(BODIES.filter(is_delimiter_free), min_size=1, max_size=4),
    st.lists(st.integers(1, 300), max_size=12),
)
def test_any_cut_of_the_body_gives_the_parts_that_were_written(bodies: list[bytes], cuts: list[int]) -> None:
    body = b""
    for number, data in enumerate(bodies):
        body += part_head(
            "b", f"application/x-{number}", first=number == 0, location=f"p{number}", length=len(data)
        )
        body += data
    body += closing("b")
    expected = [
        (
            {
                "content-type": f"application/x-{number}",
                "content-location": f"p{number}",
                "content-length": str(len(data)),
            },
            data,
        )
        for number, data in enumerate(bodies)
    ]
    assert read(body, cuts=cuts) == expected
    assert read_bytewise(body) == expected


@given(
    st.lists(
        st.sampled_from(
            [
                b"--b",
                b"\r\n",
                b"\n",
                b"--",
                b"A: b",
                b":",
                b" ",
                b"\t",
                b"x",
                b"\r",
                b"--b--",
                b"\r\n--b\r\n",
                b"\x00",
            ]
        ),
        max_size=30,
    ).map(b"".join),
    st.lists(st.integers(1, 80), max_size=6),
)
def test_whatever_is_sent_is_read_alike_in_one_piece_and_in_many(body: bytes, cuts: list[int]) -> None:
    def outcome(cuts: list[int]) -> Parts | str:
        try:
            return read(body, cuts=cuts, max_header=30, max_preamble=20, max_parts=3)
        except Refused as refused:
            return refused.code

    whole = outcome([])
    assert outcome(cuts) == whole
    assert outcome(list(range(1, len(body)))) == whole


def test_lines_may_end_with_a_bare_line_feed_where_the_first_one_does() -> None:
    body = b"--b\nContent-Type: a/b\n\none\r\n--b\n\ntwo\n--b--\n"
    assert read_bytewise(body) == read(body) == [({"content-type": "a/b"}, b"one\r"), ({}, b"two")]


def test_a_bare_line_feed_before_the_boundary_is_data_where_lines_end_with_both() -> None:
    body = b"--b\r\n\r\none\n--b\n\r\n--bb\r\n--b--"
    assert read_bytewise(body) == read(body) == [({}, b"one\n--b\n\r\n--bb")]


def test_what_is_before_the_first_and_behind_the_last_delimiter_is_not_read() -> None:
    body = (
        b"This is --b a message\r\nin parts --b\r\n--b  \r\nA: 1\r\n\r\nx\r\n--b--  \r\n--b\r\n\r\nnot this"
    )
    assert read_bytewise(body) == read(body) == [({"a": "1"}, b"x")]


def test_parts_without_headers_and_without_data() -> None:
    body = b"--b\r\n\r\n\r\n--b\r\nA: 1\r\n\r\n--b\r\n\r\n\r\n\r\n--b--"
    assert read_bytewise(body) == read(body) == [({}, b""), ({"a": "1"}, b""), ({}, b"\r\n")]


def test_folded_headers_and_names_in_any_case() -> None:
    body = b'--b\r\nCONTENT-type : multipart/x;\r\n\ty="1"\r\nX-Name: M\xc3\xbcller\r\n\r\n\r\n--b--'
    assert read(body) == [({"content-type": 'multipart/x; y="1"', "x-name": "Müller"}, b"")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing of the kind",
        b"--c\r\n\r\nx\r\n--c--",
        b"--bb\r\n\r\nx\r\n--bb--",
        b"--b\r\n",
        b"--b\r\nA: 1",
        b"--b\r\nA: 1\r\n\r\n",
        b"--b\r\nA: 1\r\n\r\nx\r\n--b",
        b"--b\r\nA: 1\r\n\r\nx\r\n--b-",
        b"--b\r\nA: 1\r\n\r\nx\r\n--b\r\n",
        b"--b\r\nno header\r\n\r\nx\r\n--b--",
        b"--b\r\nA B: 1\r\n\r\nx\r\n--b--",
        b"--b\r\nA: \x00\r\n\r\nx\r\n--b--",
        b"--b\r\nContent-Type: a/b\r\nContent-Type: c/d\r\n\r\nx\r\n--b--",
        b"--b\r\nA: " + b"x" * 20_000 + b"\r\n\r\nx\r\n--b--",
        b"--b\r\n" + b"A: 1\r\n" * 5_000 + b"\r\nx\r\n--b--",
        b"x" * 70_000 + b"\r\n--b\r\n\r\nx\r\n--b--",
    ],
)
def test_what_is_no_multipart_message_or_is_cut_short_is_refused(body: bytes) -> None:
    for cuts in ([], list(range(1, len(body), 7))):
        with pytest.raises(Refused) as refused:
            read(body, cuts=cuts)
        assert refused.value.code == "multipart"


def test_more_parts_than_allowed_are_refused() -> None:
    body = b"--b\r\n\r\nx\r\n" * 4 + b"--b--"
    assert len(read(body, max_parts=4)) == 4
    with pytest.raises(Refused) as refused:
        read(body, max_parts=3)
    assert refused.value.code == "too-large"


def test_data_are_passed_on_before_their_part_ends() -> None:
    parser = MultipartParser(b"b")
    assert [type(event) for event in parser.feed(b"--b\r\n\r\n")] == [Part]
    given = 0
    for _ in range(100):
        given += sum(len(event.content) for event in parser.feed(bytes(65536)) if isinstance(event, Data))
        assert len(parser._data) - parser._at < 100
    assert given > 99 * 65536


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            'multipart/related; type="application/dicom"; boundary=abc',
            ("multipart/related", {"type": "application/dicom", "boundary": "abc"}),
        ),
        (
            'Multipart/Related;type=application/dicom;BOUNDARY="a b;c\\"d" ; start=\'x\' ;',
            ("multipart/related", {"type": "application/dicom", "boundary": 'a b;c"d', "start": "'x'"}),
        ),
        (
            "application/dicom; transfer-syntax=1.2.840.10008.1.2.1",
            ("application/dicom", {"transfer-syntax": "1.2.840.10008.1.2.1"}),
        ),
        ("a/b; x=1; x=2", ("a/b", {"x": "1"})),
        ("a/b;; x=", ("a/b", {"x": ""})),
    ],
)
def test_content_types(value: str, expected: tuple[str, dict[str, str]]) -> None:
    assert parse_content_type(value) == expected


@pytest.mark.parametrize("value", ["", "multipart", "a/b/c", "a b/c", "/", 'a/b; x="1', "a/b; x", "a/b; =1"])
def test_what_is_no_content_type_is_refused(value: str) -> None:
    with pytest.raises(Refused):
        parse_content_type(value)


def test_a_hostile_content_type_takes_no_time() -> None:
    for hostile in ("a/b; x=" + " " * 60_000 + '"', "a/b;" + " " * 60_000 + "x", "a/b; " + 'x="\\' * 20_000):
        with pytest.raises(Refused):
            parse_content_type(hostile)


@pytest.mark.parametrize("boundary", ["", "x" * 201, "ends with space ", "é", "a\nb"])
def test_boundaries_that_are_none_are_refused(boundary: str) -> None:
    with pytest.raises(Refused):
        boundary_of({"boundary": boundary})


def test_what_is_written_is_read_by_the_standard_library() -> None:
    boundary = new_boundary()
    data = [b"\x00\x01\r\n--" + boundary[:-1].encode(), b""]
    body = b"".join(
        part_head(boundary, "application/dicom; transfer-syntax=1.2", first=not number, location="/x?y=z")
        + each
        for number, each in enumerate(data)
    ) + closing(boundary)
    kind = content_type(boundary, "application/dicom")
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    assert isinstance(message, email.message.EmailMessage)
    assert message.get_content_type() == "multipart/related"
    assert [part.get_payload(decode=True) for part in message.iter_parts()] == data
    media_type, parameters = parse_content_type(kind)
    assert (media_type, parameters["type"]) == ("multipart/related", "application/dicom")
    assert [each for _, each in read(body, boundary_of(parameters))] == data


def test_a_header_value_cannot_add_a_header() -> None:
    with pytest.raises(ValueError, match="line end"):
        part_head("b", "application/dicom", location="/x\r\nSet-Cookie: y")
