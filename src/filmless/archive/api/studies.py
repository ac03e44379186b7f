"""The study table: search, details, priors."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy import Connection
from starlette.responses import Response

from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, Principal, permit
from filmless.archive.api.words import (
    PROBLEMS,
    Priors,
    Search,
    SearchAnswer,
    StudyDetails,
    Uid,
    as_json,
)
from filmless.archive.query import listing
from filmless.archive.query.facets import facets
from filmless.archive.web.context import ArchiveWeb, principal_of
from filmless.archive.web.searching import Searcher
from filmless.kit.errors import FilmlessError, Refused
from filmless.net.http.origin import client_host

T = TypeVar("T")

Caller = Annotated[Principal, Depends(principal_of)]
StudyUid = Annotated[Uid, Path(description="Study Instance UID.")]
Row = Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Which row, where there are several.")]


def router(context: ArchiveWeb | None) -> APIRouter:
    """The routes. `context` None: only to be described."""
    made = APIRouter(prefix="/studies", tags=["studies"], responses=PROBLEMS)
    service = Finder(context)

    @made.post("/search", response_model=SearchAnswer, summary="Find studies")
    async def search_studies(request: Request, principal: Caller, asked: Search) -> Response:
        def work(connection: Connection, who: Principal) -> dict[str, Any]:
            wanted = asked.wanted()
            found = listing.find(connection, who, wanted)
            faceted = facets(connection, who, wanted, dict.fromkeys(asked.facets))
            return {
                "studies": found.rows,
                "following": found.following,
                "total": listing.count(connection, who, wanted) if asked.count else None,
                "facets": faceted.values,
                "facets_complete": faceted.complete,
            }

        query = asked.model_dump_json(exclude_defaults=True)
        return as_json(await service.run(request, principal, work, what="search", query=query))

    @made.get("/{study_uid}", response_model=StudyDetails, summary="A study and its series")
    async def study_details(
        request: Request, principal: Caller, study_uid: StudyUid, row: Row = None
    ) -> Response:
        def work(connection: Connection, who: Principal) -> dict[str, Any]:
            return there(listing.details(connection, who, study_uid, row))

        return as_json(await service.run(request, principal, work, what="details", study=study_uid))

    @made.get("/{study_uid}/priors", response_model=Priors, summary="Other studies of the patient")
    async def study_priors(
        request: Request,
        principal: Caller,
        study_uid: StudyUid,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        row: Row = None,
    ) -> Response:
        def work(connection: Connection, who: Principal) -> dict[str, Any]:
            return {"studies": there(listing.priors(connection, who, study_uid, limit=limit, row=row))}

        return as_json(await service.run(request, principal, work, what="priors", study=study_uid))

    return made


def there(found: T | None) -> T:
    """What was found. Raises Refused (code "not-found") for None."""
    if found is None:
        # the same words where it exists and is not for this principal
        raise Refused("There is no such study.", code="not-found")
    return found


class Finder:
    """Runs a piece of work for whoever may search, and tells the trail."""

    def __init__(self, context: ArchiveWeb | None) -> None:
        self._context = context
        self._searcher = Searcher(context.engine) if context is not None else None

    async def run(
        self,
        request: Request,
        principal: Principal,
        work: Callable[[Connection, Principal], dict[str, Any]],
        *,
        what: str,
        query: str = "",
        study: str = "",
    ) -> dict[str, Any]:
        assert self._context is not None
        assert self._searcher is not None
        context = self._context

        def tell(outcome: Any, reason: str = "") -> None:
            entry = Entry(
                Kind.SEARCH,
                principal,
                outcome,
                host=client_host(request, context.http),
                studies=(study,) if study else (),
                what=what,
                query=query,
                reason=reason,
            )
            context.trail.record(entry)

        def whole(connection: Connection) -> dict[str, Any]:
            found = work(connection, who)
            tell("success")
            return found

        try:
            who = permit(principal, Action.SEARCH)
            return await self._searcher.run(whole)
        except FilmlessError as error:
            if error.code != "audit":
                tell("refused" if error.code in ("not-permitted", "not-found") else "failed", error.message)
            raise
