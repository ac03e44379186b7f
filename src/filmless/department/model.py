"""Settings of the department."""

from dataclasses import dataclass
from typing import Literal

#: what an order can be asked to say
ORDER_FIELDS = ("requester", "department", "diagnosis", "history", "purpose")


@dataclass(frozen=True, slots=True)
class DepartmentSettings:
    """[department]: whether Filmless runs the department's day, beside keeping its images."""

    #: false: a plain PACS, without worklist, exams and reports; images need no exam
    enabled: bool = True
    #: code of the site to which what is registered here belongs; empty where there is one
    site: str = ""
    #: code of the imaging department whose exams are registered here
    code: str = ""
    #: issuer (0010,0021) of the patient IDs that are made here
    issuer: str = ""
    #: what an order has to say, except in an emergency: of "requester", "department", "diagnosis", "history", "purpose"
    order_needs: tuple[str, ...] = ()
    #: days within which another exam of the same modality and part of the body is shown before it is ordered again
    repeat_days: int = 7
    #: when an exam gets its number: "booking" puts booked exams on the worklist before anybody has come
    number_at: Literal["registration", "booking"] = "registration"
    #: hours for which an exam that was begun stays on the worklist, so that more images can be added
    worklist_begun_hours: float = 4.0
    #: days after which an exam that never began leaves the answers to devices that ask without a date
    worklist_days: int = 7
    #: seconds without a new image after which the images of a device that tells of no end are taken for all
    quiet_seconds: float = 120.0
    #: whoever makes images looks at them before they are ready to be read, and says how good they are
    self_check: bool = False
    #: hours after its booked time after which somebody has not come for an exam; 0: only a person says so
    no_show_hours: float = 24.0
    #: seconds after the end of an exam in which its images have to come before somebody is told
    transfer_seconds: float = 300.0

    def __post_init__(self) -> None:
        if strange := set(self.order_needs) - set(ORDER_FIELDS):
            raise ValueError(f"order_needs: unknown {', '.join(sorted(strange))}")


@dataclass(frozen=True, slots=True)
class Desk:
    """What registering takes besides a database. `document_key`: of the hashes of documents' numbers."""

    settings: DepartmentSettings
    document_key: bytes
