"""Correcting, undoing, and what there is: the use cases of corrections.

A correction is one transaction: its row, the overlays and rows of everything that it is about, the ledger, the event
and the audit entry. Files keep the bytes as received.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Engine, func, insert, select, update

from filmless.access.audit.model import Entry as AuditEntry
from filmless.access.audit.model import Kind
from filmless.access.model import Action, Principal, permit
from filmless.archive import ledger, levels, overlays, rejection, searchable
from filmless.archive.corrections import applying, ledgered
from filmless.archive.corrections.applying import STORED, entry_of, from_row
from filmless.archive.corrections.ledgered import agreeing, settle_last
from filmless.archive.corrections.model import (
    CODES,
    IDENTIFYING,
    PATIENT_ID,
    Changes,
    Correction,
    Done,
    Level,
    Target,
    checked,
    keyword,
)
from filmless.archive.corrections.refile import Refiled, refile, renew_instances
from filmless.archive.corrections.scope import Scope, may_all
from filmless.archive.query.visibility import visible_at
from filmless.archive.tables import corrections, instances, series, studies
from filmless.db import events
from filmless.db.work import writing
from filmless.dicom.header import SPECIFIC_CHARACTER_SET
from filmless.kit import clock, ids
from filmless.kit.errors import Conflict, Refused
from filmless.patients.tables import patients

#: keeps an audit entry in the transaction (access.audit.trail.Trail.record_in)
Record = Callable[[Connection, AuditEntry], None]

log = logging.getLogger(__name__)

#: objects whose own rows are made anew in one transaction: about a millisecond each, and arrivals wait meanwhile; they
#: give up after 30 s
_MOST_RENEWED = 15_000
_OF_INSTANCE = frozenset(levels.INSTANCE) | frozenset(
    tag for tag, (level, _, _) in levels.SEQUENCES.items() if level == "instance"
)


def correct(
    engine: Engine,
    root: Path,
    principal: Principal,
    target: Target,
    changes: Changes,
    *,
    reason: str,
    by: str,
    code: str = "CORRECT",
    record: Record | None = None,
    host: str = "",
) -> Done:
    """Put a correction in force over `target`, also over what comes to it later. UIDs and pixels stay.

    `root`: the store's; `by`: who, in words that are kept; `record` keeps the audit entry. Raises Refused where the
    principal may not (code "not-permitted"), nothing visible is named ("not-found"), the changes are not as they must
    be, or arrivals would have to wait too long for them ("too-many-objects").
    """
    principal = permit(principal, Action.CORRECT)
    wanted = checked(target.level, changes)
    if not reason.strip():
        raise Refused("A reason is needed: it is kept with the correction.", code="no-reason")
    if code not in CODES:
        raise Refused(f"The code of a correction is one of {', '.join(CODES)}.", code="unknown-code")
    with agreeing(engine, root), writing(engine) as connection:
        rejection.lock(connection, alone=True)
        settle_last(connection, root)
        scope = Scope.find(connection, principal, target)
        at = clock.now()
        correction = _keep(
            connection,
            scope.correction(
                wanted, code=code, reason=reason.strip(), by=by[:64], at=at, key=ids.new_version_key()
            ),
        )
        # whatever of it cannot be rewritten must be known before anything is promised
        old = set(connection.scalars(select(instances.c.correction).where(scope.condition).distinct()))
        for number in sorted(old):
            new = overlays.keep(root, [*overlays.read(root, number), correction.in_force])
            connection.execute(
                update(instances)
                .where(scope.condition, instances.c.correction == number)
                .values(correction=new)
            )
        affected = connection.scalars(select(instances.c.id).where(scope.condition)).all()
        done = _renew(connection, root, scope.study_ids, correction, affected)
        _tell(connection, root, principal, correction, done, len(affected), record, host, undone=False)
    _clean(root, done)
    return Done(correction, done.study_uids, len(affected))


def undo(
    engine: Engine,
    root: Path,
    principal: Principal,
    key: str,
    *,
    reason: str,
    by: str,
    record: Record | None = None,
    host: str = "",
) -> Done:
    """Take a correction back: everything is as it would be without it. Raises Conflict where that has happened."""
    principal = permit(principal, Action.CORRECT)
    if not reason.strip():
        raise Refused("A reason is needed: it is kept with the correction.", code="no-reason")
    with agreeing(engine, root), writing(engine) as connection:
        rejection.lock(connection, alone=True)
        settle_last(connection, root)
        row = connection.execute(select(corrections).where(corrections.c.key == key)).first()
        if row is None:
            raise Refused("There is no such correction.", code="not-found")
        if row.undone_at is not None:
            raise Conflict("It was undone before.", code="undone")
        correction = from_row(row)
        touching = [
            (one.id, one.correction)
            for one in connection.execute(
                select(studies.c.id, instances.c.correction)
                .join(series, series.c.study == studies.c.id)
                .join(instances, instances.c.series == series.c.id)
                .where(instances.c.correction != 0, _where_in_force(connection, correction))
                .distinct()
            )
        ]
        numbers = applying.numbers_with(root, {number for _, number in touching}, key)
        study_ids = sorted({study for study, number in touching if number in numbers})
        if study_ids:
            # else it is in force over nothing: what it was about is gone, or is another's by now
            may_all(connection, principal, study_ids)
        now = clock.now()
        connection.execute(
            update(corrections)
            .where(corrections.c.key == key)
            .values(
                undone_at=now,
                undone_by=by[:64],
                undo_reason=reason.strip(),
                act=_next_act(connection),
            )
        )
        condition = instances.c.series.in_(
            select(series.c.id).where(series.c.study.in_(study_ids))
        ) & instances.c.correction.in_(numbers)
        affected = connection.scalars(select(instances.c.id).where(condition)).all()
        if _depends(connection, correction):
            _work_out(connection, root, study_ids)
        else:
            for number in sorted(numbers):
                left = [one for one in overlays.read(root, number) if one.key != key]
                connection.execute(
                    update(instances)
                    .where(
                        instances.c.correction == number,
                        instances.c.series.in_(select(series.c.id).where(series.c.study.in_(study_ids))),
                    )
                    .values(correction=overlays.keep(root, left))
                )
        undone = from_row(connection.execute(select(corrections).where(corrections.c.key == key)).one())
        done = _renew(connection, root, study_ids, undone, affected)
        _tell(connection, root, principal, undone, done, len(affected), record, host, undone=True)
    _clean(root, done)
    return Done(undone, done.study_uids, len(affected))


def listed(
    connection: Connection,
    principal: Principal,
    *,
    study_uid: str = "",
    patient_id: str = "",
    include_undone: bool = False,
    limit: int = 100,
) -> list[Correction]:
    """Corrections, the newest first, at most `limit`; those of a study with what is in force over it from its
    patient where `patient_id` is given too. Of studies that the principal does not see nothing is told."""
    principal = permit(principal, Action.CORRECT)
    query = select(corrections).order_by(corrections.c.id.desc()).limit(limit)
    if not principal.unlimited:
        seen = select(studies.c.study_uid).where(visible_at("STUDY", principal))
        of_patients = (
            select(patients.c.patient_id)
            .join(studies, studies.c.patient == patients.c.id)
            .where(visible_at("STUDY", principal))
        )
        query = query.where(
            corrections.c.study_uid.in_(seen)
            | ((corrections.c.study_uid == "") & corrections.c.patient_id.in_(of_patients))
        )
    if study_uid:
        query = query.where(corrections.c.study_uid == study_uid)
    if patient_id:
        query = query.where(corrections.c.patient_id == patient_id)
    if not include_undone:
        query = query.where(corrections.c.undone_at.is_(None))
    return [from_row(row) for row in connection.execute(query)]


def _next_act(connection: Connection) -> int:
    return (connection.scalar(select(func.max(corrections.c.act))) or 0) + 1


def _keep(connection: Connection, one: Correction) -> Correction:
    made = connection.execute(
        insert(corrections)
        .values(**ledgered.row_of(one), act=_next_act(connection))
        .returning(corrections.c.id)
    ).scalar_one()
    return from_row(connection.execute(select(corrections).where(corrections.c.id == made)).one())


def _where_in_force(connection: Connection, one: Correction) -> ColumnElement[bool]:
    """A condition on `studies` that holds for all over which a correction may be in force."""
    if one.study_uid:
        return studies.c.study_uid == one.study_uid
    # whoever the patient has become by what came after it
    known = {one.patient_id, *_new_ids(one)}
    moved: set[str] = set()
    for row in connection.execute(
        select(corrections)
        .where(corrections.c.id > one.id, corrections.c.undone_at.is_(None))
        .order_by(corrections.c.id)
    ):
        later = from_row(row)
        if later.tags.isdisjoint(IDENTIFYING):
            continue
        if later.study_uid:
            moved.add(later.study_uid)
        elif later.patient_id in known:
            known.update(_new_ids(later))
    whose = select(patients.c.id).where(patients.c.patient_id.in_(known))
    return studies.c.patient.in_(whose) | studies.c.study_uid.in_(moved)


def _new_ids(one: Correction) -> list[str]:
    return [one.gives(PATIENT_ID)] if PATIENT_ID in one.changes else []


def _depends(connection: Connection, undone: Correction) -> bool:
    """Whether a later correction of a patient may be in force over other objects without this one."""
    if not undone.tags & IDENTIFYING:
        return False
    later = select(corrections.c.id).where(
        corrections.c.level == Level.PATIENT.value,
        corrections.c.undone_at.is_(None),
        corrections.c.id > undone.id,
    )
    return connection.scalar(later.limit(1)) is not None


def _work_out(connection: Connection, root: Path, study_ids: list[int]) -> None:
    """The overlay of each object of these studies from the object as received: slow, and always right."""
    known = applying.Corrections(root)
    known.begin(connection)
    for study_id in study_ids:
        for row in connection.execute(STORED.where(series.c.study == study_id)).all():
            found = known.of(connection, entry_of(root, row, number=0))
            number = overlays.keep(root, [one.in_force for one in found])
            if number != row.correction:
                connection.execute(
                    update(instances).where(instances.c.id == row.id).values(correction=number)
                )


def _renew(
    connection: Connection,
    root: Path,
    study_ids: Iterable[int],
    correction: Correction,
    affected: Sequence[int],
) -> Refiled:
    """Rows of the instances `affected`, where they hold what is corrected, and of all that is above them."""
    if correction.tags & (_OF_INSTANCE | {SPECIFIC_CHARACTER_SET}) or _further(connection, correction):
        if len(affected) > _MOST_RENEWED and correction.undone_at is None:
            raise Refused(
                f"This changes each of {len(affected)} objects by itself, and nothing could arrive meanwhile: correct"
                f" the series one by one ({_MOST_RENEWED} objects at most).",
                code="too-many-objects",
            )
        for start in range(0, len(affected), 500):
            part = affected[start : start + 500]
            rows = connection.execute(STORED.where(instances.c.id.in_(part)).order_by(instances.c.id)).all()
            renew_instances(connection, root, rows)
    undone = correction.undone_at is not None
    return refile(
        connection,
        root,
        study_ids,
        correction.tags,
        why=f"correction {correction.key}",
        apart=undone,
    )


def _further(connection: Connection, correction: Correction) -> bool:
    """Whether an engineer made one of the attributes searchable at the level of instances."""
    return any(
        key.level == "instance" and key.tags[0] in correction.tags for key in searchable.read(connection).keys
    )


def _tell(
    connection: Connection,
    root: Path,
    principal: Principal,
    correction: Correction,
    done: Refiled,
    touched: int,
    record: Record | None,
    host: str,
    *,
    undone: bool,
) -> None:
    """Event, audit entry and ledger, in this order: the ledger is outside the transaction, and comes last."""
    body = {
        "correction": correction.key,
        "level": correction.level.value,
        "study_uids": done.study_uids,
        "instances": touched,
    }
    events.record(connection, [("correction-undone" if undone else "corrected", body)])
    if record is not None:
        record(
            connection,
            AuditEntry(
                Kind.CORRECT,
                principal,
                host=host,
                studies=tuple(done.study_uids),
                patients=tuple(sorted(done.patient_ids)),
                what="undone" if undone else correction.level.value.lower(),
                detail={
                    "correction": correction.key,
                    "attributes": [keyword(tag) for tag in sorted(correction.tags)],
                    "instances": touched,
                },
                reason=correction.undo_reason if undone else correction.reason,
            ),
        )
    ledger.write(root, [ledgered.undone(correction) if undone else ledgered.made(correction)])


def _clean(root: Path, done: Refiled) -> None:
    for path in done.prepared:
        (root.parent / path).unlink(missing_ok=True)
