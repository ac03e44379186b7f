"""Who asks for a study that is here and not open to him is answered as if it were not, and is in the audit trail."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Principal
from filmless.archive.query.visibility import visible_at
from filmless.archive.tables import studies
from filmless.archive.web.asking import UID, host_of
from filmless.archive.web.context import ArchiveWeb, principal_of
from filmless.db.work import reading
from filmless.kit.errors import Refused

_Endpoint = Callable[[Request], Awaitable[Response]]

#: seconds for which the same attempt is one, and how many are remembered
_SECONDS: Final = 600.0
_MOST: Final = 10_000


class Unseen:
    """Tells of them. One for a process."""

    def __init__(self, context: ArchiveWeb) -> None:
        self._context = context
        self._told: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    def around(self, routes: Sequence[BaseRoute]) -> list[BaseRoute]:
        """These routes, telling of what is asked for and not seen."""
        return [
            Route(route.path, self._telling(route.endpoint), methods=route.methods)
            if isinstance(route, Route)
            else route
            for route in routes
        ]

    def _telling(self, really: _Endpoint) -> Any:
        async def endpoint(request: Request) -> Response:
            try:
                return await really(request)
            except Refused as why:
                if why.code == "not-found":
                    await self._missed(request)
                raise

        return endpoint

    async def _missed(self, request: Request) -> None:
        who = principal_of(request)
        study = request.path_params.get("study") or request.query_params.get("studyUID", "")
        key, now = (who.kind, who.name, study), time.monotonic()
        if not UID.fullmatch(study) or self._told.get(key, 0.0) > now:
            return
        if not await asyncio.to_thread(self._is_hidden, who, study):
            return
        self._told[key] = now + _SECONDS
        self._told.move_to_end(key)
        if len(self._told) > _MOST:
            self._told.popitem(last=False)
        words = "not open to whoever asked"
        self._context.trail.record_late(
            Entry(
                Kind.VIEW,
                who,
                "refused",
                host=host_of(request, self._context),
                studies=(study,),
                reason=words,
            )
        )

    def _is_hidden(self, who: Principal, study: str) -> bool:
        with reading(self._context.engine) as connection:
            here = select(studies.c.id).where(studies.c.study_uid == study).limit(1)
            # both are asked, whatever the first says: the time of an answer tells nothing
            found = connection.execute(here).first() is not None
            seen = connection.execute(here.where(visible_at("STUDY", who))).first() is not None
        return found and not seen
