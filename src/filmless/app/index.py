"""Opens the index that the settings name, at the schema of this program."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from filmless.app.settings import Settings
from filmless.db import migrate
from filmless.db.engine import open_engine
from filmless.kit.errors import Refused


@contextmanager
def open_index(settings: Settings, *, create: bool = False, pool_size: int = 8) -> Iterator[Engine]:
    """The engine, closed at the end. Brings the schema up to date first.

    Without `create` a home in which nothing was ever kept is refused, so that a mistyped --home is noticed
    rather than answered with an empty archive.
    """
    if create:
        make_home(settings)
    elif not settings.database.url and not (settings.home / "index.sqlite").exists():
        raise Refused(
            f"There is no Filmless archive in {settings.home}: give its folder with --home, "
            "or make one with `filmless serve`.",
            code="no-archive",
        )
    engine = open_engine(settings.index_url, pool_size=pool_size)
    try:
        migrate.upgrade(engine)
        yield engine
    finally:
        engine.dispose()


def make_home(settings: Settings) -> None:
    """The folders of a home, readable by their owner only."""
    for folder in (settings.home, settings.store, settings.logs):
        _make(folder)


def _make(folder: Path) -> None:
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True)
    except OSError as why:
        raise Refused(f"The folder {folder} cannot be made: {why.strerror}.", code="no-home") from None
