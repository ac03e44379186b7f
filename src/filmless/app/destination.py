"""The folder of a backup: what it may be, and who is at work in it."""

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filmless.app.settings import Settings
from filmless.kit.errors import Conflict, Refused

MANIFEST = "manifest.json"
INDEX = "index.sqlite"
STORE = "store"
#: held by who writes the folder, and by those who restore from it; it marks the folder as one of ours from the start
LOCK = "lock"


def check(settings: Settings, destination: Path) -> None:
    """Raises Refused or Conflict where a backup of this home would do harm, or cannot be."""
    inside = destination.resolve()
    if inside == settings.home.resolve() or settings.home.resolve() in inside.parents:
        raise Refused("A backup belongs outside the server's home, best on another disk.", code="inside-home")
    if not settings.database.url and not (settings.home / INDEX).exists():
        raise Refused(f"There is no Filmless archive in {settings.home} to back up.", code="no-archive")
    if destination.is_dir():
        names = {item.name for item in destination.iterdir()}
        if INDEX in names:
            raise Conflict(f"{destination} is a server's home: give a folder for backups.", code="not-empty")
        if names and not names & {MANIFEST, STORE, LOCK}:
            raise Conflict(f"{destination} holds other files: give an empty folder.", code="not-empty")
    elif destination.exists():
        raise Conflict(f"{destination} is not a folder.", code="not-empty")


@contextmanager
def alone(destination: Path) -> Iterator[None]:
    """For who writes. Two backups at a time would each remove the other's index as that of an earlier one.

    Raises Conflict. The kernel gives the lock back, however the process ends.
    """
    with (destination / LOCK).open("a") as file:
        _lock(
            file,
            fcntl.LOCK_EX,
            f"Another backup into {destination}, or a restore from it, is under way: wait for its end, or give "
            "another folder.",
        )
        yield


@contextmanager
def read(source: Path) -> Iterator[None]:
    """For who restores: no backup is made in the folder meanwhile. Raises Conflict where one is under way."""
    if not (source / LOCK).exists():
        yield
        return
    with (source / LOCK).open() as file:
        _lock(file, fcntl.LOCK_SH, f"A backup into {source} is under way: wait for its end.")
        yield


def _lock(file: IO[str], how: int, words: str) -> None:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(words, code="backup-under-way") from None
    except OSError as why:
        # a file system that knows no locks
        if why.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
