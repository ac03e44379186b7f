"""Making an exam void: by two persons, of whom the second shows who it is by a password."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from filmless.access import accounts, grants
from filmless.access.api.words import AccountName, At, Host, In, Line, Password, Who
from filmless.access.gate import Gate
from filmless.access.model import Action, Principal, permit
from filmless.access.sign_in import check_password
from filmless.db.work import reading, writing
from filmless.department import exams, visibility
from filmless.department.api.words import ExamId, ExamWords, Reason
from filmless.department.identity import voiding
from filmless.department.identity.api.images import Images
from filmless.kit.errors import Refused


class Voiding(In):
    """Why it should never have been, and who agrees."""

    code: Annotated[
        Line, Field(min_length=1, max_length=16, description="Of the list of reasons (reason-void).")
    ]
    reason: Reason = ""
    second: AccountName = Field(description="Name of the account of the second person.")
    password: Password
    passcode: Annotated[Line, Field(max_length=16)] = Field(
        "", description="Of the second person's second factor, where there is one."
    )


class CopyWords(BaseModel):
    """Something of an exam that left the department."""

    at: datetime
    kind: str
    what: str
    who: str
    where: str


class Voided(BaseModel):
    """The exam as it is now, and what has to be called back."""

    exam: ExamWords
    copies: list[CopyWords]


def router(images: Images) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/exams/{exam}")

    @made.get("/copies", summary="What of an exam left: sent, exported, printed, shared")
    def list_copies(exam: ExamId, who: Who, at: At) -> list[CopyWords]:
        allowed = permit(who, Action.VOID)
        with reading(at.engine) as connection:
            visibility.check(connection, allowed, exam, Action.VOID)
            uids = exams.studies_of(connection, exams.get(connection, exam))
            return [_words(one) for one in voiding.copies(connection, uids)]

    @made.post("/void", summary="Make an exam void")
    def void_exam(exam: ExamId, body: Voiding, who: Who, at: At, host: Host) -> Voided:
        acting = at.acting(permit(who, Action.VOID), host)
        with reading(at.engine) as connection:
            visibility.check(connection, acting.who, exam, Action.VOID)
        second = _agreeing(at, body, host)
        with writing(at.engine) as connection:
            visibility.check(connection, second, exam, Action.VOID)
            now = voiding.void(connection, exam, acting, second, code=body.code, reason=body.reason)
            left = voiding.copies(connection, exams.studies_of(connection, now))
        images.take_out(exam, acting)
        return Voided(exam=ExamWords.of(now), copies=[_words(one) for one in left])

    return made


def _agreeing(at: Gate, body: Voiding, host: str) -> Principal:
    """The second person, whose password was right. Raises Refused (code "wrong-password" and others)."""
    with reading(at.engine) as connection:
        account = accounts.find(connection, body.second)
    if account is None:
        raise Refused("The second person's name or password is wrong.", code="wrong-password")
    check_password(at.signing_in, account, body.password, host=host, code=body.passcode)
    with reading(at.engine) as connection:
        return permit(grants.principal_of(connection, account), Action.VOID)


def _words(one: voiding.Copy) -> CopyWords:
    return CopyWords(at=one.at, kind=one.kind, what=one.what, who=one.who, where=one.where)
