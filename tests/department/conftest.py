"""Fixtures of the department: a database with first words, and a trail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from tests.department import hospital as made
from tests.department.hospital import Hospital
from tests.trails import trail_of

from filmless.db.work import writing


@pytest.fixture
def hospital(engine: Engine) -> Iterator[Hospital]:
    """A hospital on a fresh database."""
    with trail_of(engine) as trail:
        with writing(engine) as connection:
            made.found(connection)
        yield Hospital(trail)
