"""`filmless import`: every DICOM object of files, folders and ZIP archives into the archive."""

import logging
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from filmless.archive.model import CAUSES, Arrival, Kind, Outcome, Source
from filmless.archive.store import Archive
from filmless.dicom import part10, scan
from filmless.exchange.media.sources import DICOMDIR_CLASS, Candidate, candidates
from filmless.kit.errors import FilmlessError, Refused, Unavailable

log = logging.getLogger(__name__)

_CHUNK = 256 << 10
#: so much of a data set is looked at for the UIDs with which it begins
_HEAD = 64 << 10
_AT_ONCE = 4
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018


@dataclass(slots=True)
class Imported:
    """What became of an import."""

    counts: Counter[Kind] = field(default_factory=Counter)
    bytes: int = 0
    #: (file, reason) of what is not in the archive now: no DICOM, unreadable, or in quarantine
    left_out: list[tuple[str, str]] = field(default_factory=list)
    #: objects that were taken with warnings
    with_warnings: int = 0
    #: objects that are in the archive, but hidden by a rejection
    hidden: int = 0
    #: SOP Instance UIDs of what was kept
    kept: list[str] = field(default_factory=list)

    @property
    def objects(self) -> int:
        """How many are in the archive now, those that were there before included."""
        return sum(self.counts[kind] for kind in (Kind.STORED, Kind.SAME, Kind.REPLACED))


def count(paths: Iterable[Path]) -> int:
    """How many files an import of `paths` will look at."""
    with ExitStack() as keep_open:
        return sum(1 for _ in candidates(paths, keep_open))


def bring_in(
    archive: Archive,
    paths: Iterable[Path],
    *,
    source: Source,
    progress: Callable[[int], None] | None = None,
    result: Imported | None = None,
) -> Imported:
    """Store every object found; what is none is left out with its reason. `progress` gets the files done so far.

    `result` is filled as it goes, for a caller that has to know it where the import is cut off.

    Stops with Unavailable when the archive cannot take more (disk full); what is stored by then stays, and the
    same import can be called again: objects that are there already are the same objects.
    """
    result = Imported() if result is None else result
    under_way: dict[Future[Outcome], Candidate] = {}
    done = 0

    with ExitStack() as keep_open, ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="import") as pool:

        def finish(*, until: int) -> None:
            nonlocal done
            while len(under_way) > until:
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    _note(result, under_way.pop(future), future)
                    done += 1
                    if progress is not None:
                        progress(done)

        try:
            for candidate in candidates(paths, keep_open):
                under_way[pool.submit(_store, archive, candidate, source)] = candidate
                finish(until=2 * _AT_ONCE)
            finish(until=0)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    result.left_out.sort()
    return result


def _note(result: Imported, candidate: Candidate, future: Future[Outcome]) -> None:
    try:
        outcome = future.result()
    except Unavailable:
        raise
    except FilmlessError as why:
        result.left_out.append((candidate.name, why.message))
        return
    result.counts[outcome.kind] += 1
    result.kept.append(outcome.sop_instance_uid)
    result.with_warnings += bool(outcome.warnings)
    result.hidden += outcome.hidden
    if outcome.kind in (Kind.QUARANTINED, Kind.KEPT_FIRST):
        cause = CAUSES[outcome.cause] if outcome.cause is not None else "see `filmless quarantine list`"
        result.left_out.append((candidate.name, f"is in quarantine: {cause}"))
    else:
        result.bytes += candidate.size


def _store(archive: Archive, candidate: Candidate, source: Source) -> Outcome:
    if candidate.open is None:
        raise Refused(candidate.reason)
    try:
        with candidate.open() as stream:
            arrival, head = _announce(stream, source)
            return archive.store_blocking(arrival, _chunks(head, stream))
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as why:
        raise Refused(f"cannot be read: {getattr(why, 'strerror', None) or why}") from None


def _announce(stream: BinaryIO, source: Source) -> tuple[Arrival, bytes]:
    """What the file says it is, and the beginning of its data set. Refused where it is no object."""
    head = stream.read(16 << 10)
    try:
        meta = part10.read_meta(head)
    except Refused:
        raise Refused("is not a DICOM file") from None
    if meta.sop_class_uid == DICOMDIR_CLASS:
        raise Refused("is the directory of the others")
    while len(head) < meta.data_set_offset + _HEAD and (more := stream.read(_HEAD)):
        head += more
    data_set = head[meta.data_set_offset :]
    # the data set's own UIDs count: file meta information is what the last program wrote
    header = scan.scan(data_set, meta.transfer_syntax_uid, frozenset({_SOP_CLASS, _SOP_INSTANCE}))
    sop_class = scan.text(header, _SOP_CLASS).strip(" \0") or meta.sop_class_uid
    sop_instance = scan.text(header, _SOP_INSTANCE).strip(" \0") or meta.sop_instance_uid
    if not sop_class and not sop_instance and not header.values:
        raise Refused(
            "is not a DICOM file" if meta.guessed else "holds no object: it has no SOP Instance UID"
        )
    return Arrival(sop_class, sop_instance, meta.transfer_syntax_uid, source), data_set


def _chunks(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    yield head
    while chunk := stream.read(_CHUNK):
        yield chunk
