"""Whether objects may still leave when their turn comes: a retrieve may take hours, and what is rejected, corrected,
replaced or no longer shown to its requestor meanwhile must not leave as it was at the start.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from itertools import islice

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from filmless.access.model import Principal
from filmless.archive.query import StoredInstance, instances_of
from filmless.db.work import reading

log = logging.getLogger(__name__)

GONE = "it was taken out of use meanwhile"
UNKNOWN = "the index is not available"
CORRECTED = "it was corrected meanwhile: get its study again"

#: objects looked up at once
_CHUNK = 256

#: those that are there for whoever asked, as they are now, by SOP Instance UID
Now = Callable[[Sequence[StoredInstance]], Mapping[str, StoredInstance]]


def as_now(engine: Engine, principal: Principal) -> Now:
    """Asks the index, on behalf of `principal`."""

    def look_up(instances: Sequence[StoredInstance]) -> Mapping[str, StoredInstance]:
        uids = [one.sop_instance for one in instances]
        with reading(engine) as connection:
            found = instances_of(connection, principal, level="IMAGE", sop_uids=uids)
            return {one.sop_instance: one for one in found}

    return look_up


async def current(
    instances: Iterable[StoredInstance], now: Now | None, threads: Executor, believed: float
) -> AsyncIterator[tuple[StoredInstance, str]]:
    """(object as it is now, "" or why it must not leave: GONE, UNKNOWN, CORRECTED) in their order, each as `now` said
    `believed` seconds ago at most. Without `now` all leave as they are.

    CORRECTED where others of its study have left without that correction: the receiver would file one half of the study
    under one patient, the other under another, and be told that all is well.
    """
    if now is None:
        for one in instances:
            yield one, ""
        return
    loop = asyncio.get_running_loop()
    waiting = iter(instances)
    gone_out: set[str] = set()
    while chunk := list(islice(waiting, _CHUNK)):
        known: Mapping[str, StoredInstance] = {}
        why, until = GONE, 0.0
        for number, one in enumerate(chunk):
            if time.monotonic() >= until:
                try:
                    known, why = await loop.run_in_executor(threads, now, chunk[number:]), GONE
                except SQLAlchemyError as error:
                    # nobody can say what may leave: nothing does
                    log.error("the index does not say what may leave: %s", type(error).__name__)
                    known, why = {}, UNKNOWN
                until = time.monotonic() + believed
            fresh = known.get(one.sop_instance)
            if fresh is None:
                yield one, why
            elif fresh.correction != one.correction and one.study_uid in gone_out:
                yield fresh, CORRECTED
            else:
                gone_out.add(one.study_uid)
                yield fresh, ""
