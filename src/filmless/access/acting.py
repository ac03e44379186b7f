"""Who changes something about accounts, from where and why: kept in the audit trail together with the change."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from filmless.access.audit.model import Entry, Kind, Outcome
from filmless.access.audit.trail import Trail
from filmless.access.model import Principal


@dataclass(frozen=True, slots=True)
class Acting:
    """`host`: address of the client, "" for the machine itself."""

    who: Principal
    trail: Trail
    host: str = ""
    reason: str = ""

    def note(
        self,
        connection: Connection,
        what: str,
        *,
        kind: Kind = Kind.ACCESS,
        outcome: Outcome = "success",
        reason: str = "",
        studies: tuple[str, ...] = (),
        patients: tuple[str, ...] = (),
        **detail: Any,
    ) -> None:
        """Write it into the trail, in the transaction of the change."""
        self.trail.record_in(
            connection,
            Entry(
                kind,
                self.who,
                outcome,
                host=self.host,
                studies=studies,
                patients=patients,
                what=what,
                detail=detail,
                reason=reason or self.reason,
            ),
        )
