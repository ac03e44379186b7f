"""Association negotiation as pure functions: from a request and a policy to the answer, and from an answer to
what the requestor may do (PS3.8 9.3, PS3.7 annex D.3)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from filmless.dicom.ul.pdu import (
    APPLICATION_CONTEXT,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    CommonExtended,
    ContextResult,
    ProposedContext,
    Role,
    UserIdentity,
    UserInformation,
)

#: In `NegotiationPolicy.accepts`: every transfer syntax, known to us or not.
ANY: Final = ("*",)

#: A requestor that takes no more than this could not be sent one command in reasonable pieces.
SMALLEST_MAX_PDU: Final = 64


@dataclass(frozen=True, slots=True)
class ContextRequest:
    """What a requestor asks for one abstract syntax; `scp=True` proposes the SCP role (for C-GET)."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    scu: bool = True
    scp: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context, seen from our side."""

    id: int
    abstract_syntax: str
    transfer_syntax: str
    we_scu: bool
    we_scp: bool
    #: application information of SOP class extended negotiation as accepted; empty when none was
    extended: bytes = b""


@dataclass(frozen=True)
class NegotiationPolicy:
    """What we accept from one requestor."""

    #: abstract syntax -> transfer syntaxes in our order of preference, or ANY
    accepts: Mapping[str, tuple[str, ...]]
    #: whose order decides among several transfer syntaxes that both know
    prefer: Literal["requestor", "ours"] = "requestor"
    #: abstract syntax -> (requestor may be SCU, requestor may be SCP); those absent: SCU alone
    roles: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    #: longest P-DATA-TF body that we take; 0 is unlimited
    max_pdu: int = 131072
    #: most operations that the requestor may invoke and may perform at once; 0 is unlimited
    async_ops: tuple[int, int] = (1, 1)
    #: (abstract syntax, proposed information) -> accepted information, None for no answer
    extended: Callable[[str, bytes], bytes | None] | None = None
    #: take an unknown abstract syntax as one of the general classes that it says it is related to
    related_general: bool = True


def unacceptable(request: AssociateRequest) -> AssociateReject | None:
    """What the service provider itself refuses (action AE-6), before the user is asked."""
    if not request.protocol_version & 1:
        return AssociateReject(1, 2, 2)
    if request.application_context != APPLICATION_CONTEXT:
        return AssociateReject(1, 1, 2)
    if 0 < request.user.max_length < SMALLEST_MAX_PDU:
        return AssociateReject(1, 2, 1)
    return None


def negotiate(
    request: AssociateRequest,
    policy: NegotiationPolicy,
    *,
    implementation_class_uid: str,
    implementation_version: str,
    identity_response: bytes | None = b"",
) -> tuple[AssociateAccept, dict[int, Context]]:
    """The acceptor's answer and the contexts that it opens, by ID, seen from the acceptor.

    `identity_response` answers a user identity that asked for an answer; None where it was not checked.

    Every proposed context gets a result, in the order of the request. Roles, extended negotiation and the
    asynchronous window are answered only where they were proposed.
    """
    related = {c.sop_class: c.related for c in request.user.common_extended}
    proposed_roles = {r.sop_class: r for r in request.user.roles}
    proposed_info = dict(request.user.extended)
    results: list[ContextResult] = []
    contexts: dict[int, Context] = {}
    roles: dict[str, Role] = {}
    extended: dict[str, bytes] = {}
    for proposal in request.contexts:
        known = _known_as(proposal.abstract_syntax, related, policy)
        if known is None:
            results.append(ContextResult(proposal.id, 3, _any_of(proposal)))
            continue
        transfer = _choose(proposal.transfer_syntaxes, policy.accepts[known], policy.prefer)
        if transfer is None:
            results.append(ContextResult(proposal.id, 4, _any_of(proposal)))
            continue
        uid = proposal.abstract_syntax
        scu, scp = True, False
        if (role := proposed_roles.get(uid)) is not None:
            may_scu, may_scp = policy.roles.get(uid, policy.roles.get(known, (True, False)))
            scu, scp = role.scu and may_scu, role.scp and may_scp
            if not scu and not scp:
                results.append(ContextResult(proposal.id, 1, transfer))
                continue
            roles[uid] = Role(uid, scu, scp)
        info = b""
        if uid in proposed_info and policy.extended is not None:
            answer = policy.extended(uid, proposed_info[uid])
            if answer is not None:
                info = extended[uid] = answer
        results.append(ContextResult(proposal.id, 0, transfer))
        contexts[proposal.id] = Context(proposal.id, uid, transfer, we_scu=scp, we_scp=scu, extended=info)
    identity = request.user.user_identity
    window = request.user.async_ops
    user = UserInformation(
        max_length=policy.max_pdu,
        implementation_class_uid=implementation_class_uid,
        implementation_version=implementation_version,
        async_ops=None if window is None else _window(window, policy.async_ops),
        roles=tuple(roles.values()),
        extended=tuple(extended.items()),
        identity_response=identity_response if identity and identity.response_requested else None,
    )
    accept = AssociateAccept(request.called_ae, request.calling_ae, tuple(results), user)
    return accept, contexts


def propose(
    *,
    calling_ae: str,
    called_ae: str,
    contexts: Sequence[ContextRequest],
    max_pdu: int,
    implementation_class_uid: str,
    implementation_version: str,
    async_ops: tuple[int, int] = (1, 1),
    extended: Mapping[str, bytes] | None = None,
    user_identity: UserIdentity | None = None,
    common_extended: tuple[CommonExtended, ...] = (),
) -> AssociateRequest:
    """A request for up to 128 contexts (IDs are the odd numbers). Raises ValueError for none or more."""
    if not 1 <= len(contexts) <= 128:
        raise ValueError(f"an association has 1 to 128 presentation contexts, not {len(contexts)}")
    from_pdu = tuple(
        ProposedContext(2 * i + 1, c.abstract_syntax, c.transfer_syntaxes) for i, c in enumerate(contexts)
    )
    roles = {c.abstract_syntax: Role(c.abstract_syntax, c.scu, c.scp) for c in contexts if c.scp or not c.scu}
    user = UserInformation(
        max_length=max_pdu,
        implementation_class_uid=implementation_class_uid,
        implementation_version=implementation_version,
        async_ops=None if async_ops == (1, 1) else async_ops,
        roles=tuple(roles.values()),
        extended=tuple((extended or {}).items()),
        common_extended=common_extended,
        user_identity=user_identity,
    )
    return AssociateRequest(called_ae, calling_ae, from_pdu, user)


def conclude(request: AssociateRequest, accept: AssociateAccept) -> dict[int, Context]:
    """The contexts that an answer opens, by ID, seen from the requestor.

    Results for contexts that were not proposed, and transfer syntaxes that were not offered, count as not
    accepted: data could not be sent in them. Roles beyond those proposed are cut (PS3.7 D.3.3.4).
    """
    proposed = {c.id: c for c in request.contexts}
    asked = {r.sop_class: r for r in request.user.roles}
    answered = {r.sop_class: r for r in accept.user.roles}
    info = dict(accept.user.extended)
    contexts: dict[int, Context] = {}
    for result in accept.contexts:
        proposal = proposed.get(result.id)
        if result.result != 0 or proposal is None or result.transfer_syntax not in proposal.transfer_syntaxes:
            continue
        uid = proposal.abstract_syntax
        scu, scp = True, False
        if uid in asked and uid in answered:
            scu = asked[uid].scu and answered[uid].scu
            scp = asked[uid].scp and answered[uid].scp
        contexts[result.id] = Context(
            result.id, uid, result.transfer_syntax, we_scu=scu, we_scp=scp, extended=info.get(uid, b"")
        )
    return contexts


def windows(request: AssociateRequest, accept: AssociateAccept) -> tuple[int, int]:
    """Operations that the requestor may invoke and may perform at once (PS3.7 D.3.3.3); 0 is unlimited."""
    if request.user.async_ops is None or accept.user.async_ops is None:
        return 1, 1
    return _window(request.user.async_ops, accept.user.async_ops)


def _known_as(uid: str, related: Mapping[str, tuple[str, ...]], policy: NegotiationPolicy) -> str | None:
    if uid in policy.accepts:
        return uid
    if policy.related_general:
        return next((general for general in related.get(uid, ()) if general in policy.accepts), None)
    return None


def _choose(theirs: Sequence[str], ours: Sequence[str], prefer: str) -> str | None:
    if tuple(ours) == ANY:
        return next(iter(theirs), None)
    first, second = (theirs, ours) if prefer == "requestor" else (ours, theirs)
    return next((uid for uid in first if uid in second), None)


def _any_of(proposal: ProposedContext) -> str:
    """A refused context still carries a transfer syntax item, which nobody reads."""
    return next(iter(proposal.transfer_syntaxes), "1.2.840.10008.1.2")


def _window(first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    """The smaller of each pair, where 0 is unlimited."""
    invoked, performed = (min(a or 65536, b or 65536) for a, b in zip(first, second, strict=True))
    return invoked % 65536, performed % 65536
