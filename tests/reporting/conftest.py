"""A reading room: the web side of reporting/ over a hospital, on either database, asked as browsers ask it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import Engine, insert, update
from starlette.testclient import TestClient
from tests import made as dicom
from tests.department import hospital as made
from tests.department.hospital import Hospital
from tests.trails import trail_of
from tests.viewing.conftest import images as pictures

from filmless.access import accounts, grants, sessions
from filmless.access.acting import Acting
from filmless.access.gate import Gate
from filmless.access.model import SYSTEM, Role, Scope
from filmless.access.settings import AccessSettings
from filmless.app.settings import load
from filmless.app.site import assemble
from filmless.archive.codecs import Codecs, CodecSettings
from filmless.archive.model import ArchiveSettings, Arrival, Kind, Source
from filmless.archive.store import Archive
from filmless.archive.web.context import ArchiveWeb
from filmless.db.work import reading, writing
from filmless.department.tables import exam_numbers, exam_studies, exams, orders
from filmless.kit import clock
from filmless.kit.ids import new_uid
from filmless.net.http.model import HttpSettings
from filmless.patients.tables import persons
from filmless.reporting import api
from filmless.reporting.documents import Documents
from filmless.reporting.press.service import Shelf
from filmless.reporting.settings import ReportingSettings

PASSWORD = "correct horse battery"
ORIGIN = "http://filmless.example"
_KEPT = accounts.new_password(PASSWORD, name="x", length=10)[1]


@dataclass
class Room:
    """People who read, and exams to be read."""

    engine: Engine
    home: Path
    hospital: Hospital
    app: Any
    context: ArchiveWeb
    browsers: dict[str, TestClient] = field(default_factory=dict)
    numbers: int = 0

    def browser(self, name: str, *roles: str, scope: Scope | None = None, **more: Any) -> TestClient:
        """Somebody who is signed in, made when first asked for."""
        if name not in self.browsers:
            acting = Acting(SYSTEM, self.hospital.trail, reason="a test")
            with writing(self.engine) as connection:
                account = accounts.create(
                    connection, name, acting, password_hash=_KEPT, must_change_password=False, **more
                )
                for role in roles:
                    grants.grant(connection, name, Role(role), acting, scope=scope or Scope(sensitive=True))
                secret = sessions.open_session(
                    connection, account.id, AccessSettings(), method="password", host="testclient"
                )
            client = TestClient(
                self.app,
                base_url=ORIGIN,
                headers={"X-Filmless-CSRF": sessions.csrf_of(secret)},
                cookies={"filmless_session": secret},
            )
            self.browsers[name] = client
        return self.browsers[name]

    def exam(self, *, name: str = "王小东", state: str = "E60", **columns: Any) -> int:
        """An exam whose images are there, as registration and scanner leave it."""
        self.numbers += 1
        order = {key: columns.pop(key) for key in ("requested_by", "ward") if key in columns}
        sex = columns.pop("sex", "M")
        with writing(self.engine) as connection:
            person = columns.pop("person", 0) or self.hospital.person(connection, name, sex=sex).id
            now = clock.now()
            order_id = connection.execute(
                insert(orders)
                .values(
                    person=person,
                    placer_number=f"P{self.numbers}",
                    diagnosis="头痛待查",
                    cautions={},
                    ordered_at=now,
                    created_at=now,
                    **order,
                )
                .returning(orders.c.id)
            ).scalar_one()
            values = {
                "number": f"M{self.numbers:06}",
                "exam_class": "M",
                "study_uid": new_uid(),
                "procedure": "CT-HEAD",
                "procedure_zh": "颅脑CT平扫",
                "procedure_en": "CT head",
                "modality": "CT",
                "body_part": "HEAD",
                "images": "complete",
                "more": {},
                "ordered_at": now,
                "verified_at": now,
                **columns,
                "order_id": order_id,
                "person": person,
                "state": state,
            }
            made_exam: int = connection.execute(
                insert(exams).values(**values).returning(exams.c.id)
            ).scalar_one()
            connection.execute(
                insert(exam_numbers).values(number=values["number"], exam=made_exam, given_at=now, alias="")
            )
            return made_exam

    def images(self, exam: int, **about: Any) -> list[Dataset]:
        """Two slices of the exam's study in the archive, and attached to it."""
        with reading(self.engine) as connection:
            row = connection.execute(exams.select().where(exams.c.id == exam)).one()
            whose = connection.execute(persons.select().where(persons.c.id == row.person)).one()
        found = pictures(2, name=about.pop("name", "Wang^Xiaodong=王^小东"))
        archive = Archive(self.engine, self.context.store, ArchiveSettings(), self.context.codecs)
        archive.start()
        try:
            for one in found:
                one.StudyInstanceUID = row.study_uid
                one.SeriesInstanceUID = f"{row.study_uid}.1"
                one.SOPInstanceUID = f"{row.study_uid}.1.{one.InstanceNumber}"
                one.PatientID, one.IssuerOfPatientID = whose.patient_id, whose.issuer
                one.AccessionNumber = row.number
                arrival = Arrival(
                    str(one.SOPClassUID),
                    str(one.SOPInstanceUID),
                    "1.2.840.10008.1.2.1",
                    Source("CT1", default_issuer="HOSPITAL"),
                )
                outcome = archive.store_blocking(arrival, [dicom.data_set(dicom.part10(one))])
                assert outcome.kind is Kind.STORED
        finally:
            archive.stop()
        with writing(self.engine) as connection:
            connection.execute(
                insert(exam_studies).values(exam=exam, study_uid=row.study_uid, by="uid", at=clock.now())
            )
        return found

    def column(self, exam: int, **values: Any) -> None:
        """Change a row, as time would."""
        with writing(self.engine) as connection:
            connection.execute(update(exams).where(exams.c.id == exam).values(**values))

    def state(self, exam: int) -> str:
        with reading(self.engine) as connection:
            return connection.execute(exams.select().where(exams.c.id == exam)).one().state


def done(answer: Any, status: int = 200) -> Any:
    """The body of an answer that has this status."""
    assert answer.status_code == status, (answer.status_code, answer.text[:600])
    return answer.json() if answer.content else None


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


@pytest.fixture
def room(engine: Engine, tmp_path: Path) -> Iterator[Room]:
    with trail_of(engine) as trail:
        with writing(engine) as connection:
            made.found(connection)
        settings = load(tmp_path, environment={})
        gate = Gate(engine, AccessSettings(), HttpSettings(), trail)
        codecs = Codecs(tmp_path / "scratch", CodecSettings())
        archive = Archive(engine, settings.store, settings.archive, codecs)
        context = ArchiveWeb(engine, tmp_path, settings.store, codecs, trail, archive)
        app = assemble(settings, gate, [], [api.router(context)])
        found = Room(engine, tmp_path, Hospital(trail), app, context)
        yield found
        for one in found.browsers.values():
            one.close()
        codecs.close()


@pytest.fixture
def documents(room: Room) -> Iterator[Documents]:
    """What makes DICOM of released reports, as the worker runs it."""
    context = room.context

    @contextmanager
    def way_in() -> Iterator[Archive]:
        archive = Archive(
            context.engine, context.store, load(room.home, environment={}).archive, context.codecs
        )
        archive.start()
        try:
            yield archive
        finally:
            archive.stop()

    shelf = Shelf(context.engine, context.store, context.codecs, room.home / "scratch")
    yield Documents(shelf, ReportingSettings(hospital_zh="示范医院"), way_in, "https://pacs.example")
