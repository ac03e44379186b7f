"""Time. All times inside Filmless are aware datetimes in UTC; local time exists on screens and in DICOM only."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_ahead: timedelta | None = None


def now() -> datetime:
    """The present moment, aware, in UTC."""
    present = datetime.now(UTC)
    return present if _ahead is None else present + _ahead


@contextmanager
def pretending(moment: datetime) -> Iterator[None]:
    """Let time go on from `moment` in this process: for the making of a past, as of a demonstration."""
    global _ahead
    before, _ahead = _ahead, moment - datetime.now(UTC)
    try:
        yield
    finally:
        _ahead = before
