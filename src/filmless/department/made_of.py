"""What an exam is made of, for its page: series that arrived, performed steps of its device, what was asked."""

from typing import Any

from sqlalchemy import Connection, func, select

from filmless.archive.tables import series, studies
from filmless.department import exams
from filmless.department.exams import Exam
from filmless.department.performed.told import REASONS
from filmless.department.tables import expected_instances, orders, performed_step_exams, performed_steps

_MOST = 500


def series_of(connection: Connection, exam: Exam) -> list[dict[str, Any]]:
    """The series of its studies with their counts of images in use, in the order in which they were made."""
    query = (
        select(
            studies.c.study_uid,
            series.c.series_uid,
            series.c.series_number.label("number"),
            series.c.series_description.label("description"),
            series.c.modality,
            series.c.instance_count.label("images"),
            series.c.last_arrival_at.label("last_at"),
        )
        .join(studies, studies.c.id == series.c.study)
        .where(studies.c.study_uid.in_(exams.studies_of(connection, exam)))
        .order_by(series.c.created_at, series.c.id)
        .limit(_MOST)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def steps_of(connection: Connection, exam: Exam) -> list[dict[str, Any]]:
    """Its performed steps, in the order in which they were told."""
    counted = (
        select(func.count())
        .where(expected_instances.c.performed_step == performed_steps.c.id)
        .scalar_subquery()
    )
    query = (
        select(performed_steps, counted.label("objects"))
        .join(performed_step_exams, performed_step_exams.c.performed_step == performed_steps.c.id)
        .where(performed_step_exams.c.exam == exam.id)
        .order_by(performed_steps.c.id)
        .limit(_MOST)
    )
    return [
        {
            "device": row.ae_title,
            "status": row.status,
            "starts_at": row.starts_at,
            "ends_at": row.ends_at,
            "objects": row.objects,
            "reason": REASONS.get(row.discontinued, ("", row.discontinued))[1],
        }
        for row in connection.execute(query)
    ]


def asked(connection: Connection, exam: Exam) -> Any:
    """What the order says of the patient and of the question."""
    query = select(orders.c.history, orders.c.diagnosis, orders.c.purpose, orders.c.cautions)
    return connection.execute(query.where(orders.c.id == exam.order_id)).one()
