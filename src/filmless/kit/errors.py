"""The four families of error (docs/map.md, "Errors"). Rooms raise them; each edge has one table that maps them.

The message is for the person who reads it: plain words, no patient data, what to do next where known.
"""


class FilmlessError(Exception):
    """Base of the four families; never raised itself."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        #: a short stable word for logs, metrics and screens, e.g. "unknown-device"
        self.code = code


class Refused(FilmlessError):
    """The caller's fault: repeating the same call cannot succeed."""


class Conflict(FilmlessError):
    """The call is sound but clashes with what is already there."""


class Unavailable(FilmlessError):
    """Try again later: disk full, database busy, peer down."""


class Defect(FilmlessError):
    """Ours: a promise of this program was broken."""
