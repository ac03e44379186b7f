"""A patient's timeline: everything in the order of time, nothing that is not for who asks, and room for more kinds."""

from collections.abc import Sequence
from typing import Any

import httpx
from fastapi import FastAPI
from pydicom.dataset import Dataset
from sqlalchemy import Connection
from tests import made
from tests.archive.web.place import CLERK, RESIDENT, As, Place, dicom_parts, multipart
from tests.archive.web.place import problem_of as of_error

from filmless.access import belonging
from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Grant, Principal, Role, account_principal
from filmless.archive import timeline as core
from filmless.archive.api import timeline
from filmless.db.work import writing
from filmless.kit.errors import FilmlessError

TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
CLINICIAN = account_principal("clin", 9, [Grant(Role.CLI)])


class Visits:
    """A source as a room above would write one."""

    kind = "visit"

    def count(self, connection: Connection, who: Principal, person: core.Person) -> int:
        return 1

    def items(
        self, connection: Connection, who: Principal, person: core.Person, asked: core.Asked
    ) -> Sequence[core.Item]:
        assert person.ids == (("TL1", ""),)
        one = core.Item(
            self.kind, core.Place("20260215", "", "v1"), "Ward 3", state="over", more={"ward": "3"}
        )
        return [one] if asked.before is None or one.place < asked.before else []


async def ask(place: Place, who: Principal = RESIDENT, **body: Any) -> Any:
    app = FastAPI(exception_handlers={FilmlessError: of_error})  # type: ignore[dict-item]
    app.include_router(timeline.router(place.context, [Visits()]))
    transport = httpx.ASGITransport(As(app, who), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answer = await client.post("/timeline", json=body)
    return answer.json() if answer.status_code == 200 else answer.status_code


def study(number: int, date: str, modality: str) -> list[Dataset]:
    found = []
    for at in (1, 2):
        one = made.image(
            at, name="Line^Tim", patient_id="TL1", study=f"1.9.{number}", series=f"1.9.{number}.{at}"
        )
        one.StudyDate, one.StudyTime, one.StudyDescription = date, "101500", f"Study {number}"
        one.Modality = modality
        found.append(one)
    return found


def report() -> Dataset:
    one = made.image(9, name="Line^Tim", patient_id="TL1", study="1.9.1", series="1.9.1.9")
    for name in ("Rows", "Columns", "PixelData"):
        delattr(one, name)
    one.SOPClassUID = TEXT_SR
    one.Modality, one.SeriesDescription = "SR", "Report"
    one.StudyDate, one.StudyTime, one.StudyDescription = "20260101", "101500", "Study 1"
    one.ContentDate, one.ContentTime = "20260301", "080000"
    concept = Dataset()
    concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = "18748-4", "LN", "Imaging Report"
    one.ConceptNameCodeSequence = [concept]
    return one


async def test_everything_in_its_order_page_by_page(place: Place) -> None:
    objects = [
        *study(1, "20260101", "CT"),
        *study(2, "20260201", "MR"),
        *study(3, "20260401", "CT"),
        report(),
    ]
    async with place.client() as client:
        assert (await client.post("/studies", **multipart(dicom_parts(objects)))).status_code == 200
    whole = await ask(place, study_uid="1.9.2")
    assert whole["patient"]["id"] == "TL1"
    assert [(one["kind"], one["title"]) for one in whole["items"]] == [
        ("study", "Study 3"),
        ("document", "Imaging Report"),
        ("visit", "Ward 3"),
        ("study", "Study 2"),
        ("study", "Study 1"),
    ]
    assert (whole["kinds"], whole["following"]) == ({"study": 3, "document": 1, "visit": 1}, None)
    assert whole["modalities"] == ["CT", "MR", "SR"]
    assert [one["series_uid"] for one in whole["items"][0]["more"]["pictures"]] == ["1.9.3.1", "1.9.3.2"]
    # a report has no picture of its study's
    assert len(whole["items"][-1]["more"]["pictures"]) == 2
    # page by page it is the same
    paged, before = [], None
    for _ in range(5):
        page = await ask(place, study_uid="1.9.2", limit=1, before=before)
        paged += page["items"]
        before = page["following"]
    assert (paged, before) == (whole["items"], None)
    ct = await ask(place, study_uid="1.9.2", kinds=["study"], modalities=["CT"])
    assert [one["title"] for one in ct["items"]] == ["Study 3", "Study 1"]
    # whoever finds the studies, and nobody else
    assert len((await ask(place, CLERK, study_uid="1.9.2"))["items"]) == 5
    assert await ask(place, CLINICIAN, study_uid="1.9.2") == 404
    with writing(place.context.engine) as connection:
        acting = Acting(SYSTEM, place.trail, reason="a test")
        belonging.assign(connection, "1.9.1", acting, sensitive=True)
    less = await ask(place, study_uid="1.9.2")
    assert [one["title"] for one in less["items"]] == ["Study 3", "Ward 3", "Study 2"]
    assert less["kinds"] == {"study": 2, "document": 0, "visit": 1}
    assert await ask(place, study_uid="1.9.1") == 404
    assert [row["what"] for row in place.audited() if row["kind"] == "search"].count("timeline") == 11
