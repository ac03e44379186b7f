"""An object as it was received, without corrections: for a steward, under a reason, each time in the audit trail.

    GET .../studies/{s}/series/{e}/instances/{i}/original?reason=...

A DICOM file: file meta information of ours, then the data set as received, byte by byte.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, permit
from filmless.archive.query.instances import StoredInstance, instances_of
from filmless.archive.web.context import ArchiveWeb, principal_of
from filmless.archive.web.qido_request import uid_in_path
from filmless.archive.web.reject import reason_of
from filmless.db.work import reading
from filmless.dicom import part10
from filmless.dicom.web import accept
from filmless.dicom.web.media_types import DICOM
from filmless.kit.errors import Refused
from filmless.net.http.origin import client_host
from filmless.net.http.streams import FileSlice, Segments

PATH = "/studies/{study}/series/{series}/instances/{instance}/original"


def routes(context: ArchiveWeb) -> list[BaseRoute]:
    """The one route of bytes as received."""
    return [Route(PATH, _Original(context).give, methods=["GET"])]


class _Original:
    def __init__(self, context: ArchiveWeb) -> None:
        self._context = context

    async def give(self, request: Request) -> Response:
        """The version in force, as received."""
        context = self._context
        principal, host = principal_of(request), client_host(request, context.http)
        study, series, sop = (
            uid_in_path(request.path_params[name]) for name in ("study", "series", "instance")
        )
        try:
            allowed = permit(principal, Action.ORIGINAL)
        except Refused as refused:
            context.trail.record(
                Entry(Kind.EXPORT, principal, "refused", host, what="original", reason=refused.code)
            )
            raise
        wishes = accept.wishes_of(request.headers.get("accept"), request.url.query)
        if accept.document(wishes, ((DICOM, False),)) is None:
            raise accept.not_acceptable("a file of application/dicom, as received")
        reason = await reason_of(request)

        def look() -> StoredInstance | None:
            with reading(context.engine) as connection:
                found = instances_of(
                    connection,
                    allowed,
                    level="IMAGE",
                    study_uids=[study],
                    series_uids=[series],
                    sop_uids=[sop],
                )
                return next(found, None)

        one = await asyncio.to_thread(look)
        if one is None:
            raise Refused("There is no such object in the archive.", code="not-found")
        # before its bytes: what cannot be written down is not given away
        context.trail.record(
            Entry(
                Kind.EXPORT,
                principal,
                "success",
                host,
                (study,),
                what="original",
                detail={"instances": 1, "sop_classes": {one.sop_class: 1}, "sop_instance": one.sop_instance},
                reason=reason,
            )
        )
        head = part10.build_preamble_and_meta(one.sop_class, one.sop_instance, one.ts)
        return Segments(
            [head, FileSlice(context.store / one.path, one.offset, one.size)],
            length=len(head) + one.size,
            media_type=f"{DICOM}; transfer-syntax={one.ts}",
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": f'attachment; filename="{one.sop_instance}.dcm"',
            },
        )
