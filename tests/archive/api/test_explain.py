"""Why somebody does not find a study: nothing to those who may not know, everything to those whom people ask."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydicom.dataset import Dataset
from sqlalchemy import select, update
from tests.archive.web.place import As, Place, dicom_parts, multipart, series
from tests.archive.web.place import problem_of as of_error

from filmless.access import accounts, belonging, emergency, grants
from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Principal, Role, Scope
from filmless.access.settings import AccessSettings
from filmless.archive.api import explain
from filmless.archive.tables import instances, studies
from filmless.archive.tables import series as series_table
from filmless.db.work import reading, writing
from filmless.kit.errors import FilmlessError

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
UID = "1.2.3"


class Hospital:
    """Accounts over a place with one study of accession number ACC1."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.objects = series(2, study=UID)

    def principal(self, name: str, role: Role, scope: Scope | None = None) -> Principal:
        acting = Acting(SYSTEM, self.place.trail, reason="a test")
        with writing(self.place.context.engine) as connection:
            if accounts.find(connection, name) is None:
                accounts.create(connection, name, acting, must_change_password=False)
                grants.grant(connection, name, role, acting, scope=scope or Scope())
            return grants.principal_of(connection, accounts.get(connection, name))

    async def ask(self, path: str, who: Principal, **body: Any) -> Any:
        app = FastAPI(exception_handlers={FilmlessError: of_error})  # type: ignore[dict-item]
        app.include_router(explain.router(self.place.context))
        transport = httpx.ASGITransport(As(app, who), raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            answer = await client.post(path, json=body)
        return answer.json() if answer.status_code in (200, 422) else answer.status_code

    async def full(self, number: str, account: str = "") -> Any:
        return await self.ask(
            "/explanations", self.principal("officer", Role.SEC), number=number, account=account
        )

    def assign(self, **what: Any) -> None:
        acting = Acting(SYSTEM, self.place.trail, reason="a test")
        with writing(self.place.context.engine) as connection:
            belonging.assign(connection, UID, acting, **what)


@pytest.fixture
async def hospital(place: Place) -> Hospital:
    made = Hospital(place)
    for one in made.objects:
        one.AccessionNumber, one.StudyID = "ACC1", "S77"
    assert await store(place, made.objects) == 200
    return made


async def store(place: Place, objects: list[Dataset]) -> int:
    async with place.client() as client:
        return (await client.post("/studies", **multipart(dicom_parts(objects)))).status_code


async def test_what_one_does_not_see_leaves_no_trace(hospital: Hospital) -> None:
    clinician = hospital.principal("clin", Role.CLI)
    steward = hospital.principal("keeper", Role.PAD)
    there = await hospital.ask("/explanations/own", clinician, number="ACC1")
    nothing = await hospital.ask("/explanations/own", clinician, number="NOSUCH")
    assert there == nothing
    assert there["studies"] == []
    assert (there["may_break_glass"], there["ask"]) == (True, ["keeper"])
    assert there["roles"][0]["scope"]["own_patients"]
    (one,) = (await hospital.ask("/explanations/own", steward, number="acc1"))["studies"]
    assert (one["study_uid"], one["by"]) == (UID, "accession")
    # nobody is explained the rights of others who is not asked by them
    assert await hospital.ask("/explanations", clinician, number="ACC1") == 403
    told = [row for row in hospital.place.audited() if row.get("what") == "not found"]
    assert [row["detail"]["number"] for row in told] == ["ACC1", "NOSUCH", "acc1"]


async def test_each_right_says_what_it_lacks(hospital: Hospital) -> None:
    hospital.assign(site="North", department="Neuro", sensitive=True)
    narrow = Scope(sites=frozenset({"South"}), modalities=frozenset({"MR"}))
    hospital.principal("narrow", Role.RES, narrow)
    hospital.principal("wide", Role.ATT)
    hospital.principal("clin", Role.CLI)
    hospital.principal("boss", Role.ADM)

    async def misses(account: str) -> list[list[str]]:
        (one,) = (await hospital.full("ACC1", account))["studies"]
        assert (one["site"], one["sensitive"], one["seen"]) == ("North", True, False)
        return [grant["misses"] for grant in one["grants"]]

    assert await misses("narrow") == [["site", "modality", "sensitive"]]
    assert await misses("wide") == [["sensitive"]]
    assert await misses("clin") == [["own-patients", "sensitive"]]
    assert await misses("boss") == [["role"]]
    assert (
        await hospital.ask("/explanations", hospital.principal("officer", Role.SEC), number="1", account="x")
        == 404
    )
    # whose patient it is, sees it; the words agree with the query
    hospital.assign(requested_by="clin")
    (one,) = (await hospital.full("ACC1", "clin"))["studies"]
    assert (one["seen"], one["grants"][0]["misses"]) == (True, [])
    # no name is anywhere
    assert "Wanda" not in str(one)


@SQLITE
async def test_breaking_the_glass_is_told(hospital: Hospital) -> None:
    hospital.assign(sensitive=True)
    resident = hospital.principal("res", Role.RES)
    with writing(hospital.place.context.engine) as connection:
        acting = Acting(resident, hospital.place.trail, reason="unconscious")
        emergency.open_in_emergency(connection, acting, AccessSettings(), patient_id="WEB1")
    (one,) = (await hospital.full("ACC1", "res"))["studies"]
    assert one["seen"]
    assert [(each["how"], each["in_force"]) for each in one["opened"]] == [("emergency", True)]
    assert one["grants"][0]["misses"] == ["sensitive"]


@SQLITE
async def test_where_it_went(hospital: Hospital) -> None:
    place = hospital.place
    hospital.principal("wide", Role.ATT)
    # another number, and zeros before it
    assert [one["by"] for one in (await hospital.full("S77"))["studies"]] == ["study-id"]
    assert (await hospital.full("00ACC1"))["studies"][0]["by"] == "similar"
    # an object of another content under a known UID waits in quarantine, found by the number that it says
    other = hospital.objects[0]
    other.AccessionNumber = "ACC2"
    assert await store(place, [other]) == 409
    found = await hospital.full("ACC2", "wide")
    assert found["studies"] == []
    (waiting,) = found["quarantined"]
    assert (waiting["cause"], waiting["objects"], waiting["study_uid"]) == ("different-object", 1, UID)
    # rejected: the rights reach it, and it is not seen
    with writing(place.context.engine) as connection:
        connection.execute(update(instances).values(rejected="113001"))
        connection.execute(update(series_table).values(instance_count=0))
        connection.execute(update(studies).values(instance_count=0))
    (one,) = (await hospital.full(UID, "wide"))["studies"]
    assert (one["rights_reach"], one["seen"], one["rejected"]["objects"]) == (True, False, 2)
    # nothing at all
    nothing = await hospital.full("NEVERSEEN", "wide")
    assert (nothing["studies"], nothing["quarantined"], nothing["events"]) == ([], [], [])
    with reading(place.context.engine) as connection:
        assert connection.scalar(select(studies.c.study_uid)) == UID
