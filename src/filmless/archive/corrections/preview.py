"""What a correction would do, before it is made."""

from pathlib import Path

from sqlalchemy import Connection, Engine, func, select

from filmless.access.model import Action, Principal, permit
from filmless.archive import entry as entries
from filmless.archive import overlays
from filmless.archive.corrections.applying import STORED, entry_of, laid_over
from filmless.archive.corrections.model import (
    Changed,
    Changes,
    Correction,
    Preview,
    Target,
    checked,
    in_words,
    keyword,
)
from filmless.archive.corrections.scope import Scope
from filmless.archive.tables import instances, studies
from filmless.db.work import reading
from filmless.dicom import json_model
from filmless.dicom.header import SPECIFIC_CHARACTER_SET
from filmless.kit import clock
from filmless.kit.errors import Refused
from filmless.patients.service import Identity, same_person
from filmless.patients.tables import patients

_MOST_OLD = 10


def preview(engine: Engine, root: Path, principal: Principal, target: Target, changes: Changes) -> Preview:
    """What a correction would do: old and new values, and how much it touches. Raises as `correct`."""
    principal = permit(principal, Action.CORRECT)
    wanted = checked(target.level, changes)
    with reading(engine) as connection:
        scope = Scope.find(connection, principal, target)
        correction = scope.correction(wanted, code="CORRECT", reason="-", by="-", at=clock.now(), key="-")
        return _preview(connection, root, scope, correction)


def _preview(connection: Connection, root: Path, scope: Scope, correction: Correction) -> Preview:
    firsts = [
        row
        for series_id in connection.scalars(
            select(instances.c.series).where(scope.condition).distinct().order_by(instances.c.series)
        ).all()
        if (
            row := connection.execute(
                STORED.where(instances.c.series == series_id, scope.condition)
                .order_by(instances.c.id)
                .limit(1)
            ).first()
        )
        is not None
    ]
    old: dict[int, dict[str, None]] = {tag: {} for tag in sorted(correction.tags)}
    first = None
    for row in firsts:
        entry = entry_of(root, row, correction.tags)
        first = first or entry
        content = json_model.from_header(
            entry.header, correction.tags, character_set=entry.arrival.source.character_set
        )
        for tag, values in old.items():
            if tag == SPECIFIC_CHARACTER_SET:
                values[entry.header.character_set] = None
            else:
                values[in_words(content.get(f"{tag:08X}"))] = None
    changed = [
        Changed(
            f"{tag:08X}",
            keyword(tag),
            list(values)[:_MOST_OLD],
            in_words(correction.changes[f"{tag:08X}"]),
            correction.changes[f"{tag:08X}"] is None,
        )
        for tag, values in old.items()
    ]
    count = connection.scalar(select(func.count()).select_from(instances).where(scope.condition)) or 0
    uids = connection.scalars(select(studies.c.study_uid).where(studies.c.id.in_(scope.study_ids))).all()
    if first is None:
        raise Refused("There is no such patient, study, series or object.", code="not-found")
    # what cannot be rewritten is known now
    over = [*overlays.read(root, firsts[0].correction), correction.in_force]
    after = entries.identity(laid_over(root, firsts[0], over))
    return Preview(
        scope.level,
        sorted(set(uids)),
        len(firsts),
        count,
        changed,
        after.patient_id,
        after.issuer,
        after.name,
        _is_known(connection, after, firsts[0].patient),
    )


def _is_known(connection: Connection, after: Identity, own: int) -> bool:
    if not after.patient_id:
        return False
    rows = connection.execute(
        select(patients.c.id, patients.c.name, patients.c.birth_date).where(
            patients.c.patient_id == after.patient_id,
            patients.c.issuer == after.issuer,
            patients.c.id != own,
        )
    )
    return any(same_person(row.name, row.birth_date, after.name, after.birth_date) for row in rows)
