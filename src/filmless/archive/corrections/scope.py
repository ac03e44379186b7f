"""What a correction is about, as the index has it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from filmless.access.model import Principal
from filmless.archive.corrections.model import Correction, Level, Target
from filmless.archive.query.visibility import visible_at
from filmless.archive.tables import instances, series, studies
from filmless.kit.errors import Conflict, Refused
from filmless.patients.tables import patients


class Scope:
    """What a target is, as the index has it: its studies, the condition on its instances, the columns of its row."""

    def __init__(self, level: Level, study_ids: list[int], condition: Any, columns: dict[str, str]) -> None:
        self.level = level
        self.study_ids = study_ids
        self.condition = condition
        self.columns = columns

    def correction(
        self,
        changes: dict[str, dict[str, Any] | None],
        *,
        code: str,
        reason: str,
        by: str,
        at: datetime,
        key: str,
    ) -> Correction:
        plain = Correction(0, key, self.level, changes, code, reason, by, at)
        return replace(plain, **self.columns)  # type: ignore[arg-type]

    @classmethod
    def find(cls, connection: Connection, principal: Principal, target: Target) -> "Scope":
        if target.level is Level.PATIENT:
            return cls._patient(connection, principal, target)
        query = select(studies.c.id, studies.c.study_uid, series.c.id, series.c.series_uid).join(
            series, series.c.study == studies.c.id
        )
        if target.level is Level.STUDY:
            query = query.where(studies.c.study_uid == target.uid)
        elif target.level is Level.SERIES:
            query = query.where(series.c.series_uid == target.uid)
        else:
            query = query.join(instances, instances.c.series == series.c.id).where(
                instances.c.sop_instance_uid == target.uid
            )
        rows = connection.execute(query).all() if target.uid else []
        study_ids = sorted({row[0] for row in rows})
        may_all(connection, principal, study_ids)
        uids = {row[1] for row in rows}
        if len(uids) > 1:
            raise Conflict("The series is in two studies: correct one of those.", code="ambiguous")
        columns = {"study_uid": rows[0][1]}
        condition: Any = instances.c.series.in_(sorted({row[2] for row in rows}))
        if target.level is Level.STUDY:
            condition = instances.c.series.in_(
                select(series.c.id)
                .join(studies, studies.c.id == series.c.study)
                .where(studies.c.study_uid == target.uid)
            )
        else:
            columns["series_uid"] = rows[0][3]
        if target.level is Level.INSTANCE:
            columns["sop_instance_uid"] = target.uid
            condition = instances.c.sop_instance_uid == target.uid
        return cls(target.level, study_ids, condition, columns)

    @classmethod
    def _patient(cls, connection: Connection, principal: Principal, target: Target) -> "Scope":
        query = (
            select(patients)
            .where(
                patients.c.patient_id == target.patient_id,
                patients.c.issuer == target.issuer,
                patients.c.anonymous_key == "",
            )
            .order_by(patients.c.variant)
        )
        if target.variant is not None:
            query = query.where(patients.c.variant == target.variant)
        rows = [
            (row, ids_)
            for row in (connection.execute(query).all() if target.patient_id else [])
            if (ids_ := _studies_of(connection, row.id))
        ]
        if len(rows) > 1:
            variants = ", ".join(str(row.variant) for row, _ in rows)
            raise Conflict(
                f"Several persons came under this ID and issuer: say which ({variants}).", code="ambiguous"
            )
        study_ids = rows[0][1] if rows else []
        may_all(connection, principal, study_ids)
        row = rows[0][0]
        condition = instances.c.series.in_(
            select(series.c.id)
            .join(studies, studies.c.id == series.c.study)
            .where(studies.c.patient == row.id)
        )
        columns = {
            "patient_id": row.patient_id,
            "issuer": row.issuer,
            "name": row.name,
            "birth_date": row.birth_date,
        }
        return cls(Level.PATIENT, study_ids, condition, columns)


def _studies_of(connection: Connection, patient: int) -> list[int]:
    return list(
        connection.scalars(select(studies.c.id).where(studies.c.patient == patient).order_by(studies.c.id))
    )


def may_all(connection: Connection, principal: Principal, study_ids: list[int]) -> None:
    """Raises Refused (code "not-found") unless all these studies are there for the principal."""
    seen = 0
    for start in range(0, len(study_ids), 500):
        part = study_ids[start : start + 500]
        seen += (
            connection.scalar(
                select(func.count())
                .select_from(studies)
                .where(studies.c.id.in_(part), visible_at("STUDY", principal))
            )
            or 0
        )
    if not study_ids or (seen < len(study_ids) and not principal.unlimited):
        raise Refused("There is no such patient, study, series or object.", code="not-found")
