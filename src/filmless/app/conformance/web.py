"""DICOMweb: resources, media types, storing, rejecting."""

from filmless.app.conformance.markdown import table
from filmless.archive import dimse
from filmless.archive.model import CAUSES, REJECTION_CODES, ArchiveSettings
from filmless.archive.web import capabilities, qido
from filmless.archive.web.stow import answer
from filmless.dicom import statuses, uids
from filmless.dicom.web import media_types
from filmless.net.http.model import HttpSettings

#: failure reasons that only STOW-RS has, in words; the others are those of C-STORE
_REASONS = {
    answer.OTHER_STUDY: "the object is of another study than that of the address",
    answer.CANNOT_UNDERSTAND: "the part is no DICOM object, or its metadata or bulk data cannot be taken",
    answer.TRANSFER_SYNTAX_NOT_SUPPORTED: "the transfer syntax is none",
    dimse.INDEX_BUSY: "the index does not keep up; the same later is no error",
}
_OF_STORE = (
    dimse.PROCESSING_FAILURE,
    dimse.NOT_AUTHORISED,
    dimse.SOP_CLASS_NOT_SUPPORTED,
    dimse.OUT_OF_RESOURCES,
)
_WARNINGS = {
    answer.ELEMENTS_DISCARDED: "elements of the metadata could not be taken",
    answer.NOT_AS_ITS_CLASS: "values were taken leniently; the object is kept as it came",
}


def dicom_web() -> str:
    """What is served under /dicom-web."""
    http = HttpSettings()
    resources = (
        (
            method,
            path.replace("{path:path}", "..."),
            transaction.name,
            transaction.section if transaction.section != "own" else "an addition",
        )
        for (method, path), transaction in sorted(capabilities.TABLE.items(), key=lambda row: row[0][::-1])
    )
    given = {
        transaction.name: (_listed(transaction.takes), _listed(transaction.gives))
        for transaction in capabilities.TABLE.values()
    }
    syntaxes = (
        (f"`{media_type}`", ", ".join(uids.name_of(uid) for uid in found))
        for media_type, found in media_types.SYNTAXES.items()
    )
    return f"""
## 10 DICOMweb

PS3.18, under `/dicom-web`, for accounts that are signed in or bring an API token. What an account may not see is absent
from every answer, with 404 where it is named. Errors are problem details (RFC 9457). Text is UTF-8. The same list is
told by the server itself as WADL (OPTIONS).

{table(("method", "resource", "transaction", "PS3.18"), resources)}

{table(("transaction", "takes", "gives"), ((name, *both) for name, both in given.items()))}

Compressed frames and their media types, the default transfer syntax first:

{table(("media type", "transfer syntaxes"), syntaxes)}

### 10.1 Storing (STOW-RS)

Objects in any transfer syntax are kept as they came. Metadata with bulk data become objects in Explicit VR Little
Endian, or in the syntax of compressed pixel data that come with them; a BulkDataURI means the part of the same message
that has it as its Content-Location. A body may have {
        http.max_store_bytes >> 30
    } GB; one that does not go on for
{
        http.stall_timeout:g} s is ended. Success is said of an object that is on disk and in the index; the same object
again is success. Objects that are complete are stored also where the rest of a message turns out to be broken.

{
        table(
            ("failure reason", "meaning"),
            ((f"{code:04X}", words) for code, words in _reasons().items()),
        )
    }

{table(("warning reason", "meaning"), ((f"{code:04X}", words) for code, words in _WARNINGS.items()))}

Each item may hold a Failed Attributes Sequence (0074,1048) with Error Comments (0000,0902) for people.

{
        table(
            ("status", "when"),
            (
                (200, "all were stored"),
                (202, "some were stored, or all with warnings"),
                (400, "the message cannot be understood"),
                (409, "none was stored"),
                (413, "the message is too long"),
                (415, "its media type is not taken"),
                (503, "none was stored: the index or the disk does not keep up"),
                (507, "none was stored: the disk is nearly full"),
            ),
        )
    }

### 10.2 Rejecting

Nothing is deleted by request: DELETE rejects (IHE IOCM) under 113001, `reject/CODE^DCM` under a code of
{
        ", ".join(f"{code} ({words})" for code, words in REJECTION_CODES.items())
    }. Each needs a reason: the parameter
`reason`, the header Reason, or a member of a JSON body. A rejection note that is stored rejects like one that comes by
C-STORE, if the account has the right to reject what it names.

### 10.3 Searching (QIDO-RS)

The keys are those of C-FIND (section 4), at every level also those of the levels above and below, by keyword, tag or
dotted path, and what an engineer made searchable besides. Matching is that of C-FIND with relational queries and
combined date-time; `fuzzymatching`, `emptyvaluematching` and `multiplevaluematching` are asked for by their parameters.
UIDs and codes (UI, CS) may be lists, parted by comma or backslash. Dates and times are those of the objects: no time
zone is taken into account. Attributes that are not in the index are ignored and named in a Warning header (299);
parameters that begin with a small letter and are none of a search as well; keywords that do not exist are refused
(400). No match is 200 with an empty list.

An answer has at most {
        ArchiveSettings().search_maximum
    } items (set by `search_maximum`); how many are left is in a Warning header,
counted up to {
        qido.COUNTED
    }. Additions: `orderby` (up to four keywords, downwards after a minus), `count=true` (header
X-Total-Count), and `after`, which comes ready in a Link header with rel="next" and neither repeats nor loses an answer
while objects arrive. Without `orderby` the newest studies come first.
"""


def _listed(found: tuple[str, ...]) -> str:
    return "; ".join(f"`{each}`" for each in found)


def _reasons() -> dict[int, str]:
    """Failure reason -> meaning: those of C-STORE, and those that STOW-RS has besides."""
    found = {code: statuses.words(code).rpartition(" (")[0] for code in _OF_STORE}
    for cause, code in dimse.QUARANTINE_STATUS.items():
        known = found.get(code, "kept in quarantine")
        found[code] = f"{known}{';' if ':' in known else ':'} {CAUSES[cause]}"
    return dict(sorted({**found, **_REASONS}.items()))
