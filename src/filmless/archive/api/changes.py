"""What is new, for screens that stay up to date by themselves: the event log, as far as the principal may see it."""

import asyncio
import threading
import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection, func, select
from starlette.responses import Response

from filmless.access.model import Action, Principal
from filmless.archive.api.words import PROBLEMS, Changes, as_json
from filmless.archive.query import listing
from filmless.archive.tables import instances, rejections, series, studies
from filmless.archive.web.asking import permitted
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.searching import Searcher
from filmless.db import events
from filmless.db.events import Event

#: seconds between looks at the log, one for all who wait
_LOOK: Final = 0.5
#: seconds that a request may wait
LONGEST: Final = 25.0
#: events that are read at a time
_EVENTS: Final = 500
#: kind of event -> what the screen is told
_WORDS: Final = {
    "study-created": "created",
    "instances-stored": "images",
    "series-settled": "settled",
}
_CORRECTED: Final = ("corrected", "correction-undone")
_KINDS: Final = (*_WORDS, *_CORRECTED, "instance-replaced", "objects-rejected")


def router(context: ArchiveWeb | None) -> APIRouter:
    """The route. `context` None: only to be described."""
    made = APIRouter(prefix="/studies", tags=["studies"], responses=PROBLEMS)
    watch = _Watch(Searcher(context.engine, threads=2), context.ending) if context is not None else None

    @made.get("/changes", response_model=Changes, summary="What is new")
    async def study_changes(
        request: Request,
        since: Annotated[
            int | None,
            Query(ge=0, le=2**62, description="`seq` of the answer before; without it only `seq`."),
        ] = None,
        wait: Annotated[float, Query(ge=0, le=LONGEST, description="Seconds to wait for something new.")] = 0,
    ) -> Response:
        """Studies in which something happened since, the first first. A study may be told of more than once."""
        assert context is not None and watch is not None
        who = permitted(request, context, Action.SEARCH, "GET /api/studies/changes")
        if since is None:
            return as_json({"seq": await watch.newest(), "changes": []})
        until = time.monotonic() + wait
        while True:
            seq, found = await watch.since(who, since)
            # nobody else's studies: on, from behind them
            since = seq
            over = time.monotonic() >= until or context.ending.is_set()
            if found or over or await request.is_disconnected():
                return as_json({"seq": seq, "changes": found})
            await watch.beyond(seq, until)

    return made


class _Watch:
    """Looks at the log for all who wait; asleep where nobody does."""

    def __init__(self, searcher: Searcher, ending: threading.Event) -> None:
        self._searcher = searcher
        self._ending = ending
        self._seq = 0
        self._waiting = 0
        self._changed: asyncio.Condition = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def newest(self) -> int:
        """The number of the newest event."""
        return await self._searcher.run(_newest)

    async def since(self, who: Principal, seq: int) -> tuple[int, list[dict[str, Any]]]:
        """(number of the last event that was looked at, what `who` may know of those behind `seq`)."""
        return await self._searcher.run(lambda connection: _since(connection, who, seq))

    async def beyond(self, seq: int, until: float) -> None:
        """Return when there is an event behind `seq`, at `until`, or when the process ends."""
        async with self._changed:
            self._waiting += 1
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._look())
            try:
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    await self._changed.wait_for(lambda: self._seq > seq or self._ending.is_set())
            except TimeoutError:
                return
            finally:
                self._waiting -= 1

    async def _look(self) -> None:
        while self._waiting:
            seq = await self.newest()
            if seq > self._seq or self._ending.is_set():
                self._seq = max(seq, self._seq)
                async with self._changed:
                    self._changed.notify_all()
            await asyncio.sleep(_LOOK)


def _newest(connection: Connection) -> int:
    return connection.scalar(select(func.max(events.events.c.seq))) or 0


def _since(connection: Connection, who: Principal, seq: int) -> tuple[int, list[dict[str, Any]]]:
    last = _newest(connection)
    found = events.after(connection, seq, kinds=_KINDS, limit=_EVENTS)
    if len(found) == _EVENTS:
        last = found[-1].seq
    changes: dict[str, dict[str, Any]] = {}
    for event in found:
        for uid, word in _told(connection, event):
            change = changes.pop(uid, {"study_uid": uid, "what": []})
            if word not in change["what"]:
                change["what"].append(word)
            change["at"] = event.at.isoformat()
            changes[uid] = change
    uids = list(changes)
    open_to_who = (
        set().union(*(listing.among(connection, who, uids[at : at + 500]) for at in range(0, len(uids), 500)))
        if uids
        else set()
    )
    return max(last, seq), [change for uid, change in changes.items() if uid in open_to_who]


def _told(connection: Connection, event: Event) -> list[tuple[str, str]]:
    """(Study Instance UID, word) of an event."""
    if "study_uid" in event.body and event.kind in _WORDS:
        return [(str(event.body["study_uid"]), _WORDS[event.kind])]
    if event.kind in _CORRECTED:
        return [(str(uid), "corrected") for uid in event.body.get("study_uids", ())]
    of_instances = (
        select(studies.c.study_uid)
        .distinct()
        .join(series, series.c.study == studies.c.id)
        .join(instances, instances.c.series == series.c.id)
    )
    if event.kind == "instance-replaced":
        statement = of_instances.where(instances.c.sop_instance_uid == str(event.body["sop_instance_uid"]))
    else:
        named = select(rejections.c.sop_instance_uid).where(
            rejections.c.note_uid == str(event.body.get("note", ""))
        )
        statement = of_instances.where(instances.c.sop_instance_uid.in_(named))
    return [(uid, "changed") for uid in connection.scalars(statement)]
