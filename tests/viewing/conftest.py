"""An archive with its web side and accounts that draw, on either database."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydicom.dataset import Dataset
from tests import made
from tests.archive.conftest import archive  # noqa: F401 - a fixture
from tests.archive.web.place import As, Place, place, problem_of  # noqa: F401 - fixtures

from filmless.access import accounts, grants
from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Grant, Principal, Role, Scope, account_principal
from filmless.archive.model import Arrival, Kind, Source
from filmless.db.work import writing
from filmless.kit.errors import FilmlessError
from filmless.viewing import api


@dataclass
class Room:
    """The routes of viewing/ over one archive."""

    place: Place
    people: dict[str, Principal] = field(default_factory=dict)

    def person(self, name: str, role: Role, scope: Scope | None = None, **more: Any) -> Principal:
        """An account with one grant."""
        if name not in self.people:
            acting = Acting(SYSTEM, self.place.trail, reason="a test")
            with writing(self.place.context.engine) as connection:
                account = accounts.create(connection, name, acting, must_change_password=False, **more)
                grants.grant(connection, name, role, acting, scope=scope or Scope())
            self.people[name] = account_principal(name, account.id, [Grant(role, scope or Scope())])
        return self.people[name]

    async def ask(self, who: Principal | None, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        app = FastAPI(exception_handlers={FilmlessError: problem_of})  # type: ignore[dict-item]
        app.include_router(api.router(self.place.context))
        transport = httpx.ASGITransport(As(app, who), raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://here", timeout=60) as client:
            answer = await client.request(method, path, json=body)
        return answer.status_code, answer.json() if answer.content else None

    def store(self, objects: list[Dataset]) -> None:
        for one in objects:
            arrival = Arrival(
                str(one.SOPClassUID), str(one.SOPInstanceUID), "1.2.840.10008.1.2.1", Source("import")
            )
            outcome = self.place.archive.store_blocking(arrival, [made.data_set(made.part10(one))])
            assert outcome.kind is Kind.STORED


@pytest.fixture
def room(place: Place) -> Room:  # noqa: F811
    return Room(place)


_studies = itertools.count(1)


def images(
    count: int = 3, *, name: str = "Web^Wanda=王^婉达", modality: str = "CT", side: int = 64
) -> list[Dataset]:
    """A new study of slices with their place in the patient, 0.5 by 0.75 mm for a pixel."""
    study = f"1.2.826.0.1.{next(_studies)}"
    found = []
    for number in range(1, count + 1):
        ds = made.image(number, name=name, patient_id="P 0815", study=study, series=f"{study}.1", side=side)
        ds.Modality = modality
        ds.SOPInstanceUID = f"{study}.1.{number}"
        ds.PixelSpacing = [0.75, 0.5]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = [-10, -20, number * 2.0]
        ds.SliceThickness = 2
        ds.FrameOfReferenceUID = f"{study}.9"
        ds.BodyPartExamined = "CHEST"
        ds.RescaleType = "HU"
        ds.WindowCenter, ds.WindowWidth = 40, 400
        ds.PatientAge = "066Y"
        ds.IssuerOfPatientID = "HOSPITAL"
        ds.ReferringPhysicianName = "Ref^Rita"
        found.append(ds)
    return found
