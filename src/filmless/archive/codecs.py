"""Pixel work for processes that must stay light: transcoding and comparing in codec processes of their own.

A codec process is started at the first task, takes one task at a time, and ends after some idle seconds, so
that numpy, imagecodecs and pydicom cost memory only while they are needed. A task that takes too long or
kills its process costs that task alone.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from filmless.dicom.rendering import Wish
from filmless.kit import ids
from filmless.kit.errors import Conflict, Defect, FilmlessError, Refused, Unavailable

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_ERRORS: dict[str, type[FilmlessError]] = {
    "Refused": Refused,
    "Conflict": Conflict,
    "Unavailable": Unavailable,
    "Defect": Defect,
}
_PREFIX = "codecs-"
#: MiB; below that the libraries have no room
_LEAST_MEMORY = 512


@dataclass(frozen=True, slots=True)
class CodecSettings:
    """Bounds: how many processes, tasks that may wait, seconds for one task, idle seconds before the end, and MiB that
    a process may have of its own (files that it only looks into do not count)."""

    processes: int = 1
    waiting: int = 256
    timeout: float = 120.0
    idle: float = 60.0
    #: 0: half of the machine's, shared by the processes
    memory: int = 0

    def __post_init__(self) -> None:
        if self.memory and self.memory < _LEAST_MEMORY:
            raise ValueError(f"memory must be at least {_LEAST_MEMORY} (MiB), or 0 for half of the machine's")

    @property
    def memory_mib(self) -> int:
        """What is in force for a process, MiB."""
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
        return self.memory or max(_LEAST_MEMORY, machine // 2 // max(1, self.processes))


@dataclass(frozen=True, slots=True)
class DataSet:
    """Where an encoded data set is: `head`, then bytes [offset, offset + size) of a file, in its transfer syntax."""

    path: str
    offset: int
    size: int
    transfer_syntax_uid: str
    #: what comes before the bytes of the file: a corrected header
    head: bytes = b""

    def as_json(self) -> dict[str, Any]:
        """For a codec process."""
        return {**asdict(self), "head": b64encode(self.head).decode("ascii")}


@dataclass(frozen=True, slots=True)
class Transcoded:
    """A transcoded data set: a temporary file's bytes [offset, offset + size). Whoever got it discards it."""

    path: Path
    offset: int
    size: int
    transfer_syntax_uid: str

    def discard(self) -> None:
        """Delete the temporary file; again is harmless."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered object: a temporary file, its size in pixels, what could not be done as asked. Whoever got it discards
    it."""

    path: Path
    media_type: str
    width: int
    height: int
    frames: int
    warnings: tuple[str, ...]

    def discard(self) -> None:
        """Delete the temporary file; again is harmless."""
        self.path.unlink(missing_ok=True)


class Codecs:
    """Codec processes behind a bounded queue; safe to use from any thread and from asyncio.

    Every method that works raises Refused where the object or the wish cannot be done (a code in words:
    "bad-pixels", or the transcoder's own), Unavailable where it may be tried again: the queue is full
    ("codec-busy"), the task took too long ("codec-timeout"), its process died ("codec-died"). An object for which a
    process had not enough memory is refused ("memory").
    """

    def __init__(self, scratch: Path, settings: CodecSettings | None = None) -> None:
        """`scratch`: the folder (made at need) for results; what dead processes left in it is deleted."""
        self.settings = settings or CodecSettings()
        self._scratch = scratch
        self._folder: Path | None = None
        self._folder_lock: int = -1
        self._lock = threading.Lock()
        self._pending = 0
        self._closed = False
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._reaper: threading.Timer | None = None
        self._threads = ThreadPoolExecutor(self.settings.processes, thread_name_prefix="codecs")

    async def transcode(
        self, path: Path | str, offset: int, size: int, from_ts: str, to_ts: str, *, head: bytes = b""
    ) -> Transcoded:
        """The data set in another transfer syntax, never lossy (dicom.pixels.transcode). Discard it.

        `head` comes before the bytes of the file.

        Cancelled while it works, the result is discarded here when it comes.
        """
        future = self._submit_transcode(DataSet(str(path), offset, size, from_ts, head), to_ts)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.add_done_callback(_discard_result)
            raise

    def transcode_blocking(
        self, path: Path | str, offset: int, size: int, from_ts: str, to_ts: str, *, head: bytes = b""
    ) -> Transcoded:
        """`transcode` for threads."""
        return self._submit_transcode(DataSet(str(path), offset, size, from_ts, head), to_ts).result()

    async def render(self, image: DataSet, wish: Wish, state: DataSet | None = None) -> Picture:
        """An image as a picture (dicom.pixels.render), `state`: through a presentation state. Discard it."""
        task = {
            "task": "render",
            "from": image.as_json(),
            "state": state.as_json() if state else None,
            "wish": wish.as_json(),
        }
        return await self._picture(task)

    async def icon(self, label: str, side: int, media_type: str = "image/png") -> Picture:
        """A picture for an object that is no image, with a word of ASCII on it. Discard it."""
        return await self._picture({"task": "icon", "label": label, "side": side, "media_type": media_type})

    async def frame(self, source: DataSet, number: int, place: tuple[int, ...], to_ts: str) -> bytes:
        """One frame (`number` from 0, at `place` of the file) in another transfer syntax, never lossy.

        Without a place the frame is looked for (deflated data sets).
        """

        def work(process: _Process) -> bytes:
            into = self._results() / ids.new_version_key()
            task = {
                "task": "frame",
                "from": source.as_json(),
                "number": number,
                "place": place,
                "to": to_ts,
                "into": str(into),
            }
            try:
                process.ask(task, self.settings.timeout)
                return into.read_bytes()
            finally:
                into.unlink(missing_ok=True)

        return await asyncio.wrap_future(self._submit(work))

    async def same(self, a: DataSet, b: DataSet) -> str | None:
        """None where both are one object (elements and pixels, in whatever syntax), else the difference."""
        return await asyncio.wrap_future(self._submit(lambda process: self._same(process, a, b)))

    def same_blocking(self, a: DataSet, b: DataSet) -> str | None:
        """`same` for threads."""
        return self._submit(lambda process: self._same(process, a, b)).result()

    def documents_blocking(
        self, sources: Sequence[tuple[DataSet, str]], wish: dict[str, Any]
    ) -> list[tuple[str, str, bytes]]:
        """The objects that annotations become (dicom.measured.tasks.documents). Sources: the images drawn on and
        earlier reports, each with the character set to assume where it declares none."""

        def work(process: _Process) -> list[tuple[str, str, bytes]]:
            answer, content = self._about(process, "documents", sources, {"wish": wish})
            made, at = [], 0
            for sop_class, uid, length in answer["documents"]:
                made.append((sop_class, uid, content[at : at + length]))
                at += length
            return made

        return self._submit(work).result()

    def measured_blocking(self, reports: Sequence[tuple[DataSet, str]]) -> dict[str, Any]:
        """What reports say of measurements (dicom.measured.tasks.measured)."""

        def work(process: _Process) -> dict[str, Any]:
            found: dict[str, Any] = json.loads(self._about(process, "measured", reports, {})[1])
            return found

        return self._submit(work).result()

    def _about(
        self, process: "_Process", name: str, sources: Sequence[tuple[DataSet, str]], more: dict[str, Any]
    ) -> tuple[dict[str, Any], bytes]:
        """(answer, result) of a task about the headers of several objects."""
        into = self._results() / ids.new_version_key()
        parts = [{**one.as_json(), "character_set": assumed} for one, assumed in sources]
        try:
            answer = process.ask(
                {"task": name, "sources": parts, "into": str(into), **more}, self.settings.timeout
            )
            return answer, into.read_bytes()
        finally:
            into.unlink(missing_ok=True)

    @property
    def running(self) -> int:
        """Tasks that wait or are being worked on."""
        return self._pending

    def close(self) -> None:
        """End the processes and with them the tasks in hand ("codec-died"); tasks that wait are cancelled. Deletes
        all results."""
        with self._lock:
            self._closed = True
            for process in self._busy:
                # a task may take minutes, and nobody waits for its result any more
                process.kill()
            if self._reaper is not None:
                self._reaper.cancel()
        self._threads.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            idle, self._idle = self._idle, []
            folder, self._folder = self._folder, None
        for process in idle:
            process.end()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(self._folder_lock)

    def _submit_transcode(self, source: DataSet, to_ts: str) -> Future[Transcoded]:
        return self._submit(lambda process: self._transcode(process, source, to_ts))

    def _submit(self, work: "Callable[[_Process], _T]") -> "Future[_T]":
        with self._lock:
            if self._closed:
                raise Unavailable("image conversion is shutting down", code="codec-closed")
            if self._pending >= self.settings.waiting + self.settings.processes:
                raise Unavailable("too many images wait for conversion; try again later", code="codec-busy")
            self._pending += 1
        future = self._threads.submit(self._run, work)
        future.add_done_callback(self._done)
        return future

    def _done(self, _future: Future[Any]) -> None:
        with self._lock:
            self._pending -= 1

    def _run(self, work: "Callable[[_Process], _T]") -> "_T":
        with self._lock:
            process = self._idle.pop() if self._idle else None
        if process is not None and not process.running():
            process.end()
            process = None
        if process is None:
            process = _Process(self.settings.memory_mib)
        with self._lock:
            self._busy.add(process)
            if self._closed:
                process.kill()
        try:
            return work(process)
        finally:
            with self._lock:
                self._busy.discard(process)
            if process.alive:
                self._keep(process)
            else:
                process.end()

    def _keep(self, process: "_Process") -> None:
        process.idle_since = time.monotonic()
        with self._lock:
            self._idle.append(process)
            if self._reaper is None and not self._closed:
                self._arm(self.settings.idle)

    def _arm(self, seconds: float) -> None:
        self._reaper = threading.Timer(seconds, self._reap)
        self._reaper.daemon = True
        self._reaper.start()

    def _reap(self) -> None:
        now = time.monotonic()
        with self._lock:
            self._reaper = None
            ended = [p for p in self._idle if now - p.idle_since >= self.settings.idle]
            self._idle = [p for p in self._idle if p not in ended]
            if self._idle and not self._closed:
                self._arm(max(0.05, min(p.idle_since for p in self._idle) + self.settings.idle - now))
        for process in ended:
            process.end()

    def _transcode(self, process: "_Process", source: DataSet, to_ts: str) -> Transcoded:
        into = self._results() / ids.new_version_key()
        task = {"task": "transcode", "from": source.as_json(), "to": to_ts, "into": str(into)}
        try:
            answer = process.ask(task, self.settings.timeout)
        except FilmlessError:
            into.unlink(missing_ok=True)
            raise
        return Transcoded(into, 0, answer["size"], to_ts)

    async def _picture(self, task: dict[str, Any]) -> Picture:
        future = self._submit(lambda process: self._draw(process, task))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.add_done_callback(_discard_result)
            raise

    def _draw(self, process: "_Process", task: dict[str, Any]) -> Picture:
        into = self._results() / ids.new_version_key()
        try:
            answer = process.ask({**task, "into": str(into)}, self.settings.timeout)
        except FilmlessError:
            into.unlink(missing_ok=True)
            raise
        return Picture(into, **{**answer, "warnings": tuple(answer["warnings"])})

    def _same(self, process: "_Process", a: DataSet, b: DataSet) -> str | None:
        difference = process.ask({"task": "same", "a": a.as_json(), "b": b.as_json()}, self.settings.timeout)[
            "difference"
        ]
        return None if difference is None else str(difference)

    def _results(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder, self._folder_lock = _own_folder(self._scratch)
            return self._folder


class _Process:
    """One codec process and the pipes to it. Used by one thread at a time."""

    def __init__(self, memory_mib: int) -> None:
        # Standard error goes nowhere: parsers' warnings quote values of the object.
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "filmless.archive.codec_process", str(memory_mib)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self.alive = True
        self.idle_since = 0.0

    @property
    def pid(self) -> int:
        return self._popen.pid

    def kill(self) -> None:
        """End it where it is, from any thread: the task in hand fails."""
        self._popen.kill()

    def running(self) -> bool:
        """False where it died while it had nothing to do."""
        return self._popen.poll() is None

    def ask(self, task: dict[str, Any], timeout: float) -> dict[str, Any]:
        """The answer to a task. Where it took too long, had not enough memory or died, the process is gone."""
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(json.dumps(task).encode() + b"\n")
            line = self._line(time.monotonic() + timeout)
        except BrokenPipeError:
            line = b""
        if line is None:
            self.alive = False
            self._popen.kill()
            raise Unavailable(f"the image conversion took longer than {timeout:g} s", code="codec-timeout")
        if not line:
            self.alive = False
            _log.error("a codec process died with code %s", self._popen.wait())
            raise Unavailable("the image conversion failed; the object may be damaged", code="codec-died")
        answer: dict[str, Any] = json.loads(line)
        if answer.get("code") == "memory":
            # what it holds of the object is not believed to come back
            self.alive = False
            self._popen.kill()
        if "error" in answer:
            raise _ERRORS.get(answer["error"], Refused)(answer["message"], code=answer["code"])
        return answer

    def _line(self, deadline: float) -> bytes | None:
        """One line; empty where the process ended, None where the deadline passed."""
        assert self._popen.stdout is not None
        poll = select.poll()
        poll.register(self._popen.stdout, select.POLLIN)
        line = bytearray()
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                return None
            chunk = os.read(self._popen.stdout.fileno(), 65536)
            if not chunk:
                return b""
            line += chunk
        return bytes(line)

    def end(self) -> None:
        """Let it end by closing its input; kill it where it does not within 5 s."""
        self.alive = False
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            self._popen.wait(5)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


def _discard_result(future: Future[Any]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().discard()


def _own_folder(scratch: Path) -> tuple[Path, int]:
    """A new folder for results, and the handle whose lock says that its owner lives. Deletes those of the dead."""
    scratch.mkdir(parents=True, exist_ok=True)
    gate = os.open(scratch, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        for orphan in scratch.glob(_PREFIX + "*"):
            handle = os.open(orphan, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(orphan, ignore_errors=True)
            except BlockingIOError:
                continue
            finally:
                os.close(handle)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=scratch))
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(handle, fcntl.LOCK_EX)
        return folder, handle
    finally:
        os.close(gate)
