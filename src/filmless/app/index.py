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
def open_index(
    settings: Settings, *, create: bool = False, rebuilding: bool = False, pool_size: int = 8
) -> Iterator[Engine]:
    """The engine, closed at the end. Brings the schema up to date first.

    Without `create` a home in which nothing was ever kept is refused, so that a mistyped --home is noticed
    rather than answered with an empty archive. `rebuilding`: the store has objects, though there may be no index;
    one without any (a mistyped --home, a disk that is not mounted) would empty the index for nothing.
    """
    if rebuilding and not _has_objects(settings):
        raise Refused(
            f"There are no objects in {settings.store} of which an index could be made: is --home right, and is "
            "the disk there?",
            code="no-archive",
        )
    if create or rebuilding:
        make_home(settings, rebuilding=rebuilding)
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


def make_home(settings: Settings, *, rebuilding: bool = False) -> None:
    """The folders of a home, readable by their owner only.

    Raises Refused (code "no-index") where the store has objects but the index is gone: a new, empty one would
    look like an archive that has lost everything.
    """
    for folder in (settings.home, settings.store, settings.logs):
        _make(folder)
    if rebuilding or settings.database.url or (settings.home / "index.sqlite").exists():
        return
    if _has_objects(settings):
        raise Refused(
            f"{settings.store} has objects, but their index {settings.home / 'index.sqlite'} is missing. "
            "Where a restore was cut off, empty the folder and restore again; "
            "else `filmless rebuild` makes the index again from the files.",
            code="no-index",
        )


def _has_objects(settings: Settings) -> bool:
    return any(settings.store.glob("[0-9][0-9][0-9][0-9]"))


def _make(folder: Path) -> None:
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True)
    except OSError as why:
        raise Refused(f"The folder {folder} cannot be made: {why.strerror}.", code="no-home") from None
