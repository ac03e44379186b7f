"""The protocol data units of PS3.8 section 9.3 and the user information items of PS3.7 annex D.3.3.

Each PDU is a frozen dataclass with `encode()`; `decode()` reads the body of a received one. P-DATA-TF has no
class: the engine streams its fragments, and `frames.py` writes them. Lengths are checked against what
encloses them, text is limited as the standard limits it; whatever is wrong raises `PduError`, which the
engine turns into event 19.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

ASSOCIATE_RQ: Final = 1
ASSOCIATE_AC: Final = 2
ASSOCIATE_RJ: Final = 3
P_DATA_TF: Final = 4
RELEASE_RQ: Final = 5
RELEASE_RP: Final = 6
ABORT: Final = 7

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"

#: Longest body of a PDU other than P-DATA-TF that we read. 128 contexts with every transfer syntax there is
#: take 0.5 MB, and a SAML assertion at most 64 kB.
LONGEST_BODY: Final = 1 << 20

#: Longest body by type of PDU; types that are not here are not recognised.
BODY_LIMITS: Final[dict[int, int]] = {
    ASSOCIATE_RQ: LONGEST_BODY,
    ASSOCIATE_AC: LONGEST_BODY,
    ASSOCIATE_RJ: 4,
    RELEASE_RQ: 4,
    RELEASE_RP: 4,
    ABORT: 4,
}

_HEAD = struct.Struct(">BBI")
_ITEM = struct.Struct(">BBH")
_FIXED = struct.Struct(">HH16s16s32s")


class PduError(ValueError):
    """A received PDU breaks PS3.8; `reason` is the reason of the A-ABORT that answers it (table 9-26)."""

    def __init__(self, message: str, reason: int = 6) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A presentation context item of an A-ASSOCIATE-RQ (PS3.8 9.3.2.2)."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextResult:
    """A presentation context item of an A-ASSOCIATE-AC (PS3.8 9.3.3.2). Result 0 is acceptance,
    1 user rejection, 2 no reason, 3 abstract syntax not supported, 4 transfer syntaxes not supported."""

    id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Role:
    """SCP/SCU role selection (PS3.7 D.3.3.4); both flags speak of the association requestor."""

    sop_class: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class CommonExtended:
    """SOP class common extended negotiation (PS3.7 D.3.3.6)."""

    sop_class: str
    service_class: str
    related: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """User identity negotiation (PS3.7 D.3.3.7). Kind 1 user name, 2 user name and passcode, 3 Kerberos,
    4 SAML, 5 JSON web token. Secrets stay out of repr, which may reach a log."""

    kind: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)
    response_requested: bool = False

    @property
    def name(self) -> str:
        """The user name, for the two kinds that carry one in the clear; otherwise empty."""
        return self.primary.decode("utf-8", "replace") if self.kind in (1, 2) else ""


@dataclass(frozen=True, slots=True)
class UserInformation:
    """The user information item of both A-ASSOCIATE PDUs."""

    #: longest P-DATA-TF body that the sender of this item takes; 0 is unlimited (PS3.8 D.1)
    max_length: int = 0
    implementation_class_uid: str = ""
    implementation_version: str = ""
    #: operations that the requestor may invoke and may perform at once; None when not negotiated
    async_ops: tuple[int, int] | None = None
    roles: tuple[Role, ...] = ()
    extended: tuple[tuple[str, bytes], ...] = ()
    common_extended: tuple[CommonExtended, ...] = ()
    user_identity: UserIdentity | None = None
    #: the acceptor's answer to a user identity that asked for one
    identity_response: bytes | None = None

    def encode(self) -> bytes:
        """The whole item, sub-items in ascending order of type."""
        out = [_item(0x51, struct.pack(">I", self.max_length))]
        if self.implementation_class_uid:
            out.append(_item(0x52, self.implementation_class_uid.encode("ascii")))
        if self.async_ops is not None:
            out.append(_item(0x53, struct.pack(">HH", *self.async_ops)))
        out += [_item(0x54, _counted(r.sop_class) + bytes((r.scu, r.scp))) for r in self.roles]
        if self.implementation_version:
            out.append(_item(0x55, self.implementation_version.encode("ascii")[:16]))
        out += [_item(0x56, _counted(uid) + info) for uid, info in self.extended]
        for common in self.common_extended:
            related = b"".join(map(_counted, common.related))
            body = _counted(common.sop_class) + _counted(common.service_class)
            out.append(_item(0x57, body + struct.pack(">H", len(related)) + related))
        if (identity := self.user_identity) is not None:
            flags = bytes((identity.kind, identity.response_requested))
            out.append(_item(0x58, flags + _counted(identity.primary) + _counted(identity.secondary)))
        if self.identity_response is not None:
            out.append(_item(0x59, _counted(self.identity_response)))
        return _item(0x50, b"".join(out))


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """A-ASSOCIATE-RQ (PS3.8 9.3.2)."""

    called_ae: str
    calling_ae: str
    contexts: tuple[ProposedContext, ...]
    user: UserInformation
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1

    def encode(self) -> bytes:
        """The PDU. Titles are cut to 16 characters."""
        items = [_item(0x10, self.application_context.encode("ascii"))]
        for context in self.contexts:
            subs = [_item(0x30, context.abstract_syntax.encode("ascii"))]
            subs += [_item(0x40, uid.encode("ascii")) for uid in context.transfer_syntaxes]
            items.append(_item(0x20, bytes((context.id, 0, 0, 0)) + b"".join(subs)))
        items.append(self.user.encode())
        return _associate(ASSOCIATE_RQ, self.protocol_version, self.called_ae, self.calling_ae, items)


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    """A-ASSOCIATE-AC (PS3.8 9.3.3)."""

    called_ae: str
    calling_ae: str
    contexts: tuple[ContextResult, ...]
    user: UserInformation
    application_context: str = APPLICATION_CONTEXT

    def encode(self) -> bytes:
        """The PDU; the titles are those of the request, as the standard asks."""
        items = [_item(0x10, self.application_context.encode("ascii"))]
        for context in self.contexts:
            sub = _item(0x40, context.transfer_syntax.encode("ascii"))
            items.append(_item(0x21, bytes((context.id, 0, context.result, 0)) + sub))
        items.append(self.user.encode())
        return _associate(ASSOCIATE_AC, 1, self.called_ae, self.calling_ae, items)


@dataclass(frozen=True, slots=True)
class AssociateReject:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4); numbers of table 9-21."""

    result: int
    source: int
    reason: int

    def encode(self) -> bytes:
        return _HEAD.pack(ASSOCIATE_RJ, 0, 4) + bytes((0, self.result, self.source, self.reason))

    @property
    def words(self) -> str:
        """Why, in words, e.g. 'called AE title not recognised'."""
        return REJECTIONS.get(
            (self.source, self.reason), f"no known reason (source {self.source}, reason {self.reason})"
        )


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """A-RELEASE-RQ (PS3.8 9.3.6)."""

    def encode(self) -> bytes:
        return _HEAD.pack(RELEASE_RQ, 0, 4) + bytes(4)


@dataclass(frozen=True, slots=True)
class ReleaseReply:
    """A-RELEASE-RP (PS3.8 9.3.7)."""

    def encode(self) -> bytes:
        return _HEAD.pack(RELEASE_RP, 0, 4) + bytes(4)


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT (PS3.8 9.3.8): source 0 the service user, 2 the service provider."""

    source: int = 0
    reason: int = 0

    def encode(self) -> bytes:
        return _HEAD.pack(ABORT, 0, 4) + bytes((0, 0, self.source, self.reason))

    @property
    def words(self) -> str:
        """Who and why, in words."""
        if self.source != 2:
            return "by the application"
        return f"by the protocol layer: {ABORT_REASONS.get(self.reason, 'no known reason')}"


Pdu = AssociateRequest | AssociateAccept | AssociateReject | ReleaseRequest | ReleaseReply | Abort

#: (source, reason) -> words: PS3.8 table 9-21
REJECTIONS: Final[dict[tuple[int, int], str]] = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognised",
    (1, 7): "called AE title not recognised",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}

#: reason of an A-ABORT from the service provider -> words: PS3.8 table 9-26
ABORT_REASONS: Final[dict[int, str]] = {
    0: "no reason given",
    1: "unrecognised PDU",
    2: "unexpected PDU",
    4: "unrecognised PDU parameter",
    5: "unexpected PDU parameter",
    6: "invalid PDU parameter value",
}


def decode(kind: int, body: bytes) -> Pdu:
    """The PDU of type `kind` whose bytes after the six of the header are `body`. Raises PduError."""
    if kind == ASSOCIATE_RQ:
        return _decode_request(body)
    if kind == ASSOCIATE_AC:
        return _decode_accept(body)
    if kind not in BODY_LIMITS:
        raise PduError(f"PDU type {kind:02X}H", reason=1)
    if len(body) != 4:
        raise PduError(f"PDU type {kind:02X}H of {len(body)} bytes")
    if kind == ASSOCIATE_RJ:
        return AssociateReject(*body[1:])
    if kind == RELEASE_RQ:
        return ReleaseRequest()
    return ReleaseReply() if kind == RELEASE_RP else Abort(*body[2:])


def _item(kind: int, body: bytes) -> bytes:
    return _ITEM.pack(kind, 0, len(body)) + body


def _counted(value: str | bytes) -> bytes:
    raw = value.encode("ascii") if isinstance(value, str) else value
    return struct.pack(">H", len(raw)) + raw


def _title(value: str) -> bytes:
    return value.encode("latin-1", "replace")[:16].ljust(16)


def _associate(kind: int, version: int, called: str, calling: str, items: list[bytes]) -> bytes:
    fixed = _FIXED.pack(version, 0, _title(called), _title(calling), b"")
    body = b"".join([fixed, *items])
    return _HEAD.pack(kind, 0, len(body)) + body


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    pos, end = 0, len(data)
    while pos < end:
        if end - pos < 4:
            raise PduError("an item's header is cut off")
        kind, _, length = _ITEM.unpack_from(data, pos)
        pos += 4
        if length > end - pos:
            raise PduError(f"item {kind:02X}H is longer than what holds it")
        yield kind, data[pos : pos + length]
        pos += length


def _uid(raw: bytes) -> str:
    """A UID, without the padding that some send in spite of PS3.8 annex F."""
    text = raw.rstrip(b"\0 ")
    if len(text) > 64 or not text.isascii():
        raise PduError("a UID of more than 64 characters or not in ASCII")
    uid = text.decode("ascii").strip()
    if not uid.isprintable():
        raise PduError("a UID with control characters")
    return uid


def _take(data: bytes, pos: int) -> tuple[bytes, int]:
    """A value with its length of two bytes before it, and where it ends."""
    if len(data) - pos < 2:
        raise PduError("a length is cut off")
    end = pos + 2 + int.from_bytes(data[pos : pos + 2], "big")
    if end > len(data):
        raise PduError("a value is longer than what holds it")
    return data[pos + 2 : end], end


def _read_title(raw: bytes) -> str:
    return _shown(raw.replace(b"\0", b" ")).strip(" ")


def _shown(raw: bytes) -> str:
    """Text that will be in logs and on terminals: what would steer those is shown as "?"."""
    text = raw.decode("latin-1")
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\xa0" else "?" for one in text)


def _fixed(body: bytes) -> tuple[int, str, str, bytes]:
    if len(body) < _FIXED.size:
        raise PduError("an A-ASSOCIATE PDU is cut off")
    version, _, called, calling, _ = _FIXED.unpack_from(body)
    return version, _read_title(called), _read_title(calling), body[_FIXED.size :]


def _decode_request(body: bytes) -> AssociateRequest:
    version, called, calling, rest = _fixed(body)
    application, user = "", UserInformation()
    contexts: dict[int, ProposedContext] = {}
    for kind, data in _items(rest):
        if kind == 0x10:
            application = _uid(data)
        elif kind == 0x20:
            if len(data) < 4:
                raise PduError("a presentation context item is cut off")
            if data[0] in contexts:
                raise PduError("a presentation context ID is there twice")
            abstract, transfer = "", list[str]()
            for sub, value in _items(data[4:]):
                if sub == 0x30:
                    abstract = _uid(value)
                elif sub == 0x40:
                    transfer.append(_uid(value))
            contexts[data[0]] = ProposedContext(data[0], abstract, tuple(transfer))
        elif kind == 0x50:
            user = _decode_user(data)
    return AssociateRequest(called, calling, tuple(contexts.values()), user, application, version)


def _decode_accept(body: bytes) -> AssociateAccept:
    _, called, calling, rest = _fixed(body)
    application, user = "", UserInformation()
    contexts: list[ContextResult] = []
    for kind, data in _items(rest):
        if kind == 0x10:
            application = _uid(data)
        elif kind == 0x21:
            if len(data) < 4:
                raise PduError("a presentation context item is cut off")
            # the transfer syntax of a refused context has no meaning and is not looked at (PS3.8 9.3.3.2)
            values = [_uid(v) for k, v in _items(data[4:]) if k == 0x40] if data[2] == 0 else []
            if data[2] == 0 and len(values) != 1:
                raise PduError("an accepted presentation context without one transfer syntax")
            contexts.append(ContextResult(data[0], data[2], values[0] if values else ""))
        elif kind == 0x50:
            user = _decode_user(data)
    return AssociateAccept(called, calling, tuple(contexts), user, application)


def _decode_user(body: bytes) -> UserInformation:
    max_length, class_uid, version = 0, "", ""
    async_ops: tuple[int, int] | None = None
    roles: list[Role] = []
    extended: list[tuple[str, bytes]] = []
    common: list[CommonExtended] = []
    identity: UserIdentity | None = None
    response: bytes | None = None
    for kind, data in _items(body):
        if kind == 0x51:
            if len(data) != 4:
                raise PduError("a maximum length that is not of four bytes")
            max_length = int.from_bytes(data, "big")
        elif kind == 0x52:
            class_uid = _uid(data)
        elif kind == 0x53:
            if len(data) != 4:
                raise PduError("an asynchronous operations window that is not of four bytes")
            async_ops = struct.unpack(">HH", data)
        elif kind == 0x54:
            uid, end = _take(data, 0)
            if len(data) - end != 2:
                raise PduError("a role selection item of the wrong length")
            roles.append(Role(_uid(uid), data[end] == 1, data[end + 1] == 1))
        elif kind == 0x55:
            version = _shown(data.strip(b" \0"))
        elif kind == 0x56:
            uid, end = _take(data, 0)
            extended.append((_uid(uid), data[end:]))
        elif kind == 0x57:
            common.append(_decode_common(data))
        elif kind == 0x58:
            if len(data) < 2:
                raise PduError("a user identity item is cut off")
            primary, end = _take(data, 2)
            secondary, _ = _take(data, end)
            identity = UserIdentity(data[0], primary, secondary, data[1] == 1)
        elif kind == 0x59:
            response, _ = _take(data, 0)
        # items of other types are ignored, as PS3.8 9.3.1 asks
    return UserInformation(
        max_length,
        class_uid,
        version,
        async_ops,
        tuple(roles),
        tuple(extended),
        tuple(common),
        identity,
        response,
    )


def _decode_common(data: bytes) -> CommonExtended:
    sop_class, end = _take(data, 0)
    service, end = _take(data, end)
    listed, _ = _take(data, end)
    related, pos = list[str](), 0
    while pos < len(listed):
        value, pos = _take(listed, pos)
        related.append(_uid(value))
    return CommonExtended(_uid(sop_class), _uid(service), tuple(related))
