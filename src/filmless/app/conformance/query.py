"""The query and retrieve services: keys, extended negotiation, statuses."""

from collections.abc import Iterable, Sequence

from filmless.app.conformance.markdown import table
from filmless.app.services import answer_extended
from filmless.archive.codecs import CodecSettings
from filmless.archive.model import REJECTION_CODES
from filmless.archive.query.keys import DATE_AND_TIME, KEYS, LEVELS, UNIQUE_KEYS, Key
from filmless.archive.query.matching import WILDCARD_VRS
from filmless.archive.retrieve import identifier, tally
from filmless.archive.retrieve.sending import RetrieveSettings
from filmless.dicom import sopclasses, statuses

#: codes of tables B.2-1, C.4-1 to C.4-3 of PS3.4 that each service answers with, besides success
_FIND_STATUSES = (0xFF00, 0xFF01, 0xFE00, 0xA700, 0xA900, 0xC001)


_MOVE_STATUSES = (
    statuses.PENDING,
    tally.COMPLETE_WITH_FAILURES,
    statuses.CANCELLED,
    tally.UNABLE_TO_CALCULATE,
    tally.UNABLE_TO_PERFORM,
    tally.DESTINATION_UNKNOWN,
    tally.IDENTIFIER_DOES_NOT_MATCH,
    statuses.PROCESSING_FAILURE,
)


_GET_STATUSES = tuple(status for status in _MOVE_STATUSES if status != tally.DESTINATION_UNKNOWN)


#: items of SOP class extended negotiation, byte by byte (PS3.4 tables C.5-1, C.5-3, C.5-4)
_FIND_ITEMS = (
    "relational queries",
    "combined date-time matching",
    "fuzzy semantic matching of person names",
    "time zone query adjustment",
    "enhanced multi-frame image conversion",
    "empty value matching",
    "multiple value matching",
)


_RETRIEVE_ITEMS = ("relational retrieval", "enhanced multi-frame image conversion")


def query() -> str:
    """C-FIND."""
    by_level = {level: [key for key in KEYS.values() if key.level == level] for level in LEVELS}
    tables = "\n\n".join(
        f"{level.capitalize()} level:\n\n"
        + table(
            ("attribute", "tag", "VR", "type", "matching"),
            (
                (
                    key.keyword,
                    f"({key.tag >> 16:04X},{key.tag & 0xFFFF:04X})",
                    key.vr,
                    "unique" if UNIQUE_KEYS[level] == key.tag else "optional",
                    _matching(key),
                )
                for key in sorted(by_level[level], key=lambda key: key.tag)
            ),
        )
        for level in LEVELS
    )
    pairs = ", ".join(
        f"{KEYS[date].keyword} with {KEYS[time].keyword}" for date, time in DATE_AND_TIME.items()
    )
    return f"""
## 4 Query (C-FIND)

Information models: Patient Root, Study Root, and the retired Patient/Study Only. Rejected objects (IOCM: {
        ", ".join(REJECTION_CODES)
    }) are not found; those rejected for quality reasons (113001) are found by devices set to quality control.
A device neither finds nor retrieves studies that are marked as sensitive, or lie outside of what it may see, where the
list of devices does not say otherwise. A user whom it identifies finds what both may see.

Extended negotiation (PS3.4 C.5.1.1), accepted where proposed: {
        _accepted(sopclasses.STUDY_ROOT_FIND, _FIND_ITEMS)
    }. A device's quirks can force the first three. Dates and times that are matched as one: {pairs}.

{tables}

Statuses:

{_statuses(_FIND_STATUSES)}
"""


def _accepted(sop_class: str, items: Sequence[str]) -> str:
    """Those of the items that are accepted when all are proposed."""
    answer = answer_extended(sop_class, b"\1" * len(items)) or b""
    return ", ".join(item for item, yes in zip(items, answer, strict=False) if yes)


def _matching(key: Key) -> str:
    if key.kind == "returned":
        return "returned only"
    if key.kind == "computed" and key.vr == "IS":
        return "returned only, counted"
    if key.kind == "sequence":
        return "sequence"
    if key.vr == "UI":
        return "single value, list of UIDs"
    if key.vr in ("DA", "TM"):
        return "single value, range"
    if key.vr == "PN":
        return "single value, wildcard; without case and accents; each component group"
    if key.kind == "folded":
        return "single value, wildcard; without case and accents"
    return "single value, wildcard" if key.vr in WILDCARD_VRS else "single value"


def retrieve() -> str:
    """C-MOVE and C-GET."""
    settings, codecs = RetrieveSettings(), CodecSettings()
    models = [
        (
            sopclasses.SERVICES[uid].name,
            ", ".join(levels),
            ", ".join(identifier.UNIQUE_KEYS[level][1] for level in levels),
        )
        for uid, levels in identifier.LEVELS.items()
    ]
    return f"""
## 5 Retrieve (C-MOVE, C-GET)

{table(("SOP class", "levels", "unique keys"), models)}

Without extended negotiation the unique key of each level above has one value and that of the level itself one or, for
UIDs, a list. A key below the level is refused. Extended negotiation (PS3.4 C.5.2.1, C.5.3.1), accepted where proposed:
{_accepted(sopclasses.STUDY_ROOT_MOVE, _RETRIEVE_ITEMS)}; a device's quirk can force it.
Under the Study Root model a Patient ID (and its issuer) restricts nothing, but where several patients use one Study
Instance UID: then only the objects of the patient named are given.

C-MOVE sends to devices of the list of devices alone. The C-STORE requests carry Move Originator AE Title and Message
ID, and go as section 3 says, each in its stored transfer syntax where the receiver takes it. C-GET sends in the
contexts for whose storage class the requestor took the provider's role (role selection); an object without one is a
failed sub-operation.

Pending responses with all counters come every {settings.pending_interval:g} s. Counters are made from the
results of the sub-operations. Final responses carry the Failed SOP Instance UID List where one failed, and an Error
Comment with the most frequent reason. C-CANCEL ends after the object under way. A conversion that takes longer than
{codecs.timeout:g} s fails its sub-operation.

Statuses of C-MOVE:

{_statuses(_MOVE_STATUSES)}

Statuses of C-GET:

{_statuses(_GET_STATUSES)}
"""


def _statuses(codes: Iterable[int]) -> str:
    """A table of codes; where services share a code, in the words of queries and retrieves (PS3.4 C.4)."""
    own = {
        statuses.SUCCESS: "all done",
        tally.COMPLETE_WITH_FAILURES: "sub-operations complete, one or more with failure or warning",
        tally.IDENTIFIER_DOES_NOT_MATCH: "identifier does not match SOP class",
        0xC001: "a key cannot be understood; Offending Element names it",
    }
    return table(
        ("status", "", "meaning"),
        (
            (f"{code:04X}", statuses.category(code), own.get(code) or statuses.STATUSES[code][1])
            for code in (statuses.SUCCESS, *codes)
        ),
    )
