"""A new study belongs to the site and department of the device that is the first to send it.

From the event log, never from ingest: until it is written, within a second or two, the study belongs to nobody, and is
seen by those whose rights are for every site. What a person or a room above has written before stands.
"""

from sqlalchemy import Connection, Engine, func, select

from filmless.access.belonging import first_belonging
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.devices.tables import devices

#: the event reader's name
READER = "assign"
_EVENTS = 500
#: events without anything in them for us that are passed over together
_SKIP = 1000


class Assigner:
    """Run it again and again; each call goes on behind the last, in whatever process that was."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run_once(self) -> int:
        """Assign the studies of the next events; returns how many events there were where there are more, else 0."""
        with reading(self._engine) as connection:
            behind = events.position(connection, READER)
            newest = connection.scalar(select(func.max(events.events.c.seq))) or 0
            if newest == behind:
                return 0
            places = _places(connection)
            found = (
                events.after(connection, behind, kinds=("instances-stored",), limit=_EVENTS) if places else []
            )
        new: dict[str, tuple[str, str, str]] = {}
        for event in found:
            place = places.get(event.body["source"])
            if place is not None:
                new.setdefault(event.body["study_uid"], (*place, event.body["source"]))
        done = found[-1].seq if len(found) == _EVENTS else newest
        if not new and len(found) < _EVENTS and done - behind < _SKIP:
            # nothing to write: the writer is left to ingest
            return 0
        with writing(self._engine) as connection:
            for study_uid, (site, department, source) in new.items():
                first_belonging(connection, study_uid, site=site, department=department, by=source)
            events.advance(connection, READER, done)
        return len(found) if len(found) == _EVENTS else 0


def _places(connection: Connection) -> dict[str, tuple[str, str]]:
    """AE title -> (site, department), of the devices that have either."""
    query = select(devices.c.ae_title, devices.c.site, devices.c.department).where(
        (devices.c.site != "") | (devices.c.department != "")
    )
    return {row.ae_title: (row.site, row.department) for row in connection.execute(query)}
