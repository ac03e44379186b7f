"""The words of the archive: where an object comes from, what became of it, and the rules that are tables."""

import re
from dataclasses import dataclass
from enum import StrEnum

from filmless.access.model import Principal


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """Settings of [archive]."""

    #: another object under a known SOP Instance UID: "keep-first", "replace" or "quarantine"; a device may differ
    duplicates: str = "quarantine"
    #: a series settles, and others are told, when nothing new has come for so many seconds
    settle_seconds: float = 30.0
    #: what viewers read first of it is prepared when nothing new has come for so many seconds (long series: more)
    prepare_seconds: float = 2.0
    #: below this much free space new objects are refused with A700; service resumes by itself above it
    minimum_free_bytes: int = 1 << 30
    #: files per folder of the store
    folder_files: int = 2000
    #: threads that write and sync files; each object uses one at a time
    writer_threads: int = 16
    #: bytes of one object that may wait in memory for the disk before its sender is made to wait
    object_buffer_bytes: int = 1 << 20
    #: storage SOP classes beyond the standard's that are accepted
    private_storage_classes: tuple[str, ...] = ()
    #: days after a rejection before its objects may be purged
    purge_after_days: int = 30
    #: most answers to one search over the web (QIDO-RS); what is beyond can be asked for page by page
    search_maximum: int = 20_000

    def __post_init__(self) -> None:
        if self.duplicates not in DUPLICATE_POLICIES:
            raise ValueError(f"duplicates must be one of {', '.join(DUPLICATE_POLICIES)}")
        if not 1 <= self.search_maximum <= 1_000_000:
            raise ValueError("search_maximum must be between 1 and 1000000")
        for uid in self.private_storage_classes:
            if not _UID.fullmatch(uid) or len(uid) > 64:
                raise ValueError(f"private_storage_classes: {uid!r} is not a UID")


_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", re.ASCII)
DUPLICATE_POLICIES = ("quarantine", "keep-first", "replace")


@dataclass(frozen=True, slots=True)
class Source:
    """Who brings an object: a device by its AE title, or "import"."""

    name: str
    character_set: str = ""
    default_issuer: str = ""
    #: "" for the archive's own policy
    duplicates: str = ""
    #: a cause for which everything from here goes to quarantine ("" for none)
    quarantine: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of an object before its data set: the C-STORE command and the context, or the file's meta."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source: Source
    #: the study that its sender names besides (the URL of a STOW-RS request); "" where none was. An object of
    #: another study is refused
    study_uid: str = ""


class Kind(StrEnum):
    """What became of an object that arrived."""

    STORED = "stored"
    #: the same elements and pixels were there already: one object, one file
    SAME = "same"
    #: a new version of a known object, by policy
    REPLACED = "replaced"
    #: another object under a known UID where the first is to be kept; durable in quarantine
    KEPT_FIRST = "kept-first"
    QUARANTINED = "quarantined"


class Cause(StrEnum):
    """Why an object is in quarantine. The words for people are in CAUSES."""

    DIFFERENT_OBJECT = "different-object"
    NO_SOP_INSTANCE_UID = "no-sop-instance-uid"
    NO_STUDY_UID = "no-study-uid"
    NO_SERIES_UID = "no-series-uid"
    UID_MISMATCH = "uid-mismatch"
    UNREADABLE = "unreadable"
    UNKNOWN_SENDER = "unknown-sender"


CAUSES: dict[Cause, str] = {
    Cause.DIFFERENT_OBJECT: "another object with this SOP Instance UID is in the archive",
    Cause.NO_SOP_INSTANCE_UID: "the data set has no SOP Class or SOP Instance UID",
    Cause.NO_STUDY_UID: "the data set has no Study Instance UID",
    Cause.NO_SERIES_UID: "the data set has no Series Instance UID",
    Cause.UID_MISMATCH: "the data set's SOP Class or Instance UID is not the one announced",
    Cause.UNREADABLE: "the data set cannot be read in the transfer syntax announced",
    Cause.UNKNOWN_SENDER: "the sending device is not registered",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object; said only when it is on disk and in the index."""

    kind: Kind
    sop_instance_uid: str
    cause: Cause | None = None
    #: (GGGGEEEE, text) per attribute that was taken leniently
    warnings: tuple[tuple[str, str], ...] = ()
    #: a rejection that came before hides the object
    hidden: bool = False


#: Rejection codes (DCM, PS3.16 CID 7011) with the standard's meaning; IHE RAD TF IOCM
REJECTION_CODES: dict[str, str] = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": "Data Retention Policy Expired",
}

#: the one code whose objects stay visible, to quality control only
QUALITY_CODE = "113001"


def sees_rejected(principal: Principal, code: str) -> bool:
    """Whether objects rejected under `code` exist for this principal."""
    return code == "" or (code == QUALITY_CODE and principal.quality_control)
