import itertools
import shutil
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from tests import postgres
from tests.archive.query import objects

from filmless.db.engine import open_engine
from filmless.db.work import writing

_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An index with the whole of `objects.hospital()`, for reading only."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("filled") / "index.sqlite"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        engine = open_engine(f"sqlite:///{path}")
    else:
        template = request.getfixturevalue("postgres_template")
        server = request.getfixturevalue("postgres_server")
        engine = open_engine(postgres.make_database(server, f"filled_{next(_numbers)}", template))
    with writing(engine) as connection:
        objects.write(connection, objects.hospital())
    yield engine
    engine.dispose()
