"""Progress bars: on a terminal only, on standard error, so that what a command prints stays clean."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def byte_progress(words: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar for bytes: call what is given with (done, all). None where nobody watches."""
    yield from _bar(words, in_bytes=True)


@contextmanager
def count_progress(words: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar for things that are counted: call what is given with (done, all; 0 while unknown)."""
    yield from _bar(words, in_bytes=False)


def _bar(words: str, *, in_bytes: bool) -> Iterator[Callable[[int, int], None] | None]:
    if not sys.stderr.isatty():
        yield None
        return
    # imported here: commands that print no bar start faster
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        if in_bytes
        else (MofNCompleteColumn(), TimeRemainingColumn())
    )
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), *columns, console=console, transient=True
    ) as bar:
        task = bar.add_task(words, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
