"""Rejection, deletion and revocation over DICOMweb, and bytes as received."""

import hashlib
from urllib.parse import quote

import httpx
import pydicom
import pytest
from sqlalchemy import func, select
from tests import made
from tests.archive.web.place import (
    CLERK,
    RESIDENT,
    STEWARD,
    Place,
    dicom_parts,
    multipart,
    series,
)

from filmless.access.model import Grant, Principal, Role, Scope, account_principal
from filmless.archive.corrections.model import Level, Target, from_text
from filmless.archive.corrections.service import correct
from filmless.archive.leaving import leaving
from filmless.archive.levels import WANTED
from filmless.archive.query.instances import instances_of
from filmless.archive.reject import show
from filmless.archive.tables import rejections, studies
from filmless.db.work import reading
from filmless.dicom import part10
from filmless.dicom.header import text
from filmless.patients.service import open_flags

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
QUALITY = account_principal("quality", 4, [Grant(Role.QC)])
TECHNOLOGIST = account_principal("technologist", 5, [Grant(Role.TEC)])
ELSEWHERE = account_principal("elsewhere", 6, [Grant(Role.PAD, Scope(sites=frozenset({"North"})))])
WHY = "wrong patient"


def seen_by(place: Place, principal: Principal, study: str = "1.2.3") -> set[str]:
    with reading(place.context.engine) as connection:
        found = instances_of(connection, principal, level="STUDY", study_uids=[study])
        return {one.sop_instance for one in found}


async def store(place: Place, count: int = 3) -> list[pydicom.Dataset]:
    objects = series(count)
    async with place.client() as client:
        assert (await client.post("/studies", **multipart(dicom_parts(objects)))).status_code == 200
    return objects


async def act(
    place: Place, method: str, path: str, principal: Principal | None = STEWARD, **more: object
) -> httpx.Response:
    async with place.client(principal) as client:
        return await client.request(method, path, **more)  # type: ignore[arg-type]


async def test_a_rejected_instance_is_gone_for_readers_and_there_again_when_revoked(place: Place) -> None:
    objects = await store(place)
    uids = [str(one.SOPInstanceUID) for one in objects]
    answer = await act(
        place,
        "POST",
        f"/studies/1.2.3/series/1.2.3.1/instances/{uids[0]}/reject/113001%5EDCM?reason={quote(WHY)}",
    )
    assert (answer.status_code, answer.json()["count"]) == (200, 1)
    (note,) = answer.json()["notes"]
    assert seen_by(place, RESIDENT) == set(uids[1:])
    assert seen_by(place, QUALITY) == {*uids, note}
    with reading(place.context.engine) as connection:
        rejection, named = show(connection, note)
    assert (rejection.code, rejection.by, rejection.reason, named) == ("113001", "steward", WHY, uids[:1])

    answer = await act(place, "POST", f"/rejections/{note}/revoke", json={"reason": "it was right"})
    assert (answer.status_code, answer.json()) == (200, {"count": 1})
    assert seen_by(place, RESIDENT) == set(uids)
    answer = await act(place, "POST", f"/rejections/{note}/revoke?reason=again")
    assert (answer.status_code, answer.json()["code"]) == (409, "revoked")
    done = [(one["kind"], one["outcome"], one.get("reason", "")) for one in place.audited()]
    assert done[1:] == [
        ("reject", "success", WHY),
        ("revoke", "success", "it was right"),
        ("revoke", "failed", "revoked"),
    ]


@pytest.mark.parametrize("code", ["113037", "113038", "113039"])
@SQLITE
async def test_the_other_codes_hide_from_everybody(place: Place, code: str) -> None:
    await store(place)
    answer = await act(
        place, "POST", f"/studies/1.2.3/reject/{code}^DCM", headers={"reason": quote("für immer")}
    )
    assert (answer.status_code, answer.json()["count"]) == (200, 3)
    assert seen_by(place, RESIDENT) == seen_by(place, QUALITY) == set()
    with reading(place.context.engine) as connection:
        found = {tuple(row) for row in connection.execute(select(rejections.c.code, rejections.c.reason))}
    assert found == {(code, "für immer")}


@pytest.mark.parametrize("path", ["/studies/1.2.3", "/studies/1.2.3/series/1.2.3.1"])
@SQLITE
async def test_delete_means_reject(place: Place, path: str) -> None:
    objects = await store(place)
    refused = await act(place, "DELETE", path)
    assert (refused.status_code, refused.json()["code"]) == (400, "no-reason")
    answer = await act(place, "DELETE", path, headers={"reason": "scanned twice"})
    assert (answer.status_code, answer.json()["count"]) == (200, 3)
    assert seen_by(place, RESIDENT) == set()
    assert seen_by(place, QUALITY) >= {str(one.SOPInstanceUID) for one in objects}
    assert place.files() == 4


async def test_who_may_not_or_does_not_see_it(place: Place) -> None:
    objects = await store(place)
    path = f"/studies/1.2.3/series/1.2.3.1/instances/{objects[0].SOPInstanceUID}/reject/113001^DCM?reason=x"
    for principal, status in (
        (None, 401),
        (RESIDENT, 403),
        (CLERK, 403),
        (ELSEWHERE, 404),
        (TECHNOLOGIST, 200),
    ):
        answer = await act(place, "POST", path, principal)
        assert (answer.status_code, principal and principal.name) == (status, principal and principal.name)
    (note,) = answer.json()["notes"]
    for principal, status in ((TECHNOLOGIST, 403), (RESIDENT, 403), (ELSEWHERE, 404), (STEWARD, 200)):
        answer = await act(place, "POST", f"/rejections/{note}/revoke?reason=x", principal)
        assert (answer.status_code, principal.name) == (status, principal.name)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/studies/1.2.9/reject/113001^DCM?reason=x", 404, "not-found"),
        ("/studies/1.2.3/series/1.2.4/reject/113001^DCM?reason=x", 404, "not-found"),
        ("/studies/1.2.3/reject/113000^DCM?reason=x", 400, "unknown-code"),
        ("/studies/1.2.3/reject/113001^99X?reason=x", 400, "unknown-code"),
        ("/studies/1.2.3/reject/113001^DCM", 400, "no-reason"),
        ("/studies/1.2.3/reject/113001^DCM?reason=%20", 400, "no-reason"),
        ("/studies/1.2.3/reject/113001^DCM?reason=" + "x" * 2000, 400, "bad-reason"),
        ("/studies/..%00/reject/113001^DCM?reason=x", 400, "bad-parameter"),
        ("/studies/1.2.3';--/reject/113001^DCM?reason=x", 400, "bad-parameter"),
        ("/rejections/1.2.3.4/revoke?reason=x", 404, "not-found"),
    ],
)
@SQLITE
async def test_what_cannot_be_rejected(place: Place, path: str, status: int, code: str) -> None:
    objects = await store(place, 1)
    answer = await act(place, "POST", path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert seen_by(place, RESIDENT) == {str(objects[0].SOPInstanceUID)}


async def test_bytes_as_received_leave_under_a_reason(place: Place) -> None:
    (image,) = await store(place, 1)
    path = f"/studies/1.2.3/series/1.2.3.1/instances/{image.SOPInstanceUID}/original"
    for principal, status in ((None, 401), (RESIDENT, 403), (TECHNOLOGIST, 403), (ELSEWHERE, 404)):
        answer = await act(place, "GET", path + "?reason=x", principal)
        assert (answer.status_code, principal and principal.name) == (status, principal and principal.name)
    assert (await act(place, "GET", path)).json()["code"] == "no-reason"
    answer = await act(place, "GET", path + "?reason=complaint", headers={"accept": "application/dicom"})
    assert answer.status_code == 200
    meta = part10.read_meta(answer.content)
    assert (meta.sop_instance_uid, meta.private_information) == (image.SOPInstanceUID, b"")
    sent = made.data_set(made.part10(image))
    assert hashlib.sha256(answer.content[meta.data_set_offset :]).digest() == hashlib.sha256(sent).digest()
    (given,) = [one for one in place.audited() if one["kind"] == "export" and one["outcome"] == "success"]
    assert (given["what"], given["reason"], given["studies"]) == ("original", "complaint", ["1.2.3"])


async def test_a_note_is_of_the_patient_as_corrected(place: Place) -> None:
    await store(place, 2)
    correct(
        place.context.engine,
        place.context.store,
        STEWARD,
        Target(Level.STUDY, "1.2.3"),
        {"00100010": from_text(0x00100010, "Right^Rita"), "00100020": from_text(0x00100020, "RIGHT1")},
        reason="another patient",
        by="steward",
    )
    answer = await act(place, "POST", f"/studies/1.2.3/reject/113001^DCM?reason={quote(WHY)}")
    (note,) = answer.json()["notes"]
    with reading(place.context.engine) as connection:
        # beside what it rejects, so that no second patient comes up under the study
        (found,) = instances_of(connection, QUALITY, level="IMAGE", sop_uids=[note])
        header = leaving(found, place.context.store).header(WANTED)
        assert (text(header, 0x00100020), text(header, 0x00100010)) == ("RIGHT1", "Right^Rita")
        assert connection.scalar(select(func.count()).select_from(studies)) == 1
        assert open_flags(connection, limit=10) == []
