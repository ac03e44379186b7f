"""Negotiation from request and policy to answer, and from answer to what the requestor may do."""

import pytest

from filmless.dicom.ul.negotiation import (
    ANY,
    ContextRequest,
    NegotiationPolicy,
    conclude,
    negotiate,
    propose,
    unacceptable,
    windows,
)
from filmless.dicom.ul.pdu import (
    AssociateAccept,
    AssociateRequest,
    CommonExtended,
    ContextResult,
    Role,
    UserIdentity,
    UserInformation,
)

CT, MR, FIND, OTHER = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.2.2.1",
    "1.2.3.4",
)
IMPLICIT, EXPLICIT, JPEG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.70"


def ask(*contexts: ContextRequest, **more: object) -> AssociateRequest:
    return propose(
        calling_ae="US",
        called_ae="THEM",
        contexts=contexts,
        max_pdu=16384,
        implementation_class_uid="1.2.3",
        implementation_version="TEST",
        **more,  # type: ignore[arg-type]
    )


def answer(request: AssociateRequest, policy: NegotiationPolicy) -> AssociateAccept:
    accept, _ = negotiate(
        request, policy, implementation_class_uid="1.2.9", implementation_version="FILMLESS"
    )
    return accept


def test_each_context_gets_a_result_in_order() -> None:
    request = ask(
        ContextRequest(CT, (JPEG, EXPLICIT)),
        ContextRequest(OTHER, (IMPLICIT,)),
        ContextRequest(FIND, (JPEG,)),
        ContextRequest(FIND, (IMPLICIT,)),
    )
    accept = answer(request, NegotiationPolicy({CT: ANY, FIND: (EXPLICIT, IMPLICIT)}))
    assert [(c.id, c.result) for c in accept.contexts] == [(1, 0), (3, 3), (5, 4), (7, 0)]
    assert accept.contexts[0].transfer_syntax == JPEG
    assert {c.id: c.transfer_syntax for c in conclude(request, accept).values()} == {1: JPEG, 7: IMPLICIT}
    assert (accept.called_ae, accept.calling_ae) == ("THEM", "US")


@pytest.mark.parametrize(("prefer", "expected"), [("requestor", IMPLICIT), ("ours", EXPLICIT)])
def test_whose_preference_counts(prefer: str, expected: str) -> None:
    request = ask(ContextRequest(CT, (JPEG, IMPLICIT, EXPLICIT)))
    policy = NegotiationPolicy({CT: (EXPLICIT, IMPLICIT)}, prefer=prefer)  # type: ignore[arg-type]
    assert answer(request, policy).contexts[0].transfer_syntax == expected


@pytest.mark.parametrize(
    ("proposed", "allowed", "expected"),
    [
        ((True, True), (True, True), (True, True)),
        ((False, True), (True, True), (False, True)),
        ((True, True), (True, False), (True, False)),
        ((False, True), (True, False), None),  # nothing is left: the context is refused
    ],
)
def test_role_selection(
    proposed: tuple[bool, bool], allowed: tuple[bool, bool], expected: tuple[bool, bool] | None
) -> None:
    request = ask(ContextRequest(CT, (EXPLICIT,), *proposed))
    policy = NegotiationPolicy({CT: ANY}, roles={CT: allowed})
    accept, ours = negotiate(request, policy, implementation_class_uid="1", implementation_version="")
    theirs = conclude(request, accept)
    if expected is None:
        assert accept.contexts[0].result == 1 and not ours and not theirs
        return
    assert accept.user.roles == (Role(CT, *expected),)
    assert (theirs[1].we_scu, theirs[1].we_scp) == expected
    assert (ours[1].we_scp, ours[1].we_scu) == expected


def test_roles_that_were_not_proposed_are_not_answered_and_not_granted() -> None:
    request = ask(ContextRequest(CT, (EXPLICIT,)))
    accept = answer(request, NegotiationPolicy({CT: ANY}, roles={CT: (True, True)}))
    assert accept.user.roles == ()
    generous = AssociateAccept(
        "A", "B", accept.contexts, UserInformation(roles=(Role(CT, scu=True, scp=True),))
    )
    context = conclude(request, generous)[1]
    assert context.we_scu and not context.we_scp


def test_an_acceptor_without_role_answer_leaves_the_default() -> None:
    request = ask(ContextRequest(CT, (EXPLICIT,), scu=True, scp=True))
    silent = AssociateAccept("A", "B", (ContextResult(1, 0, EXPLICIT),), UserInformation())
    context = conclude(request, silent)[1]
    assert context.we_scu and not context.we_scp


def test_answers_to_what_was_not_offered_open_nothing() -> None:
    request = ask(ContextRequest(CT, (EXPLICIT,)))
    odd = AssociateAccept(
        "A", "B", (ContextResult(1, 0, JPEG), ContextResult(9, 0, EXPLICIT)), UserInformation()
    )
    assert conclude(request, odd) == {}


def test_extended_negotiation() -> None:
    request = ask(ContextRequest(FIND, (IMPLICIT,)), extended={FIND: b"\1\1\1", OTHER: b"\1"})
    policy = NegotiationPolicy({FIND: ANY}, extended=lambda uid, info: info[:1] if uid == FIND else None)
    accept, ours = negotiate(request, policy, implementation_class_uid="1", implementation_version="")
    assert accept.user.extended == ((FIND, b"\1"),)
    assert ours[1].extended == conclude(request, accept)[1].extended == b"\1"
    assert answer(request, NegotiationPolicy({FIND: ANY})).user.extended == ()


def test_common_extended_takes_a_private_class_as_its_general_one() -> None:
    request = ask(
        ContextRequest(OTHER, (JPEG,)),
        common_extended=(CommonExtended(OTHER, "1.2.840.10008.4.2", (CT,)),),
    )
    assert answer(request, NegotiationPolicy({CT: ANY})).contexts[0].result == 0
    assert answer(request, NegotiationPolicy({CT: ANY}, related_general=False)).contexts[0].result == 3
    assert answer(request, NegotiationPolicy({MR: ANY})).contexts[0].result == 3


@pytest.mark.parametrize(
    ("asked", "allowed", "expected"),
    [
        ((1, 1), (8, 8), (1, 1)),  # not proposed at all
        ((4, 2), (8, 8), (4, 2)),
        ((0, 0), (8, 0), (8, 0)),  # 0 is unlimited
        ((16, 5), (8, 1), (8, 1)),
        ((7, 7), (0, 0), (7, 7)),
    ],
)
def test_asynchronous_window(
    asked: tuple[int, int], allowed: tuple[int, int], expected: tuple[int, int]
) -> None:
    request = ask(ContextRequest(CT, (EXPLICIT,)), async_ops=asked)
    accept = answer(request, NegotiationPolicy({CT: ANY}, async_ops=allowed))
    assert (accept.user.async_ops is None) == (asked == (1, 1))
    assert windows(request, accept) == expected


def test_user_identity_is_answered_only_when_asked() -> None:
    for wanted in (True, False):
        request = ask(ContextRequest(CT, (EXPLICIT,)), user_identity=UserIdentity(2, b"u", b"p", wanted))
        accept = answer(request, NegotiationPolicy({CT: ANY}))
        assert accept.user.identity_response == (b"" if wanted else None)


def test_what_the_provider_refuses() -> None:
    good = ask(ContextRequest(CT, (EXPLICIT,)))
    assert unacceptable(good) is None
    odd = AssociateRequest("A", "B", (), UserInformation(), protocol_version=2)
    assert unacceptable(odd) is not None and "version" in unacceptable(odd).words  # type: ignore[union-attr]
    tiny = AssociateRequest("A", "B", (), UserInformation(max_length=10))
    assert unacceptable(tiny) is not None


@pytest.mark.parametrize("count", [0, 129])
def test_an_association_has_1_to_128_contexts(count: int) -> None:
    with pytest.raises(ValueError, match="128"):
        ask(*[ContextRequest(CT, (EXPLICIT,))] * count)
    ids = [c.id for c in ask(*[ContextRequest(CT, (EXPLICIT,))] * 128).contexts]
    assert ids[0] == 1 and ids[-1] == 255 and all(i % 2 for i in ids)
