"""The DICOM conformance statement (PS3.2), made from the tables that the program runs on.

    python -m filmless.app.conformance            print it
    python -m filmless.app.conformance --write    write docs/conformance/statement.md (run in the source folder)

A test compares the file with what is made here, so that the statement cannot say what the program does not do.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from filmless.app import services
from filmless.app.settings import TlsSettings
from filmless.archive import dimse as storage
from filmless.archive.codecs import CodecSettings
from filmless.archive.model import CAUSES, REJECTION_CODES, ArchiveSettings
from filmless.archive.query.keys import DATE_AND_TIME, KEYS, LEVELS, UNIQUE_KEYS, Key
from filmless.archive.query.matching import WILDCARD_VRS
from filmless.archive.retrieve import identifier, tally
from filmless.archive.retrieve.planning import LOSSLESS_TARGETS, targets
from filmless.archive.retrieve.sending import RetrieveSettings
from filmless.devices.model import CHARACTER_SETS, QUIRKS, REFUSALS, DeviceSettings
from filmless.dicom import sopclasses, statuses, uids
from filmless.dicom.ul.negotiation import ANY
from filmless.net import tls
from filmless.net.model import NetSettings

FILE = Path("docs/conformance/statement.md")

#: SOP classes other than storage of which we are the user
_AS_USER = frozenset(
    {
        sopclasses.VERIFICATION,
        sopclasses.PATIENT_ROOT_FIND,
        sopclasses.PATIENT_ROOT_MOVE,
        sopclasses.PATIENT_ROOT_GET,
        sopclasses.STUDY_ROOT_FIND,
        sopclasses.STUDY_ROOT_MOVE,
        sopclasses.STUDY_ROOT_GET,
        sopclasses.STORAGE_COMMITMENT_PUSH,
        sopclasses.INSTANCE_AVAILABILITY_NOTIFICATION,
    }
)

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


def statement() -> str:
    """The whole statement as Markdown."""
    parts = (
        _introduction(),
        _overview(),
        _associations(),
        _storage(),
        _query(),
        _retrieve(),
        _other_services(),
        _network(),
        _character_sets(),
        _security(),
        _appendix(),
    )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _introduction() -> str:
    return f"""
# DICOM conformance statement of Filmless

<!-- made by `python -m filmless.app.conformance --write` from the program's own tables: change those, not this -->

Filmless is an open-source imaging system for hospitals. This statement (PS3.2) is about its archive: it receives,
keeps, finds and gives back DICOM objects.

| | |
|---|---|
| Implementation Class UID | {uids.IMPLEMENTATION_CLASS_UID} |
| Implementation Version Name | {uids.IMPLEMENTATION_VERSION_NAME} |
| Application context | 1.2.840.10008.3.1.1.1 |
"""


def _overview() -> str:
    rows = [
        (
            f"Storage: {len(sopclasses.STORAGE)} SOP classes (appendix A), private ones by a setting",
            "",
            "yes",
            "yes",
        )
    ]
    provided = [uid for service in services.table(ArchiveSettings()) for uid in service.sop_classes]
    for uid in (*provided, *sorted(_AS_USER - set(provided))):
        if uid in sopclasses.SERVICES:
            sop_class = sopclasses.SERVICES[uid]
            name = sop_class.name + (" (retired)" if sop_class.retired else "")
            rows.append((name, uid, _yes(uid in _AS_USER), _yes(uid in provided)))
    return f"""
## 1 Services

{_table(("SOP class", "UID", "user (SCU)", "provider (SCP)"), rows)}
"""


def _associations() -> str:
    net, devices = NetSettings(), DeviceSettings()
    refusals = [
        (words, *codes)
        for words, codes in sorted(REFUSALS.values(), key=lambda refusal: (refusal[1], refusal[0]))
    ]
    provided = [
        (
            service.name,
            service.word,
            ", ".join(request.name.replace("_", "-").removesuffix("-RQ") for request in service.requests),
            "all of appendix B, and others"
            if service.transfer_syntaxes == ANY
            else ", ".join(uids.name_of(ts) for ts in service.transfer_syntaxes),
        )
        for service in services.table(ArchiveSettings())
    ]
    return f"""
## 2 Associations

Filmless is one application entity ({net.ae_title} by default) in both roles.

{
        _table(
            ("as acceptor", "by default"),
            (
                ("associations at the same time", net.max_associations),
                ("of them from one host", net.max_associations_per_host),
                ("maximum PDU length announced", f"{net.max_pdu} bytes"),
                (
                    "maximum PDU length of the peer",
                    "any from 64 bytes, 0 (unlimited) included; kept to when sending",
                ),
                (
                    "asynchronous operations window",
                    f"where proposed, up to {services.ASYNC_OPERATIONS} operations invoked by the requestor",
                ),
                ("SCP/SCU role selection", "for the storage classes, so that C-GET can return objects"),
                ("user identity", "username, passcode, Kerberos, SAML, JWT: recorded, not checked"),
                ("longest identifier", f"{net.max_identifier} bytes"),
            ),
        )
    }

Callers are admitted by AE title, at each association. Callers that are not in the list of devices are treated by
the policy `unknown_callers` ({
        devices.unknown_callers
    } by default: refuse, quarantine or accept); callers on the
same machine are admitted unless a setting ends that. A refused association is answered so:

{_table(("reason", "result", "source", "reason code"), refusals)}

Each device is allowed some of these services, and what belongs to the others is not accepted:

{_table(("service", "setting", "requests", "transfer syntaxes"), provided)}

Departures from the standard that can be set for a device:

{_table(("quirk", "the device ..."), QUIRKS.items())}

As requestor Filmless proposes one presentation context for each SOP class and stored transfer syntax of what it is
to send, more associations where that is more than 128 contexts, and an asynchronous operations window of 8.
"""


def _storage() -> str:
    archive = ArchiveSettings()
    rows = [
        (f"{status:04X}", "failure", CAUSES[cause])
        for cause, status in sorted(storage.QUARANTINE_STATUS.items(), key=lambda pair: (pair[1], pair[0]))
    ]
    return f"""
## 3 Storage

### As provider

Every transfer syntax of appendix B is accepted for every storage class, in the order of the requestor's preference.
The data set is kept bit by bit as it was received (level 2, full); no element is coerced.

Success is answered after the file, its directory entry and the index are on disk.

The same object again (the same elements and pixels, in whatever transfer syntax) is success. Another object under a
known SOP Instance UID is made durable in quarantine first and then answered by the policy `duplicates`
({
        archive.duplicates
    } by default, and per device): `quarantine` answers a failure, `keep-first` and `replace` success.
An object in quarantine is kept, but not found, not given back, and not confirmed by storage commitment.

{
        _table(
            ("status", "", "meaning"),
            (
                ("0000", "success", "durable in the archive"),
                *rows,
                (
                    f"{storage.OUT_OF_RESOURCES:04X}",
                    "failure",
                    "the archive's disk is nearly full; try again later",
                ),
                (f"{storage.INDEX_BUSY:04X}", "failure", "the archive is busy; try again later"),
                (
                    f"{storage.PROCESSING_FAILURE:04X}",
                    "failure",
                    statuses.STATUSES[storage.PROCESSING_FAILURE][1],
                ),
                (f"{storage.NOT_AUTHORISED:04X}", "failure", "the device may not store"),
            ),
        )
    }

### As user

Objects are sent as stored wherever the receiver accepts that. Otherwise, in this order: Explicit VR Little Endian,
Implicit VR Little Endian, and from what is stored without loss another lossless syntax ({
        ", ".join(uids.name_of(ts) for ts in LOSSLESS_TARGETS)
    }). Nothing is ever compressed with loss, and what is stored with loss is not
compressed again. Appendix B says what each syntax can leave as. Every warning and failure is reported as the
receiver gave it.
"""


def _query() -> str:
    by_level = {level: [key for key in KEYS.values() if key.level == level] for level in LEVELS}
    tables = "\n\n".join(
        f"{level.capitalize()} level:\n\n"
        + _table(
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

Extended negotiation (PS3.4 C.5.1.1), accepted where proposed: {
        _accepted(sopclasses.STUDY_ROOT_FIND, _FIND_ITEMS)
    }. A device's quirks can force the first three. Dates and times that are matched as one: {pairs}.

{tables}

Statuses:

{_statuses(_FIND_STATUSES)}
"""


def _accepted(sop_class: str, items: Sequence[str]) -> str:
    """Those of the items that are accepted when all are proposed."""
    answer = services.answer_extended(sop_class, b"\1" * len(items)) or b""
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


def _retrieve() -> str:
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

{_table(("SOP class", "levels", "unique keys"), models)}

Without extended negotiation the unique key of each level above has one value and that of the level itself one or, for
UIDs, a list. A key below the level is refused. Extended negotiation (PS3.4 C.5.2.1, C.5.3.1), accepted where proposed:
{_accepted(sopclasses.STUDY_ROOT_MOVE, _RETRIEVE_ITEMS)}; a device's quirk can force it.

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
    return _table(
        ("status", "", "meaning"),
        (
            (f"{code:04X}", statuses.category(code), own.get(code) or statuses.STATUSES[code][1])
            for code in (statuses.SUCCESS, *codes)
        ),
    )


def _other_services() -> str:
    return """
## 6 Other services

Verification: answered to every admitted device; used for the scheduled and on-demand checks of devices.

Storage Commitment, Push Model, as provider: each object is checked for its index entry, its file, size and SHA-256.
Objects in quarantine, rejected or unknown are reported as failed (0112 no such object instance, 0119 class-instance
conflict, 0110 processing failure where the file does not pass). The result goes on the same association while it
lasts, otherwise on a new one with reversed roles; it is tried again with growing pauses and survives a restart. As
user: on request for what was sent to a device.

Instance Availability Notification, as user: N-CREATE to devices that want it when the series of a study have settled.

Key object selection documents titled 113001, 113037, 113038 and 113039 (IHE IOCM) reject the objects they name.
"""


def _network() -> str:
    net, own = NetSettings(), TlsSettings()
    rows = [
        ("connection, TLS handshake included", net.connect_timeout),
        ("association request after the connection, and ARTIM", net.artim),
        ("answer to an association request or a release", net.acse_timeout),
        ("progress inside a message", net.dimse_timeout),
        ("response to a request of ours", net.response_timeout),
        ("between messages", net.idle_timeout),
        ("the peer taking data that we send", net.send_timeout),
    ]
    return f"""
## 7 Network

TCP/IP (IPv4, IPv6). PS3.8 state machine as in its table 9-10. Time-outs, by default, in seconds:

{_table(("wait for", "s"), rows)}

TLS by the BCP 195 profile (PS3.15 B.12), TLS 1.2 and 1.3, on a port of its own (by default {own.port or "none"};
registered is 2762); certificates of peers are {own.peers} by default. A device's setting says whether it is called
with TLS. Suites of TLS 1.2: {", ".join(tls.CIPHERS.split(":"))}.
"""


def _character_sets() -> str:
    return f"""
## 8 Character sets

Objects are kept as they came. An answer is in the character set of the request where that can express its text,
otherwise in the device's set, otherwise in ISO_IR 192. Text without a declaration, or with a wrong one, is read by the
device's set. These are read and written:

{", ".join(sorted(CHARACTER_SETS, key=_natural))}
"""


def _natural(term: str) -> tuple[str, int]:
    words, _, number = term.rpartition(" ")
    return (words, int(number)) if number.isdigit() else (term, 0)


def _security() -> str:
    return """
## 9 Security and privacy

Associations are admitted by calling AE title, called AE title and, on the TLS port, certificate. Logs hold UIDs and AE
titles, never names, identifiers of patients or dates. The preamble of files is zero. Files that Filmless writes carry
private information in their file meta information (0002,0100), (0002,0102); data sets carry no private attributes of
Filmless.
"""


def _appendix() -> str:
    classes = [
        (sop_class.name + (" (retired)" if sop_class.retired else ""), uid)
        for uid, sop_class in sopclasses.STORAGE.items()
    ]
    syntaxes = [
        (ts.name + (" (retired)" if ts.retired else ""), uid, _leaves_as(uid))
        for uid, ts in uids.TRANSFER_SYNTAXES.items()
    ]
    return f"""
## Appendix A: Storage SOP classes

{_table(("SOP class", "UID"), classes)}

## Appendix B: Transfer syntaxes of the storage classes

{_table(("transfer syntax", "UID", "leaves as"), syntaxes)}
"""


def _leaves_as(uid: str) -> str:
    others = set(targets(uid)) - {uid}
    if not others:
        return "as stored only"
    return "as stored, uncompressed" + (", lossless syntaxes" if others - set(uids.UNCOMPRESSED) else "")


def main(arguments: Sequence[str]) -> int:
    """Print the statement, or with --write put it where the repository has it."""
    if list(arguments) == ["--write"]:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(statement(), "utf-8")
        print(f"written: {FILE}")
        return 0
    if arguments:
        print("usage: python -m filmless.app.conformance [--write]", file=sys.stderr)
        return 2
    print(statement(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
