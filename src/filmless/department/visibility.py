"""Which exams a principal may see: the words of grants that archive/query/visibility.py reads for studies.

`seen` goes into every query of exams, so that every edge obeys. What is not granted is closed.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, and_, exists, false, or_, select, true

from filmless.access.model import Action, Principal, Scope
from filmless.access.tables import break_glass, patient_care, shared_studies, study_access
from filmless.department.tables import exams, orders
from filmless.kit import clock
from filmless.kit.errors import Refused
from filmless.patients.tables import persons

Condition = ColumnElement[bool]
_ORDER, _PERSON = orders.alias("seen_order"), persons.alias("seen_person")


def seen(principal: Principal, action: Action = Action.PERSONS, table: FromClause = exams) -> Condition:
    """The condition on rows of `exams` (or an alias of it) on which `principal` may do `action`.

    A site and a modality are those of the exam; a department is the one that makes the exam or the one that asked for
    it; own patients are those whose exams the account or one of its wards asked for, or for whom either cares. Exams of
    persons marked VIP, and of sensitive studies, are seen by scopes that include such, and by those whose own they are.
    """
    if principal.only is not None and action not in principal.only:
        return false()
    if principal.study:
        return table.c.study_uid == principal.study
    if principal.unlimited:
        return true()
    now = clock.now()
    own = _own(principal, table, now)
    asked = [_in(grant.effective_scope, own, principal, table, now) for grant in principal.granting(action)]
    if not asked:
        return false()
    if principal.opened:
        asked.append(_opened(principal, table, now))
    granted = or_(false(), *asked)
    if principal.within is None:
        return granted
    return and_(granted, _in(principal.within, false(), principal, table, now))


def check(
    connection: Connection, principal: Principal, exam_id: int, action: Action = Action.PERSONS
) -> None:
    """Raises Refused (code "not-found") where there is no such exam for this principal."""
    query = select(exams.c.id).where(exams.c.id == exam_id, seen(principal, action))
    if connection.execute(query).first() is None:
        raise Refused("There is no such exam.", code="not-found")


def covers(connection: Connection, principal: Principal, scopes: list[Scope], exam_id: int) -> bool:
    """Whether an exam is in one of these scopes of the principal's."""
    if any(scope == Scope(sensitive=True) for scope in scopes):
        return True
    now = clock.now()
    own = _own(principal, exams, now)
    inside = or_(false(), *[_in(scope, own, principal, exams, now) for scope in scopes])
    return connection.execute(select(exams.c.id).where(exams.c.id == exam_id, inside)).first() is not None


def _in(scope: Scope, own: Condition, principal: Principal, table: FromClause, now: datetime) -> Condition:
    if scope.shared_only:
        return _shared(principal, table, now)
    conditions: list[Condition] = []
    if scope.sites is not None:
        conditions.append(table.c.site.in_(sorted(scope.sites)))
    if scope.departments is not None:
        theirs = sorted(scope.departments)
        asked = select(_ORDER.c.id).where(_ORDER.c.id == table.c.order_id, _ORDER.c.department.in_(theirs))
        conditions.append(or_(table.c.department.in_(theirs), exists(asked.correlate(table))))
    if scope.modalities is not None:
        conditions.append(table.c.modality.in_(sorted(scope.modalities)))
    if scope.own_patients:
        conditions.append(own)
    elif not scope.sensitive:
        conditions.append(or_(~_sensitive(table), own))
    return and_(true(), *conditions)


def _sensitive(table: FromClause) -> Condition:
    vip = select(_PERSON.c.id).where(_PERSON.c.id == table.c.person, _PERSON.c.vip)
    marked = select(study_access.c.study_uid).where(
        study_access.c.study_uid == table.c.study_uid, study_access.c.sensitive
    )
    return or_(exists(vip.correlate(table)), exists(marked.correlate(table)))


def _own(principal: Principal, table: FromClause, now: datetime) -> Condition:
    if principal.kind != "user":
        return false()
    asked: list[Any] = [_ORDER.c.requested_by == principal.name, _ORDER.c.created_by == principal.name]
    cares = [and_(patient_care.c.account_id == principal.account, patient_care.c.account_id != 0)]
    if principal.wards:
        theirs = sorted(principal.wards)
        asked.append(and_(_ORDER.c.ward.in_(theirs), _ORDER.c.ward != ""))
        cares.append(and_(patient_care.c.ward.in_(theirs), patient_care.c.ward != ""))
    requested = select(_ORDER.c.id).where(_ORDER.c.id == table.c.order_id, or_(*asked))
    cared = (
        select(_PERSON.c.id)
        .join(
            patient_care,
            and_(
                patient_care.c.patient_id == _PERSON.c.patient_id, patient_care.c.issuer == _PERSON.c.issuer
            ),
        )
        .where(
            _PERSON.c.id == table.c.person,
            or_(*cares),
            or_(patient_care.c.until.is_(None), patient_care.c.until > now),
        )
    )
    return or_(exists(requested.correlate(table)), exists(cared.correlate(table)))


def _shared(principal: Principal, table: FromClause, now: datetime) -> Condition:
    row = select(shared_studies.c.study_uid).where(
        shared_studies.c.study_uid == table.c.study_uid,
        shared_studies.c.account_id == principal.account,
        shared_studies.c.until > now,
        shared_studies.c.revoked_at.is_(None),
    )
    return exists(row.correlate(table)) if principal.account else false()


def _opened(principal: Principal, table: FromClause, now: datetime) -> Condition:
    """Shared with the account, or opened by breaking the glass."""
    if not principal.account:
        return false()
    in_force = (break_glass.c.account_id == principal.account, break_glass.c.until > now)
    study = select(break_glass.c.study_uid).where(
        *in_force, break_glass.c.study_uid == table.c.study_uid, break_glass.c.study_uid != ""
    )
    patient = (
        select(_PERSON.c.id)
        .join(
            break_glass,
            and_(break_glass.c.patient_id == _PERSON.c.patient_id, break_glass.c.issuer == _PERSON.c.issuer),
        )
        .where(_PERSON.c.id == table.c.person, *in_force, break_glass.c.patient_id != "")
    )
    return or_(
        _shared(principal, table, now), exists(study.correlate(table)), exists(patient.correlate(table))
    )
