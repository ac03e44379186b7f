"""One object on its way in: its bytes to a file, hash, header, and both to disk.

An object is in one writer thread at a time. Whatever goes wrong removes its file.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sqlalchemy.exc import OperationalError

from filmless.archive import levels
from filmless.archive.blobs import BlobStore, Folder, new_header, seal, seal_offset
from filmless.archive.entry import File, look_at_end, read_entry, scan_file
from filmless.archive.folders import Entered
from filmless.archive.model import ArchiveSettings, Arrival, Outcome
from filmless.archive.publish import Item
from filmless.dicom import scan
from filmless.dicom.uids import transfer_syntax
from filmless.kit import clock
from filmless.kit.early import begin_writing
from filmless.kit.errors import Defect, FilmlessError, Refused, Unavailable

log = logging.getLogger(__name__)

Fragment = bytes | bytearray | memoryview

#: told once, from another thread, what became of an object, or why it was not stored
Done = Callable[[Outcome | FilmlessError], None]

#: fragments are handed to a writer thread when so much of an object waits, or when it is complete: most images are
#: then written in one go, and every hand-over costs more than the overlap that an earlier one brings (measured)
_HANDOVER = 768 << 10
#: the same for an object that is alone: then nobody else wants the interpreter, and the overlap is all gain
_HANDOVER_ALONE = 128 << 10
#: so much of a data set is kept in memory in search of its pixel data; of a longer header, the file is read at the end
_HEAD = 512 << 10
#: long headers and deflated ones, which may be bombs, are read one at a time: each takes up to 64 MB for a moment
_LONG_HEADER = threading.Lock()
#: bytes that are written with one call. For a larger write the system takes larger pieces of memory, which a virtual
#: machine whose host takes back free memory has to ask for anew (measured: 2.0 ms instead of 0.7 for 527 kB)
_PIECE = 64 << 10
#: bytes at a file's beginning that are written again with the seal: the disk need not have them before
_SEALED_PAGE = 4096
#: more than any data set has: the scan must not take the end of a fragment for the end of the data
_FAR = 1 << 62


@dataclass(slots=True)
class Written:
    """A whole file that waits for the index, and for the disk."""

    item: Item
    folder: Folder
    #: its entry in the folder
    entered: Entered
    done: Done
    #: set when the file is on disk, or cannot be (then `sync_error` says why)
    synced: threading.Event = field(default_factory=threading.Event)
    sync_error: FilmlessError | None = None

    @property
    def durable(self) -> bool:
        """The file and its folder's entry are on disk for certain."""
        return self.synced.is_set() and self.entered.over and self.error is None

    @property
    def error(self) -> FilmlessError | None:
        """Why it is not on disk, once both are over."""
        if self.sync_error is None and self.entered.error is not None:
            return disk_error(self.entered.error)
        return self.sync_error

    def wait(self) -> None:
        """Until the disk has done with it, well or not."""
        self.entered.wait()
        self.synced.wait()


class Desk(Protocol):
    """What a reception needs of the archive."""

    blobs: BlobStore
    root: Path
    settings: ArchiveSettings

    def submit(self, work: Callable[[], None]) -> None:
        """Have a writer thread do it. `work` must not raise."""

    def enter(self, folder: Folder) -> Entered:
        """Have the entry of a file that was just made in `folder` made durable."""

    def coming(self) -> None:
        """All of an object is here: soon it is `written`, or `failed`."""

    def written(self, written: Written) -> None:
        """The object's file is complete: it may go into the index as soon as it is on disk."""

    def failed(self) -> None:
        """An object that was `coming` is not `written`."""

    def alone(self) -> bool:
        """Whether no more than one object is under way."""

    def ended(self) -> None:
        """One object less is under way."""


class Reception:
    """One object on its way in. `write` and then `complete`, or `abort` at any moment."""

    def __init__(self, archive: Desk, arrival: Arrival, on_ready: Callable[[], None] | None) -> None:
        self._archive = archive
        self._arrival = arrival
        self._on_ready = on_ready
        self._lock = threading.Lock()
        self._pending: list[tuple[Fragment, Callable[[], None] | None]] = []
        self._pending_bytes = 0
        self._running = False
        self._complete = False
        self._aborted = False
        self._paused = False
        self._error: FilmlessError | None = None
        self._handover = _HANDOVER_ALONE if archive.alone() else _HANDOVER
        self._done: Done = _nobody
        #: of the object, once its header was read
        self.study_uid = ""
        # owned by the writer thread
        self._folder: Folder | None = None
        self._entered: Entered | None = None
        self._fd = -1
        self._key = ""
        self._path = ""
        self._hash = hashlib.sha256()
        self._size = 0
        self._at = clock.now()
        self._offset = 0
        self._seal = 0
        #: so far the disk was told to begin
        self._pushed = _SEALED_PAGE
        self._head = bytearray()
        self._look_again = 0
        self._scanned: scan.Header | None = None
        self._scan_file = transfer_syntax(arrival.transfer_syntax_uid).deflated

    def write(self, fragment: Fragment, release: Callable[[], None] | None = None) -> bool:
        """Take a fragment of the data set; it is used until `release` is called, from a writer thread.

        Returns False where the sender should pause until `on_ready`.
        """
        with self._lock:
            if self._aborted or self._error is not None:
                drop = True
            else:
                drop = False
                self._pending.append((fragment, release))
                self._pending_bytes += len(fragment)
                if self._pending_bytes >= self._handover and not self._running:
                    self._running = True
                    self._archive.submit(self._pump)
                if self._pending_bytes > self._archive.settings.object_buffer_bytes:
                    self._paused = True
                    return False
        if drop and release is not None:
            release()
        return True

    def complete(self, done: Done) -> None:
        """All data are here. `done` is called when the object is durable and indexed, or could not be."""
        self._done = done
        with self._lock:
            if self._aborted:
                return
            self._complete = True
            self._archive.coming()
            if not self._running:
                self._running = True
                self._archive.submit(self._pump)

    def abort(self) -> None:
        """The sender is gone: leave nothing behind. Too late, and without effect, once all data were here."""
        with self._lock:
            if self._complete or self._aborted:
                return
            self._aborted = True
            if not self._running:
                self._running = True
                self._archive.submit(self._pump)

    # in a writer thread

    def _pump(self) -> None:
        while True:
            with self._lock:
                batch, self._pending = self._pending, []
                self._pending_bytes = 0
                if not batch and not self._aborted and not self._complete:
                    self._running = False
                    return
                complete = self._complete
                last = self._aborted or (complete and not batch)
                resume = self._paused
                self._paused = False
            try:
                if batch and not self._aborted and self._error is None:
                    self._write(batch)
            except OSError as error:
                self._error = disk_error(error)
            except OperationalError as error:
                log.warning("no folder could be opened: %s", type(error).__name__)
                self._error = Unavailable("the index is busy; send the object again", code="index-busy")
            except Exception as error:
                log.exception("writing an object failed")
                self._error = Defect(f"the object could not be written: {type(error).__name__}")
            finally:
                for _, release in batch:
                    if release is not None:
                        release()
            if resume and self._on_ready is not None:
                try:
                    self._on_ready()
                except Exception:
                    # its end must come all the same
                    log.exception("nobody goes on with an object")
            if last:
                self._end()
                return

    def _write(self, batch: list[tuple[Fragment, Callable[[], None] | None]]) -> None:
        """Write and hash a batch: the disk works on it while it is hashed.

        What has to win the interpreter back is cheaper than a copy in memory that is new.
        """
        buffers: list[Fragment] = [fragment for fragment, _ in batch]
        size = sum(map(len, buffers))
        if self._fd < 0:
            header = self._open()
            _write_all(self._fd, [header, *buffers])
        else:
            _write_all(self._fd, buffers)
        written = self._offset + self._size + size
        begin_writing(self._fd, self._pushed, written - self._pushed)
        self._pushed = written
        for fragment in buffers:
            self._hash.update(fragment)
            if self._scanned is None and not self._scan_file:
                self._look_at(fragment)
        self._size += size

    def _open(self) -> bytes:
        self._folder = self._archive.blobs.place()
        self._key, self._at, header = new_header(self._arrival)
        self._offset = len(header)
        self._seal = seal_offset(header)
        self._path = f"{self._folder.path}/{self._key}.dcm"
        self._fd = os.open(
            self._archive.root / self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640
        )
        self._entered = self._archive.enter(self._folder)
        return header

    def _look_at(self, fragment: Fragment) -> None:
        """Scan the header as soon as enough of it is here; most often the first fragment holds it whole."""
        if self._head:
            self._head += fragment
            # not again for every fragment: at each doubling
            if len(self._head) < min(self._look_again, _HEAD):
                return
            data: Fragment = self._head
        else:
            data = fragment
        header = scan.scan(data, self._arrival.transfer_syntax_uid, levels.WANTED, total=_FAR)
        if header.pixel_offset is not None:
            self._scanned = header
            self._head = bytearray()
            return
        if len(data) >= _HEAD:
            self._scan_file = True
            self._head = bytearray()
            return
        if not self._head:
            self._head += fragment
        self._look_again = 2 * len(self._head)

    def _end(self) -> None:
        error = self._error
        written: Written | None = None
        if error is None and not self._aborted:
            try:
                written = self._seal_file()
            except OSError as broken:
                error = disk_error(broken)
            except Refused as refused:
                error = refused
            except Exception as broken:
                log.exception("finishing an object failed")
                error = Defect(f"the object could not be read: {type(broken).__name__}")
        if written is not None:
            # the committer prepares the transaction while the disk works; it commits when both are done
            self._archive.written(written)
            self._sync(written)
            return
        if self._complete:
            self._archive.failed()
        try:
            self._discard()
            if error is not None and not self._aborted:
                self._done(error)
        finally:
            self._archive.ended()

    def _seal_file(self) -> Written:
        if self._fd < 0:
            # an object without a single byte of data set
            header = self._open()
            _write_all(self._fd, [header])
        assert self._folder is not None and self._entered is not None
        digest = self._hash.hexdigest()
        os.pwrite(self._fd, seal(self._size, digest), self._seal)
        if self._scanned is None:
            syntax = self._arrival.transfer_syntax_uid
            if self._scan_file:
                with _LONG_HEADER:
                    self._scanned = scan_file(
                        self._archive.root / self._path, self._offset, self._size, syntax
                    )
            else:
                self._scanned = scan.scan(self._head, syntax, levels.WANTED, total=self._size)
            self._head = bytearray()
        if not self._scan_file:
            look_at_end(self._scanned, self._fd, self._offset, self._size)
        file = File(self._key, self._path, self._offset, self._size, digest, self._at)
        entry = read_entry(self._arrival, file, self._scanned)
        self.study_uid = entry.study_uid
        if self._arrival.study_uid and entry.study_uid not in ("", self._arrival.study_uid):
            raise Refused("the object is of another study than was announced", code="other-study")
        return Written(Item(entry), self._folder, self._entered, self._done)

    def _sync(self, written: Written) -> None:
        try:
            os.fsync(self._fd)
        except OSError as broken:
            written.sync_error = disk_error(broken)
        except Exception as broken:
            log.exception("syncing an object failed")
            written.sync_error = Defect(f"the object could not be synced: {type(broken).__name__}")
        finally:
            written.synced.set()
            os.close(self._fd)
            self._fd = -1

    def _discard(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._folder is not None:
            try:
                if self._path:
                    (self._archive.root / self._path).unlink(missing_ok=True)
            except OSError:
                log.warning("could not remove an unfinished file: %s", self._path)
            if self._entered is not None:
                # the folder is open until then
                self._entered.wait()
            self._archive.blobs.settle(self._folder)
            self._folder = None


def _nobody(_result: Outcome | FilmlessError) -> None:
    """Of an object whose sender is gone."""


def disk_error(error: OSError) -> Unavailable:
    """What a sender is told when the disk does not take its object."""
    return Unavailable(f"the disk did not take the object ({error.strerror})", code="disk")


def _write_all(fd: int, buffers: list[Fragment]) -> None:
    """Write everything, a piece at a time; a full disk raises OSError."""
    piece: list[Fragment] = []
    room = _PIECE
    for buffer in buffers:
        rest = memoryview(buffer)
        while rest:
            part, rest = rest[:room], rest[room:]
            piece.append(part)
            room -= len(part)
            if not room:
                _write_piece(fd, piece)
                piece, room = [], _PIECE
    if piece:
        _write_piece(fd, piece)


def _write_piece(fd: int, piece: list[Fragment]) -> None:
    for start in range(0, len(piece), 512):
        part = piece[start : start + 512]
        wanted = sum(map(len, part))
        done = os.writev(fd, part)
        if done == wanted:
            continue
        rest = memoryview(b"".join(part))[done:]
        while rest:
            rest = rest[os.write(fd, rest) :]
