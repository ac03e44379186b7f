"""Hanging protocols: who may keep them for whom, and which one an exam gets."""

from typing import Any

import pytest
from tests.viewing.conftest import Room, images

from filmless.access import belonging
from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Role, Scope
from filmless.db.work import writing

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
CONTENT = {
    "rows": 1,
    "columns": 2,
    "panes": [
        {"modality": "CT", "window": {"center": 40, "width": 400}},
        {"prior": 1, "orientation": "axial"},
    ],
    "tool": "window",
}


def layout(name: str, owner: str = "user", **more: Any) -> dict[str, Any]:
    return {"owner": owner, "name": name, "content": CONTENT, **more}


async def keep(room: Room, who: Any, body: dict[str, Any]) -> int:
    status, told = await room.ask(who, "POST", "/layouts", body)
    assert status == 201, told
    return int(told["number"])


async def names(room: Room, who: Any, study: str) -> list[str]:
    status, found = await room.ask(who, "GET", f"/studies/{study}/layouts")
    assert status == 200
    return [one["name"] for one in found["layouts"]]


async def test_the_best_comes_first(room: Room) -> None:
    study = images(2)
    room.store(study)
    uid = str(study[0].StudyInstanceUID)
    chief = room.person("chief", Role.CHF)
    resident = room.person("resident", Role.RES)
    await keep(room, chief, layout("hospital CT", "hospital", modality="ct"))
    await keep(room, chief, layout("hospital any", "hospital"))
    await keep(room, chief, layout("hospital thorax", "hospital", procedure="Axial THORAX"))
    await keep(room, chief, layout("hospital MR", "hospital", modality="MR"))
    await keep(room, chief, layout("chest ward", "department", department="Chest", body_part="chest"))
    await keep(room, resident, layout("mine", modality="CT", body_part="CHEST"))
    await keep(room, chief, layout("the chief's own"))
    hospital = ["hospital thorax", "hospital CT", "hospital any"]
    assert await names(room, resident, uid) == ["mine", *hospital]
    # the study belongs to the department
    with writing(room.place.context.engine) as connection:
        acting = Acting(SYSTEM, room.place.trail, reason="a test")
        belonging.assign(connection, uid, acting, department="Chest")
    assert await names(room, resident, uid) == ["mine", "chest ward", *hospital]
    # or the person does
    local = room.person("local", Role.RES, Scope(departments=frozenset({"Chest"})))
    _, found = await room.ask(local, "GET", "/layouts")
    assert {one["name"] for one in found["layouts"]} == {"chest ward", "hospital MR", *hospital}
    _, found = await room.ask(resident, "GET", f"/studies/{uid}/layouts")
    assert (found["modalities"], found["body_parts"], found["department"]) == (["CT"], ["CHEST"], "Chest")
    kept = found["layouts"][0]["content"]["panes"][0]
    assert (kept["modality"], kept["window"]) == ("CT", {"center": 40, "width": 400})
    north = room.person("north", Role.RES, Scope(sites=frozenset({"North"})))
    assert (await room.ask(north, "GET", f"/studies/{uid}/layouts"))[0] == 404


async def test_what_it_is_compared_with(room: Room) -> None:
    """The latest before it of the same modality and part of the body comes first."""

    def exam(date: str, modality: str = "CT", part: str = "CHEST", words: str = "Thorax") -> str:
        (one,) = images(1, modality=modality)
        one.StudyDate, one.StudyDescription, one.BodyPartExamined = date, words, part
        room.store([one])
        return str(one.StudyInstanceUID)

    old, older = exam("20250101"), exam("20240101")
    exam("20250301", modality="MR")
    exam("20250302", part="HEAD")
    unsaid = exam("20250201", part="", words="CT-Thorax nativ")
    exam("20250202", part="", words="CT Knie nativ")
    now = exam("20250601")
    exam("20250701")
    reader = room.person("resident", Role.RES)
    _, found = await room.ask(reader, "GET", f"/studies/{now}/layouts")
    assert found["priors"] == [unsaid, old, older]
    _, found = await room.ask(reader, "GET", f"/studies/{older}/layouts")
    assert found["priors"] == []


@SQLITE
async def test_who_may_change_what(room: Room) -> None:
    resident, other = room.person("resident", Role.RES), room.person("other", Role.RES)
    chief = room.person("chief", Role.CHF, Scope(departments=frozenset({"Chest"})))
    engineer = room.person("engineer1", Role.ADM)
    mine = await keep(room, resident, layout("mine"))
    assert (await room.ask(other, "PUT", f"/layouts/{mine}", layout("taken")))[0] == 404
    assert (await room.ask(engineer, "DELETE", f"/layouts/{mine}"))[0] == 404
    for owner, department in (("hospital", ""), ("department", "Chest")):
        body = layout("x", owner, department=department)
        assert (await room.ask(resident, "POST", "/layouts", body))[0] == 403
    assert (await room.ask(chief, "POST", "/layouts", layout("x", "hospital")))[0] == 403
    assert (await room.ask(chief, "POST", "/layouts", layout("x", "department", department="Hip")))[0] == 403
    chest = await keep(room, chief, layout("chest", "department", department="Chest"))
    hospital = await keep(room, engineer, layout("all", "hospital"))
    assert (await room.ask(chief, "DELETE", f"/layouts/{hospital}"))[0] == 403
    # one's own cannot be made everybody's by changing it
    assert (await room.ask(resident, "PUT", f"/layouts/{mine}", layout("x", "hospital")))[0] == 403
    status, told = await room.ask(resident, "PUT", f"/layouts/{mine}", layout("mine too", modality="MR"))
    assert (status, told["name"], told["modality"]) == (200, "mine too", "MR")
    assert (await room.ask(engineer, "DELETE", f"/layouts/{chest}"))[0] == 204
    assert (await room.ask(resident, "DELETE", f"/layouts/{mine}"))[0] == 204
    assert (await room.ask(resident, "DELETE", f"/layouts/{mine}"))[0] == 404
    assert (await room.ask(room.person("desk", Role.REG), "GET", "/layouts"))[0] == 403
    shared = [one["what"] for one in room.place.audited() if one["what"].startswith("layout")]
    assert shared == ["layout kept", "layout kept", "layout deleted"]


@SQLITE
async def test_taken_to_another_server(room: Room) -> None:
    resident, other = room.person("resident", Role.RES), room.person("other", Role.RES)
    await keep(room, resident, layout("one", modality="CT"))
    await keep(room, resident, layout("two", procedure="knee"))
    _, file = await room.ask(resident, "GET", "/layouts/export")
    assert [one["name"] for one in file["layouts"]] == ["two", "one"]
    status, kept = await room.ask(other, "POST", "/layouts/import", file)
    assert (status, len(kept["layouts"])) == (201, 2)
    assert (await room.ask(other, "GET", "/layouts/export"))[1]["layouts"] == file["layouts"][::-1]
    # all or none
    file["layouts"].append(layout("x", "hospital", department="", modality="", body_part="", procedure=""))
    assert (await room.ask(other, "POST", "/layouts/import", file))[0] == 403
    assert len((await room.ask(other, "GET", "/layouts"))[1]["layouts"]) == 2
    for wrong in ({"format": "other"}, {"version": 2}, {"layouts": [layout("x", "department")]}):
        assert (await room.ask(other, "POST", "/layouts/import", {**file, **wrong}))[0] == 422
