"""Ingest: from fragments off the network to an object that is on disk, in the index, and announced.

    network loop          writer threads               committer thread
    write(fragment) ----> file, SHA-256, fsync ------> many objects, one transaction ----> done(outcome)
                          folders' entries

An object is in one writer thread at a time. Its transaction is prepared while the disk is at work on it. Success is
said only after the file, its folder's entry and the index are on disk (PS3.4 B.2.3 leaves it to us;
docs/decisions/0002). Whatever goes wrong before that removes the file.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import Engine

from filmless.archive.blobs import BlobStore, Folder
from filmless.archive.codecs import Codecs
from filmless.archive.corrections import returning
from filmless.archive.filing import Known
from filmless.archive.folders import Entered, Folders
from filmless.archive.index_process import IndexProcess
from filmless.archive.model import ArchiveSettings, Arrival, Outcome
from filmless.archive.publish import NotDurable, Publisher, Result
from filmless.archive.reception import Reception, Written, disk_error
from filmless.kit.errors import Defect, FilmlessError, Unavailable

log = logging.getLogger(__name__)

_BATCH = 256
#: how long at most the first object of a batch waits for others whose files are being written
_GATHER_SECONDS = 0.003
#: a disk that keeps a batch waiting longer than this is waited for before the transaction begins, not in it: who else
#: writes into the index must not wait for files
_QUICK_SECONDS = 0.005
_SPACE_CHECK_SECONDS = 0.5


class Archive:
    """The archive's way in. `start` before use, `stop` at the end; thread-safe in between."""

    def __init__(
        self,
        engine: Engine,
        root: Path,
        settings: ArchiveSettings,
        codecs: Codecs | None = None,
        publisher: Publisher | IndexProcess | None = None,
    ) -> None:
        """`publisher` writes the index; in this process where none is given. It is closed at `stop`."""
        self.engine = engine
        self.root = root
        self.settings = settings
        self.blobs = BlobStore(engine, root, folder_files=settings.folder_files)
        self._codecs = codecs or Codecs(root.parent / "scratch")
        self._own_codecs = codecs is None
        self._publisher = publisher or Publisher(engine, root, settings)
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._writers = [
            threading.Thread(target=self._write_loop, name=f"writer-{number}", daemon=True)
            for number in range(settings.writer_threads)
        ]
        self._comparers = ThreadPoolExecutor(2, "compare")
        self._ready: queue.SimpleQueue[Written | None] = queue.SimpleQueue()
        self._committer = threading.Thread(target=self._commit_loop, name="committer", daemon=True)
        self._under_way = 0
        self._coming = 0
        self._folders = Folders()
        #: how long the last batch waited for the disk
        self._waited = 0.0
        self._idle = threading.Condition()
        self._space_checked = 0.0
        self._space_left = True

    def start(self) -> int:
        """Clean up after processes that died, then take objects. Returns how many half-done files were removed."""
        removed = self.blobs.recover()
        if removed:
            log.warning(
                "removed %d files of unfinished transfers; their senders were not told success", removed
            )
        self._folders.start()
        for thread in (*self._writers, self._committer):
            thread.start()
        return removed

    def stop(self, timeout: float = 30.0) -> None:
        """Finish what is under way (at most `timeout` seconds), then end."""
        deadline = time.monotonic() + timeout
        with self._idle:
            while self._under_way and (left := deadline - time.monotonic()) > 0:
                self._idle.wait(left)
        for _ in self._writers:
            self._work.put(None)
        for thread in self._writers:
            if thread.is_alive():
                thread.join(timeout)
        self._comparers.shutdown(wait=True, cancel_futures=True)
        if self._committer.is_alive():
            self._ready.put(None)
            self._committer.join(timeout)
        self._folders.stop(timeout)
        self._publisher.close()
        self.blobs.close()
        if self._own_codecs:
            self._codecs.close()

    def receive(self, arrival: Arrival, on_ready: Callable[[], None] | None = None) -> Reception:
        """Begin to take one object. Raises Unavailable (code "disk-full") where there is no room for it.

        `on_ready` is called, from another thread, when a reception that asked for a pause can go on.
        """
        self.check_space()
        with self._idle:
            self._under_way += 1
        return Reception(self, arrival, on_ready)

    def store_blocking(self, arrival: Arrival, chunks: Iterable[bytes]) -> Outcome:
        """Take one object from a thread that may wait: import, and objects that we make ourselves."""
        room = threading.Event()
        reception = self.receive(arrival, room.set)
        try:
            for chunk in chunks:
                room.clear()
                if not reception.write(chunk) and not room.wait(120):
                    raise Unavailable("the disk does not keep up", code="disk-slow")
        except BaseException:
            reception.abort()
            raise
        answer: Future[Outcome] = Future()

        def done(result: Outcome | FilmlessError) -> None:
            if isinstance(result, Outcome):
                answer.set_result(result)
            else:
                answer.set_exception(result)

        reception.complete(done)
        return answer.result(600)

    def check_space(self) -> None:
        """Raise Unavailable (code "disk-full") while less than the minimum is free."""
        now = time.monotonic()
        if now - self._space_checked > _SPACE_CHECK_SECONDS:
            try:
                stat = os.statvfs(self.root)
            except OSError as error:
                raise disk_error(error) from error
            enough = stat.f_bavail * stat.f_frsize >= self.settings.minimum_free_bytes
            if enough != self._space_left:
                log.error("the disk has room again" if enough else "the disk is nearly full")
            self._space_left = enough
            # last, so that no other thread takes the answer of before for this one's
            self._space_checked = now
        if not self._space_left:
            raise Unavailable("the archive's disk is nearly full", code="disk-full")

    # called by receptions and by the committer

    def submit(self, work: Callable[[], None]) -> None:
        """Have a writer thread do it. `work` must not raise."""
        self._work.put(work)

    def enter(self, folder: Folder) -> Entered:
        """Have the entry of a file that was just made in `folder` made durable."""
        return self._folders.enter(folder)

    def coming(self) -> None:
        """All of an object is here: soon it is `written`, or `failed`."""
        with self._idle:
            self._coming += 1

    def written(self, written: Written) -> None:
        """The object's file is complete: it may go into the index as soon as it is on disk."""
        # first: the committer must not wait for the one that it has
        self.failed()
        self._ready.put(written)

    def failed(self) -> None:
        """An object that was `coming` is not `written`."""
        with self._idle:
            self._coming -= 1

    def alone(self) -> bool:
        """Whether no more than one object is under way."""
        return self._under_way <= 1

    def ended(self) -> None:
        """One object less is under way."""
        with self._idle:
            self._under_way -= 1
            self._idle.notify_all()

    def _write_loop(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except Exception:
                # the thread is needed by all others
                log.exception("a writer failed")

    def _commit_loop(self) -> None:
        waiting: list[Written] = []
        while True:
            batch = waiting or [self._ready.get()]  # type: ignore[list-item]
            waiting = []
            gathered = time.monotonic() + _GATHER_SECONDS
            while len(batch) < _BATCH:
                # a commit costs nearly the same for one as for many: wait a moment for files that are being written
                left = gathered - time.monotonic() if self._coming > 0 else 0.0
                try:
                    if left > 0:
                        batch.append(self._ready.get(timeout=left))  # type: ignore[arg-type]
                    else:
                        batch.append(self._ready.get_nowait())  # type: ignore[arg-type]
                except queue.Empty:
                    break
            stopping = None in batch
            objects = [one for one in batch if one is not None]
            try:
                waiting = self._commit(objects) if objects else []
            except Exception as error:
                log.exception("the committer failed on %d objects", len(objects))
                for one in objects:
                    # files stay: what is in doubt is looked at by the next start
                    self._answer(one, Defect(f"the object could not be indexed: {type(error).__name__}"))
            if stopping and not waiting:
                return
            if stopping:
                self._ready.put(None)

    def _commit(self, batch: list[Written]) -> list[Written]:
        """Publish a batch; returns what must be published again after it."""
        again: list[Written] = []
        durable = False

        def files_are_durable() -> None:
            # asked once: where objects are published one by one, the first may be visible already
            nonlocal durable
            if durable:
                return
            began = time.monotonic()
            for one in batch:
                one.wait()
            self._waited = time.monotonic() - began
            if any(one.error is not None for one in batch):
                raise NotDurable
            durable = True

        try:
            if self._waited > _QUICK_SECONDS:
                files_are_durable()
            results = self._publisher.publish(
                [one.item for one in batch],
                None if durable or all(one.durable for one in batch) else files_are_durable,
            )
        except NotDurable:
            for one in batch:
                if one.error is not None:
                    self._fail(one, one.error)
            return [one for one in batch if one.error is None]
        for one, result in zip(batch, results, strict=True):
            try:
                self._conclude(one, result, again)
            except Exception as error:
                log.exception("an object could not be concluded")
                self._answer(one, Defect(f"the object is in doubt: {type(error).__name__}"))
        return again

    def _conclude(self, one: Written, result: Result, again: list[Written]) -> None:
        if result.later:
            again.append(one)
        elif result.compare is not None:
            self._comparers.submit(self._compare, one, result.compare)
        elif result.error is not None and result.drop_file:
            self._fail(one, result.error)
        elif result.error is not None:
            # the index may know the file: it stays, and its folder stays announced, so that the next start looks
            self._answer(one, result.error)
        else:
            assert result.outcome is not None
            if result.drop_file:
                self._drop(one)
            self.blobs.settle(one.folder)
            self._answer(one, result.outcome)

    def _answer(self, one: Written, result: Outcome | FilmlessError) -> None:
        """Tell the sender, whose end may be gone."""
        try:
            one.done(result)
        except Exception:
            log.exception("nobody took the answer to an object")
        finally:
            self.ended()

    def _drop(self, one: Written) -> None:
        try:
            (self.root / one.item.entry.file.path).unlink()
        except OSError:
            log.warning("could not remove a file that is not needed: %s", one.item.entry.file.path)

    def _fail(self, one: Written, error: FilmlessError) -> None:
        """Leave nothing of an object that the index does not know."""
        # the disk may still be at work on it
        one.wait()
        self._drop(one)
        self.blobs.settle(one.folder)
        self._answer(one, error)

    def _compare(self, one: Written, known: Known) -> None:
        """Whether the arrived object is the known one in other bytes; then it goes to the committer again."""
        try:
            one.item.same = returning.same_blocking(
                self._codecs, self.engine, self.root, one.item.entry, known
            )
        except FilmlessError as error:
            # what cannot be shown to be the same is treated as another object: nothing is lost by it
            log.warning("could not compare with %s: %s", known.key, error.message)
            one.item.same = False
        except Exception:
            log.exception("could not compare with %s", known.key)
            one.item.same = False
        one.item.compared_with = known.key
        self._ready.put(one)
