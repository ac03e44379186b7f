"""Tells the collector of every entry, in order. The trail itself is the spool: what was not told yet waits there."""

import dataclasses
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text

from filmless.access.audit import chain
from filmless.access.audit.anchors import Anchor
from filmless.access.audit.keys import Keys
from filmless.access.audit.messages import Reporter, message
from filmless.access.audit.model import Record
from filmless.access.audit.search import after
from filmless.access.audit.settings import AuditSettings
from filmless.access.audit.syslog import ANCHOR_ID, MESSAGE_ID, NOTICE, WARNING, Collector, line
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.errors import Unavailable

log = logging.getLogger(__name__)

#: the collector's place in the trail, kept with the readers of the event log
READER = "audit-collector"
_BATCH = 100
_LOCK = 0x46494C42
_BACK_OFF = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Forwarder:
    """Sends what is new, then an anchor from time to time. Of several servers on one database, one at a time sends."""

    def __init__(
        self, engine: Engine, keys: Keys, settings: AuditSettings, reporter: Reporter, *, host: str
    ) -> None:
        """`host`: the name of this machine in the messages."""
        self._engine = engine
        self._keys = keys
        self._settings = settings
        self._reporter = reporter
        self._host = host
        self._collector = Collector(settings)
        self._tries = 0
        self._not_before = 0.0
        self._anchored_at = -settings.anchor_seconds
        self._anchored = 0
        self._before_last: int | None = None

    def run_once(self) -> int:
        """Send the next entries; returns how many. While the collector is down: nothing, until it is time to try."""
        if time.monotonic() < self._not_before:
            return 0
        with self._alone() as alone:
            return self._send_next() if alone else 0

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether no other server on the same PostgreSQL sends at this moment. (SQLite has one server.)"""
        if self._engine.dialect.name != "postgresql":
            yield True
            return
        with self._engine.connect() as connection, connection.begin():
            query = text("SELECT pg_try_advisory_xact_lock(:lock)")
            yield bool(connection.scalar(query, {"lock": _LOCK}))

    def _send_next(self) -> int:
        with reading(self._engine) as connection:
            behind = events.position(connection, READER)
            found = after(connection, behind, _BATCH)
        try:
            if found:
                self._collector.send([self._line(record) for record in found])
            else:
                self._anchor()
        except Unavailable as why:
            self._not_before = time.monotonic() + _BACK_OFF[min(self._tries, len(_BACK_OFF) - 1)]
            if self._tries in (0, len(_BACK_OFF)):
                log.error("%s", why.message)
            self._tries += 1
            if why.code == "audit-collector-broken" and self._before_last is not None:
                # it died with messages unread: those of the last batch may come twice
                self._advance(self._before_last)
            self._before_last = None
            return 0
        if self._tries:
            log.info("the audit collector takes messages again")
        self._tries = 0
        if found:
            self._before_last = behind
            self._advance(found[-1].seq)
        return len(found)

    def _advance(self, seq: int) -> None:
        with writing(self._engine) as connection:
            events.advance(connection, READER, seq)

    def close(self) -> None:
        self._collector.close()

    def _line(self, record: Record) -> bytes:
        priority = NOTICE if record.outcome == "success" else WARNING
        process = record.server.rpartition("/")[2]
        host = record.server.partition("/")[0] or self._host
        return line(priority, record.at, host, process, MESSAGE_ID, self._message(record))

    def _message(self, record: Record) -> bytes:
        try:
            return message(record, self._reporter)
        except (ValueError, TypeError, AttributeError, LookupError):
            # one that somebody has damaged must not hold up all that follow: it is told without its details
            log.error("record %d of the audit trail cannot be told in full", record.seq)
            bare = {"server": record.server, "studies": [str(uid) for uid in record.studies]}
            return message(dataclasses.replace(record, body=bare), self._reporter)

    def _anchor(self) -> None:
        """The chain's end, as the line that HOME/audit/anchors.log has, for `filmless audit verify --anchors`."""
        now = time.monotonic()
        if now - self._anchored_at < self._settings.anchor_seconds:
            return
        with reading(self._engine) as connection:
            end = chain.head(connection)
        self._anchored_at = now
        if end.seq == self._anchored:
            return
        at = clock.now()
        moment = at.isoformat(timespec="microseconds")[:26] + "Z"
        seal = self._keys.current.seal(
            b"anchor", moment.encode(), str(end.seq).encode(), end.mac.encode(), b""
        )
        told = Anchor(moment, end.seq, end.mac, end.key, seal).line.encode()
        self._collector.send([line(NOTICE, at, self._host, "worker", ANCHOR_ID, told)])
        self._anchored = end.seq
