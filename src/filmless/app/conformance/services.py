"""Which services there are, and the associations that they are offered on."""

from filmless.app.conformance.markdown import table
from filmless.app.services import ASYNC_OPERATIONS
from filmless.app.services import table as provided_services
from filmless.archive.model import ArchiveSettings
from filmless.devices.model import QUIRKS, REFUSALS, DeviceSettings
from filmless.dicom import sopclasses, uids
from filmless.dicom.ul.negotiation import ANY
from filmless.net.model import NetSettings

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


def introduction() -> str:
    """Who implements."""
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


def overview() -> str:
    """The SOP classes and our roles."""
    rows = [
        (
            f"Storage: {len(sopclasses.STORAGE)} SOP classes (appendix A), private ones by a setting",
            "",
            "yes",
            "yes",
        )
    ]
    provided = [uid for service in provided_services(ArchiveSettings()) for uid in service.sop_classes]
    for uid in (*provided, *sorted(_AS_USER - set(provided))):
        if uid in sopclasses.SERVICES:
            sop_class = sopclasses.SERVICES[uid]
            name = sop_class.name + (" (retired)" if sop_class.retired else "")
            rows.append((name, uid, _yes(uid in _AS_USER), _yes(uid in provided)))
    return f"""
## 1 Services

{table(("SOP class", "UID", "user (SCU)", "provider (SCP)"), rows)}
"""


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def associations() -> str:
    """Whom we talk to, and what is negotiated."""
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
        for service in provided_services(ArchiveSettings())
    ]
    return f"""
## 2 Associations

Filmless is one application entity ({net.ae_title} by default) in both roles.

{
        table(
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
                    f"where proposed, up to {ASYNC_OPERATIONS} operations invoked by the requestor",
                ),
                ("SCP/SCU role selection", "for the storage classes, so that C-GET can return objects"),
                (
                    "user identity",
                    "username with passcode: checked, wrong ones refused, right ones answered; "
                    "username alone, Kerberos, SAML, JWT: neither checked nor answered",
                ),
                ("longest identifier", f"{net.max_identifier} bytes"),
            ),
        )
    }

Callers are admitted by AE title, at each association. Callers that are not in the list of devices are treated by
the policy `unknown_callers` ({
        devices.unknown_callers
    } by default: refuse, quarantine or accept); callers on the
same machine are admitted unless a setting ends that. A refused association is answered so:

{table(("reason", "result", "source", "reason code"), refusals)}

Each device is allowed some of these services, and what belongs to the others is not accepted:

{table(("service", "setting", "requests", "transfer syntaxes"), provided)}

Departures from the standard that can be set for a device:

{table(("quirk", "the device ..."), QUIRKS.items())}

As requestor Filmless proposes one presentation context for each SOP class and stored transfer syntax of what it is
to send, more associations where that is more than 128 contexts, and an asynchronous operations window of 8.
"""


def other_services() -> str:
    """Verification, commitment, notification, rejection notes."""
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
