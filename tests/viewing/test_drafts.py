"""Drafts: nothing is lost, two windows notice each other, and nobody sees another's."""

import uuid
from typing import Any

from tests.viewing.conftest import Room, images

from filmless.access.model import ENGINEER, Role, Scope
from filmless.viewing import drafts


def line(sop: str, **more: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "tool": "length",
        "sop": sop,
        "frame": 1,
        "points": [[10.5, 20.5], [30.5, 20.5]],
        "world": [[-5.0, -5.0, 2.0], [5.0, -5.0, 2.0]],
        "values": [{"name": "length", "value": 10.0, "unit": "mm"}],
        "spacing": "patient",
        "label": "结节 1",
        "colour": "#ffcc00",
        **more,
    }


async def test_a_draft_is_kept_and_found_again(room: Room) -> None:
    study = images()
    room.store(study)
    where = f"/studies/{study[0].StudyInstanceUID}/draft"
    resident = room.person("resident", Role.RES)
    assert await room.ask(resident, "GET", where) == (
        200,
        {"version": 0, "annotations": [], "previous": [], "changed_at": None},
    )
    drawn = [line(study[0].SOPInstanceUID), line(study[1].SOPInstanceUID, label="")]
    status, first = await room.ask(resident, "PUT", where, {"version": 0, "annotations": drawn})
    assert status == 200
    status, found = await room.ask(resident, "GET", where)
    # on images, and on no plane through a volume
    kept = [{**one, "plane": None} for one in drawn]
    assert (found["annotations"], found["version"]) == (kept, first["version"])
    # it is nobody else's
    other = room.person("other", Role.ATT)
    assert (await room.ask(other, "GET", where))[1]["annotations"] == []
    # another window that knows nothing of it, and one that knows an older version
    for version in (0, first["version"] + 7):
        status, told = await room.ask(resident, "PUT", where, {"version": version, "annotations": []})
        assert (status, told["code"], told["version"]) == (409, "stale", first["version"])
    status, second = await room.ask(
        resident, "PUT", where, {"version": first["version"], "annotations": drawn[:1]}
    )
    assert (status, second["version"]) == (200, first["version"] + 1)
    status, told = await room.ask(resident, "DELETE", f"{where}?version={first['version']}")
    assert (status, told["version"]) == (409, second["version"])
    assert (await room.ask(resident, "DELETE", f"{where}?version={second['version']}"))[0] == 204
    assert (await room.ask(resident, "DELETE", f"{where}?version={second['version']}"))[0] == 204
    assert (await room.ask(resident, "GET", where))[1]["version"] == 0
    # a window that still has the old one does not write over a new one
    await room.ask(resident, "PUT", where, {"version": 0, "annotations": drawn})
    status, _ = await room.ask(resident, "PUT", where, {"version": first["version"], "annotations": []})
    assert status == 409


async def test_who_may(room: Room) -> None:
    study = images()
    room.store(study)
    where = f"/studies/{study[0].StudyInstanceUID}/draft"
    body = {"version": 0, "annotations": [line(study[0].SOPInstanceUID)]}
    # whoever sees may draw, whatever it becomes
    assert (await room.ask(room.person("clinic", Role.QC), "PUT", where, body))[0] == 200
    assert (await room.ask(room.person("desk", Role.REG), "GET", where))[0] == 403
    elsewhere = room.person("north", Role.RES, Scope(sites=frozenset({"North"})))
    for method in ("GET", "PUT"):
        status, told = await room.ask(elsewhere, method, where, body if method == "PUT" else None)
        assert (status, told["code"]) == (404, "not-found")
    assert (await room.ask(ENGINEER, "GET", where))[0] == 403
    assert (await room.ask(None, "GET", where))[0] == 401
    resident = room.person("resident", Role.RES)
    assert (await room.ask(resident, "PUT", "/studies/9.9.9/draft", body))[0] == 404


async def test_what_is_no_annotation_is_refused(room: Room) -> None:
    study = images(1)
    room.store(study)
    where = f"/studies/{study[0].StudyInstanceUID}/draft"
    resident = room.person("resident", Role.RES)
    sop = str(study[0].SOPInstanceUID)
    for wrong in (
        {"points": [[1, 2]]},
        {"points": [[1, 2, 3], [4, 5, 6]]},
        {"points": [[1, 1e300], [2, 2]]},
        {"tool": "hammer"},
        {"label": "a\u0000b"},
        {"label": "x" * 257},
        {"values": [{"name": "length", "value": 1, "unit": "ell"}]},
        {"frame": 0},
        {"id": "1"},
        {"more": 1},
    ):
        status, _ = await room.ask(
            resident, "PUT", where, {"version": 0, "annotations": [line(sop, **wrong)]}
        )
        assert status == 422, wrong
    outline = {"tool": "freehand", "points": [[1.123456789, 2.123456789]] * 5000}
    big = [line(sop, **outline) for _ in range(20)]
    status, told = await room.ask(resident, "PUT", where, {"version": 0, "annotations": big})
    assert (status, told["code"]) == (413, "too-large")
    assert drafts.LONGEST == 2 << 20
