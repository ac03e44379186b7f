"""The job that indexes what was there before an attribute was made searchable (archive/search_keys.py).

It remembers in the key's row how far it came: it may be cut off anywhere, and goes on.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, delete, func, insert, select, update

from filmless.archive import rejection, searchable
from filmless.archive.leaving import leaving
from filmless.archive.query.instances import StoredInstance
from filmless.archive.search_keys import JOB, TABLES, paths
from filmless.archive.searchable import LevelWord, SearchKey, SearchKeys
from filmless.archive.tables import attribute_values, instances, search_keys, series, studies, versions
from filmless.db import durable
from filmless.db.durable import Attempt
from filmless.db.work import reading, writing
from filmless.kit.errors import FilmlessError

#: rows of a level that are indexed in one transaction
_CHUNK: Final = 100


class Indexer:
    """The attempts at the job: what was there before a key."""

    def __init__(self, engine: Engine, root: Path) -> None:
        self._engine = engine
        self._root = root

    def register(self, *, back_off: Sequence[float] = durable.BACK_OFF) -> None:
        """Define the kind of job, inside `durable.running`. Its task: {"key": id of the search key}."""

        async def attempt(job_id: str, task: Mapping[str, Any], number: int) -> Attempt:
            while True:
                # short pieces: a cancelled job ends between two of them
                left, result = await asyncio.to_thread(self.some, int(task["key"]), 0.5)
                if not left:
                    return Attempt("done", result=result)

        durable.kind(JOB, attempt, back_off=back_off)

    def some(self, key_id: int, seconds: float) -> tuple[bool, dict[str, Any]]:
        """Index for about so long; returns whether there is more, and figures. A key that is gone has no more."""
        until = time.monotonic() + seconds
        while True:
            with reading(self._engine) as connection:
                row = connection.execute(select(search_keys).where(search_keys.c.id == key_id)).first()
                if row is None or row.ready:
                    return False, {} if row is None else {"done": row.done, "failed": row.failed}
                key = next(one for one in searchable.read(connection).keys if one.id == key_id)
                owners = self._owners(connection, key.level, row.position)
                files = self._files(connection, key.level, owners)
            rows, failed = self._values(key, files)
            if not self._write(key, owners, files, rows, failed, before=row.position):
                # removed meanwhile, or objects of these owners came or were replaced
                continue
            if not owners:
                return False, {"done": row.done, "failed": row.failed}
            if time.monotonic() > until:
                return True, {"done": row.done + len(owners), "failed": row.failed + failed}

    def _owners(self, connection: Connection, level: LevelWord, position: int) -> list[int]:
        table = TABLES[level]
        statement = select(table.c.id).where(table.c.id > position).order_by(table.c.id).limit(_CHUNK)
        return list(connection.scalars(statement))

    def _files(self, connection: Connection, level: LevelWord, owners: list[int]) -> list[Any]:
        """(owner, file of the object that says its values), for a patient one of each study."""
        if not owners:
            return []
        first: Select[Any]
        if level == "instance":
            first = select(instances.c.id.label("owner"), instances.c.id.label("instance")).where(
                instances.c.id.in_(owners)
            )
        elif level == "series":
            first = (
                select(instances.c.series.label("owner"), func.min(instances.c.id).label("instance"))
                .where(instances.c.series.in_(owners))
                .group_by(instances.c.series)
            )
        else:
            owner = studies.c.id if level == "study" else studies.c.patient
            first = (
                select(owner.label("owner"), func.min(instances.c.id).label("instance"))
                .join(series, series.c.study == studies.c.id)
                .join(instances, instances.c.series == series.c.id)
                .where(owner.in_(owners))
                .group_by(studies.c.id, studies.c.patient)
            )
        chosen = first.subquery()
        return list(
            connection.execute(
                select(
                    chosen.c.owner,
                    versions.c.path,
                    versions.c.offset,
                    versions.c.size,
                    versions.c.transfer_syntax_uid,
                    versions.c.character_set,
                    instances.c.correction,
                )
                .join(instances, instances.c.id == chosen.c.instance)
                .join(versions, versions.c.id == instances.c.version)
                .order_by(chosen.c.owner, chosen.c.instance)
            )
        )

    def _values(self, key: SearchKey, files: Sequence[Any]) -> tuple[list[dict[str, Any]], int]:
        keys = SearchKeys((key,))
        rows: list[dict[str, Any]] = []
        seen: set[tuple[int, str, str]] = set()
        failed = 0
        for owner, path, offset, size, syntax, character_set, correction in files:
            one = StoredInstance("", "", syntax, path, offset, size, "", "", "", 0, correction, character_set)
            try:
                header = leaving(one, self._root).header(keys.wanted)
            except (OSError, FilmlessError):
                failed += 1
                continue
            for level, value in searchable.values_of(header, keys, character_set):
                # a patient is known from many studies: each value once
                words = (owner, value["path"], value["value"])
                if level == "patient" and words in seen:
                    continue
                seen.add(words)
                rows.append({"level": level, "owner": owner, **value})
        return rows, failed

    def _write(
        self,
        key: SearchKey,
        owners: list[int],
        files: list[Any],
        rows: list[dict[str, Any]],
        failed: int,
        *,
        before: int,
    ) -> bool:
        """Put the values of these owners in place of those there are; False where things have changed meanwhile."""
        with writing(self._engine) as connection:
            # for a moment nothing is filed: what came in between has written values that must not be lost
            rejection.lock(connection, alone=True)
            if self._files(connection, key.level, owners) != files:
                return False
            done = connection.execute(
                update(search_keys)
                .where(
                    search_keys.c.id == key.id,
                    search_keys.c.position == before,
                    search_keys.c.ready.is_(False),
                )
                .values(
                    position=owners[-1] if owners else before,
                    done=search_keys.c.done + len(owners),
                    failed=search_keys.c.failed + failed,
                    ready=not owners,
                )
            )
            if done.rowcount != 1:
                return False
            if owners:
                connection.execute(
                    delete(attribute_values).where(
                        attribute_values.c.level == key.level,
                        attribute_values.c.owner.in_(owners),
                        attribute_values.c.path.in_(paths(key.path)),
                    )
                )
            if rows:
                connection.execute(insert(attribute_values), rows)
        return True
