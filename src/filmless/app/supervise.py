"""What keeps a server whole: one server per home, processes that are started again, words to systemd."""

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from filmless.app.settings import Settings
from filmless.kit.errors import Conflict, Refused
from filmless.kit.forks import File, Forked, Parked

log = logging.getLogger(__name__)

#: seconds before a process is started again: doubled at each early death
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 60.0
#: one that lived so long was sound: the next start does not wait
_SOUND_SECONDS = 60.0


class HomeLock:
    """The one server of a home. The kernel gives the lock back when the process ends, however it ends."""

    def __init__(self, home: Path) -> None:
        self._path = home / "lock"
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Raises Conflict, with the other's process id, where a server runs on this home."""
        try:
            file = self._path.open("a+")
        except OSError as why:
            raise Refused(f"{self._path} cannot be written: {why.strerror}.", code="no-home") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            other = file.read().strip()
            file.close()
            raise Conflict(
                f"Another Filmless server{f' (process {other})' if other else ''} runs on {self._path.parent}. "
                "Stop that one first, or give this one a home of its own with --home.",
                code="already-running",
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file

    def give_back(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class Child:
    """A process of ours beside the server, started again with back-off whenever it ends."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        command: Sequence[str] = (),
        files: Sequence[File] = (),
        parked: Parked | None = None,
        *,
        arguments: Sequence[str] = (),
        ended: Callable[[], None] | None = None,
    ) -> None:
        """`name`: of its module in app/, unless `command` says otherwise. `files` are its own too; their numbers
        are its arguments, before `arguments`. `parked` is the first one, which has these; those after it are programs
        of their own, as it is itself where there is none parked. `ended` is called at each of its ends."""
        numbers = tuple(str(one.fileno()) for one in files)
        self.name = name
        self._command = tuple(command) or (
            sys.executable, "-m", f"filmless.app.{name}", *numbers, *arguments,
        )  # fmt: skip
        self._environment = os.environ | settings.environment()
        self._files = tuple(files)
        self._ended = ended
        self._task: asyncio.Task[None] | None = None
        self._parked = parked
        self._process: asyncio.subprocess.Process | Forked | None = None
        self._stopping = asyncio.Event()
        #: times it ended by itself
        self.deaths = 0

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.runs else None

    def start(self) -> None:
        self._task = asyncio.create_task(self._supervise(), name=self.name)

    async def _supervise(self) -> None:
        delay = _FIRST_DELAY
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                code: int | str = await self._live()
            except OSError as why:
                code = why.strerror or "it cannot be started"
            if self._ended is not None:
                self._ended()
            if self._stopping.is_set():
                return
            self.deaths += 1
            if time.monotonic() - began > _SOUND_SECONDS:
                delay = _FIRST_DELAY
            log.error("the %s process ended (%s); it is started again in %.1f s", self.name, code, delay)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
            delay = min(delay * 2, _LONGEST_DELAY)

    async def _live(self) -> int:
        """The exit code of one process, at its end. Its standard input ends when we end, so that it can end too if we
        are killed."""
        parked, self._parked = self._parked, None
        if parked is not None and parked.waits:
            self._process = process = parked.begin(files=self._files)
            assert process.stdin is not None
            with process.stdin:
                return await _end_of(process)
        ours, theirs = _pipe()
        with ours:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=theirs,
                    env=self._environment,
                    pass_fds=[one.fileno() for one in self._files],
                )
            if self._stopping.is_set():
                # told to stop while the process was being made: `stop` has not seen it
                self._process.terminate()
            return await self._process.wait()

    async def stop(self, grace: float) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds."""
        self._stopping.set()
        if self._task is None:
            return
        process = self._process
        if process is not None and self.runs:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(asyncio.shield(self._task), grace)
            except TimeoutError:
                log.warning("the %s process did not end within %.0f s and is killed", self.name, grace)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        await self._task


async def _end_of(process: Forked) -> int:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    handle = os.pidfd_open(process.pid)
    loop.add_reader(handle, ended.set)
    try:
        while (code := process.poll()) is None:
            await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    return code


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    """The end to write to, kept open by us, and the end to read from."""
    reads, writes = os.pipe()
    return os.fdopen(writes, "wb"), os.fdopen(reads, "rb")


def tell_systemd(state: str) -> None:
    """sd_notify(3), where systemd asked for it: "READY=1", "STOPPING=1"."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.sendall(state.encode())
        except OSError as why:
            log.warning("systemd could not be told %s: %s", state, why)


def listen(bind: str, port: int, what: str, option: str) -> socket.socket:
    """A TCP socket that listens. Raises Refused that names the port and the option that changes it."""
    try:
        found = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as why:
        raise Refused(f"{bind} is no address to listen on: {why.strerror}.", code="bad-address") from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # who calls before we are ready waits, instead of being turned away
        listener.listen(128)
    except OSError as why:
        listener.close()
        raise port_refused(bind, port, what, option, why) from None
    return listener


def port_refused(bind: str, port: int, what: str, option: str, why: OSError) -> Refused:
    """The words for a port that cannot be had."""
    if why.errno == errno.EADDRINUSE:
        words = f"The {what} port {port} is taken by another program."
    elif why.errno == errno.EACCES:
        words = f"The {what} port {port} may not be opened by this user (ports below 1024 are root's)."
    elif why.errno == errno.EADDRNOTAVAIL:
        words, option = f"{bind} is no address of this machine.", "--bind"
    else:
        words = f"The {what} port {port} on {bind} cannot be opened: {why.strerror}."
    return Refused(f"{words} Choose another one with {option}.", code="port")
