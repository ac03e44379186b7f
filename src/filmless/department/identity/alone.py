"""One at a time: the process that decided and the worker both let images follow, and neither does it twice."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filmless.kit.errors import Unavailable

#: seconds between two tries
_STEP = 0.05


@contextmanager
def alone(root: Path, what: str = "identity", *, seconds: float | None = None) -> Iterator[None]:
    """Hold HOME/WHAT.lock; `root` is the store's. "identity" is held for seconds at most, "moves" as long as it takes
    to copy images.

    Waits for who holds it, at most `seconds`: then it raises Unavailable (code "busy").
    """
    with (root.parent / f"{what}.lock").open("a") as file:
        if seconds is None:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            _try(file.fileno(), time.monotonic() + seconds)
        yield


def _try(file: int, until: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise Unavailable("Other images follow just now; these will, too.", code="busy") from None
            time.sleep(_STEP)
        else:
            return
