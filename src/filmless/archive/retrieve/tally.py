"""The account of a retrieve's C-STORE sub-operations, made from their real results (PS3.4 C.4.2.1.6 to C.4.2.3)."""

import struct
from dataclasses import dataclass, field
from enum import StrEnum

from filmless.dicom.statuses import CANCELLED, SUCCESS, category

#: statuses of C-MOVE and C-GET responses beyond the general ones, PS3.4 tables C.4-2 and C.4-3
COMPLETE_WITH_FAILURES = 0xB000
UNABLE_TO_CALCULATE = 0xA701
UNABLE_TO_PERFORM = 0xA702
DESTINATION_UNKNOWN = 0xA801
IDENTIFIER_DOES_NOT_MATCH = 0xA900

#: (0008,0058) Failed SOP Instance UID List
_FAILED_LIST = (0x0008, 0x0058)


class Result(StrEnum):
    """What became of one sub-operation."""

    COMPLETED = "completed"
    WARNING = "warning"
    FAILED = "failed"


def result_of(status: int) -> Result:
    """The result that a C-STORE response's status stands for (PS3.7 C, PS3.4 table B.2-1)."""
    return _RESULTS.get(category(status), Result.FAILED)


_RESULTS = {"success": Result.COMPLETED, "warning": Result.WARNING}


@dataclass(slots=True)
class Tally:
    """How many sub-operations remain and what became of the others. Each is counted exactly once."""

    remaining: int
    completed: int = 0
    warning: int = 0
    failed_uids: list[str] = field(default_factory=list)
    #: why sub-operations failed -> how many: for the response's comment and the log
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        return len(self.failed_uids)

    def count(self, result: Result, sop_instance_uid: str, reason: str = "") -> None:
        """One sub-operation ended. `reason`: few, general words where it failed."""
        self.remaining -= 1
        if result is Result.COMPLETED:
            self.completed += 1
        elif result is Result.WARNING:
            self.warning += 1
        else:
            self.failed_uids.append(sop_instance_uid)
            self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def final_status(self, *, cancelled: bool) -> int:
        """The final response's status: Success where all went well, Failure where nothing did, else Warning."""
        if cancelled:
            return CANCELLED
        if self.remaining:
            raise ValueError("a retrieve ends when no sub-operation remains")
        if self.failed and not self.completed and not self.warning:
            return UNABLE_TO_PERFORM
        return COMPLETE_WITH_FAILURES if self.failed or self.warning else SUCCESS

    @property
    def comment(self) -> str:
        """The most frequent reason of failure, at most 64 characters (LO), "" where nothing failed."""
        if not self.reasons:
            return ""
        reason, count = max(self.reasons.items(), key=lambda item: item[1])
        return (f"{count} failed: {reason}" if reason else f"{count} failed")[:64]

    def fields(self, *, with_remaining: bool) -> dict[str, int]:
        """The four counters. Remaining belongs in Pending and Cancel responses only (PS3.4 C.4.2.1.6)."""
        counters = {
            "NumberOfCompletedSuboperations": min(self.completed, 0xFFFF),
            "NumberOfFailedSuboperations": min(self.failed, 0xFFFF),
            "NumberOfWarningSuboperations": min(self.warning, 0xFFFF),
        }
        if with_remaining:
            counters["NumberOfRemainingSuboperations"] = min(self.remaining, 0xFFFF)
        return counters

    def failed_list(self, *, explicit: bool, little: bool = True) -> bytes | None:
        """A data set with the Failed SOP Instance UID List, encoded for the context; None where nothing failed.

        A list longer than the 65,534 bytes that VR UI holds in explicit VR goes as UN (PS3.5 6.2.2 note 2).
        """
        if not self.failed_uids:
            return None
        value = "\\".join(self.failed_uids).encode("ascii", "replace")
        value += b"\0" * (len(value) % 2)
        order = "<" if little else ">"
        tag = struct.pack(order + "HH", *_FAILED_LIST)
        if not explicit:
            return tag + struct.pack(order + "I", len(value)) + value
        if len(value) > 0xFFFE:
            return tag + b"UN\0\0" + struct.pack(order + "I", len(value)) + value
        return tag + b"UI" + struct.pack(order + "H", len(value)) + value
