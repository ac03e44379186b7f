"""The words of alarms."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Why = Literal[
    "server",
    "disk",
    "database",
    "worker",
    "device",
    "job",
    "certificate",
    "quarantine",
    "emergency",
    "alert",
    "telling",
]
Channel = Literal["mail", "webhook"]
#: those that somebody in charge can say to have seen
SEEABLE: Final = ("job", "alert")
#: those that are told by mail and webhook
TOLD: Final = ("disk", "database", "device", "job", "certificate")


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that needs somebody."""

    why: Why
    #: work stands still, or will soon
    grave: bool = False
    #: which device or file; empty where there is but one
    about: str = ""
    #: how many, or bytes, or days; 0 where that says nothing
    count: int = 0
    #: for the screens of those in charge; not told to others
    reason: str = ""
    #: who has seen it, and that nothing is newer
    seen: "Seen | None" = None


@dataclass(frozen=True, slots=True)
class Seen:
    """That an account has seen an alarm, and when."""

    by: str
    at: datetime
