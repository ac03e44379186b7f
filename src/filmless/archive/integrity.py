"""Do files and index agree? A two-way comparison with checksums, resumable, that changes nothing."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row, Table, and_, func, literal, or_, select

from filmless.archive import overlays
from filmless.archive.blobs import BlobStore, read_label, writer_lives
from filmless.archive.model import Cause
from filmless.archive.tables import instances, open_folders, quarantine, series, studies, versions
from filmless.db.work import reading
from filmless.dicom import part10
from filmless.kit.errors import FilmlessError

#: rows read from the index at a time
_PAGE = 1000
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One disagreement. `kind` is a stable word, `words` is for the engineer who reads it."""

    kind: str
    where: str
    words: str


@dataclass(slots=True)
class Report:
    """What a check has seen; `complete` unless it was stopped and can be resumed."""

    files: int = 0
    objects: int = 0
    bytes: int = 0
    complete: bool = False
    differences: list[Difference] | None = None

    def add(self, kind: str, where: str, words: str) -> None:
        if self.differences is None:
            self.differences = []
        self.differences.append(Difference(kind, where, words))


Progress = Callable[[Report], bool]


def check(
    engine: Engine,
    root: Path,
    *,
    checksums: bool = True,
    resume_file: Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Compare every file with the index and every row of the index with its file.

    `progress` is called after each file; when it returns False the check stops, and with `resume_file` the next
    one goes on from there. Files that a running server is just writing are left alone.
    """
    report = Report(differences=[])
    start = ""
    if resume_file is not None and resume_file.exists():
        state = json.loads(resume_file.read_text())
        start = state["after"]
        report.files, report.objects, report.bytes = state["files"], state["objects"], state["bytes"]
        report.differences = [Difference(*one) for one in state["differences"]]
    blobs = BlobStore(engine, root)
    rows = _rows(engine, start)
    row = next(rows, None)
    for path in blobs.files(after=start):
        while row is not None and row.path < path:
            _row_without_file(engine, root, row, report)
            row = next(rows, None)
        if row is not None and row.path == path:
            _compare(engine, root, row, report, checksums=checksums)
            row = next(rows, None)
        elif _is_stray(engine, root, path):
            report.add("file-without-row", path, "a file of the store that the index does not know")
        report.files += 1
        if progress is not None and not progress(report):
            if resume_file is not None:
                _save(resume_file, path, report)
            return report
    while row is not None:
        _row_without_file(engine, root, row, report)
        row = next(rows, None)
    _check_index(engine, report)
    _check_overlays(engine, root, report)
    report.complete = True
    if resume_file is not None:
        resume_file.unlink(missing_ok=True)
    return report


def _save(resume_file: Path, after: str, report: Report) -> None:
    state = {
        "after": after,
        "files": report.files,
        "objects": report.objects,
        "bytes": report.bytes,
        "differences": [[one.kind, one.where, one.words] for one in report.differences or []],
    }
    part = resume_file.with_suffix(".part")
    part.write_text(json.dumps(state))
    part.replace(resume_file)


def _is_stray(engine: Engine, root: Path, path: str) -> bool:
    """Whether nothing accounts for a file: no process that is writing its folder, and no row.

    In this order: a file leaves its process when it has its row, or is removed.
    """
    with reading(engine) as connection:
        writer = connection.scalar(
            select(open_folders.c.writer).where(open_folders.c.path == path.rpartition("/")[0])
        )
    if writer is not None and writer_lives(writer):
        return False
    with reading(engine) as connection:
        # it may have been indexed since its page of rows was read, or belong to a purge under way
        known = any(
            connection.scalar(select(table.c.id).where(table.c.path == path)) is not None
            for table in (versions, quarantine)
        )
    return not known and (root / path).exists()


def _rows(engine: Engine, after: str) -> Iterator[Row[Any]]:
    """Rows that have a file, of both tables, in the order of their paths."""
    return merge(
        _rows_of(engine, versions, "version", ["current", "superseded"], after),
        _rows_of(engine, quarantine, "quarantine", ["waiting", "discarded"], after),
        key=lambda row: str(row.path),
    )


def _rows_of(engine: Engine, table: Table, what: str, states: list[str], after: str) -> Iterator[Row[Any]]:
    """Rows of one table, a page at a time along the index of its paths."""
    columns = [
        table.c[name]
        for name in ("path", "offset", "size", "sha256", "key", "sop_instance_uid", "transfer_syntax_uid")
    ]
    query: Any = select(*columns, literal(what).label("what")).where(table.c.state.in_(states))
    while True:
        with reading(engine) as connection:
            page = connection.execute(
                query.where(table.c.path > after).order_by(table.c.path).limit(_PAGE)
            ).all()
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].path


def _row_without_file(engine: Engine, root: Path, row: Row[Any], report: Report) -> None:
    report.objects += 1
    if (root / row.path).exists():
        # it came while the folder was being listed
        return
    with reading(engine) as connection:
        table = versions if row.what == "version" else quarantine
        state = connection.scalar(select(table.c.state).where(table.c.path == row.path))
    if state in ("purging", "purged", "accepted"):
        return
    report.add("row-without-file", row.path, f"the file of {row.sop_instance_uid} is gone")


def _compare(engine: Engine, root: Path, row: Row[Any], report: Report, *, checksums: bool) -> None:
    report.objects += 1
    try:
        with (root / row.path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            report.bytes += size
            if size != row.offset + row.size:
                report.add("size", row.path, f"{size} bytes where {row.offset + row.size} should be")
                return
            meta = part10.read_meta(file)
            label = read_label(meta.private_information)
            if (
                label is None
                or (label.key, label.size, label.sha256) != (row.key, row.size, row.sha256)
                or meta.data_set_offset != row.offset
                or meta.transfer_syntax_uid != row.transfer_syntax_uid
                or (meta.sop_instance_uid != row.sop_instance_uid and not _announced_otherwise(engine, row))
            ):
                report.add("label", row.path, "the file's own label differs from the index")
            if checksums and _sha256(file, row.offset) != row.sha256:
                report.add("checksum", row.path, f"the bytes of {row.sop_instance_uid} have changed")
    except (OSError, FilmlessError) as error:
        report.add("unreadable", row.path, f"cannot be read: {error}")


def _announced_otherwise(engine: Engine, row: Row[Any]) -> bool:
    """Whether the UID announced may differ from the data set's: in quarantine, or taken in from there."""
    if row.what == "quarantine":
        return True
    with reading(engine) as connection:
        cause = connection.scalar(
            select(quarantine.c.cause).where(quarantine.c.key == row.key, quarantine.c.state == "accepted")
        )
    return cause == Cause.UID_MISMATCH.value


def _sha256(file: Any, offset: int) -> str:
    file.seek(offset)
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _check_overlays(engine: Engine, root: Path, report: Report) -> None:
    """Whether the corrections in force can be read: without them their objects do not leave."""
    with reading(engine) as connection:
        numbers = connection.scalars(
            select(instances.c.correction).where(instances.c.correction != 0).distinct()
        ).all()
    # as they are on the disk, not as this process remembers them
    overlays.read.cache_clear()
    for number in numbers:
        try:
            overlays.read(root, number)
        except FilmlessError as error:
            where = str(overlays.path_of(root, number).relative_to(root))
            report.add("overlay-unreadable", where, error.message)


def _check_index(engine: Engine, report: Report) -> None:
    """What the index says of itself: versions in force, and the counts kept on series and studies."""
    with reading(engine) as connection:
        for row in connection.execute(
            select(instances.c.sop_instance_uid)
            .outerjoin(
                versions, and_(versions.c.id == instances.c.version, versions.c.state.in_(["current"]))
            )
            .where(versions.c.id.is_(None))
            .limit(100)
        ):
            report.add("no-version", row.sop_instance_uid, "the object has no version in force")
        real = (
            select(instances.c.series, func.count().label("number"))
            .where(instances.c.rejected == "")
            .group_by(instances.c.series)
            .subquery()
        )
        for row in connection.execute(
            select(series.c.series_uid, series.c.instance_count, real.c.number)
            .outerjoin(real, real.c.series == series.c.id)
            .where(series.c.instance_count != func.coalesce(real.c.number, 0))
            .limit(100)
        ):
            report.add("count", row.series_uid, f"counts {row.instance_count} objects, has {row.number or 0}")
        summed = (
            select(
                series.c.study,
                func.sum(series.c.instance_count).label("number"),
                func.count().label("shown"),
            )
            .where(series.c.instance_count > 0)
            .group_by(series.c.study)
            .subquery()
        )
        for row in connection.execute(
            select(studies.c.study_uid, studies.c.instance_count, summed.c.number)
            .outerjoin(summed, summed.c.study == studies.c.id)
            .where(
                or_(
                    studies.c.instance_count != func.coalesce(summed.c.number, 0),
                    studies.c.series_count != func.coalesce(summed.c.shown, 0),
                )
            )
            .limit(100)
        ):
            report.add("count", row.study_uid, f"counts {row.instance_count} objects, has {row.number or 0}")
