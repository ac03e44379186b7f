"""A steward's decisions about who is who: merge, link, other patient IDs, and undoing."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from filmless.access.api.words import At, Host, In, Line, Who
from filmless.access.model import Action, may, permit
from filmless.db.work import writing
from filmless.department.identity import journal, linking, matching, merging, moving, unmatched
from filmless.department.identity import people as known
from filmless.department.identity.api.images import Images
from filmless.department.identity.api.words import PersonId, Seen, Short, Why
from filmless.kit.errors import Refused

_ACTIONS = {"match": Action.MATCH, "images": Action.MATCH_IMAGES, "move": Action.MATCH_IMAGES}
Row = Annotated[int, Field(ge=1, le=2**53)]


class MergingPersons(In):
    """Two persons who are one."""

    survivor: Row = Field(description="Who stays.")
    subsumed: Row = Field(description="Who is merged into him.")
    survivor_seen: Seen
    subsumed_seen: Seen
    reason: Why


class LinkingPersons(In):
    """Two persons who belong together."""

    person: Row
    other: Row
    reason: Why


class NewPatientId(In):
    """Another patient ID."""

    patient_id: Annotated[Line, Field(min_length=1, max_length=64)]
    issuer: Short | None = None
    seen: Seen
    reason: Why


class UndoingIdentity(In):
    """Taking back what the journal says."""

    reason: Why
    exams: list[Row] | None = Field(
        None,
        max_length=1000,
        description="Of a merge: the exams that go back; left out: those that came with it.",
    )


class IdentityDecided(BaseModel):
    """The entry of the journal."""

    journal: int
    kind: str
    person: int


def router(images: Images) -> APIRouter:
    """The routes."""
    made = APIRouter()

    @made.post("/persons/merge", summary="Merge two persons")
    def merge_persons(body: MergingPersons, who: Who, at: At, host: Host) -> IdentityDecided:
        acting = at.acting(permit(who, Action.MERGE), host)
        with writing(at.engine) as connection:
            for one in (body.survivor, body.subsumed):
                known.check(connection, acting.who, one, Action.MERGE)
            entry = merging.merge(
                connection,
                body.survivor,
                body.subsumed,
                acting,
                reason=body.reason,
                seen=(body.survivor_seen, body.subsumed_seen),
            )
        images.follow(entry, acting)
        return _told(entry)

    @made.post("/persons/link", summary="Link two persons without merging them")
    def link_persons(body: LinkingPersons, who: Who, at: At, host: Host) -> IdentityDecided:
        acting = at.acting(permit(who, Action.MERGE), host)
        with writing(at.engine) as connection:
            for one in (body.person, body.other):
                known.check(connection, acting.who, one, Action.MERGE)
            return _told(linking.link(connection, body.person, body.other, acting, reason=body.reason))

    @made.post("/persons/{person}/patient-id", summary="Give a person another patient ID")
    def change_patient_id(
        person: PersonId, body: NewPatientId, who: Who, at: At, host: Host
    ) -> IdentityDecided:
        acting = at.acting(permit(who, Action.MERGE), host)
        with writing(at.engine) as connection:
            known.check(connection, acting.who, person, Action.MERGE)
            entry = linking.change_id(
                connection,
                person,
                body.patient_id,
                acting,
                issuer=body.issuer,
                reason=body.reason,
                seen=body.seen,
            )
        images.follow(entry, acting)
        return _told(entry)

    @made.post("/identity-journal/{number}/undo", summary="Undo a merge, link, match or change of ID")
    def undo_identity(
        number: Annotated[int, Path(ge=1, le=2**53)], body: UndoingIdentity, who: Who, at: At, host: Host
    ) -> IdentityDecided:
        # whoever may none of these learns nothing of the journal
        action = next((one for one in (Action.MERGE, *_ACTIONS.values()) if may(who, one)), Action.MERGE)
        permit(who, action)
        with writing(at.engine) as connection:
            entry = journal.get(connection, number)
            acting = at.acting(permit(who, _ACTIONS.get(entry.kind, Action.MERGE)), host)
            known.check(connection, who, entry.person, _ACTIONS.get(entry.kind, Action.MERGE))
            if body.exams is not None and entry.kind != "merge":
                raise Refused("Exams are chosen for a merge only.", code="bad-value")
            if entry.kind == "merge":
                undone = merging.unmerge(
                    connection, number, acting, reason=body.reason, exams_back=body.exams
                )
            elif entry.kind == "link":
                undone = linking.unlink(connection, number, acting, reason=body.reason)
            elif entry.kind == "change-id":
                undone = linking.undo_change_id(connection, number, acting, reason=body.reason)
            elif entry.kind == "match":
                undone = matching.unmatch(connection, number, acting, reason=body.reason)
            elif entry.kind == "move":
                undone = moving.unmove(connection, number, acting, reason=body.reason)
            else:
                undone = unmatched.unassign(connection, number, acting, reason=body.reason)
        if undone.kind != "link":
            images.follow(undone, acting)
        return _told(undone)

    return made


def _told(entry: journal.Entry) -> IdentityDecided:
    return IdentityDecided(journal=entry.id, kind=entry.kind, person=entry.person)
