"""Background work of storage commitment: results that could not go out on the association of their request."""

from collections.abc import Mapping, Sequence
from typing import Any

from filmless.archive.commitment.provider import Reporter
from filmless.db import durable
from filmless.db.durable import BACK_OFF, Attempt

COMMIT = "commit"


def register(reporter: Reporter, *, back_off: Sequence[float] = BACK_OFF) -> None:
    """Define the kind of job, inside `durable.running`. Its task: {"id": id of the commitment}."""

    async def attempt(job_id: str, task: Mapping[str, Any], number: int) -> Attempt:
        await reporter.report(int(task["id"]))
        return Attempt("done")

    durable.kind(COMMIT, attempt, back_off=back_off)
