"""Content negotiation as a table (PS3.18 8.7.3 to 8.7.8)."""

import pytest

from filmless.dicom import uids
from filmless.dicom.web import accept, media_types
from filmless.dicom.web.accept import Choice, Wish, wishes_of
from filmless.kit.errors import Refused

LE, IMPLICIT, BE, DEFLATED = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
J = "1.2.840.10008.1.2.4."
#: forms
PARTS, ONE = True, False
RLE, VIDEO, PRIVATE = "1.2.840.10008.1.2.5", J + "102", "1.2.3.4.5.6"
OCTETS, JPEG, JLS, JP2, JPHC = (
    "application/octet-stream",
    "image/jpeg",
    "image/jls",
    "image/jp2",
    "image/jphc",
)


def test_the_sets_are_those_of_the_codecs() -> None:
    from filmless.dicom.pixels.decode import DECODABLE
    from filmless.dicom.pixels.transcode import TARGETS, can_transcode

    native = {uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE, uids.DEFLATED_EXPLICIT_VR_LE, uids.EXPLICIT_VR_BE}
    assert DECODABLE | native == media_types.READABLE | media_types.NATIVE
    assert media_types.WRITABLE == TARGETS
    for stored in uids.TRANSFER_SYNTAXES:
        for target in uids.TRANSFER_SYNTAXES:
            assert media_types.transcodable(stored, target) == can_transcode(stored, target)


def test_every_encapsulated_syntax_has_one_media_type() -> None:
    listed = [uid for found in media_types.SYNTAXES.values() for uid in found]
    assert len(listed) == len(set(listed))
    without = {
        uid
        for uid, syntax in uids.TRANSFER_SYNTAXES.items()
        if syntax.encapsulated and media_types.of_frames(uid) == OCTETS
    }
    assert without == {uids.ENCAPSULATED_UNCOMPRESSED, uids.DEFLATED_FRAMES}


@pytest.mark.parametrize(
    ("header", "wishes"),
    [
        ("*/*", [Wish("*/*", None)]),
        ("", [Wish("*/*", None)]),
        (None, [Wish("*/*", None)]),
        ("application/dicom", [Wish("application/dicom", ONE)]),
        ("APPLICATION/DICOM;Transfer-Syntax=*", [Wish("application/dicom", ONE, "*")]),
        ('multipart/related; type="application/dicom"', [Wish("application/dicom", PARTS)]),
        ("multipart/related; type=application/dicom", [Wish("application/dicom", PARTS)]),
        ("multipart/related;type='application/dicom'", [Wish("'application/dicom'", PARTS)]),
        (
            'multipart/related; transfer-syntax="1.2.840.10008.1.2.1"; type="application/dicom"',
            [Wish("application/dicom", PARTS, LE)],
        ),
        (
            f"multipart/related; type=application/octet-stream; transfer-syntax={LE}",
            [Wish(OCTETS, PARTS, LE)],
        ),
        (
            'multipart/related; type="image/jls"; q=0.5, multipart/related; type="image/jphc"',
            [Wish(JPHC, PARTS), Wish(JLS, PARTS, "", 0.5)],
        ),
        ("image/jpeg;q=0, image/jp2", [Wish(JP2, ONE)]),
        ("multipart/related", [Wish("*/*", PARTS)]),
        ("application/dicom+json, application/json", [Wish("application/dicom+json", ONE)] * 2),
        ("image/jpg", [Wish(JPEG, ONE)]),
        (", ,text/html;level=1 , */*;q=0.1", [Wish("text/html", ONE), Wish("*/*", None, "", 0.1)]),
        # a comma inside quotes belongs to the value
        ('text/x; p="a,b;c", */*', [Wish("text/x", ONE), Wish("*/*", None)]),
        # Java's own client
        (
            "image/gif, *; q=.2, */*; q=.1",
            [Wish("image/gif", ONE), Wish("*/*", None, "", 0.2), Wish("*/*", None, "", 0.1)],
        ),
        # a browser that opens an address
        (
            "text/html,application/xhtml+xml,image/avif,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
            [
                *(Wish(one, ONE) for one in ("text/html", "application/xhtml+xml", "image/avif")),
                Wish("*/*", None, "", 0.8),
                Wish("application/signed-exchange", ONE, "", 0.7),
            ],
        ),
        ("application/dicom; q=nonsense", [Wish("application/dicom", ONE)]),
    ],
)
def test_reads_accept(header: str | None, wishes: list[Wish]) -> None:
    assert list(wishes_of(header)) == wishes


@pytest.mark.parametrize(
    "header",
    [
        "dicom",
        "application/",
        "application/dicom; transfer-syntax=../x",
        "a/b c/d",
        'a/b; c="d',
        "a/b;;;=",
        "\x00",
    ],
)
def test_refuses_what_is_no_accept(header: str) -> None:
    with pytest.raises(Refused) as caught:
        wishes_of(header)
    assert caught.value.code == "bad-accept"


@pytest.mark.parametrize(
    ("query", "media_type"),
    [
        ("accept=application/dicom+json", "application/dicom+json"),
        ("x=1&accept=application%2Fdicom%2Bjson&y", "application/dicom+json"),
        ("Accept=image/jls", JLS),
        ("limit=3", "text/html"),
    ],
)
def test_the_query_parameter_stands_for_the_header(query: str, media_type: str) -> None:
    assert wishes_of("text/html", query)[0].media_type == media_type


MULTI = "multipart/related; type="

#: Accept, stored syntax, number of frames -> (media type, syntax, multipart) or None for 406
FRAMES: list[tuple[str, str, int, tuple[str, str, bool] | None]] = [
    # no preference: as stored, in parts
    ("*/*", LE, 1, (OCTETS, LE, True)),
    ("*/*", IMPLICIT, 2, (OCTETS, LE, True)),
    ("*/*", BE, 1, (OCTETS, LE, True)),
    ("*/*", DEFLATED, 1, (OCTETS, LE, True)),
    ("*/*", J + "50", 1, (JPEG, J + "50", True)),
    ("*/*", J + "81", 3, (JLS, J + "81", True)),
    ("*/*", VIDEO, 1, ("video/mp4", VIDEO, True)),
    ("*/*", J + "108", 1, ("video/H265", J + "108", True)),
    ("*/*", PRIVATE, 1, (OCTETS, PRIVATE, True)),
    ("multipart/related", J + "90", 1, (JP2, J + "90", True)),
    # uncompressed by default
    (MULTI + OCTETS, LE, 1, (OCTETS, LE, True)),
    (MULTI + f'"{OCTETS}"', J + "90", 1, (OCTETS, LE, True)),
    (MULTI + OCTETS, J + "50", 1, (OCTETS, LE, True)),
    (MULTI + OCTETS, VIDEO, 1, None),
    (MULTI + OCTETS, PRIVATE, 1, None),
    (MULTI + OCTETS, J + "92", 1, None),
    (MULTI + OCTETS + f"; transfer-syntax={LE}", RLE, 2, (OCTETS, LE, True)),
    (MULTI + OCTETS + f'; transfer-syntax="{LE}"', BE, 2, (OCTETS, LE, True)),
    (MULTI + OCTETS + f"; transfer-syntax={IMPLICIT}", IMPLICIT, 2, (OCTETS, LE, True)),
    # what Cornerstone and OHIF send
    (MULTI + OCTETS + "; transfer-syntax=*", J + "70", 1, (OCTETS, J + "70", True)),
    (MULTI + OCTETS + "; transfer-syntax=*", LE, 1, (OCTETS, LE, True)),
    (MULTI + OCTETS + "; transfer-syntax=*", BE, 1, (OCTETS, LE, True)),
    (MULTI + OCTETS + "; transfer-syntax=*", VIDEO, 1, (OCTETS, VIDEO, True)),
    (MULTI + OCTETS + f"; transfer-syntax={J}90", J + "90", 1, (OCTETS, J + "90", True)),
    # compressed types are not to be had as octets of another syntax
    (MULTI + OCTETS + f"; transfer-syntax={J}90", LE, 1, None),
    # single part: one frame only
    (OCTETS, LE, 1, (OCTETS, LE, False)),
    (OCTETS, LE, 2, None),
    (f"{OCTETS}, {MULTI}{OCTETS}", LE, 2, (OCTETS, LE, True)),
    (OCTETS + "; transfer-syntax=*", J + "80", 1, (OCTETS, J + "80", False)),
    ("image/jls", J + "80", 1, (JLS, J + "80", False)),
    ("image/jls", J + "81", 1, (JLS, J + "81", False)),
    ("video/mp4", VIDEO, 1, ("video/mp4", VIDEO, False)),
    ("video/*", VIDEO, 1, ("video/mp4", VIDEO, False)),
    ("video/mp4", LE, 1, None),
    ("video/mp4", J + "100", 1, None),
    # compressed: as stored where the type fits, else the type's default
    (MULTI + "image/jpeg", J + "50", 1, (JPEG, J + "50", True)),
    (MULTI + "image/jpeg", J + "51", 1, (JPEG, J + "51", True)),
    (MULTI + "image/jpeg", LE, 1, (JPEG, J + "70", True)),
    (MULTI + "image/jpeg; transfer-syntax=*", J + "57", 1, (JPEG, J + "57", True)),
    (MULTI + "image/jpeg; transfer-syntax=*", LE, 1, None),
    (MULTI + f"image/jpeg; transfer-syntax={J}50", J + "50", 1, (JPEG, J + "50", True)),
    # never lossy by surprise
    (MULTI + f"image/jpeg; transfer-syntax={J}50", LE, 1, None),
    (MULTI + f"image/jpeg; transfer-syntax={J}50", J + "70", 1, None),
    (MULTI + f"image/jls; transfer-syntax={J}81", LE, 1, None),
    (MULTI + f"image/jpeg; transfer-syntax={J}70", J + "50", 1, (JPEG, J + "70", True)),
    (MULTI + "image/jls", LE, 1, (JLS, J + "80", True)),
    (MULTI + "image/jp2", RLE, 1, (JP2, J + "90", True)),
    (MULTI + "image/jpx", LE, 1, None),
    (MULTI + "image/jpx", J + "93", 1, ("image/jpx", J + "93", True)),
    (MULTI + "image/jphc", LE, 1, (JPHC, J + "201", True)),
    (MULTI + f"image/jphc; transfer-syntax={J}202", J + "51", 1, (JPHC, J + "202", True)),
    (MULTI + f"image/jphc; transfer-syntax={J}202", BE, 1, (JPHC, J + "202", True)),
    (MULTI + f"image/jphc; transfer-syntax={J}203", LE, 1, None),
    (MULTI + "image/jxl", J + "90", 1, ("image/jxl", J + "110", True)),
    (MULTI + "image/jxl", J + "112", 1, ("image/jxl", J + "112", True)),
    (MULTI + "image/dicom-rle", LE, 1, ("image/dicom-rle", RLE, True)),
    (MULTI + "image/x-dicom-rle", RLE, 1, ("image/dicom-rle", RLE, True)),
    (MULTI + "image/jphc", VIDEO, 1, None),
    (MULTI + "image/jphc", PRIVATE, 1, None),
    # a syntax of another type than the one that is named
    (MULTI + f"image/jls; transfer-syntax={J}90", J + "90", 1, None),
    (MULTI + "image/*", J + "90", 1, (JP2, J + "90", True)),
    (MULTI + "image/*", LE, 1, None),
    (MULTI + f"image/*; transfer-syntax={J}80", LE, 1, (JLS, J + "80", True)),
    (f"*/*; transfer-syntax={LE}", J + "90", 1, (OCTETS, LE, True)),
    (f"*/*; transfer-syntax={BE}", LE, 1, None),
    (f"*/*; transfer-syntax={DEFLATED}", LE, 1, None),
    ("*/*; transfer-syntax=*", J + "90", 1, (JP2, J + "90", True)),
    # alternatives, in their order and by q
    (f"{MULTI}video/mp4, {MULTI}image/jls", LE, 1, (JLS, J + "80", True)),
    (f"{MULTI}image/jls;q=0.1, {MULTI}{OCTETS};q=0.9", J + "80", 1, (OCTETS, LE, True)),
    ("image/png, image/webp, */*;q=0.8", J + "80", 1, (JLS, J + "80", True)),
    ("text/html", LE, 1, None),
    ("application/dicom", LE, 1, None),
    ("image/png", LE, 1, None),
]


@pytest.mark.parametrize(("header", "stored", "count", "expected"), FRAMES)
def test_frames(header: str, stored: str, count: int, expected: tuple[str, str, bool] | None) -> None:
    assert accept.frames(wishes_of(header), stored, count) == (expected and Choice(*expected))


def test_every_syntax_leaves_as_stored_and_nothing_is_made_lossy() -> None:
    for stored, syntax in uids.TRANSFER_SYNTAXES.items():
        choice = accept.frames(wishes_of("*/*"), stored, 1)
        assert choice is not None
        assert choice.transfer_syntax == (stored if syntax.encapsulated else LE)
        for media_type, found in media_types.SYNTAXES.items():
            for target in ("", *found):
                header = f'{MULTI}"{media_type}"' + (f"; transfer-syntax={target}" if target else "")
                choice = accept.frames(wishes_of(header), stored, 1)
                if choice is None:
                    continue
                assert choice.media_type == media_type
                assert choice.transfer_syntax == (target or choice.transfer_syntax)
                assert (
                    choice.transfer_syntax == stored or uids.transfer_syntax(choice.transfer_syntax).lossless
                )


D = "application/dicom"
#: Accept, stored syntax, form -> syntax or None
INSTANCES: list[tuple[str, str, accept.Form, str | None]] = [
    ("*/*", LE, "multipart", LE),
    ("*/*", J + "90", "multipart", J + "90"),
    ("*/*", BE, "multipart", BE),
    ("application/*", RLE, "single", RLE),
    (f'{MULTI}"{D}"', LE, "multipart", LE),
    (f'{MULTI}"{D}"', IMPLICIT, "multipart", LE),
    (f'{MULTI}"{D}"', J + "90", "multipart", LE),
    (f'{MULTI}"{D}"', VIDEO, "multipart", None),
    (f'{MULTI}"{D}"', PRIVATE, "multipart", None),
    (f'{MULTI}"{D}"; transfer-syntax=*', VIDEO, "multipart", VIDEO),
    (f'{MULTI}"{D}"; transfer-syntax=*', PRIVATE, "multipart", PRIVATE),
    (f"{MULTI}{D}; transfer-syntax={J}80", LE, "multipart", J + "80"),
    (f"{MULTI}{D}; transfer-syntax={J}50", LE, "multipart", None),
    (f"{MULTI}{D}; transfer-syntax={J}50", J + "50", "multipart", J + "50"),
    (f"{MULTI}{D}; transfer-syntax={J}50, {MULTI}{D}", LE, "multipart", LE),
    (f"{MULTI}{D}, {MULTI}{D}; transfer-syntax=*;q=0.5", VIDEO, "multipart", VIDEO),
    (f"{D}; transfer-syntax=*", J + "91", "single", J + "91"),
    (D, J + "91", "single", LE),
    (D, J + "91", "multipart", None),
    ("image/jpeg", J + "50", "single", None),
]


@pytest.mark.parametrize(("header", "stored", "form", "expected"), INSTANCES)
def test_instances(header: str, stored: str, form: accept.Form, expected: str | None) -> None:
    assert accept.instance(wishes_of(header), stored, form=form) == expected


@pytest.mark.parametrize(
    ("header", "count", "form"),
    [
        ("*/*", 1, "multipart"),
        (D, 1, "single"),
        (D, 2, None),
        (f"{D}, {MULTI}{D};q=0.2", 2, "multipart"),
        (f"{D}, {MULTI}{D};q=0.2", 1, "single"),
        ("image/jpeg", 1, None),
        (f"{MULTI}image/jpeg", 1, None),
        (f"{MULTI}{D}", 1, "multipart"),
    ],
)
def test_the_form_of_objects(header: str, count: int, form: str | None) -> None:
    assert accept.instance_form(wishes_of(header), count) == form


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("*/*", ("application/dicom+json", False)),
        ("application/json", ("application/dicom+json", False)),
        ("application/dicom+json, application/json", ("application/dicom+json", False)),
        ('multipart/related; type="application/dicom+xml"', ("application/dicom+xml", True)),
        (
            "multipart/related; type=application/dicom+xml;q=0.3, application/json;q=0.2",
            ("application/dicom+xml", True),
        ),
        ("application/dicom+xml", None),
        ("text/html", None),
        ("text/html, application/*;q=0.1", ("application/dicom+json", False)),
    ],
)
def test_documents(header: str, expected: tuple[str, bool] | None) -> None:
    offered = [("application/dicom+json", False), ("application/dicom+xml", True)]
    assert accept.document(wishes_of(header), offered) == expected
