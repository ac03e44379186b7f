"""Whether an object that arrives is the one in the archive: also where it is one of our own corrected copies that
comes back, from whatever time. A copy tells its corrections in its Original Attributes Sequence.
"""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, select

from filmless.archive.codecs import Codecs, DataSet
from filmless.archive.corrections.applying import from_row
from filmless.archive.entry import Entry, scan_file
from filmless.archive.filing import Known
from filmless.archive.leaving import Leaving, overlaid
from filmless.archive.tables import corrections, versions
from filmless.db.work import reading
from filmless.dicom import scan
from filmless.dicom.overlay import ORIGINAL_ATTRIBUTES, SYSTEM, Layer
from filmless.dicom.rewrite import inflate
from filmless.dicom.uids import EXPLICIT_VR_LE, transfer_syntax

_WHEN, _WHERE = 0x04000562, 0x04000563


def same_blocking(codecs: Codecs, engine: Engine, root: Path, entry: Entry, known: Known) -> bool:
    """Whether both are one object, in whatever transfer syntax, corrected by us or as received.

    For threads. Raises as Codecs.same_blocking, and OSError and Refused where a file cannot be read.
    """
    file, syntax = entry.file, entry.arrival.transfer_syntax_uid
    arrived = DataSet(str(root / file.path), file.offset, file.size, syntax)
    stored = DataSet(str(root / known.path), known.offset, known.size, known.transfer_syntax_uid)
    if codecs.same_blocking(stored, arrived) is None:
        return True
    moments = _moments(root, entry)
    if not moments:
        return False
    with reading(engine) as connection:
        made = {
            row.at: from_row(row).in_force.layer()
            for row in connection.execute(select(corrections).where(corrections.c.at.in_(moments)))
        }
        character_set = connection.scalar(
            select(versions.c.character_set).where(versions.c.id == known.version)
        )
    layers = [made[at] for at in moments if at in made]
    if not layers:
        return False
    copy = _as_it_left(root, known, layers, character_set or "")
    left = DataSet(str(copy.path), copy.offset, copy.length, copy.transfer_syntax, copy.head)
    return codecs.same_blocking(left, arrived) is None


def _moments(root: Path, entry: Entry) -> list[datetime]:
    """When the corrections were made that the object says are ours, in their order."""
    file = entry.file
    header = scan_file(
        root / file.path,
        file.offset,
        file.size,
        entry.arrival.transfer_syntax_uid,
        frozenset({ORIGINAL_ATTRIBUTES}),
    )
    found = []
    for item in scan.sequence_items(header, ORIGINAL_ATTRIBUTES):
        if scan.text(item, _WHERE) == SYSTEM:
            try:
                at = datetime.strptime(scan.text(item, _WHEN), "%Y%m%d%H%M%S.%f%z")
            except ValueError:
                continue
            found.append(at.astimezone(UTC))
    return found


def _as_it_left(root: Path, known: Known, layers: list[Layer], character_set: str) -> Leaving:
    with (root / known.path).open("rb") as stored:
        stored.seek(known.offset)
        data = stored.read(known.size)
    syntax = known.transfer_syntax_uid
    if transfer_syntax(syntax).deflated:
        data, syntax = inflate(data), EXPLICIT_VR_LE
        head, rest = overlaid(data, syntax, layers, character_set)
        return Leaving(head + data[rest:], root / known.path, 0, 0, syntax)
    head, rest = overlaid(data, syntax, layers, character_set)
    return Leaving(head, root / known.path, known.offset + rest, known.size - rest, syntax)
