"""Which stored object can go in which encoding."""

import pytest

from filmless.archive.retrieve.planning import LOSSLESS_TARGETS, MAX_CONTEXTS, proposals, route, targets
from filmless.dicom import uids
from filmless.dicom.sopclasses import CT_IMAGE, MR_IMAGE, SECONDARY_CAPTURE
from filmless.dicom.ul.negotiation import Context, ContextRequest

H264 = "1.2.840.10008.1.2.4.102"


def accepted(*pairs: tuple[str, str], we_scu: bool = True) -> list[Context]:
    return [
        Context(2 * n + 1, sop_class, ts, we_scu=we_scu, we_scp=not we_scu, extended=b"")
        for n, (sop_class, ts) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    ("stored", "taken", "sent_as"),
    [
        # as stored whenever it is taken, whatever else is
        (uids.JPEG_LS_LOSSLESS, [uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_LE, uids.JPEG_LS_LOSSLESS], ""),
        (uids.IMPLICIT_VR_LE, [uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE], ""),
        (uids.JPEG_BASELINE, [uids.EXPLICIT_VR_LE, uids.JPEG_BASELINE], ""),
        (H264, [uids.EXPLICIT_VR_LE, H264], ""),
        ("1.2.3.4.private", ["1.2.3.4.private"], ""),
        # uncompressed, explicit before implicit
        (uids.JPEG_LS_LOSSLESS, [uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_LE], uids.EXPLICIT_VR_LE),
        (uids.JPEG_LS_LOSSLESS, [uids.JPEG_2000_LOSSLESS, uids.IMPLICIT_VR_LE], uids.IMPLICIT_VR_LE),
        (uids.EXPLICIT_VR_BE, [uids.EXPLICIT_VR_LE], uids.EXPLICIT_VR_LE),
        (uids.DEFLATED_EXPLICIT_VR_LE, [uids.IMPLICIT_VR_LE], uids.IMPLICIT_VR_LE),
        (uids.EXPLICIT_VR_LE, [uids.IMPLICIT_VR_LE], uids.IMPLICIT_VR_LE),
        # lossy may be decompressed
        (uids.JPEG_BASELINE, [uids.IMPLICIT_VR_LE], uids.IMPLICIT_VR_LE),
        (uids.JPEG_2000, [uids.EXPLICIT_VR_LE], uids.EXPLICIT_VR_LE),
        # between lossless syntaxes where nothing else is taken
        (uids.JPEG_LS_LOSSLESS, [uids.JPEG_2000_LOSSLESS], uids.JPEG_2000_LOSSLESS),
        (uids.EXPLICIT_VR_LE, [uids.JPEG_LS_LOSSLESS], uids.JPEG_LS_LOSSLESS),
    ],
)
def test_the_way_of_an_object(stored: str, taken: list[str], sent_as: str) -> None:
    found = route(CT_IMAGE, stored, accepted(*((CT_IMAGE, ts) for ts in taken)))
    assert found is not None
    assert found.transcode_to == sent_as
    assert found.context.transfer_syntax == (sent_as or stored)


@pytest.mark.parametrize(
    ("stored", "taken"),
    [
        # never lossy by surprise, and lossy is not compressed again
        (uids.EXPLICIT_VR_LE, [uids.JPEG_BASELINE, uids.JPEG_2000, uids.HTJ2K]),
        (uids.JPEG_BASELINE, [uids.JPEG_2000_LOSSLESS, uids.JPEG_LS_LOSSLESS]),
        (uids.JPEG_2000, [uids.JPEG_2000_LOSSLESS]),
        # video and what we do not know go as they are or not at all
        (H264, [uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE]),
        ("1.2.3.4.private", [uids.EXPLICIT_VR_LE]),
        (uids.EXPLICIT_VR_LE, []),
    ],
)
def test_no_way(stored: str, taken: list[str]) -> None:
    assert route(CT_IMAGE, stored, accepted(*((CT_IMAGE, ts) for ts in taken))) is None


def test_a_context_of_another_class_or_role_is_no_way() -> None:
    assert route(CT_IMAGE, uids.EXPLICIT_VR_LE, accepted((MR_IMAGE, uids.EXPLICIT_VR_LE))) is None
    receiving = accepted((CT_IMAGE, uids.EXPLICIT_VR_LE), we_scu=False)
    assert route(CT_IMAGE, uids.EXPLICIT_VR_LE, receiving) is None


@pytest.mark.parametrize("stored", sorted(uids.TRANSFER_SYNTAXES))
def test_nothing_goes_lossy_unless_stored_so(stored: str) -> None:
    first, *others = targets(stored)
    assert first == stored
    assert all(uids.transfer_syntax(ts).lossless for ts in others)
    if not uids.transfer_syntax(stored).lossless:
        assert set(others) <= set(uids.UNCOMPRESSED)


def test_one_context_for_each_class_and_stored_syntax_then_the_fallbacks() -> None:
    [contexts] = proposals(
        [
            (CT_IMAGE, uids.JPEG_LS_LOSSLESS),
            (CT_IMAGE, uids.EXPLICIT_VR_LE),
            (SECONDARY_CAPTURE, uids.JPEG_BASELINE),
            (CT_IMAGE, uids.JPEG_LS_LOSSLESS),
        ]
    )
    rest = tuple(ts for ts in LOSSLESS_TARGETS if ts != uids.JPEG_LS_LOSSLESS)
    assert contexts == [
        ContextRequest(CT_IMAGE, (uids.JPEG_LS_LOSSLESS,)),
        ContextRequest(CT_IMAGE, (uids.EXPLICIT_VR_LE,)),
        ContextRequest(CT_IMAGE, (uids.IMPLICIT_VR_LE,)),
        ContextRequest(CT_IMAGE, rest),
        ContextRequest(SECONDARY_CAPTURE, (uids.JPEG_BASELINE,)),
        ContextRequest(SECONDARY_CAPTURE, (uids.EXPLICIT_VR_LE,)),
        ContextRequest(SECONDARY_CAPTURE, (uids.IMPLICIT_VR_LE,)),
    ]


def test_video_is_proposed_as_stored_alone() -> None:
    assert proposals([(SECONDARY_CAPTURE, H264)]) == [[ContextRequest(SECONDARY_CAPTURE, (H264,))]]


def test_a_limited_receiver_is_asked_for_nothing_else() -> None:
    [contexts] = proposals([(CT_IMAGE, uids.JPEG_LS_LOSSLESS)], only=(uids.IMPLICIT_VR_LE,))
    assert contexts == [ContextRequest(CT_IMAGE, (uids.IMPLICIT_VR_LE,))]


def test_to_receive_we_propose_the_other_role() -> None:
    [contexts] = proposals([(CT_IMAGE, uids.EXPLICIT_VR_LE)], role_reversed=True)
    assert all(context.scp and not context.scu for context in contexts)


def test_more_than_128_contexts_need_several_associations_and_no_class_is_split() -> None:
    kinds = [
        (f"1.2.840.99.{n}", ts) for n in range(100) for ts in (uids.JPEG_LS_LOSSLESS, uids.EXPLICIT_VR_LE)
    ]
    associations = proposals(kinds)
    assert len(associations) > 1
    assert all(0 < len(contexts) <= MAX_CONTEXTS for contexts in associations)
    where: dict[str, set[int]] = {}
    for number, contexts in enumerate(associations):
        for context in contexts:
            where.setdefault(context.abstract_syntax, set()).add(number)
    assert len(where) == 100
    assert all(len(numbers) == 1 for numbers in where.values())
