"""The chain: each row is sealed together with the seal of the row before, under a key that the database has not.

A row's mac = HMAC-SHA-256(key, all its other columns, the mac of the row before). The row of audit_head has the number
and mac of the last row under a seal of its own, so that rows missing at the end are noticed too. One writer at a time:
SQLite's writer lock, on PostgreSQL an advisory lock.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, func, insert, select, text, type_coerce, update

from filmless.access.audit.keys import Key, Keys
from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.tables import audit, audit_head, audit_subjects
from filmless.access.model import SYSTEM
from filmless.db.schema import Moment
from filmless.kit import clock
from filmless.kit.errors import Refused

log = logging.getLogger(__name__)

_LOCK = 0x46494C41
#: longest text kept of a query or reason, and of an identifier by which rows are found
_LONGEST = 16 * 1024
_LONGEST_VALUE = 200
_MOMENT = Moment()

#: Study Instance UIDs -> Patient IDs of each that is known: "ID", or "ID^^^ISSUER" where it has an issuer
PatientsOf = Callable[[Connection, Sequence[str]], Mapping[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry with its moment, not yet in the chain."""

    at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain; of an empty one, number 0."""

    seq: int = 0
    mac: str = ""
    key: str = ""
    seal: str = ""

    def sealed_by(self, key: Key) -> bool:
        return self.seal == head_seal(key, self.seq, self.mac)


def head(connection: Connection) -> Head:
    """What the database says is the end of the chain."""
    row = connection.execute(select(audit_head)).first()
    return Head() if row is None else Head(row.seq, row.mac, row.key, row.seal)


def check_key(connection: Connection, keys: Keys) -> None:
    """Raises Refused (code "audit-key") where the chain was sealed with a key that is not here."""
    end = head(connection)
    if not end.seq or keys.find(end.key) is not None:
        return
    # where the last row's key is here, somebody has changed the sealed end: `append` and `verify` say so
    last = connection.scalar(select(audit.c.key).order_by(audit.c.seq.desc()).limit(1))
    if last is None or keys.find(last) is None:
        raise Refused(
            "The audit trail in this database was sealed with another key: bring the file keys/audit.key of the "
            "server that began it, or name it in the setting [audit] key_file. Where it is lost for good, "
            "`filmless audit new-key --after-loss` goes on with another one.",
            code="audit-key",
        )


def head_seal(key: Key, seq: int, mac: str) -> str:
    return key.seal(b"head", str(seq).encode(), mac.encode())


#: the columns that a row's mac covers, in this order; `mac` itself is of the row before
COLUMNS = ("seq", "at", "kind", "outcome", "who_kind", "who", "host", "body", "key")
#: for reading rows as they were sealed: moments as the text that the database has
SEALED = [type_coerce(audit.c[name], String) if name == "at" else audit.c[name] for name in COLUMNS]


def row_mac(key: Key, row: Mapping[str, Any], before: str) -> str:
    """The mac of a row; `before` is that of the row before, "" for the first."""
    return key.seal(
        b"row", *(str(row[name]).encode("utf-8", "surrogatepass") for name in COLUMNS), before.encode()
    )


def append(
    connection: Connection,
    keys: Keys,
    drafts: Sequence[Draft],
    *,
    server: str = "",
    patients_of: PatientsOf | None = None,
    after_loss: bool = False,
) -> Head:
    """Add rows at the end of the chain, in the caller's write transaction; returns the new end.

    Raises Refused (code "audit-key") where the chain was sealed with a key that is not here; `after_loss` goes on
    all the same (the rows before can then no longer be verified).
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if not after_loss:
        check_key(connection, keys)
    last = head(connection)
    newest = connection.scalar(select(func.max(audit.c.seq))) or 0
    sealed_with = keys.find(last.key)
    if newest != last.seq or (last.seq and not (sealed_with and last.sealed_by(sealed_with))):
        drafts = [_alarm(last, newest), *drafts]
    key = keys.current
    known = _patients(connection, drafts, patients_of)
    seq, mac = max(last.seq, newest), last.mac
    rows: list[dict[str, Any]] = []
    subjects: list[dict[str, Any]] = []
    for draft in drafts:
        seq += 1
        entry = draft.entry
        patients = entry.patients or _distinct(one for uid in entry.studies for one in known.get(uid, ()))
        row = {
            "seq": seq,
            "at": _MOMENT.process_bind_param(draft.at, connection.dialect),
            "kind": entry.kind.value,
            "outcome": entry.outcome,
            "who_kind": entry.who.kind,
            "who": _clean(entry.who.name)[:_LONGEST_VALUE],
            "host": _clean(entry.host)[:255],
            "body": _body(entry, patients, server),
            "key": key.id,
        }
        mac = row_mac(key, row, mac)
        rows.append({**row, "at": draft.at, "mac": mac})
        subjects += [
            {"kind": kind, "value": value, "seq": seq} for kind, value in subjects_of(entry.studies, patients)
        ]
    connection.execute(insert(audit), rows)
    if subjects:
        connection.execute(insert(audit_subjects), subjects)
    new = Head(seq, mac, key.id, head_seal(key, seq, mac))
    values = {"seq": new.seq, "mac": new.mac, "key": new.key, "seal": new.seal}
    if connection.execute(update(audit_head).values(values)).rowcount == 0:
        connection.execute(insert(audit_head).values(id=1, **values))
    return new


def subjects_of(studies: Sequence[str], patients: Sequence[str]) -> list[tuple[str, str]]:
    """The (kind, value) by which a row about these is found, each once: patients with and without their issuer."""
    found = [("study", uid) for uid in studies]
    for patient in patients:
        found += [("patient", patient), ("patient", patient.partition("^^^")[0])]
    return list(dict.fromkeys((kind, _clean(value)[:_LONGEST_VALUE]) for kind, value in found if value))


def _patients(
    connection: Connection, drafts: Sequence[Draft], patients_of: PatientsOf | None
) -> Mapping[str, Sequence[str]]:
    if patients_of is None:
        return {}
    wanted = list(
        dict.fromkeys(uid for draft in drafts if not draft.entry.patients for uid in draft.entry.studies)
    )
    return patients_of(connection, wanted) if wanted else {}


def _alarm(last: Head, newest: int) -> Draft:
    """Somebody had their hands in the table. The archive goes on, the trail says so, `verify` says where."""
    log.error("the audit trail was changed from outside: run `filmless audit verify`")
    detail = {"expected": last.seq, "found": newest}
    return Draft(clock.now(), Entry(Kind.ALERT, SYSTEM, "failed", what="audit trail changed", detail=detail))


def _body(entry: Entry, patients: Sequence[str], server: str) -> str:
    """All that has no column, as JSON with sorted keys; empty things are left out."""
    given = {
        "studies": list(entry.studies),
        "patients": list(patients),
        "what": entry.what,
        "query": entry.query[:_LONGEST],
        "detail": dict(entry.detail),
        "reason": entry.reason[:_LONGEST],
        "server": server,
    }
    kept = {name: value for name, value in given.items() if value}
    return _clean(
        json.dumps(
            kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str, skipkeys=True
        )
    )


def _clean(words: str) -> str:
    """Text that both databases take and give back alike: no NUL, no half of a surrogate pair."""
    return words.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _distinct(values: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
