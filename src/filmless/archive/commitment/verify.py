"""Whether an object is kept, as deep as a commitment promises: index row in force, file there, size, SHA-256."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select

from filmless.archive.commitment.record import Verdict
from filmless.archive.model import Cause
from filmless.archive.references import Reference
from filmless.archive.tables import instances, quarantine, versions
from filmless.db.work import reading

log = logging.getLogger(__name__)

#: Failure Reason (0008,1197), PS3.3 C.14.1.1
PROCESSING_FAILURE = 0x0110
NO_SUCH_INSTANCE = 0x0112
CLASS_INSTANCE_CONFLICT = 0x0119

_ROWS = 500
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Kept:
    sop_class_uid: str
    path: str
    offset: int
    size: int
    sha256: str


def size_of(engine: Engine, references: Sequence[Reference]) -> int:
    """How many bytes verifying these would read."""
    return sum(kept.size for part in _parts(references) for kept in _kept(engine, part).values())


def verify(engine: Engine, root: Path, device: str, references: Sequence[Reference]) -> list[Verdict]:
    """A verdict for each object, in order. Reads every file whole: for a thread of its own.

    Not committed are objects that are unknown, rejected, or only in quarantine (0112H); known under another SOP
    class (0119H); damaged, or of which `device` sent another version that was set aside (0110H): the device would
    delete what we did not take over.
    """
    verdicts: list[Verdict] = []
    for part in _parts(references):
        kept = _kept(engine, part)
        set_aside = _set_aside(engine, device, part)
        for reference in part:
            found = kept.get(reference.sop_instance_uid)
            reason: int | None = None
            if found is None:
                reason = NO_SUCH_INSTANCE
            elif found.sop_class_uid != reference.sop_class_uid:
                reason = CLASS_INSTANCE_CONFLICT
            elif reference.sop_instance_uid in set_aside:
                reason = PROCESSING_FAILURE
            elif not _sound(root / found.path, found):
                log.error("the file of %s is not as it was stored", reference.sop_instance_uid)
                reason = PROCESSING_FAILURE
            verdicts.append((reference, reason))
    return verdicts


def _parts(references: Sequence[Reference]) -> Iterator[Sequence[Reference]]:
    for start in range(0, len(references), _ROWS):
        yield references[start : start + _ROWS]


def _kept(engine: Engine, references: Sequence[Reference]) -> dict[str, _Kept]:
    with reading(engine) as connection:
        rows = connection.execute(
            select(
                instances.c.sop_instance_uid,
                instances.c.sop_class_uid,
                versions.c.path,
                versions.c.offset,
                versions.c.size,
                versions.c.sha256,
            )
            .join(versions, versions.c.id == instances.c.version)
            .where(
                instances.c.sop_instance_uid.in_([one.sop_instance_uid for one in references]),
                instances.c.rejected == "",
                versions.c.state == "current",
            )
        )
        return {row[0]: _Kept(*row[1:]) for row in rows}


def _set_aside(engine: Engine, device: str, references: Sequence[Reference]) -> set[str]:
    """Of which the device sent another object under the same UID that is not in the archive."""
    with reading(engine) as connection:
        return set(
            connection.scalars(
                select(quarantine.c.sop_instance_uid).where(
                    quarantine.c.sop_instance_uid.in_([one.sop_instance_uid for one in references]),
                    quarantine.c.cause == Cause.DIFFERENT_OBJECT.value,
                    quarantine.c.source == device,
                    quarantine.c.state.in_(("waiting", "discarded")),
                )
            )
        )


def _sound(path: Path, kept: _Kept) -> bool:
    digest = hashlib.sha256()
    left = kept.size
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(kept.offset)
            while left:
                chunk = file.read(min(left, _CHUNK))
                if not chunk:
                    return False
                digest.update(chunk)
                left -= len(chunk)
    except OSError:
        return False
    return digest.hexdigest() == kept.sha256
