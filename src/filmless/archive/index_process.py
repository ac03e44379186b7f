"""The index's writer as a process of its own.

In the process that talks to the network, the thread that writes the index would compete with the loop and the file
writers for the interpreter: measured here, a batch that takes 1.5 ms alone took 5 to 10 ms beside them, because every
call into SQLite gives the interpreter away and has to win it back. In a process of its own it runs beside them.

Parent and child speak pickles over the child's standard input and output, one batch at a time:

    -> ("publish", items, wait)          -> "durable" | "undo"   where `wait`: whether all files are on disk
    <- ("done", results) | ("undone",)   with the log records of the child in front: ("log", level, logger, text)
"""

import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine, make_url

from filmless.archive.model import ArchiveSettings
from filmless.archive.publish import Item, NotDurable, Publisher, Result
from filmless.db.engine import open_engine
from filmless.kit.allocator import frugal
from filmless.kit.errors import Unavailable
from filmless.kit.forks import Forked, Parked, name_this

log = logging.getLogger(__name__)

_STARTS = 3
_STOP_SECONDS = 10

_Child = subprocess.Popen[bytes] | Forked


class IndexProcess:
    """Publishes as a Publisher does, in a child process. One thread at a time; started at the first use."""

    def __init__(
        self, engine: Engine, root: Path, settings: ArchiveSettings, parked: Parked | None = None
    ) -> None:
        """`parked`: the first child, made with `park`."""
        self._setup = (engine.url.render_as_string(hide_password=False), root, settings)
        self._parked = parked
        self._child: _Child | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid if self._child is not None else None

    def start(self) -> None:
        """Start the child now, so that the first object need not wait for it."""
        with self._lock:
            self._running()

    def close(self) -> None:
        """End the child; what it was told before is finished."""
        with self._lock:
            child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None and child.stdout is not None
        child.stdin.close()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()

    def publish(self, items: Sequence[Item], before_commit: Callable[[], None] | None = None) -> list[Result]:
        """As Publisher.publish. A child that dies is started again and asked again: what it had committed it knows."""
        with self._lock:
            for attempt in range(_STARTS):
                try:
                    return self._ask(self._running(), items, before_commit)
                except (OSError, EOFError, pickle.UnpicklingError) as broken:
                    log.error("the index process ended (%s), start %d", type(broken).__name__, attempt + 1)
                    self._end()
        error = Unavailable("the index cannot be written; send the object again", code="index-busy")
        # nobody knows what was committed: the files stay for the next start to look at
        return [Result(error=error) for _ in items]

    def _running(self) -> _Child:
        if self._child is None or self._child.poll() is not None:
            parked, self._parked = self._parked, None
            if parked is not None and parked.waits:
                self._child = parked.begin(answers=True)
            else:
                self._child = subprocess.Popen(
                    [sys.executable, "-m", __name__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    start_new_session=True,
                )
            _send(self._child.stdin, self._setup)
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                try:
                    if pipe is not None:
                        pipe.close()
                except OSError:
                    log.debug("a pipe of the ended index process was broken")

    def _ask(
        self,
        child: _Child,
        items: Sequence[Item],
        before_commit: Callable[[], None] | None,
    ) -> list[Result]:
        _send(child.stdin, ("publish", list(items), before_commit is not None))
        if before_commit is not None:
            try:
                before_commit()
            except NotDurable:
                _send(child.stdin, "undo")
                self._answer(child)
                raise
            _send(child.stdin, "durable")
        results: list[Result] = self._answer(child)[1]
        return results

    def _answer(self, child: _Child) -> Any:
        while True:
            message = _receive(child.stdout)
            if message[0] != "log":
                return message
            _, level, name, text = message
            logging.getLogger(name).log(level, "%s", text)


def _send(pipe: IO[bytes] | None, message: Any) -> None:
    assert pipe is not None
    pipe.write(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
    pipe.flush()


def _receive(pipe: IO[bytes] | None) -> Any:
    """The next message. Raises EOFError where the other end has closed; both ends are this program."""
    assert pipe is not None
    return pickle.load(pipe)


class _ToParent(logging.Handler):
    """Log records go where the parent's go."""

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__()
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        _send(self._pipe, ("log", record.levelno, record.name, record.getMessage()))


def main(_arguments: Sequence[str] = ()) -> None:
    """The child: publishes what it is told until its input ends."""
    name_this("filmless-index")
    frugal()
    # told to stop together with the parent: the parent finishes first, and then closes our input
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with suppress(PermissionError):
        # Ctrl-C in a terminal goes to the whole group; where we were started as a program, we have our own already
        os.setsid()
    # nothing else may write into the pipe of answers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = sys.stdin.buffer
    logging.basicConfig(handlers=[_ToParent(answers)], level=logging.INFO)
    url, root, settings = _receive(requests)
    engine = open_engine(make_url(url).render_as_string(hide_password=False), pool_size=2)
    publisher = Publisher(engine, root, settings)

    def durable() -> None:
        if _receive(requests) != "durable":
            raise NotDurable

    try:
        while True:
            _, items, wait = _receive(requests)
            asked = _Once(durable) if wait else None
            try:
                results = publisher.publish(items, asked)
            except NotDurable:
                _send(answers, ("undone",))
            else:
                if asked is not None:
                    # a batch that failed before its commit must not leave the word on the pipe
                    asked.take()
                _send(answers, ("done", results))
    except EOFError:
        publisher.close()
        engine.dispose()


class _Once:
    """Asks once, however often it is called: the parent answers once for a batch."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self._asked = False

    def __call__(self) -> None:
        if not self._asked:
            self._asked = True
            self._ask()

    def take(self) -> None:
        """Take the parent's word from the pipe where nobody has asked for it."""
        try:
            self()
        except NotDurable:
            log.debug("the files of a batch that failed were not durable either")


if __name__ == "__main__":
    main()
