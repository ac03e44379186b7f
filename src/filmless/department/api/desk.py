"""Orders and exams: ordering, registering, the green channel, lists, and the page of one exam."""

from dataclasses import replace
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Connection

from filmless.access.api.words import At, Host, In, Line, Who
from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, Principal, may, permit
from filmless.db.work import reading, writing
from filmless.department import exams, lists, orders, page, registration, visibility
from filmless.department.api.checking import agreed, walk_in_failures_kept
from filmless.department.api.words import (
    ArrivalWords,
    CheckWords,
    ExamId,
    ExamWords,
    ListedWords,
    LogWords,
    OrderWords,
    Reason,
    Short,
    Text,
    Words,
)
from filmless.department.master import lists as known
from filmless.department.model import Desk
from filmless.department.orders import NewOrder, Wanted
from filmless.kit.errors import Defect
from filmless.patients import persons

_MOST = 500
Code = Annotated[Line, StringConstraints(max_length=16)]


class WantedWords(In):
    """A procedure that is asked for."""

    procedure: Annotated[Line, StringConstraints(min_length=1, max_length=16)]
    side: Literal["", "L", "R", "B"] = ""


class NewOrderWords(In):
    """What is asked for, for whom; with `arrival`, registered at once."""

    person: int = Field(ge=1, le=2**53)
    procedures: list[WantedWords] = Field(min_length=1, max_length=20)
    placer_number: Short = ""
    requester: Words = ""
    department: Code = ""
    ward: Code = ""
    bed: Code = ""
    patient_class: Literal["O", "I", "E", "P"] = "O"
    visit_number: Short = ""
    admission_number: Short = ""
    diagnosis: Text = ""
    history: Text = ""
    purpose: Text = ""
    cautions: dict[Short, Words] = Field(default_factory=dict, max_length=20)
    priority: Literal["routine", "urgent", "stat"] = "routine"
    arrival: ArrivalWords | None = None


class Ordered(BaseModel):
    """An order and its exams."""

    order: OrderWords
    exams: list[ExamWords]


class GreenWords(In):
    """An exam at once; nothing has to be known."""

    procedure: Code = ""
    station: Code = ""
    sex: Literal["", "M", "F", "O"] = ""
    person: int | None = Field(None, ge=1, le=2**53, description="Where it is known who it is.")


class ExamWish(In):
    """Which exams are looked for."""

    view: Literal["all", "expected", "registered", "examined", "finished"] = "all"
    day: date | None = Field(None, description="A day of the server's time zone; null is any.")
    text: Words = Field("", description="A number, an ID, or what a name begins with.")
    number: Short = Field(
        "", description="An exam number, whole, also one that an exam had before or has elsewhere."
    )
    states: list[Annotated[str, StringConstraints(pattern="^[EX][0-9]{2}$")]] = Field([], max_length=20)
    modalities: list[Code] = Field([], max_length=50)
    stations: list[Code] = Field([], max_length=100)
    classes: list[Annotated[str, StringConstraints(pattern="^[A-Z]$")]] = Field([], max_length=26)
    person: int | None = Field(None, ge=1, le=2**53)
    limit: int = Field(200, ge=1, le=_MOST)

    def wish(self) -> lists.Wish:
        """In the room's words."""
        return lists.Wish(**self.model_dump())


class TotalWords(BaseModel):
    """Of the day that is asked for, with the other conditions."""

    expected: int
    registered: int
    examined: int
    finished: int


class ExamList(BaseModel):
    """Exams; green channel and STAT first."""

    exams: list[ListedWords]
    more: bool = Field(description="There are more than are given.")
    totals: TotalWords | None = Field(description="Where a day is asked for.")


class PersonInPage(BaseModel):
    """Whom an exam is of."""

    id: int
    patient_id: str
    issuer: str
    name_ideographic: str
    name_alphabetic: str
    sex: str
    birth_date: str
    phone: str
    vip: bool
    unknown: bool
    deceased: bool


class NumberWords(BaseModel):
    """A number by which an exam is found. `alias`: "" its own, "matched" before a match, "outside"."""

    number: str
    alias: str


class ExamPage(BaseModel):
    """All that is known of an exam, and what this account may do with it."""

    exam: ExamWords
    person: PersonInPage
    order: OrderWords
    numbers: list[NumberWords]
    studies: list[str] = Field(description="Study Instance UIDs: its own, then what was attached.")
    images: int = Field(description="Objects in these studies.")
    siblings: list[ExamWords] = Field(description="Other exams of the same order.")
    checks: list[CheckWords]
    protocol: str = Field(description="How it is to be made.")
    history: list[LogWords]
    may: list[str] = Field(description="Transitions that this account may make now; reasons of guards aside.")
    ticket: str = Field(description="The place in a queue, such as CT1-12; empty without one.")


class Change(In):
    """Another procedure or side, before it has begun."""

    procedure: Annotated[Line, StringConstraints(min_length=1, max_length=16)]
    side: Literal["", "L", "R", "B"] = ""
    reason: Reason = ""
    seen: int | None = Field(None, ge=1)


def desk_of(given: Desk | None) -> Desk:
    """Raises Defect where the routes are only described."""
    if given is None:
        raise Defect("These routes have no desk.", code="no-desk")
    return given


def router(given: Desk | None) -> APIRouter:
    """The routes."""
    made = APIRouter()

    @made.post("/orders", status_code=201, summary="Order exams; with an arrival, register them at once")
    def order_exams(body: NewOrderWords, who: Who, at: At, host: Host) -> Ordered:
        desk = desk_of(given)
        acting = at.acting(permit(who, Action.ORDER), host)
        values = body.model_dump(exclude={"procedures", "arrival"})
        wanted = [Wanted(one.procedure, one.side) for one in body.procedures]
        arrival = body.arrival.arrival() if body.arrival is not None else None
        shown = None
        if body.arrival is not None and arrival is not None:
            permit(who, Action.REGISTER)
            shown = agreed(at, body.arrival.identity, host)
            arrival = replace(arrival, identity=shown)
        with (
            walk_in_failures_kept(at, body.person, shown, acting, desk),
            writing(at.engine) as connection,
        ):
            if not may(who, Action.REGISTER):
                # who orders for himself is whose patient it is
                requester = body.requester or known.called(connection, who.name)
                values |= {"requested_by": who.name, "requester": requester}
            new = NewOrder(**values)
            if arrival is None:
                order, found = orders.order(connection, new, wanted, acting, desk.settings)
            else:
                order, found = registration.walk_in(connection, new, wanted, acting, desk, arrival)
            return Ordered(
                order=OrderWords.of(orders.get(connection, order.id)),
                exams=[ExamWords.of(one) for one in found],
            )

    @made.post("/exams/green", status_code=201, summary="Green channel: an exam at once, without any data")
    def open_green_channel(body: GreenWords, who: Who, at: At, host: Host) -> ListedWords:
        acting = at.acting(permit(who, Action.GREEN_CHANNEL), host)
        with writing(at.engine) as connection:
            _, exam = registration.green_channel(connection, acting, desk_of(given), **body.model_dump())
            return ListedWords.of(lists.one(connection, exam.id))

    @made.post("/exams/search", summary="Exams: lists of a day, or whatever is looked for")
    def search_exams(body: ExamWish, who: Who, at: At, host: Host) -> ExamList:
        principal = permit(who, Action.PERSONS)
        wish = body.wish()
        with reading(at.engine) as connection:
            found = lists.search(connection, principal, wish)
            counted = lists.totals(connection, principal, wish) if wish.day is not None else None
        if wish.text or wish.number or wish.person is not None:
            query = wish.text or wish.number
            at.trail.record_late(
                Entry(Kind.SEARCH, who, host=host, what="exams", query=query or f"person {wish.person}")
            )
        return ExamList(
            exams=[ListedWords.of(one) for one in found[: wish.limit]],
            more=len(found) > wish.limit,
            totals=TotalWords(**{name: getattr(counted, name) for name in TotalWords.model_fields})
            if counted is not None
            else None,
        )

    @made.get("/exams/{exam}", summary="All that is known of an exam")
    def exam_page(exam: ExamId, who: Who, at: At) -> ExamPage:
        principal = permit(who, Action.PERSONS)
        with reading(at.engine) as connection:
            visibility.check(connection, principal, exam)
            return _page(connection, who, exam)

    @made.patch("/exams/{exam}", summary="Another procedure or side, before it has begun")
    def change_exam(exam: ExamId, body: Change, who: Who, at: At, host: Host) -> ExamWords:
        action = Action.REGISTER if may(who, Action.REGISTER) else Action.PERFORM
        acting = at.acting(permit(who, action), host, body.reason)
        with writing(at.engine) as connection:
            visibility.check(connection, acting.who, exam, action)
            wanted = Wanted(body.procedure, body.side)
            changed = registration.change_procedure(
                connection, exam, wanted, acting, desk_of(given), seen=body.seen
            )
            return ExamWords.of(changed)

    return made


def _page(connection: Connection, who: Principal, exam_id: int) -> ExamPage:
    exam = exams.get(connection, exam_id)
    person = persons.resolve(connection, exam.person)
    studies = exams.studies_of(connection, exam)
    return ExamPage(
        exam=ExamWords.of(exam),
        person=PersonInPage(**{name: getattr(person, name) for name in PersonInPage.model_fields}),
        order=OrderWords.of(orders.get(connection, exam.order_id)),
        numbers=[
            NumberWords(number=number, alias=alias) for number, alias in exams.numbers_of(connection, exam_id)
        ],
        studies=studies,
        images=page.images_in(connection, studies),
        siblings=[ExamWords.of(one) for one in page.siblings(connection, exam)],
        checks=[CheckWords.of(one) for one in page.checks_of(connection, exam_id)],
        protocol=str(exam.more.get("protocol", "")),
        history=[LogWords.of(one) for one in exams.history(connection, exam_id)],
        may=page.open_ways(connection, who, exam),
        ticket=page.ticket_of(connection, exam_id),
    )
