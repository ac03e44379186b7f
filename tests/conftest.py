"""Fixtures for tests that need a database: each runs on SQLite and on PostgreSQL, with a database of its own."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from filmless.db import migrate
from filmless.db.engine import open_engine
from tests import postgres

BACKENDS = ["sqlite", "postgresql"]
_numbers = itertools.count(1)


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
