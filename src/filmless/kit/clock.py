"""Time. All times inside Filmless are aware datetimes in UTC; local time exists on screens and in DICOM only."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)
