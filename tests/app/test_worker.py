"""Threads of the worker."""

import os
import threading

import pytest

from filmless.app.worker import _repeatedly


def test_who_may_not_set_priorities_works_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was begun with `nice`, by another account than root: the thread ended before its first work."""

    def refuse(*_: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "setpriority", refuse)
    stop, worked = threading.Event(), threading.Event()

    def once() -> int:
        worked.set()
        return 0

    with _repeatedly("settle", 60, once, stop, nice=10):
        assert worked.wait(10)
