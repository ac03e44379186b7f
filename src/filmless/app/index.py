"""Opens the index that the settings name, at the schema of this program."""

import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from filmless.app.settings import Settings
from filmless.archive import store_id
from filmless.archive.blobs import any_file
from filmless.db import migrate
from filmless.db.engine import open_engine
from filmless.kit.errors import Refused


@contextmanager
def open_index(
    settings: Settings,
    *,
    create: bool = False,
    rebuilding: bool = False,
    replace: bool = False,
    pool_size: int = 8,
) -> Iterator[Engine]:
    """The engine, closed at the end. Brings the schema up to date first, and makes sure that the store is its own.

    Without `create` a home in which nothing was ever kept is refused, so that a mistyped --home is noticed
    rather than answered with an empty archive. `rebuilding`: the store has objects, though there may be no index;
    one without any (a mistyped --home, a disk that is not mounted) would empty the index for nothing. `replace`: it
    may be the index of another store.
    """
    refuse_stranger(settings)
    if rebuilding:
        if not _may_have_index(settings) and not any_file(settings.store):
            raise store_id.nothing_there(settings.store)
    elif create:
        make_home(settings)
    elif not _may_have_index(settings):
        raise Refused(
            f"There is no Filmless archive in {settings.home}: give its folder with --home, "
            "or make one with `filmless serve`.",
            code="no-archive",
        )
    engine = open_engine(settings.index_url, pool_size=pool_size)
    try:
        migrate.upgrade(engine)
        if rebuilding:
            store_id.may_rebuild(engine, settings.store, replace=replace)
            make_home(settings, rebuilding=True)
        else:
            store_id.bind(engine, settings.store, new=create)
        yield engine
    finally:
        engine.dispose()


def _may_have_index(settings: Settings) -> bool:
    """Whether there is an index, or a database in which there may be one."""
    return bool(settings.database.url) or (settings.home / "index.sqlite").exists()


def make_home(settings: Settings, *, rebuilding: bool = False) -> None:
    """The folders of a home, readable by their owner only.

    Raises Refused (code "no-index") where the store has objects but the index is gone: a new, empty one would
    look like an archive that has lost everything.
    """
    for folder in (settings.home, settings.store, settings.logs):
        _make(folder)
    if rebuilding or _may_have_index(settings):
        return
    if any_file(settings.store):
        raise Refused(
            f"{settings.store} has objects, but their index {settings.home / 'index.sqlite'} is missing. "
            "Where a restore was cut off, empty the folder and restore again; "
            "else `filmless rebuild` makes the index again from the files.",
            code="no-index",
        )


def refuse_stranger(settings: Settings) -> None:
    """Raises Refused where this home is another account's: root would leave files in it that its server cannot write.

    Who may write without being the owner, such as a member of its group, is let through.
    """
    for path in (settings.home / "index.sqlite", settings.store):
        try:
            owner = path.stat().st_uid
        except (FileNotFoundError, NotADirectoryError):
            continue
        if owner != os.geteuid() and not _may_write_as(owner, path):
            try:
                name = pwd.getpwuid(owner).pw_name
            except KeyError:
                name = f"#{owner}"
            raise Refused(
                f"{settings.home} belongs to the account {name}: run this as that one, with `runuser -u {name} --` "
                f"or `sudo -u {name}` before it (the command /usr/local/bin/filmless does so by itself).",
                code="no-home",
            )
        return


def _may_write_as(owner: int, path: Path) -> bool:
    """Whether what this process makes can be written by the account that owns `path`, or may write there itself."""
    if os.geteuid() != 0:
        return os.access(path, os.W_OK)
    # a root that storage on the network takes for the owner
    folder = path if path.is_dir() else path.parent
    try:
        with tempfile.TemporaryFile(dir=folder) as made:
            return os.fstat(made.fileno()).st_uid == owner
    except OSError:
        return False


def _make(folder: Path) -> None:
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True)
    except OSError as why:
        raise Refused(f"The folder {folder} cannot be made: {why.strerror}.", code="no-home") from None
