"""PDUs: what is written is read back, what is wrong is refused with the right reason, and nothing crashes."""

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filmless.dicom.ul.pdu import (
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    CommonExtended,
    ContextResult,
    PduError,
    ProposedContext,
    ReleaseReply,
    ReleaseRequest,
    Role,
    UserIdentity,
    UserInformation,
    decode,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
uids = st.lists(st.integers(0, 99999), min_size=2, max_size=8).map(lambda parts: ".".join(map(str, parts)))
titles = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=16)
versions = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=16)
info = st.binary(max_size=40)

identities = st.builds(UserIdentity, st.integers(1, 5), info, info, st.booleans())
users = st.builds(
    UserInformation,
    st.integers(0, 2**32 - 1),
    uids,
    versions,
    st.none() | st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    st.lists(st.builds(Role, uids, st.booleans(), st.booleans()), max_size=4).map(tuple),
    st.lists(st.tuples(uids, info), max_size=4).map(tuple),
    st.lists(st.builds(CommonExtended, uids, uids, st.lists(uids, max_size=3).map(tuple)), max_size=3).map(
        tuple
    ),
    st.none() | identities,
    st.none() | info,
)
proposals = st.lists(
    st.builds(ProposedContext, st.integers(0, 255), uids, st.lists(uids, min_size=1, max_size=5).map(tuple)),
    max_size=8,
    unique_by=lambda c: c.id,
).map(tuple)
results = st.lists(
    st.one_of(
        st.builds(ContextResult, st.integers(0, 255), st.just(0), uids),
        st.builds(ContextResult, st.integers(0, 255), st.integers(1, 4), st.just("")),
    ),
    max_size=8,
).map(tuple)


@settings(max_examples=60, deadline=None)
@given(st.builds(AssociateRequest, titles, titles, proposals, users, uids, st.integers(0, 65535)))
def test_requests_are_read_back(pdu: AssociateRequest) -> None:
    raw = pdu.encode()
    assert struct.unpack(">BxI", raw[:6]) == (1, len(raw) - 6)
    assert decode(1, raw[6:]) == pdu


@settings(max_examples=60, deadline=None)
@given(st.builds(AssociateAccept, titles, titles, results, users, uids))
def test_acceptances_are_read_back(pdu: AssociateAccept) -> None:
    assert decode(2, pdu.encode()[6:]) == pdu


@pytest.mark.parametrize(
    ("kind", "pdu"),
    [
        (3, AssociateReject(2, 3, 2)),
        (5, ReleaseRequest()),
        (6, ReleaseReply()),
        (7, Abort(2, 6)),
    ],
)
def test_short_pdus_are_ten_bytes_and_read_back(
    kind: int, pdu: AssociateReject | ReleaseRequest | ReleaseReply | Abort
) -> None:
    raw = pdu.encode()
    assert (raw[0], len(raw)) == (kind, 10)
    assert decode(kind, raw[6:]) == pdu
    with pytest.raises(PduError):
        decode(kind, raw[6:9])


def test_reasons_have_words() -> None:
    assert AssociateReject(1, 1, 7).words == "called AE title not recognised"
    assert AssociateReject(1, 1, 3).words == "calling AE title not recognised"
    assert AssociateReject(2, 3, 2).words == "local limit exceeded"
    assert "source 9" in AssociateReject(1, 9, 9).words
    assert Abort(2, 2).words.endswith("unexpected PDU")


def test_secrets_stay_out_of_repr() -> None:
    identity = UserIdentity(2, b"doctor", b"hunter2")
    assert identity.name == "doctor"
    assert "hunter2" not in repr(UserInformation(user_identity=identity))


def test_padding_that_some_send_is_taken_off() -> None:
    request = AssociateRequest(
        "A", "B", (ProposedContext(1, CT + "\0", ("1.2.840.10008.1.2\0",)),), UserInformation()
    )
    read = decode(1, request.encode()[6:])
    assert isinstance(read, AssociateRequest)
    assert read.contexts == (ProposedContext(1, CT, ("1.2.840.10008.1.2",)),)


def test_unknown_items_are_passed_over() -> None:
    request = AssociateRequest("A", "B", (), UserInformation(16384))
    raw = request.encode()[6:] + struct.pack(">BxH", 0x77, 3) + b"abc"
    assert decode(1, raw) == request


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:60],  # cut inside the fixed part
        lambda raw: raw[:-1],  # the last item is longer than what is there
        lambda raw: raw + b"\x20\0",  # an item's header is cut off
        lambda raw: raw + struct.pack(">BxH", 0x20, 2) + b"\1\0",  # a context without its four bytes
        lambda raw: raw + struct.pack(">BxHB3x", 0x20, 4, 1) * 2,  # one ID twice
        lambda raw: raw + struct.pack(">BxHBxH", 0x50, 5, 0x51, 1) + b"\0",  # maximum length of one byte
        lambda raw: raw + struct.pack(">BxH", 0x10, 65) + b"1" * 65,  # a UID that is too long
    ],
)
def test_malformed_requests_are_refused(spoil: object) -> None:
    raw = AssociateRequest("A", "B", (), UserInformation(16384, "1.2.3")).encode()[6:]
    assert callable(spoil)
    with pytest.raises(PduError):
        decode(1, spoil(raw))


def test_unknown_type_has_its_own_reason() -> None:
    with pytest.raises(PduError) as caught:
        decode(0x42, b"\0\0\0\0")
    assert caught.value.reason == 1


def test_random_changes_never_do_anything_but_raise_pdu_error() -> None:
    rng = random.Random(20261122)
    request = AssociateRequest(
        "CALLED",
        "CALLING",
        tuple(ProposedContext(2 * i + 1, CT, ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")) for i in range(5)),
        UserInformation(
            16384,
            "1.2.3",
            "VERSION",
            (3, 3),
            (Role(CT, scu=True, scp=True),),
            ((CT, b"\1\1"),),
            (CommonExtended(CT, "1.2.840.10008.4.2", (CT,)),),
            UserIdentity(2, b"user", b"pass", response_requested=True),
            b"answer",
        ),
    ).encode()[6:]
    refused = 0
    for _ in range(4000):
        raw = bytearray(request)
        for _ in range(rng.randint(1, 4)):
            match rng.randrange(3):
                case 0:
                    raw[rng.randrange(len(raw))] = rng.randrange(256)
                case 1:
                    del raw[rng.randrange(len(raw)) :]
                    raw += b"\0"
                case _:
                    at = rng.randrange(len(raw))
                    raw[at:at] = rng.randbytes(rng.randint(1, 8))
        try:
            decode(rng.choice((1, 1, 2)), bytes(raw))
        except PduError:
            refused += 1
    assert refused > 1000


def test_what_would_steer_a_terminal_or_a_log_is_not_in_names() -> None:
    user = UserInformation(implementation_version="v\x1b[2J")
    request = decode(1, AssociateRequest("A\x1b]0;B\x07", "C\nD", (), user).encode()[6:])
    assert isinstance(request, AssociateRequest)
    assert (request.called_ae, request.calling_ae) == ("A?]0;B?", "C?D")
    assert request.user.implementation_version == "v?[2J"
    hostile = AssociateRequest("A", "B", (ProposedContext(1, "1.2\x1b[2J", ("1.2",)),), UserInformation())
    with pytest.raises(PduError, match="control characters"):
        decode(1, hostile.encode()[6:])
