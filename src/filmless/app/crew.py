"""The processes of `filmless serve` that are forked from it when it is young: the index's writer, the web, the worker.

What two of them need - SQLAlchemy, the tables, the rooms, DBOS - is imported before, and is in memory once. What one
of them alone needs (FastAPI and pydantic: the web) it imports itself, when it begins; where there are several web
processes, it is imported before they are forked, after the others. One that ends early is started again as a program of
its own (app/supervise.py, archive/index_process.py).
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
_WEB = "filmless.app.web"


@dataclass(frozen=True, slots=True)
class Crew:
    """None where this system cannot fork safely: then each is started as a program."""

    index: Parked | None
    worker: Parked | None
    #: one for each place on their board
    webs: tuple[Parked | None, ...]

    def close(self) -> None:
        """End those that were never told to begin."""
        for one in (self.index, self.worker, *self.webs):
            if one is not None:
                one.close()


def fork(settings: Settings) -> Crew:
    """Call it before anything is open and before there is a thread."""
    if possible():
        for name in SHARED:
            import_module(name)
    index = park("filmless-index", index_process.main)
    worker = park("filmless-worker", _later("filmless.app.worker", settings))
    if settings.http.processes > 1 and possible():
        import_module(_WEB)
    webs = tuple(
        park("filmless-web", _later(_WEB, settings, str(place))) for place in range(settings.http.processes)
    )
    return Crew(index, worker, webs)


def _later(module: str, settings: Settings, *last: str) -> Callable[[list[str]], int]:
    """`last`: what its arguments end with."""

    def run(arguments: list[str]) -> int:
        os.environ.update(settings.environment())
        code: int = import_module(module).main([*arguments, *last])
        return code

    return run
