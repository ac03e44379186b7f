"""Changes to accounts and what they may see, by whoever sits at this machine."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from filmless.access.acting import Acting
from filmless.access.model import ENGINEER
from filmless.app.cli.output import who
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.app.trail import open_trail


@contextmanager
def changing(
    settings: Settings, reason: str = "", *, create: bool = False
) -> Iterator[tuple[Engine, Acting]]:
    """The index, and who acts: "engineer/" and the account of the machine, which no account of ours can be named."""
    with (
        open_index(settings, create=create) as engine,
        open_trail(settings, engine, "command") as trail,
    ):
        by = dataclasses.replace(ENGINEER, name=f"{ENGINEER.name}/{who()}"[:80])
        yield engine, Acting(by, trail, reason=reason)
