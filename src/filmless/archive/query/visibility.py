"""What a principal may see of the archive. In every archive query, so that every edge obeys.

Two conditions, both always. What is in force (`in_force`): rejected objects are hidden; those rejected for quality
reasons exist for quality control only (IHE RAD IOCM); superseded versions are never seen, because an instance's row
names the one in force. And whose study it is (`seen`): that of a grant's scope, of a share link, or opened to the
account for a time. Who may see a study may see all in it; a series, study or patient is seen when something in it is.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    and_,
    bindparam,
    exists,
    false,
    or_,
    select,
    true,
    union,
)
from sqlalchemy.sql.elements import False_

from filmless.access.model import Action, Principal, Scope
from filmless.access.tables import break_glass, patient_care, shared_studies, study_access
from filmless.archive.model import QUALITY_CODE
from filmless.archive.query.keys import Level
from filmless.archive.tables import instances, series, studies
from filmless.db.schema import Moment
from filmless.kit import clock
from filmless.patients.tables import patients

Condition = ColumnElement[bool]
#: made once, because making an alias copies its columns; none is used in two places that may enclose each other
_ABOVE_INSTANCE, _STUDY_OF_INSTANCE = series.alias("seen_series"), studies.alias("seen_instance_study")
_STUDY_OF_SERIES = studies.alias("seen_series_study")
_OF_PATIENT = studies.alias("seen_patient_study")
_SERIES_IN_STUDY = series.alias("seen_modality")
_OWN_STUDY, _OWN_PATIENT = studies.alias("own_study"), patients.alias("own_patient")


def visible(
    principal: Principal, table: FromClause = instances, *, action: Action = Action.VIEW
) -> Condition:
    """The condition on rows of `instances` (or an alias of it) on which this principal may do `action`."""
    return visible_at("IMAGE", principal, table, action=action)


def visible_at(
    level: Level, principal: Principal, table: FromClause | None = None, *, action: Action = Action.VIEW
) -> Condition:
    """The same for rows of a level's table (or an alias of it). Complete in itself, whatever else is joined."""
    if level == "PATIENT":
        own = patients if table is None else table
        study = _OF_PATIENT
        condition = and_(in_force("STUDY", principal, study), seen(principal, study, action=action))
        if _little(principal, action):
            # IN: the few studies lead to their patients
            return own.c.id.in_(select(study.c.patient).where(condition).correlate(None))
        return exists(select(study.c.id).where(study.c.patient == own.c.id, condition))
    own = _table(level) if table is None else table
    condition = in_force(level, principal, own)
    if isinstance(seen(principal, action=action), False_):
        return false()
    if not restricted(principal, action):
        return condition
    if level == "STUDY":
        return and_(condition, seen(principal, own, action=action))
    if level == "SERIES":
        study = _STUDY_OF_SERIES
        above = select(study.c.id).where(study.c.id == own.c.study, seen(principal, study, action=action))
        return and_(condition, exists(above))
    one, study = _ABOVE_INSTANCE, _STUDY_OF_INSTANCE
    above = select(study.c.id).where(
        one.c.id == own.c.series, study.c.id == one.c.study, seen(principal, study, action=action)
    )
    return and_(condition, exists(above))


def in_force(level: Level, principal: Principal, table: FromClause | None = None) -> Condition:
    """The condition on rows of a level below PATIENT that something in them is not hidden by a rejection.

    Not enough by itself: `seen` must hold of the study. The counts that ingest and rejection keep answer it; for
    quality control, where they say that there is nothing, the instances.
    """
    return _in_force(level, _table(level) if table is None else table, quality=principal.quality_control)


def _in_force(level: Level, own: FromClause, *, quality: bool) -> Condition:
    if level == "IMAGE":
        return own.c.rejected.in_(("", QUALITY_CODE)) if quality else own.c.rejected == ""
    if not quality:
        return own.c.instance_count > 0
    instance = instances.alias()
    inside: Select[Any] = select(instance.c.id).where(_in_force("IMAGE", instance, quality=True))
    # what the count tells of needs no look at the instances
    if level == "SERIES":
        return or_(own.c.instance_count > 0, exists(inside.where(instance.c.series == own.c.id)))
    one = series.alias()
    there = exists(inside.where(instance.c.series == one.c.id, one.c.study == own.c.id))
    return or_(own.c.instance_count > 0, there)


def restricted(principal: Principal, action: Action = Action.VIEW) -> bool:
    """Whether there may be studies on which `principal` may not do `action`."""
    if principal.study or (principal.only is not None and action not in principal.only):
        return True
    if principal.unlimited:
        return False
    if principal.within is not None and not _is_everything(principal.within):
        return True
    return not any(_is_everything(grant.effective_scope) for grant in principal.granting(action))


def seen(principal: Principal, study: FromClause = studies, *, action: Action = Action.VIEW) -> Condition:
    """The condition on rows of `studies` (or an alias of it, in the FROM of the query) that they are open to this.

    What is not granted is closed. true() where nothing is restricted.
    """
    if principal.only is not None and action not in principal.only:
        return false()
    if principal.study:
        return study.c.study_uid == principal.study
    if principal.unlimited:
        return true()
    scopes = frozenset(grant.effective_scope for grant in principal.granting(action))
    quality = principal.quality_control
    granted = _seen(
        scopes,
        principal.account,
        principal.wards,
        with_opened=principal.opened,
        quality=quality,
        study=study,
    )
    if principal.within is None:
        return granted
    here = _seen(
        frozenset({principal.within}), 0, frozenset(), with_opened=False, quality=quality, study=study
    )
    return and_(granted, here)


def _little(principal: Principal, action: Action) -> bool:
    """Whether what is open is found from tables of its own, and little."""
    if principal.unlimited or principal.study:
        return bool(principal.study)
    scopes = [grant.effective_scope for grant in principal.granting(action)]
    return all(scope.own_patients or scope.shared_only for scope in scopes)


def _is_everything(scope: Scope) -> bool:
    return scope == Scope(sensitive=True)


@lru_cache(maxsize=1024)
def _seen(
    scopes: frozenset[Scope],
    account: int,
    wards: frozenset[str],
    *,
    with_opened: bool,
    quality: bool,
    study: FromClause,
) -> Condition:
    """What any of the scopes allows, or was opened to the account besides.

    What may be much (a site, a department, a modality) is asked of each study; what is little (own patients, studies
    that were opened) is found from its own tables, so that a search without keys reads those alone.
    """
    if not scopes:
        return false()
    if any(_is_everything(scope) for scope in scopes):
        return true()
    own = _own(account, wards)
    opened = _opened(account) if with_opened else []
    asked: list[Condition] = []
    found: list[Select[Any]] = list(opened)
    for scope in scopes:
        if scope.shared_only:
            continue
        within = _within(scope, study, quality=quality)
        if scope.own_patients:
            if within is None:
                found += own
            elif own:
                asked.append(and_(study.c.id.in_(_union(own)), within))
            continue
        if scope.sensitive:
            plain: Condition = true()
        elif own and within is not None:
            # the care relation opens what is sensitive
            plain = or_(~_marked(study), study.c.id.in_(_union(own)))
        else:
            plain = ~_marked(study)
            found += own
        asked.append(plain if within is None else and_(within, plain))
    if found:
        asked.append(study.c.id.in_(_union(found)))
    return or_(false(), *asked)


def _within(scope: Scope, study: FromClause, *, quality: bool) -> Condition | None:
    """Site, department and modality; None where the scope restricts none of them."""
    conditions: list[Condition] = []
    written: list[Condition] = []
    if scope.sites is not None:
        written.append(study_access.c.site.in_(sorted(scope.sites)))
    if scope.departments is not None:
        written.append(study_access.c.department.in_(sorted(scope.departments)))
    if written:
        row = select(study_access.c.study_uid).where(study_access.c.study_uid == study.c.study_uid, *written)
        conditions.append(exists(row.correlate(study)))
    if scope.modalities is not None:
        one = _SERIES_IN_STUDY
        inside = select(one.c.id).where(
            one.c.study == study.c.id,
            one.c.modality.in_(sorted(scope.modalities)),
            _in_force("SERIES", one, quality=quality),
        )
        conditions.append(exists(inside.correlate(study)))
    return and_(*conditions) if conditions else None


def _marked(study: FromClause) -> Condition:
    """Marked as sensitive."""
    row = select(study_access.c.study_uid).where(
        study_access.c.study_uid == study.c.study_uid, study_access.c.sensitive
    )
    return exists(row.correlate(study))


def _own(account: int, wards: frozenset[str]) -> list[Select[Any]]:
    """studies.id of own patients: requested by the account or from its wards, or of those that either cares for."""
    if not account:
        return []
    study, patient = _OWN_STUDY, _OWN_PATIENT
    requested = select(study.c.id).join(study_access, study_access.c.study_uid == study.c.study_uid)
    cared_for = (
        select(study.c.id)
        .join(patient, patient.c.id == study.c.patient)
        .join(
            patient_care,
            and_(
                patient_care.c.patient_id == patient.c.patient_id, patient_care.c.issuer == patient.c.issuer
            ),
        )
        .where(or_(patient_care.c.until.is_(None), patient_care.c.until > _now()))
    )
    found = [
        requested.where(study_access.c.requested_by == account),
        cared_for.where(patient_care.c.account_id == account, patient_care.c.account_id != 0),
    ]
    if wards:
        theirs = sorted(wards)
        found += [
            requested.where(study_access.c.ward.in_(theirs), study_access.c.ward != ""),
            cared_for.where(patient_care.c.ward.in_(theirs), patient_care.c.ward != ""),
        ]
    return found


def _opened(account: int) -> list[Select[Any]]:
    """The studies that are open to the account for a time (studies.id): shared with it, or by breaking the glass."""
    if not account:
        return []
    study, patient = _OWN_STUDY, _OWN_PATIENT
    shared = (
        select(study.c.id)
        .join(shared_studies, shared_studies.c.study_uid == study.c.study_uid)
        .where(
            shared_studies.c.account_id == account,
            shared_studies.c.until > _now(),
            shared_studies.c.revoked_at.is_(None),
        )
    )
    in_force = (break_glass.c.account_id == account, break_glass.c.until > _now())
    one = (
        select(study.c.id)
        .join(break_glass, break_glass.c.study_uid == study.c.study_uid)
        .where(*in_force, break_glass.c.study_uid != "")
    )
    of_patient = (
        select(study.c.id)
        .join(patient, patient.c.id == study.c.patient)
        .join(
            break_glass,
            and_(break_glass.c.patient_id == patient.c.patient_id, break_glass.c.issuer == patient.c.issuer),
        )
        .where(*in_force, break_glass.c.patient_id != "")
    )
    return [shared, one, of_patient]


def _union(selects: Iterable[Select[Any]]) -> CompoundSelect[Any]:
    return union(*dict.fromkeys(selects))


def _now() -> ColumnElement[Any]:
    """The moment at which the query runs: conditions are made once and used for long."""
    return bindparam(None, callable_=clock.now, type_=Moment(), unique=True)


def _table(level: Level) -> FromClause:
    return {"STUDY": studies, "SERIES": series, "IMAGE": instances}[level]
