"""Whose object is this? Identity is patient ID plus issuer; differences are flagged for a steward, never merged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    and_,
    delete,
    insert,
    or_,
    select,
    update,
)

from filmless.kit import clock
from filmless.patients import names, sounds
from filmless.patients.tables import identity_flags, patient_sounds, patients

#: characters of a text that an index of PostgreSQL takes, whatever they are: 2,704 bytes at most
INDEXED = 500


@dataclass(frozen=True, slots=True)
class Identity:
    """A patient as one object tells it. Texts decoded, without padding; "" where absent."""

    patient_id: str
    issuer: str
    name: str
    birth_date: str
    birth_time: str = ""
    sex: str = ""
    #: [[patient ID, issuer], ...] of Other Patient IDs
    other_ids: tuple[tuple[str, str], ...] = ()
    #: DICOM JSON of the patient level
    attributes: Mapping[str, Any] = field(default_factory=dict)


def find_or_create(
    connection: Connection, identity: Identity, study_uid: str, at: datetime | None = None
) -> tuple[int, bool]:
    """The patient of an object, made if new, in the caller's write transaction. Returns (id, made).

    The same ID and issuer with another name or birth date is another `variant`, flagged "same-id". Without an
    ID, objects share a patient only within their study. Two processes that make the same patient at once: the
    second gets the database's uniqueness error and tries its transaction again. `at`: when the object came; now
    without it.
    """
    anonymous_key = "" if identity.patient_id else study_uid
    rows = connection.execute(
        select(patients)
        .where(
            patients.c.patient_id == identity.patient_id,
            patients.c.issuer == identity.issuer,
            patients.c.anonymous_key == anonymous_key,
        )
        .order_by(patients.c.variant)
        # two senders must not both fill in what is blank, each with another name (PostgreSQL)
        .with_for_update()
    ).all()
    for row in rows:
        if same_person(row.name, row.birth_date, identity.name, identity.birth_date):
            _fill_blanks(connection, row, identity)
            return row.id, False
    # of those that are gone no number is used again beside one that is there
    made = _create(connection, identity, anonymous_key, rows[-1].variant + 1 if rows else 0)
    if rows:
        flag(connection, "same-id", rows[0].id, made, "", at)
    return made, True


def place(connection: Connection, identity: Identity, study_uid: str, leaving: set[int]) -> int:
    """The patient to whom a study belongs now that its identity was corrected, in the caller's write transaction.

    `leaving`: patients whose studies are all being placed anew. One of them under the same ID and issuer is renamed
    where no other is that person, instead of being told apart from itself; who is found is no longer in `leaving`.
    """
    anonymous_key = "" if identity.patient_id else study_uid
    rows = connection.execute(
        select(patients)
        .where(
            patients.c.patient_id == identity.patient_id,
            patients.c.issuer == identity.issuer,
            patients.c.anonymous_key == anonymous_key,
        )
        .order_by(patients.c.variant)
        .with_for_update()
    ).all()
    staying = [row for row in rows if row.id not in leaving]
    free = [row for row in rows if row.id in leaving]
    made: int
    for row in [*staying, *free]:
        if same_person(row.name, row.birth_date, identity.name, identity.birth_date):
            made = row.id
            leaving.discard(made)
            _fill_blanks(connection, row, identity)
            return made
    if free:
        made = free[0].id
        leaving.discard(made)
        connection.execute(update(patients).where(patients.c.id == made).values(**_told(identity)))
        sounds.write(connection, made, identity.name)
    else:
        made = _create(connection, identity, anonymous_key, rows[-1].variant + 1 if rows else 0)
    if staying:
        flag(connection, "same-id", staying[0].id, made, "")
    return made


def tell_again(connection: Connection, patient: int, identities: Sequence[Identity]) -> None:
    """Make a patient's row what objects with these identities would have made of it, in their order."""
    if not identities:
        return
    connection.execute(update(patients).where(patients.c.id == patient).values(**_told(identities[0])))
    sounds.write(connection, patient, identities[0].name)
    for identity in identities[1:]:
        row = connection.execute(select(patients).where(patients.c.id == patient)).one()
        _fill_blanks(connection, row, identity)


def forget(connection: Connection, patient: int, *, reason: str) -> None:
    """Remove a patient to whom no study belongs any more; doubts about him are settled by it."""
    connection.execute(
        update(identity_flags)
        .where(
            or_(identity_flags.c.patient_id == patient, identity_flags.c.other_patient_id == patient),
            identity_flags.c.resolved_at.is_(None),
        )
        .values(resolved_at=clock.now(), resolved_by="filmless", reason=reason)
    )
    connection.execute(delete(patient_sounds).where(patient_sounds.c.patient == patient))
    connection.execute(delete(patients).where(patients.c.id == patient))


def same_person(name: str, birth_date: str, other_name: str, other_birth_date: str) -> bool:
    """Whether nothing contradicts that these are one person. What is missing contradicts nothing.

    Names are compared group by group, those groups that both have; without one in common they contradict.
    """
    if birth_date and other_birth_date and birth_date != other_birth_date:
        return False
    one, other = names.keys(name), names.keys(other_name)
    if not any(one) or not any(other):
        return True
    shared = [(a, b) for a, b in zip(one, other, strict=True) if a and b]
    return bool(shared) and all(a == b for a, b in shared)


def _create(connection: Connection, identity: Identity, anonymous_key: str, variant: int) -> int:
    made: int = connection.execute(
        insert(patients)
        .values(
            patient_id=identity.patient_id,
            issuer=identity.issuer,
            variant=variant,
            anonymous_key=anonymous_key,
            created_at=clock.now(),
            **_told(identity),
        )
        .returning(patients.c.id)
    ).scalar_one()
    sounds.write(connection, made, identity.name)
    return made


def _told(identity: Identity) -> dict[str, Any]:
    """Columns that an object tells besides whose it is."""
    keys = names.keys(identity.name)
    return {
        "name": identity.name,
        "name_alphabetic": keys.alphabetic[:INDEXED],
        "name_ideographic": keys.ideographic[:INDEXED],
        "name_phonetic": keys.phonetic[:INDEXED],
        "birth_date": identity.birth_date,
        "birth_time": identity.birth_time,
        "sex": identity.sex,
        "other_ids": [list(pair) for pair in identity.other_ids],
        "attributes": dict(identity.attributes),
    }


def _fill_blanks(connection: Connection, row: Row[Any], identity: Identity) -> None:
    """A later object may know what the first did not: name, birth date, sex."""
    new: dict[str, Any] = {
        column: value
        for column, value in (
            ("birth_date", identity.birth_date),
            ("birth_time", identity.birth_time),
            ("sex", identity.sex),
        )
        if value and not getattr(row, column)
    }
    if identity.name and not row.name:
        keys = names.keys(identity.name)
        new |= {
            "name": identity.name,
            "name_alphabetic": keys.alphabetic[:INDEXED],
            "name_ideographic": keys.ideographic[:INDEXED],
            "name_phonetic": keys.phonetic[:INDEXED],
        }
        sounds.write(connection, row.id, identity.name)
    missing = {
        tag: value
        for tag, value in identity.attributes.items()
        if not row.attributes.get(tag, {}).get("Value")
    }
    if new:
        new["attributes"] = {**row.attributes, **missing}
        connection.execute(update(patients).where(patients.c.id == row.id).values(**new))


def flag(
    connection: Connection, kind: str, patient: int, other: int, study_uid: str, at: datetime | None = None
) -> None:
    """Put a doubt about identity on the steward's list, once; raised `at` that moment, now without it."""
    known = connection.scalar(
        select(identity_flags.c.id).where(
            and_(
                identity_flags.c.kind == kind,
                identity_flags.c.patient_id == patient,
                identity_flags.c.other_patient_id == other,
                identity_flags.c.study_uid == study_uid,
            )
        )
    )
    if known is None:
        connection.execute(
            insert(identity_flags).values(
                kind=kind,
                patient_id=patient,
                other_patient_id=other,
                study_uid=study_uid,
                raised_at=at or clock.now(),
            )
        )


@dataclass(frozen=True, slots=True)
class Flagged:
    """One side of a doubt."""

    patient_id: str
    issuer: str
    name: str
    birth_date: str
    #: the study of one without an ID, who is nobody else's
    anonymous_key: str = ""


@dataclass(frozen=True, slots=True)
class Flag:
    """A doubt about identity that nobody has settled."""

    id: int
    kind: str
    patient: Flagged
    other: Flagged
    study_uid: str
    raised_at: datetime


def open_flags(
    connection: Connection,
    *,
    limit: int,
    before: int = 0,
    seen: Callable[[FromClause], ColumnElement[bool]] | None = None,
) -> list[Flag]:
    """Doubts that wait for a steward, newest first, at most `limit`, those before id `before` where it is given.

    `seen`: the condition on rows of `patients` (an alias of it) that they may be known of; it must hold of both.
    """
    query = _flags(seen).where(identity_flags.c.resolved_at.is_(None)).order_by(identity_flags.c.id.desc())
    if before:
        query = query.where(identity_flags.c.id < before)
    return [_flag(row) for row in connection.execute(query.limit(limit))]


def flag_of(
    connection: Connection, number: int, *, seen: Callable[[FromClause], ColumnElement[bool]] | None = None
) -> Flag | None:
    """The doubt of that number, settled or not; None where there is none that may be known of."""
    row = connection.execute(_flags(seen).where(identity_flags.c.id == number)).first()
    return _flag(row) if row is not None else None


def flags_between(
    connection: Connection, kind: str, study_uid: str, sides: tuple[Flagged, Flagged], at: datetime
) -> list[int]:
    """Numbers of the open doubts of a kind about these two, raised until `at`.

    What was not known of them when they were told (a birth date, a name) may be known by now, and of two that came at
    the same moment either may be the first.
    """
    one, other = sides
    rows = connection.execute(
        _flags(lambda side: side.c.patient_id.in_({one.patient_id, other.patient_id})).where(
            identity_flags.c.kind == kind,
            identity_flags.c.study_uid == study_uid,
            identity_flags.c.raised_at <= at,
            identity_flags.c.resolved_at.is_(None),
        )
    )
    found = [_flag(row) for row in rows]
    return [
        flag.id
        for flag in found
        if (_is(flag.patient, one) and _is(flag.other, other))
        or (_is(flag.patient, other) and _is(flag.other, one))
    ]


def _is(side: Flagged, told: Flagged) -> bool:
    same_id = (side.patient_id, side.issuer, side.anonymous_key) == (
        told.patient_id,
        told.issuer,
        told.anonymous_key,
    )
    return same_id and same_person(side.name, side.birth_date, told.name, told.birth_date)


def settle_flag(connection: Connection, number: int, *, by: str, reason: str, at: datetime) -> bool:
    """Settle an open doubt; returns False where it is none."""
    done = connection.execute(
        update(identity_flags)
        .where(identity_flags.c.id == number, identity_flags.c.resolved_at.is_(None))
        .values(resolved_at=at, resolved_by=by[:64], reason=reason)
    )
    return done.rowcount == 1


def _flags(seen: Callable[[FromClause], ColumnElement[bool]] | None) -> Select[Any]:
    one, other = patients.alias("one"), patients.alias("other")
    sides = [
        column
        for side in (one, other)
        for column in (
            side.c.patient_id,
            side.c.issuer,
            side.c.name,
            side.c.birth_date,
            side.c.anonymous_key,
        )
    ]
    query = (
        select(
            identity_flags.c.id,
            identity_flags.c.kind,
            identity_flags.c.study_uid,
            identity_flags.c.raised_at,
            *sides,
        )
        .join(one, one.c.id == identity_flags.c.patient_id)
        .join(other, other.c.id == identity_flags.c.other_patient_id)
    )
    return query if seen is None else query.where(seen(one), seen(other))


def _flag(row: Sequence[Any]) -> Flag:
    return Flag(row[0], row[1], Flagged(*row[4:9]), Flagged(*row[9:14]), row[2], row[3])
