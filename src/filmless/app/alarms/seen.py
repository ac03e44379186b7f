"""That somebody in charge has seen an alarm: kept with who and when, until something newer happens."""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.access.tables import alarms_seen as table
from filmless.app.alarms.model import Seen
from filmless.kit import clock


def mark(connection: Connection, why: str, about: str, acting: Acting) -> None:
    """`acting` has seen it now. Whoever says it again later has seen what came between as well."""
    connection.execute(delete(table).where(table.c.why == why, table.c.about == about))
    connection.execute(
        insert(table).values(why=why, about=about, seen_at=clock.now(), seen_by=acting.who.name[:80])
    )
    acting.note(connection, "alarm seen", kind=Kind.CONFIG, why=why, about=about)


def of(connection: Connection, why: str) -> Mapping[str, Seen]:
    """What an alarm is about -> who saw it."""
    rows = connection.execute(select(table).where(table.c.why == why))
    return {row.about: Seen(row.seen_by, row.seen_at) for row in rows}
