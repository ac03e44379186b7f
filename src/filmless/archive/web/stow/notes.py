"""Whose rejection notes count: storing a note rejects, so that it needs the right to reject (IHE RAD IOCM).

A device's C-STORE is answered for by the list of devices; an account has rights of its own.
"""

from sqlalchemy import Engine, select

from filmless.access.model import Action, Principal, permit
from filmless.archive import entry
from filmless.archive.query.instances import instances_of
from filmless.archive.tables import instances
from filmless.db.work import reading
from filmless.dicom.header import Header
from filmless.kit.errors import Refused

#: UIDs in one statement
_CHUNK = 500


def check(engine: Engine, principal: Principal, header: Header) -> None:
    """Raises Refused (code "not-permitted") where the scanned key object document rejects what this principal may not.

    Objects that have not arrived yet may be named: what is not there cannot be hidden from anybody.
    """
    note = entry.rejection_note(header)
    if note is None or principal.unlimited:
        return
    principal = permit(principal, Action.REJECT)
    for start in range(0, len(note.sop_instance_uids), _CHUNK):
        part = note.sop_instance_uids[start : start + _CHUNK]
        with reading(engine) as connection:
            there = set(
                connection.scalars(
                    select(instances.c.sop_instance_uid).where(
                        instances.c.sop_instance_uid.in_(part), instances.c.rejected == ""
                    )
                )
            )
            seen = {
                one.sop_instance for one in instances_of(connection, principal, level="IMAGE", sop_uids=part)
            }
        if there - seen:
            raise Refused("You have no right to reject all that this note names.", code="not-permitted")
