"""A trail on a fresh database of either kind."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from filmless.access.audit.anchors import Anchors
from filmless.access.audit.keys import Keys
from filmless.access.audit.trail import Trail
from filmless.access.audit.verify import Report, verify


@dataclass
class Kept:
    """A trail with all that belongs to it."""

    engine: Engine
    keys: Keys
    anchors: Anchors
    trail: Trail
    home: Path

    def verify(self) -> Report:
        return verify(self.engine, self.keys, self.anchors)


@pytest.fixture
def kept(engine: Engine, tmp_path: Path) -> Iterator[Kept]:
    home = tmp_path / "home"
    keys = Keys(home / "keys" / "audit.key")
    anchors = Anchors(home / "audit", keys)
    trail = Trail(engine, keys, anchors, server="FILMLESS")
    yield Kept(engine, keys, anchors, trail, home)
    trail.close()
