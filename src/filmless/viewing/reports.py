"""Measurements that are in a study's reports already, ours and others'."""

from typing import Any, Final

from sqlalchemy import select

from filmless.access.model import Principal
from filmless.archive.codecs import Codecs, DataSet
from filmless.archive.leaving import leaving
from filmless.archive.query.instances import StoredInstance, stored
from filmless.archive.store import Archive
from filmless.archive.tables import instances, studies
from filmless.db.work import reading
from filmless.kit.errors import Unavailable

#: of reports with measurement groups: Enhanced, Comprehensive, Comprehensive 3D, Extensible SR (PS3.4 B.5)
REPORT_CLASSES: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.88.22",
        "1.2.840.10008.5.1.4.1.1.88.33",
        "1.2.840.10008.5.1.4.1.1.88.34",
        "1.2.840.10008.5.1.4.1.1.88.35",
    }
)
#: reports of a study that are read, the newest; bytes of one
MOST: Final = 100
LONGEST: Final = 8 << 20


def measured(
    archive: Archive, codecs: Codecs, principal: Principal, study_uid: str, row: int | None = None
) -> dict[str, Any]:
    """{"annotations": [...], "left_out": reports that were not read}. In a thread that may wait.

    `row`: of `studies`, where several patients have the study's number. Of a chain of versions the latest; another
    one's report and its later version may both be seen where only the earlier is rejected.
    """
    statement = (
        stored(principal)
        .where(studies.c.study_uid == study_uid, instances.c.sop_class_uid.in_(REPORT_CLASSES))
        .order_by(instances.c.id.desc())
        .limit(1000)
    )
    if row is not None:
        statement = statement.where(studies.c.id == row)
    with reading(archive.engine) as connection:
        found = [StoredInstance(*row) for row in connection.execute(statement)]
    taken = [one for one in found if one.size <= LONGEST][:MOST]
    if not taken:
        return {"annotations": [], "left_out": len(found)}
    sources = []
    try:
        for one in reversed(taken):
            out = leaving(one, archive.root)
            source = DataSet(str(out.path), out.offset, out.length, out.transfer_syntax, out.head)
            sources.append((source, one.character_set))
    except OSError:
        raise Unavailable("A report cannot be read at the moment.", code="unreadable") from None
    answer = codecs.measured_blocking(sources)
    return {"annotations": answer["annotations"], "left_out": len(found) - len(taken) + answer["failed"]}


def study_seen(archive: Archive, principal: Principal, study_uid: str) -> bool:
    """Whether there is such a study for the principal."""
    statement = stored(principal).where(studies.c.study_uid == study_uid).limit(1)
    with reading(archive.engine) as connection:
        return connection.execute(select(statement.exists())).scalar() is True
