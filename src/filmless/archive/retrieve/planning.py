"""Which object can go in which encoding: proposals to a receiver, and the way for each kind of object. Pure.

The stored transfer syntax goes whenever the receiver takes it. Otherwise, in this order: Explicit VR Little
Endian, Implicit VR Little Endian, and, only from what is stored without loss, another lossless syntax. What is
stored with loss may be decompressed, and is never compressed again; video is never touched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from filmless.dicom.uids import (
    DEFLATED_EXPLICIT_VR_LE,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    JPEG_2000_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    RLE_LOSSLESS,
    UNCOMPRESSED,
    transfer_syntax,
)
from filmless.dicom.ul.negotiation import Context, ContextRequest

#: presentation contexts of one association: odd numbers 1 to 255 (PS3.8 9.3.2.2)
MAX_CONTEXTS = 128

#: lossless syntaxes that we compress to for a receiver that takes nothing else, the quickest first
LOSSLESS_TARGETS = (
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    JPEG_LS_LOSSLESS,
    JPEG_2000_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    RLE_LOSSLESS,
    DEFLATED_EXPLICIT_VR_LE,
)

#: prefix of MPEG2, MPEG-4 and HEVC: 1.2.840.10008.1.2.4.100 to .108
_VIDEO = "1.2.840.10008.1.2.4.10"


@dataclass(frozen=True, slots=True)
class Route:
    """The accepted context for a kind of object, and the transfer syntax to transcode to ("" for as stored)."""

    context: Context
    transcode_to: str = ""


def targets(stored: str) -> tuple[str, ...]:
    """The transfer syntaxes that an object stored in `stored` may leave in, the best first; `stored` itself first."""
    syntax = transfer_syntax(stored)
    if stored.startswith(_VIDEO) or syntax.name == stored:
        return (stored,)
    lossless = LOSSLESS_TARGETS if syntax.lossless else ()
    return (stored, *(ts for ts in (*UNCOMPRESSED, *lossless) if ts != stored))


def proposals(
    kinds: Iterable[tuple[str, str]], *, only: Sequence[str] = (), role_reversed: bool = False
) -> list[list[ContextRequest]]:
    """What to propose for these (SOP Class UID, stored transfer syntax) pairs: one list for each association.

    One context for each pair with the stored syntax alone, so that the receiver's preference cannot make us
    transcode; then per class one context each for uncompressed explicit and implicit, and one for the lossless
    syntaxes. `only`: transfer syntaxes to which the receiver is known to be limited (a device's quirk).
    `role_reversed`: we are to receive (C-GET): we take the provider's role of the storage classes.
    """
    by_class: dict[str, dict[str, None]] = {}
    for sop_class, stored in kinds:
        by_class.setdefault(sop_class, {})[stored] = None
    associations: list[list[ContextRequest]] = [[]]
    for sop_class, stored_syntaxes in by_class.items():
        offers = [kept for offer in _offers(stored_syntaxes) if (kept := _within(offer, only))]
        if len(associations[-1]) + len(offers) > MAX_CONTEXTS:
            associations.append([])
        associations[-1].extend(
            ContextRequest(sop_class, offer, scu=not role_reversed, scp=role_reversed)
            for offer in offers[:MAX_CONTEXTS]
        )
    return [contexts for contexts in associations if contexts]


def _offers(stored_syntaxes: Iterable[str]) -> list[tuple[str, ...]]:
    stored = list(stored_syntaxes)
    offers: list[tuple[str, ...]] = [(ts,) for ts in stored]
    reachable = {target for ts in stored for target in targets(ts)}
    offers += [(ts,) for ts in UNCOMPRESSED if ts in reachable and ts not in stored]
    lossless = tuple(ts for ts in LOSSLESS_TARGETS if ts in reachable and ts not in stored)
    return [*offers, lossless] if lossless else offers


def _within(offer: tuple[str, ...], only: Sequence[str]) -> tuple[str, ...]:
    return tuple(ts for ts in offer if ts in only) if only else offer


def route(sop_class: str, stored: str, contexts: Iterable[Context]) -> Route | None:
    """The way for this kind of object over contexts accepted for sending; None where there is none."""
    accepted: dict[str, Context] = {}
    for context in contexts:
        if context.abstract_syntax == sop_class and context.we_scu:
            accepted.setdefault(context.transfer_syntax, context)
    for target in targets(stored):
        if target in accepted:
            return Route(accepted[target], "" if target == stored else target)
    return None
