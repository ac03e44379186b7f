"""Rejection over DICOMweb: objects are taken out of use under a coded reason (IHE RAD IOCM), and back into it.

The standard has no transaction for it; the addresses are those that dcm4chee made common:

    POST   .../studies/{s}[/series/{e}[/instances/{i}]]/reject/{code^scheme}?reason=...
    DELETE .../studies/{s}[/series/{e}[/instances/{i}]]?reason=...     as a rejection under 113001
    POST   .../rejections/{note}/revoke?reason=...

The reason is a query parameter, a Reason header (percent-encoded where it is not ASCII), or "reason" in a JSON body.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, Principal, permit
from filmless.archive import reject as rejecting
from filmless.archive.model import QUALITY_CODE, REJECTION_CODES
from filmless.archive.query.listing import demand_one_patient
from filmless.archive.query.visibility import seen
from filmless.archive.store import Archive
from filmless.archive.tables import instances, series, studies
from filmless.archive.web.context import ArchiveWeb, principal_of
from filmless.archive.web.qido_request import uid_in_path
from filmless.db.work import reading
from filmless.kit.errors import FilmlessError, Refused, Unavailable
from filmless.net.http.origin import client_host

#: what can be rejected; archive/web/capabilities.py says the same
RESOURCES: Final = (
    "/studies/{study}",
    "/studies/{study}/series/{series}",
    "/studies/{study}/series/{series}/instances/{instance}",
)
#: the longest body that holds a reason, bytes
_LONGEST_BODY = 64 << 10
_LONGEST_REASON = 1024


def routes(context: ArchiveWeb) -> list[BaseRoute]:
    """Rejecting, deleting (which is rejecting) and revoking."""
    web = _Rejection(context)
    return [
        *(Route(path + "/reject/{code}", web.reject, methods=["POST"]) for path in RESOURCES),
        *(Route(path, web.delete, methods=["DELETE"]) for path in RESOURCES),
        Route("/rejections/{note}/revoke", web.revoke, methods=["POST"]),
    ]


#: the answer, the studies that were touched, and how many objects
_Done = tuple[dict[str, Any], tuple[str, ...], int]


class _Rejection:
    def __init__(self, context: ArchiveWeb) -> None:
        self._context = context

    async def reject(self, request: Request) -> Response:
        """Answers {"count": objects, "notes": [SOP Instance UIDs]}."""
        code, _, scheme = request.path_params["code"].partition("^")
        if scheme not in ("", "DCM") or code not in REJECTION_CODES:
            known = ", ".join(f"{one}^DCM ({words})" for one, words in REJECTION_CODES.items())
            raise Refused(f"The code of a rejection is one of {known}.", code="unknown-code")
        return await self._reject(request, code)

    async def delete(self, request: Request) -> Response:
        """As `reject`: no object is deleted by anybody's wish (docs/glossary.md: rejection, purge)."""
        return await self._reject(request, QUALITY_CODE)

    async def _reject(self, request: Request, code: str) -> Response:
        uids = [uid_in_path(request.path_params[name]) for name in _NAMES if name in request.path_params]
        study, rest = uids[0], uids[1:]

        def work(allowed: Principal, archive: Archive, reason: str) -> _Done:
            if len(rest) < len(_NAMES) - 1:
                with reading(archive.engine) as connection:
                    demand_one_patient(connection, allowed, study)
            try:
                notes = rejecting.reject(
                    archive,
                    allowed,
                    code=code,
                    by=allowed.name[:64],
                    reason=reason,
                    study_uids=[study],
                    series_uids=rest[:1],
                    sop_uids=rest[1:],
                )
            except Refused as refused:
                if refused.code == "unknown-object":
                    raise Refused(refused.message, code="not-found") from None
                raise
            with reading(archive.engine) as connection:
                count = sum(rejecting.show(connection, note)[0].objects for note in notes)
            return {"count": count, "notes": notes}, (study,), count

        return await self._do(request, Kind.REJECT, Action.REJECT, work, code)

    async def revoke(self, request: Request) -> Response:
        """Answers {"count": objects that are there again}."""
        note = uid_in_path(request.path_params["note"])

        def work(allowed: Principal, archive: Archive, reason: str) -> _Done:
            study = study_of_note(archive, allowed, note)
            count = rejecting.revoke(archive, note, by=allowed.name[:64], reason=reason)
            return {"count": count}, (study,), count

        return await self._do(request, Kind.REVOKE, Action.REVOKE, work)

    async def _do(
        self,
        request: Request,
        kind: Kind,
        action: Action,
        work: Callable[[Principal, Archive, str], _Done],
        code: str = "",
    ) -> Response:
        """Do it in a thread, with rights asked before and the trail kept after."""
        principal, host = principal_of(request), client_host(request, self._context.http)
        trail, archive = self._context.trail, self._context.archive
        detail: dict[str, Any] = {"code": code} if code else {}
        trail.require()
        try:
            allowed = permit(principal, action)
            reason = await reason_of(request)
            if archive is None:
                raise Unavailable("Objects are not stored by this server.", code="no-storage")
            answer, touched, count = await asyncio.to_thread(work, allowed, archive, reason)
        except FilmlessError as error:
            trail.record_late(
                Entry(
                    kind,
                    principal,
                    "refused" if isinstance(error, Refused) else "failed",
                    host,
                    what="DICOMweb",
                    detail=detail,
                    reason=error.code,
                )
            )
            raise
        detail["instances"] = count
        trail.record_late(
            Entry(kind, principal, "success", host, touched, what="DICOMweb", detail=detail, reason=reason)
        )
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})


_NAMES: Final = ("study", "series", "instance")


def study_of_note(archive: Archive, allowed: Principal, note: str) -> str:
    """The study of a rejection note. Raises Refused (code "not-found") where this principal may not revoke in it.

    What a note names is hidden; whose study it is counts all the same.
    """
    with reading(archive.engine) as connection:
        found = connection.scalar(
            select(studies.c.study_uid)
            .select_from(
                instances.join(series, instances.c.series == series.c.id).join(
                    studies, series.c.study == studies.c.id
                )
            )
            .where(instances.c.sop_instance_uid == note, seen(allowed, studies, action=Action.REVOKE))
        )
    if found is None:
        raise Refused("There is no rejection note of that UID.", code="not-found")
    return str(found)


async def reason_of(request: Request) -> str:
    """Why, in words; every decision needs it."""
    reason = request.query_params.get("reason", "") or unquote(request.headers.get("reason", ""))
    if not reason and request.headers.get("content-type", "").startswith("application/json"):
        reason = _reason_in(await _body(request))
    reason = reason.strip()
    if not reason:
        raise Refused(
            "A reason is needed: as parameter `reason`, header Reason, or in a JSON body.", code="no-reason"
        )
    if len(reason) > _LONGEST_REASON or "\0" in reason:
        raise Refused(f"A reason has at most {_LONGEST_REASON} characters.", code="bad-reason")
    return reason


def _reason_in(body: bytes) -> str:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("The body is no JSON.", code="json") from None
    reason = said.get("reason") if isinstance(said, dict) else None
    return reason if isinstance(reason, str) else ""


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_BODY:
            raise Refused("The body is too long for a reason.", code="too-large")
    return bytes(body)
