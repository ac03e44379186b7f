"""Quarantine, rejections and flags as the application sees them: who may, what is shown, what is decided."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from tests.archive.web.place import CLERK, RESIDENT, STEWARD, As, Place, dicom_parts, multipart, series
from tests.archive.web.place import problem_of as of_error

from filmless.access.model import Action, Grant, Principal, Role, Scope, account_principal
from filmless.archive import rebuild
from filmless.archive.api import flags, lenient, quarantine, rejections
from filmless.archive.query import lenient as lenient_query
from filmless.archive.query.instances import instances_of
from filmless.db.work import reading
from filmless.kit.errors import FilmlessError

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
TECHNOLOGIST = account_principal("technologist", 5, [Grant(Role.TEC)])
NORTH = account_principal("north", 6, [Grant(Role.PAD, Scope(sites=frozenset({"North"})))])


async def ask(
    place: Place, method: str, path: str, principal: Principal | None = STEWARD, **more: Any
) -> tuple[int, Any]:
    app = FastAPI(exception_handlers={FilmlessError: of_error})  # type: ignore[dict-item]
    for part in (quarantine, rejections, flags, lenient):
        app.include_router(part.router(place.context))
    transport = httpx.ASGITransport(As(app, principal), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answer = await client.request(method, path, **more)
    return answer.status_code, answer.json()


async def store(place: Place, objects: list[Dataset]) -> int:
    async with place.client() as client:
        return (await client.post("/studies", **multipart(dicom_parts(objects)))).status_code


async def quarantined(place: Place) -> tuple[Dataset, int]:
    """An object in the archive, and the number of another one in quarantine under its UID."""
    (image,) = series(1)
    assert await store(place, [image]) == 200
    image.PatientName = "Other^Otto"
    assert await store(place, [image]) == 409
    status, found = await ask(place, "GET", "/quarantine")
    assert status == 200
    (one,) = found["objects"]
    assert (one["cause"], one["source"], one["state"]) == ("different-object", "web:steward", "waiting")
    assert (one["sop_instance_uid"], found["following"]) == (image.SOPInstanceUID, 0)
    return image, one["id"]


async def test_both_objects_are_shown_and_the_decision_is_kept(place: Place) -> None:
    image, number = await quarantined(place)
    status, one = await ask(place, "GET", f"/quarantine/{number}")
    assert status == 200
    assert (one["contents"]["patient_name"], one["known"]["patient_name"]) == ("Other^Otto", "Web^Wanda")

    status, problem = await ask(place, "POST", f"/quarantine/{number}/accept", json={"reason": "  "})
    assert status == 422
    status, done = await ask(place, "POST", f"/quarantine/{number}/accept", json={"reason": "it is Otto"})
    assert (status, done) == (200, {"sop_instance_uid": image.SOPInstanceUID, "outcome": "replaced"})
    status, problem = await ask(place, "POST", f"/quarantine/{number}/discard", json={"reason": "again"})
    assert (status, problem["code"]) == (409, "decided")
    status, accepted = await ask(place, "GET", "/quarantine?state=accepted")
    assert [(one["id"], one["decided_by"], one["reason"]) for one in accepted["objects"]] == [
        (number, "steward", "it is Otto")
    ]
    decided = [one for one in place.audited() if one["kind"] == "decide"]
    assert [(one["what"], one["outcome"], one["studies"]) for one in decided] == [
        ("accept", "success", ["1.2.3"]),
        ("discard", "failed", ["1.2.3"]),
    ]


@SQLITE
async def test_an_object_can_be_discarded(place: Place) -> None:
    _, number = await quarantined(place)
    status, done = await ask(place, "POST", f"/quarantine/{number}/discard", json={"reason": "a mix-up"})
    assert (status, done["state"], done["reason"]) == (200, "discarded", "a mix-up")
    assert (await ask(place, "GET", "/quarantine"))[1]["objects"] == []


async def test_who_sees_and_decides_about_the_quarantine(place: Place) -> None:
    _, number = await quarantined(place)
    for principal, status in ((None, 401), (RESIDENT, 403), (TECHNOLOGIST, 403), (NORTH, 404)):
        for method, path in (("GET", ""), ("POST", "/accept"), ("POST", "/discard")):
            more = {"json": {"reason": "x"}} if method == "POST" else {}
            assert (await ask(place, method, f"/quarantine/{number}{path}", principal, **more))[0] == status
    assert (await ask(place, "GET", "/quarantine", NORTH))[1]["objects"] == []
    assert (await ask(place, "GET", "/quarantine/999999"))[0] == 404


async def test_rejecting_listing_and_revoking(place: Place) -> None:
    objects = series(3)
    await store(place, objects)
    uids = [str(one.SOPInstanceUID) for one in objects]
    wish = {"study_uid": "1.2.3", "sop_instance_uids": uids[:2], "code": "113038", "reason": "another order"}
    for principal, status in ((None, 401), (CLERK, 403), (RESIDENT, 403), (NORTH, 404)):
        assert (await ask(place, "POST", "/rejections", principal, json=wish))[0] == status
    assert (await ask(place, "POST", "/rejections", json=wish | {"code": "113000"}))[0] == 422
    status, done = await ask(place, "POST", "/rejections", TECHNOLOGIST, json=wish)
    assert (status, done["objects"]) == (201, 2)
    (note,) = done["note_uids"]
    status, found = await ask(place, "GET", "/rejections")
    assert status == 200
    (one,) = found["rejections"]
    assert (one["note_uid"], one["code"], one["by"], one["reason"], one["study_uid"]) == (
        note,
        "113038",
        "technologist",
        "another order",
        "1.2.3",
    )
    named = one["study"]
    assert (named["patient"]["id"], named["patient"]["name"]) == ("WEB1", "Web^Wanda")
    assert (named["study_uid"], named["date"]) == ("1.2.3", "20260302")
    # who may reject and not look for studies learns that there is one
    blind = account_principal("program", 7, [Grant(Role.TEC)], only=[Action.REJECT])
    status, answer = await ask(place, "GET", "/rejections", blind)
    assert (status, [each["study"] for each in answer["rejections"]]) == (200, [None])
    assert "WEB1" not in str(answer) and "Wanda" not in str(answer)
    assert {each["code"] for each in found["codes"]} == {"113001", "113037", "113038", "113039"}
    assert (await ask(place, "GET", "/rejections", NORTH))[1]["rejections"] == []
    assert (await ask(place, "GET", f"/rejections/{note}", NORTH))[0] == 404
    status, shown = await ask(place, "GET", f"/rejections/{note}")
    assert set(shown["sop_instance_uids"]) == set(uids[:2])

    for principal, status in ((TECHNOLOGIST, 403), (NORTH, 404)):
        answer = await ask(place, "POST", f"/rejections/{note}/revoke", principal, json={"reason": "x"})
        assert answer[0] == status
    assert await ask(place, "POST", f"/rejections/{note}/revoke", json={"reason": "it was right"}) == (
        200,
        {"objects": 2},
    )
    with reading(place.context.engine) as connection:
        seen = {
            one.sop_instance
            for one in instances_of(connection, RESIDENT, level="STUDY", study_uids=["1.2.3"])
        }
    assert seen == set(uids)
    assert (await ask(place, "GET", "/rejections"))[1]["rejections"] == []
    assert len((await ask(place, "GET", "/rejections?revoked=true"))[1]["rejections"]) == 1


async def test_doubts_and_lenient_values(place: Place) -> None:
    await store(place, series(1, name="Web^Wanda"))
    other = series(1, study="1.2.4", name="Quite^Different")
    other[0].add(DataElement("StudyDate", "LO", "someday"))
    await store(place, other)
    status, found = await ask(place, "GET", "/flags")
    assert status == 200
    (one,) = found["flags"]
    assert one["kind"] == "same-id"
    assert {one["patient"]["name"], one["other"]["name"]} == {"Web^Wanda", "Quite^Different"}
    assert (await ask(place, "GET", "/flags", NORTH))[1]["flags"] == []
    assert (await ask(place, "GET", "/flags", TECHNOLOGIST))[0] == 403
    assert (await ask(place, "GET", f"/flags?before={one['id']}"))[1]["flags"] == []
    settle, words = f"/flags/{one['id']}/settle", {"reason": "she has married", "raised_at": one["raised_at"]}
    assert (await ask(place, "POST", settle, TECHNOLOGIST, json=words))[0] == 403
    assert (await ask(place, "POST", settle, NORTH, json=words))[0] == 404
    assert (await ask(place, "POST", settle, json={**words, "reason": " "}))[0] == 422
    # a number of before a rebuild may be another doubt's by now
    assert (await ask(place, "POST", settle, json={**words, "raised_at": "2001-02-03T04:05:06Z"}))[0] == 409
    assert (await ask(place, "POST", settle, json=words))[0] == 200
    assert (await ask(place, "GET", "/flags"))[1]["flags"] == []
    assert (await ask(place, "POST", settle, json=words))[0] == 409
    # more of the same two patients is no new doubt, and a rebuild remembers what was decided
    more = series(1, study="1.2.5", name="Quite^Different")
    await store(place, more)
    archive = place.context.archive
    assert archive is not None and (await ask(place, "GET", "/flags"))[1]["flags"] == []
    rebuild.rebuild(archive.engine, archive.root, archive.settings)
    assert (await ask(place, "GET", "/flags"))[1]["flags"] == []
    path = f"/flags/warnings/{other[0].SOPInstanceUID}"
    status, taken = await ask(place, "GET", path)
    assert status == 200
    assert ("00080020", "StudyDate") in {(each["tag"], each["keyword"]) for each in taken["values"]}
    assert (await ask(place, "GET", path, NORTH))[0] == 404
    assert (await ask(place, "GET", "/flags/warnings/1.2.3.4.5"))[0] == 404


async def test_what_was_stored_leniently_by_study(place: Place) -> None:
    for study, odd in (("1.2.6", "not a date"), ("1.2.7", "20260302"), ("1.2.8", "not a date")):
        images = series(3, study=study)
        for image in images:
            # as a device writes it, not as pydicom would
            image["ContentDate"] = DataElement(0x00080023, "LO", odd)
        if study == "1.2.8":
            images[2]["ContentTime"] = DataElement(0x00080033, "LO", "not a time")
        assert await store(place, images) in (200, 202)

    async def page(principal: Principal = STEWARD, **query: int) -> tuple[list[tuple[str, int]], int]:
        status, found = await ask(place, "GET", "/flags/warnings", principal, params=query)
        assert status == 200
        shown = [(one["study"]["study_uid"], one["objects"]) for one in found["studies"]]
        return shown, found["following"]

    assert await page() == ([("1.2.8", 3), ("1.2.6", 3)], 0)
    first, following = await page(limit=1)
    assert first == [("1.2.8", 3)]
    assert await page(limit=1, before=following) == ([("1.2.6", 3)], 0)
    assert await page(NORTH) == ([], 0)
    assert (await ask(place, "GET", "/flags/warnings", TECHNOLOGIST))[0] == 403
    # each study once, however little of the list is looked at for a page
    with reading(place.context.engine) as connection:
        pages, before = [], 0
        while True:
            found, before = lenient_query.newest(connection, STEWARD, limit=5, before=before, window=2)
            pages += [one.objects for one in found]
            if not before:
                break
    assert pages == [3, 3]

    path = "/flags/warnings/studies/1.2.8"
    status, told = await ask(place, "GET", path)
    assert status == 200 and not told["more"]
    most = told["kinds"][0]
    assert (most["tag"], most["keyword"], most["objects"]) == ("00080023", "ContentDate", 3)
    assert [one["instance_number"] for one in most["named"]] == ["1", "2", "3"]
    assert [one["objects"] for one in told["kinds"]] == [3, 1]
    assert {one["keyword"] for one in told["kinds"]} == {"ContentDate", "ContentTime"}
    assert (await ask(place, "GET", path, NORTH))[0] == 404
    looked = [one for one in place.audited() if one["what"] == "warnings" and one["outcome"] == "success"]
    assert looked[-1]["studies"] == ["1.2.8"]
    # what is out of use has no place in the list
    wish = {"study_uid": "1.2.8", "code": "113038", "reason": "wrong"}
    assert (await ask(place, "POST", "/rejections", TECHNOLOGIST, json=wish))[0] == 201
    assert await page() == ([("1.2.6", 3)], 0)


def test_the_routes_can_be_described_without_an_archive() -> None:
    app = FastAPI()
    for part in (quarantine, rejections, flags, lenient):
        app.include_router(part.router(None))
    described = app.openapi()
    assert {"/quarantine", "/quarantine/{number}/accept", "/rejections", "/flags"} <= set(described["paths"])
