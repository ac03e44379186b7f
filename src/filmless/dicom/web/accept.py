"""What a client will take, against what is stored: content negotiation of PS3.18 8.7.4 to 8.7.8 as pure functions.

An absent transfer-syntax parameter means Explicit VR Little Endian for DICOM objects and uncompressed frames, and the
stored syntax, or else the type's default, for compressed frames; "*" means as stored. Nothing is made lossy.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

from filmless.dicom import uids
from filmless.dicom.web import media_types
from filmless.dicom.web.media_types import DICOM, OCTET_STREAM
from filmless.kit.errors import Refused

#: "*" alone is what Java sends for "*/*"
_RANGE = re.compile(r"\s*([!#$%&'*+\-.^_`|~0-9A-Za-z]+/[!#$%&'*+\-.^_`|~0-9A-Za-z]+|\*(?=\s*[;,]|\s*$))\s*")
_PARAMETER = re.compile(r""";\s*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;,"]*)|;\s*""")
_UID = re.compile(r"[0-9.]{1,64}")
#: more alternatives than this are not looked at
_MOST = 64


@dataclass(frozen=True, slots=True)
class Wish:
    """One alternative of an Accept header."""

    #: in lower case; within multipart/related that of the parts; "*/*", "image/*" are possible
    media_type: str
    #: True: multipart/related; False: one body; None: "*/*" alone, which takes either
    multipart: bool | None
    #: "" where absent, "*", or a UID
    transfer_syntax: str = ""
    quality: float = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    """How something is answered."""

    media_type: str
    transfer_syntax: str
    multipart: bool


Form = Literal["multipart", "single"]


def wishes_of(accept: str | None, query: str = "") -> tuple[Wish, ...]:
    """The alternatives of a request, the best first; those of one quality in their order.

    `query` is the raw query string: its `accept` parameter stands for the header (PS3.18 8.3.3.1). No Accept at all
    takes everything. Raises Refused (code "bad-accept") where it is not to be understood.
    """
    given = accept_parameter(query) if query else None
    return _parse(given if given is not None else (accept or "*/*"))


def accept_parameter(query: str) -> str | None:
    """The `accept` query parameter, None where there is none. A "+" in it is a plus: application/dicom+json."""
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if equals and name.lower() == "accept":
            return unquote(value)
    return None


@lru_cache(256)
def _parse(accept: str) -> tuple[Wish, ...]:
    wishes: list[Wish] = []
    at = 0
    while at < len(accept) and len(wishes) < _MOST:
        found = _RANGE.match(accept, at)
        if found is None:
            if accept[at] in ", \t":
                at += 1
                continue
            raise Refused("The Accept header cannot be read.", code="bad-accept")
        at = found.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(accept, at):
            at = parameter.end()
            if parameter[1]:
                value = parameter[2].strip()
                if value.startswith('"'):
                    value = re.sub(r"\\(.)", r"\1", value[1:-1])
                parameters.setdefault(parameter[1].lower(), value.strip())
        if at < len(accept) and accept[at] != ",":
            raise Refused("The Accept header cannot be read.", code="bad-accept")
        at += 1
        if wish := _wish("*/*" if found[1] == "*" else found[1].lower(), parameters):
            wishes.append(wish)
    return tuple(sorted(wishes, key=lambda wish: -wish.quality))


def _wish(media_type: str, parameters: dict[str, str]) -> Wish | None:
    """None for what is not wanted (q=0), or can mean nothing here."""
    try:
        quality = float(parameters.get("q", "1"))
    except ValueError:
        quality = 1.0
    if not quality > 0:
        return None
    syntax = parameters.get("transfer-syntax", "")
    if syntax not in ("", "*") and not _UID.fullmatch(syntax):
        raise Refused("A transfer-syntax of the Accept header is not a UID.", code="bad-accept")
    multipart: bool | None = False
    if media_type == media_types.MULTIPART:
        multipart = True
        media_type = parameters.get("type", "*/*").lower()
    elif media_type == "multipart/*":
        multipart, media_type = True, "*/*"
    elif media_type == "*/*":
        multipart = None
    return Wish(media_types.ALIASES.get(media_type, media_type), multipart, syntax, min(quality, 1.0))


def nothing_of(*stored: str) -> str:
    """Words for `not_acceptable`: the names of the transfer syntaxes in which they are stored."""
    return "none of it can be made of what is stored, " + ", ".join(stored)


def not_acceptable(what: str) -> Refused:
    """The error for 406. `what`: what can be given, or why nothing else can, in words."""
    return Refused(f"What is accepted cannot be given: {what}.", code="not-acceptable")


def document(wishes: Iterable[Wish], offered: Sequence[tuple[str, bool]]) -> tuple[str, bool] | None:
    """The first of the offered (media type, whether multipart) that is wanted, in the client's order; None: 406."""
    for wish in wishes:
        for media_type, multipart in offered:
            if _matches(wish.media_type, media_type) and wish.multipart in (None, multipart):
                return media_type, multipart
    return None


def _matches(wanted: str, media_type: str) -> bool:
    return wanted in (media_type, "*/*") or (wanted.endswith("/*") and media_type.startswith(wanted[:-1]))


def instance(wishes: Iterable[Wish], stored: str, *, form: Form) -> str | None:
    """The transfer syntax in which an object stored in `stored` leaves; None where it cannot (PS3.18 8.7.5).

    Only those wishes count that are for objects (application/dicom) in this form.
    """
    for wish in wishes:
        if not _matches(wish.media_type, DICOM) or wish.multipart is (form == "single"):
            continue
        if wish.transfer_syntax == "*" or (not wish.transfer_syntax and wish.media_type != DICOM):
            return stored
        target = wish.transfer_syntax or uids.EXPLICIT_VR_LE
        if media_types.transcodable(stored, target):
            return target
    return None


def instance_form(wishes: Iterable[Wish], count: int) -> Form | None:
    """Whether `count` objects go as parts of one message or as one body, by the best wish; None: neither."""
    for wish in wishes:
        if _matches(wish.media_type, DICOM):
            if wish.multipart is not False:
                return "multipart"
            if count == 1:
                return "single"
    return None


def frames(wishes: Iterable[Wish], stored: str, count: int) -> Choice | None:
    """How `count` frames of an object stored in `stored` leave; None where they cannot (PS3.18 8.7.3.3, 8.7.5).

    Frames of one message share media type and syntax. Native frames of whatever endianness leave as those of Explicit
    VR Little Endian.
    """
    for wish in wishes:
        if wish.multipart is False and count != 1:
            continue
        if found := _frames(wish, stored):
            return Choice(*found, multipart=wish.multipart is not False)
    return None


def _frames(wish: Wish, stored: str) -> tuple[str, str] | None:
    as_stored = stored if uids.transfer_syntax(stored).encapsulated else uids.EXPLICIT_VR_LE
    asked, media_type = wish.transfer_syntax, wish.media_type
    if asked == "*" or (not asked and "*" in media_type):
        target = as_stored
    elif asked:
        target = uids.EXPLICIT_VR_LE if asked in media_types.NATIVE else asked
    elif media_type == OCTET_STREAM:
        target = uids.EXPLICIT_VR_LE
    elif media_type == media_types.of_frames(as_stored):
        target = as_stored
    else:
        target = media_types.SYNTAXES.get(media_type, ("",))[0]
    if target != as_stored:
        written = target == uids.EXPLICIT_VR_LE or uids.transfer_syntax(target).encapsulated
        if not written or not media_types.transcodable(stored, target):
            return None
    elif media_type == OCTET_STREAM:
        # what Cornerstone and OHIF ask for: bytes as stored, whatever they are; the syntax is on the part
        return OCTET_STREAM, target
    natural = media_types.of_frames(target)
    return (natural, target) if _matches(media_type, natural) else None
