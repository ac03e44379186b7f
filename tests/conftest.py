"""Where tests keep their files and in which order they run; fixtures for those that need a database: each runs on both,
with a database of its own."""

import itertools
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from filmless.db import migrate
from filmless.db.engine import open_engine
from tests import places, postgres

BACKENDS = ["sqlite", "postgresql"]
#: what takes longest goes first, so that at the end no worker is left alone with it
LONGEST = ("web", "soak", "interop", "app", "exchange", "samples", "dicom", "archive")
_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    # set by whoever wants their files elsewhere
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(places.folder()))


@pytest.fixture(scope="session", autouse=True)
def pynetdicom_waits_rightly() -> None:
    """pynetdicom's reactor may take the answer that `send_c_store` waits for, when it was about to look for messages
    at the moment in which it is told to pause. It looks again here, under a lock.
    """
    from pynetdicom import association

    class Checkpoint(threading.Event):
        def __init__(self, owner: association.Association) -> None:
            super().__init__()
            self._owner = owner
            self._turn = threading.Lock()

        def clear(self) -> None:
            with self._turn:
                super().clear()

        def wait(self, timeout: float | None = None) -> bool:
            while True:
                # whoever is to set it may have gone: a test that fails must not hold up all others
                came = super().wait(10 if timeout is None else timeout)
                with self._turn:
                    if self.is_set() or timeout is not None or not came:
                        self._owner._is_paused = False
                        return self.is_set()

    begin = association.Association.__init__

    def begun(self: association.Association, *args: Any, **more: Any) -> None:
        begin(self, *args, **more)
        self._reactor_checkpoint = Checkpoint(self)
        self._reactor_checkpoint.set()

    association.Association.__init__ = begun


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        room = item.path.relative_to(here).parts[0]
        return LONGEST.index(room) if room in LONGEST else len(LONGEST)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of the maintenance database of one PostgreSQL server, started for the first test that asks."""
    with postgres.server() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "index.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    migrate.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    engine = open_engine(postgres.make_database(postgres_server, "filmless_template"))
    migrate.upgrade(engine)
    engine.dispose()
    return "filmless_template"


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Parametrise a test over both databases."""
    name: str = request.param
    return name


@pytest.fixture
def empty_database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database without tables."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.sqlite"
        return
    server: str = request.getfixturevalue("postgres_server")
    name = f"empty_{next(_numbers)}"
    yield postgres.make_database(server, name)
    postgres.drop_database(server, name)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database with the newest schema."""
    if backend == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_template"), tmp_path / "index.sqlite")
        yield f"sqlite:///{tmp_path}/index.sqlite"
        return
    server: str = request.getfixturevalue("postgres_server")
    name = f"test_{next(_numbers)}"
    yield postgres.make_database(server, name, request.getfixturevalue("postgres_template"))
    postgres.drop_database(server, name)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a fresh database with the newest schema."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()
