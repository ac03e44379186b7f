"""The processes of `filmless serve` that are forked from it when it is young: the index's writer, the web, the worker.

What two of them need - SQLAlchemy, the tables, the rooms, DBOS - is imported before, and is in memory once. What one
of them alone needs (FastAPI and pydantic: the web) it imports itself, when it begins. One that ends early is started
again as a program of its own (app/supervise.py, archive/index_process.py).
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from filmless.app.settings import Settings
from filmless.archive import index_process
from filmless.kit.forks import Parked, park, possible

#: what web and worker share beside what `filmless serve` needs itself
SHARED = ("filmless.app.worker", "dbos")


@dataclass(frozen=True, slots=True)
class Crew:
    """None where this system cannot fork safely: then each is started as a program."""

    index: Parked | None
    web: Parked | None
    worker: Parked | None

    def close(self) -> None:
        """End those that were never told to begin."""
        for one in (self.index, self.web, self.worker):
            if one is not None:
                one.close()


def fork(settings: Settings) -> Crew:
    """Call it before anything is open and before there is a thread."""
    if possible():
        for name in SHARED:
            import_module(name)
    return Crew(
        index=park("filmless-index", index_process.main),
        web=park("filmless-web", _later("filmless.app.web", settings)),
        worker=park("filmless-worker", _later("filmless.app.worker", settings)),
    )


def _later(module: str, settings: Settings) -> Callable[[list[str]], int]:
    def run(arguments: list[str]) -> int:
        os.environ.update(settings.environment())
        code: int = import_module(module).main(arguments)
        return code

    return run
