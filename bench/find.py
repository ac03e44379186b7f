"""C-FIND on an association that stays open: from the request to the final response.

The client is a bare socket (tests/raw.py), because a toolkit's own waiting would be part of the figure.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.raw import IMPLICIT, STUDY_ROOT_FIND, RawAssociation, element

QUERY_RETRIEVE_LEVEL = 0x00080052
STUDY_DATE = 0x00080020
PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020


@dataclass(frozen=True)
class Timing:
    """Milliseconds; `matches` is the mean number of answers of a query."""

    median: float
    p95: float
    matches: float


def identifier(**keys: str) -> bytes:
    """A study-level identifier that wants what a worklist of studies shows."""
    values = {
        0x00080005: "ISO_IR 192",
        STUDY_DATE: keys.get("date", ""),
        0x00080030: "",
        0x00080050: "",
        QUERY_RETRIEVE_LEVEL: "STUDY",
        0x00080061: "",
        0x00081030: "",
        PATIENT_NAME: keys.get("name", ""),
        PATIENT_ID: keys.get("patient", ""),
        0x0020000D: "",
        0x00200010: "",
        0x00201208: "",
    }
    return b"".join(element(tag, value) for tag, value in sorted(values.items()))


def open_association(port: int) -> RawAssociation:
    return RawAssociation(port, [(STUDY_ROOT_FIND, [IMPLICIT])], calling="BENCH", seconds=120)


def ask(association: RawAssociation, data: bytes) -> tuple[float, int]:
    """One query: milliseconds to the final response, and the number of matches. Not Success raises."""
    began = time.perf_counter()
    *answers, final = association.find(data)
    took = (time.perf_counter() - began) * 1000
    if final.status != 0:
        raise AssertionError(f"C-FIND ended with status {final.status:04X}")
    return took, len(answers)


def measure(port: int, key: Callable[[int], bytes], times: int, *, at_least: int = 1) -> Timing:
    """`times` queries after two warm ones; `at_least` matches are demanded of each, or it proves nothing."""
    with open_association(port) as association:
        for turn in range(2):
            ask(association, key(turn))
        taken, matches = [], []
        for turn in range(times):
            took, found = ask(association, key(turn + 2))
            if found < at_least:
                raise AssertionError(f"query {turn} found {found}, expected at least {at_least}")
            taken.append(took)
            matches.append(found)
        association.release()
    taken.sort()
    return Timing(
        statistics.median(taken),
        taken[min(len(taken) - 1, round(0.95 * (len(taken) - 1)))],
        statistics.fmean(matches),
    )
