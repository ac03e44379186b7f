"""The trail as the rooms see it: record what happened, from any thread."""

from sqlalchemy import Connection

from filmless.access.audit.model import Entry
from filmless.access.model import Principal


class Trail:
    """One for a process. Entries become durable within about 100 ms, in batches, by a thread of its own."""

    def record(self, entry: Entry) -> None:
        """Keep an entry, soon. From any thread; costs microseconds.

        Raises Unavailable where so many wait already (the database is down) that this one could be lost: then what
        was to be done is not to be done either.
        """
        raise NotImplementedError

    def record_in(self, connection: Connection, entry: Entry) -> None:
        """Keep an entry in the caller's write transaction: with it, or not at all. Best as its last statement."""
        raise NotImplementedError

    def viewed(self, who: Principal, host: str, study_uid: str, what: str) -> None:
        """Somebody saw (part of) a study: one entry per principal, study and `what` in ten minutes."""
        raise NotImplementedError

    def flush(self, seconds: float = 10.0) -> None:
        """Return when all that was recorded before is durable. Raises Unavailable after `seconds`."""
        raise NotImplementedError

    def close(self) -> None:
        """Write what waits, and end."""
        raise NotImplementedError
