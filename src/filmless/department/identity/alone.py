"""One at a time: the process that decided and the worker both let images follow, and neither does it twice."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Hold HOME/identity.lock; `root` is the store's. Waits for who holds it, who is done within seconds."""
    with (root.parent / "identity.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
