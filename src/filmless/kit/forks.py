"""Processes forked from this one while it is young, so that what it has imported is in memory once for all of them.

A fork takes one thread along and leaves the locks of all others as they are: it is safe only while there is one thread,
and no event loop, database or log file is open. So a process that will need others has them made first (`park`). They
wait, as copies of it that have done nothing yet, until it tells them to begin (`begin`), and end where it never does.
What it had open itself, standard streams excepted, is closed in them.

The pages that a process writes to become its own. CPython writes to an object when it is used (its reference count),
and its collector of cyclic garbage to all that it looks at: gc.freeze() takes what was there before the fork out of its
sight.
"""

import atexit
import contextlib
import errno
import gc
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from filmless.kit.errors import Defect

_T = TypeVar("_T")

#: seconds that one may take to end that was never begun: it has nothing to do but to end
_END_SECONDS = 5.0
#: linux/prctl.h
_PR_SET_PDEATHSIG = 1


class File(Protocol):
    """What has a number by which another process may be given it: a socket, a board."""

    def fileno(self) -> int: ...


class Forked:
    """A forked process that runs: what is used here of subprocess.Popen."""

    def __init__(self, pid: int, stdin: IO[bytes] | None, stdout: IO[bytes] | None) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout
        self.returncode: int | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """The exit code, negative for a signal's number, once it has ended."""
        with self._lock:
            if self.returncode is None:
                try:
                    pid, status = os.waitpid(self.pid, os.WNOHANG)
                except ChildProcessError:
                    # somebody else has taken the news of its end
                    pid, status = self.pid, 0
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """As `poll`, when it has ended. Raises subprocess.TimeoutExpired."""
        if (code := self.poll()) is not None:
            return code
        with contextlib.closing(_Ended(self.pid)) as ended:
            if not ended.within(timeout):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        code = self.poll()
        assert code is not None
        return code

    def terminate(self) -> None:
        """SIGTERM, where it still runs."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, where it still runs."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # only we take the news of its end: until we have, its number is nobody else's
        with self._lock:
            if self.returncode is None:
                os.kill(self.pid, number)


class _Ended:
    """A handle that becomes readable when a child has ended."""

    def __init__(self, pid: int) -> None:
        self._handle = os.pidfd_open(pid)

    def within(self, seconds: float | None) -> bool:
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))

    def close(self) -> None:
        os.close(self._handle)


class Parked:
    """A forked process that waits to be told to begin."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self._process = Forked(pid, None, None)
        self._channel: socket.socket | None = channel

    @property
    def waits(self) -> bool:
        """Whether it can still begin."""
        return self._channel is not None and self._process.poll() is None

    def begin(self, *, answers: bool = False, files: Sequence[File] = ()) -> Forked:
        """Let it begin, with a pipe of ours as its standard input, and with one as its standard output if it
        `answers`. `files` become its own too; their numbers are its arguments.

        Raises OSError where it has ended.
        """
        channel, self._channel = self._channel, None
        if channel is None:
            raise BrokenPipeError(errno.EPIPE, "a process begins once")
        theirs, stdin = os.pipe()
        pipes, stdout = [theirs], None
        if answers:
            stdout, written = os.pipe()
            pipes.append(written)
        try:
            handles = [*pipes, *(one.fileno() for one in files)]
            socket.send_fds(channel, [bytes([answers])], handles)
        except OSError:
            for one in (stdin, *([stdout] if stdout is not None else [])):
                os.close(one)
            raise
        finally:
            channel.close()
            for one in pipes:
                os.close(one)
        self._process.stdin = os.fdopen(stdin, "wb")
        self._process.stdout = os.fdopen(stdout, "rb") if stdout is not None else None
        return self._process

    def close(self) -> None:
        """End it, where it was never told to begin."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def possible() -> bool:
    """Whether this process may be forked: it has one thread, and a system that says when a child has ended."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return False
    # those of libraries count too
    return len(list(Path("/proc/self/task").iterdir())) == 1


def park(name: str, run: Callable[[list[str]], int | None]) -> Parked | None:
    """A copy of this process that will call `run` with its arguments, and end with the code that it returns.

    `name` is what the system's tools call it (15 characters). None where forking is not possible: then the process has
    to be started as a program of its own.
    """
    if not possible():
        return None
    # what waits in their buffers would be written twice
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return Parked(pid, ours)
    code = 1
    try:
        code = _live(name, theirs.detach(), run)
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    except KeyboardInterrupt:
        # a person's, while it still imports: it has no handler yet, and nothing to say
        code = 128 + signal.SIGINT
    except BaseException:  # noqa: BLE001  nothing of the parent's, whose stack this is, may go on here
        traceback.print_exc()
    finally:
        _end(code)
    raise AssertionError  # not reached


def aside(run: Callable[[], _T]) -> _T:
    """What `run` returns or raises, worked out in a forked process: the memory that it takes goes with it.

    Where forking is not possible, it is worked out here. The result goes through pickle. Raises Defect where the other
    process ended without one.
    """
    if not possible():
        return run()
    sys.stdout.flush()
    sys.stderr.flush()
    reads, writes = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        try:
            _end_with(parent)
            os.close(reads)
            with os.fdopen(writes, "wb") as out:
                out.write(_said(run))
        finally:
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    if not said:
        raise Defect("a part of the program ended without a word", code="died")
    # from a copy of ourselves
    good, result = pickle.loads(said)
    if not good:
        raise result
    return result  # type: ignore[no-any-return]


def _end_with(parent: int) -> None:
    """End when `parent` does, however it ends: nobody would take the result (prctl(2), PR_SET_PDEATHSIG)."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # it was faster
        os._exit(1)


def _said(run: Callable[[], Any]) -> bytes:
    try:
        return pickle.dumps((True, run()))
    except Exception as why:  # noqa: BLE001  it is raised on the other side
        try:
            pickle.loads(made := pickle.dumps((False, why)))
            return made
        except Exception:  # noqa: BLE001  some exceptions cannot travel
            return pickle.dumps((False, Defect(f"{type(why).__name__}: {why}")))


def name_this(name: str) -> None:
    """What the system's tools call this process, at most 15 characters (proc(5), comm)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name[:15], "ascii")


def _live(name: str, channel: int, run: Callable[[list[str]], int | None]) -> int:
    # Ctrl-C goes to all processes of a terminal: here it means something only later
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    name_this(name)
    for handle in [int(one.name) for one in Path("/proc/self/fd").iterdir()]:
        if handle > 2 and handle != channel:
            with contextlib.suppress(OSError):
                # the one by which they were listed is closed already
                os.close(handle)
    with socket.socket(fileno=channel) as waiting:
        told, handles, _, _ = socket.recv_fds(waiting, 1, 16, socket.MSG_CMSG_CLOEXEC)
    if not told:
        return 0
    answers = bool(told[0])
    for number, handle in enumerate(handles[: 1 + answers]):
        os.dup2(handle, number)
        os.close(handle)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments = [str(one) for one in handles[1 + answers :]]
    return run(arguments) or 0


def _end(code: int) -> None:
    """End as the interpreter does, but for taking the modules apart, which would write to every shared page."""
    try:
        # waits for threads that are no daemons
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
