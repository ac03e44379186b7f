"""To whom the images of an exam belong: written ahead, so that rights hold of them from the first one on."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from filmless.access import belonging
from filmless.access.account_tables import accounts
from filmless.access.acting import Acting
from filmless.department.exams.find import studies_of
from filmless.department.exams.model import Exam
from filmless.department.tables import orders
from filmless.patients.tables import persons


def belong(connection: Connection, exam: Exam, acting: Acting, *, study_uid: str = "") -> None:
    """Write of its studies (of `study_uid` alone, where given) what the order says: site, department, ward, who asked.

    A person marked VIP makes them sensitive; nothing here takes that mark away.
    """
    asked = connection.execute(
        select(orders.c.department, orders.c.ward, orders.c.requested_by).where(orders.c.id == exam.order_id)
    ).one()
    vip = connection.scalar(select(persons.c.vip).where(persons.c.id == exam.person))
    account = connection.scalar(select(accounts.c.name).where(accounts.c.name == asked.requested_by))
    values: dict[str, Any] = {
        "site": exam.site,
        "department": asked.department or exam.department,
        "ward": asked.ward,
        "requested_by": account or "",
    }
    given = {name: value for name, value in values.items() if value}
    if vip:
        given["sensitive"] = True
    if not given:
        return
    said = replace(acting, reason=acting.reason or f"exam {exam.number}".strip())
    for uid in [study_uid] if study_uid else studies_of(connection, exam):
        belonging.assign(connection, uid, said, **given)
