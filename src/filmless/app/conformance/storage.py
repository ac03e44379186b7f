"""The storage service, its statuses, and the encodings that objects come and leave in."""

from filmless.app.conformance.markdown import table
from filmless.archive import dimse
from filmless.archive.model import CAUSES, ArchiveSettings
from filmless.archive.retrieve.planning import LOSSLESS_TARGETS, targets
from filmless.dicom import sopclasses, statuses, uids


def storage() -> str:
    """C-STORE as provider and user."""
    archive = ArchiveSettings()
    rows = [
        (f"{status:04X}", "failure", CAUSES[cause])
        for cause, status in sorted(dimse.QUARANTINE_STATUS.items(), key=lambda pair: (pair[1], pair[0]))
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
        table(
            ("status", "", "meaning"),
            (
                ("0000", "success", "durable in the archive"),
                *rows,
                (
                    f"{dimse.OUT_OF_RESOURCES:04X}",
                    "failure",
                    "the archive's disk is nearly full; try again later",
                ),
                (f"{dimse.INDEX_BUSY:04X}", "failure", "the archive is busy; try again later"),
                (
                    f"{dimse.PROCESSING_FAILURE:04X}",
                    "failure",
                    statuses.STATUSES[dimse.PROCESSING_FAILURE][1],
                ),
                (f"{dimse.NOT_AUTHORISED:04X}", "failure", "the device may not store"),
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


def appendix() -> str:
    """SOP classes and transfer syntaxes."""
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

{table(("SOP class", "UID"), classes)}

## Appendix B: Transfer syntaxes of the storage classes

{table(("transfer syntax", "UID", "leaves as"), syntaxes)}
"""


def _leaves_as(uid: str) -> str:
    others = set(targets(uid)) - {uid}
    if not others:
        return "as stored only"
    return "as stored, uncompressed" + (", lossless syntaxes" if others - set(uids.UNCOMPRESSED) else "")
