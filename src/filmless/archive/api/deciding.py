"""What the routes of a steward's decisions share: who may, what is told to the trail."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import ColumnElement, and_, exists, or_, select

from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, Principal, permit
from filmless.archive.api.words import PROBLEMS
from filmless.archive.query.visibility import restricted, seen
from filmless.archive.tables import quarantine, studies
from filmless.archive.web.context import ArchiveWeb, principal_of
from filmless.kit.errors import Defect, FilmlessError, Refused
from filmless.net.http.described import problems
from filmless.net.http.origin import client_host

#: the error answers of routes that decide something
DECIDING: Final[dict[int | str, dict[str, Any]]] = {
    **PROBLEMS,
    **problems({409: "It was decided before, or clashes with what is there."}),
}

Caller = Annotated[Principal, Depends(principal_of)]


def _said(text: str) -> str:
    text = text.strip()
    if not text or "\0" in text or any(0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        raise ValueError("words are needed")
    return text


Reason = Annotated[str, StringConstraints(min_length=1, max_length=400), AfterValidator(_said)]


class Decision(BaseModel):
    """Why something is decided; kept with it."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = Field(description="In words, for who asks later.")


class Desk:
    """The archive as the routes use it."""

    def __init__(self, context: ArchiveWeb | None) -> None:
        """`context` None: the routes are only to be described."""
        self._context = context

    @property
    def context(self) -> ArchiveWeb:
        if self._context is None:
            raise Defect("These routes have no archive.", code="no-archive")
        return self._context

    @contextmanager
    def told(
        self, request: Request, principal: Principal, action: Action, kind: Kind, what: str, reason: str = ""
    ) -> Iterator[tuple[Principal, dict[str, Any]]]:
        """Gives (the principal narrowed to the action, detail to be filled in); success or failure goes to the trail.

        "studies" and "patients" in the detail become the studies and patients of the entry.
        """
        trail = self.context.trail
        host = client_host(request, self.context.http)
        detail: dict[str, Any] = {}
        trail.require()
        try:
            yield permit(principal, action), detail
        except FilmlessError as error:
            studies_of, patients_of = (tuple(detail.pop(word, ())) for word in ("studies", "patients"))
            outcome: Any = "refused" if isinstance(error, Refused) else "failed"
            trail.record_late(
                Entry(
                    kind,
                    principal,
                    outcome,
                    host,
                    studies_of,
                    patients_of,
                    what,
                    detail=detail,
                    reason=error.message,
                )
            )
            raise
        studies_of, patients_of = (tuple(detail.pop(word, ())) for word in ("studies", "patients"))
        entry = Entry(
            kind, principal, "success", host, studies_of, patients_of, what, detail=detail, reason=reason
        )
        trail.record_late(entry)


def quarantined_for(principal: Principal, action: Action) -> ColumnElement[bool] | None:
    """The condition on rows of `quarantine` that this principal may decide about them; None where all are his.

    An object of a known study belongs to who may do it there. One of a study that is not known has no site and no
    department yet: it is for who is not confined to some.
    """
    if not restricted(principal, action):
        return None
    there = studies.c.study_uid == quarantine.c.study_uid
    known = exists(select(studies.c.id).where(there))
    open_to = exists(select(studies.c.id).where(there, seen(principal, studies, action=action)))
    scopes = [grant.effective_scope for grant in principal.granting(action)]
    confined = all(
        scope.sites is not None
        or scope.departments is not None
        or scope.modalities is not None
        or scope.own_patients
        or scope.shared_only
        for scope in scopes
    )
    return open_to if confined else or_(open_to, and_(~known))
