"""The technologist's page: exams at the devices, what is done by hand, the transfer check, the end of a shift."""

from collections.abc import Callable

from fastapi import APIRouter
from sqlalchemy import Connection

from filmless.access.acting import Acting
from filmless.access.api.words import At, Host, Who
from filmless.access.model import Action, Principal, permit
from filmless.archive import reject
from filmless.archive.web.context import ArchiveWeb
from filmless.db.work import reading, writing
from filmless.department import (
    exams,
    execution,
    lists,
    made_of,
    page,
    transfer,
    visibility,
    worksheet,
)
from filmless.department.api import making
from filmless.department.api.checking import agreed, failures_kept
from filmless.department.api.desk import desk_of
from filmless.department.api.words import CheckWords, ExamId, ExamWords
from filmless.department.api.work_words import (
    Finishing,
    RejectedImages,
    RejectingImages,
    ShiftEnd,
    ShiftWish,
    ShiftWords,
    Starting,
    Stopping,
    TransferWords,
    Verifying,
    WorkList,
    WorkPage,
    WorkRow,
    WorkSeries,
    WorkStep,
    WorkWish,
)
from filmless.department.exams import Exam, guards
from filmless.department.model import Desk
from filmless.department.registration import reason_words
from filmless.kit.errors import Conflict, Defect, Refused

#: reasons for which images are rejected as dangerous to a patient (IHE IOCM 113037), others for quality (113001)
_SAFETY = ("WRONG-PERSON",)


#: left open by a shift, it has to be said why
_OPEN = ("running", "unsent", "unverified")


def router(given: Desk | None, context: ArchiveWeb | None) -> APIRouter:
    """The routes. None: only to be described."""
    made = APIRouter(prefix="/technologist")

    def do(at: At, who: Who, host: str, exam: int, work: Callable[[Connection, Acting], Exam]) -> ExamWords:
        acting = at.acting(permit(who, Action.PERFORM), host)
        with writing(at.engine) as connection:
            visibility.check(connection, acting.who, exam, Action.PERFORM)
            return ExamWords.of(work(connection, acting))

    @made.post("/exams", summary="Who waits, who is examined, whose images are not complete")
    def list_work(body: WorkWish, who: Who, at: At) -> WorkList:
        principal = permit(who, Action.PERFORM)
        with reading(at.engine) as connection:
            return WorkList(
                rows=[WorkRow.of(one) for one in worksheet.today(connection, principal, body.wish())]
            )

    @made.get("/exams/{exam}", summary="An exam, its images, and what the device told")
    def work_page(exam: ExamId, who: Who, at: At) -> WorkPage:
        principal = permit(who, Action.PERFORM)
        with reading(at.engine) as connection:
            visibility.check(connection, principal, exam, Action.PERFORM)
            return _page(connection, principal, exam, given)

    @made.post("/exams/{exam}/start", summary="It begins, after it was made sure who it is")
    def start_exam(exam: ExamId, body: Starting, who: Who, at: At, host: Host) -> ExamWords:
        acting = at.acting(permit(who, Action.PERFORM), host)
        desk, identity = desk_of(given), agreed(at, body.identity, host)
        with failures_kept(at, exam, "exam", identity, acting, desk):
            return do(
                at,
                who,
                host,
                exam,
                lambda connection, acting: execution.start(
                    connection, exam, acting, desk, identity=identity, seen=body.seen
                ),
            )

    @made.post("/exams/{exam}/finish", summary="It is made")
    def finish_exam(exam: ExamId, body: Finishing, who: Who, at: At, host: Host) -> ExamWords:
        return do(
            at,
            who,
            host,
            exam,
            lambda connection, acting: execution.finish(connection, exam, acting, **body.model_dump()),
        )

    @made.post("/exams/{exam}/discontinue", summary="It is stopped")
    def stop_exam(exam: ExamId, body: Stopping, who: Who, at: At, host: Host) -> ExamWords:
        return do(
            at,
            who,
            host,
            exam,
            lambda connection, acting: execution.discontinue(connection, exam, acting, **body.model_dump()),
        )

    @made.post("/exams/{exam}/verify", summary="All images are there, or it goes on without them")
    def verify_exam(exam: ExamId, body: Verifying, who: Who, at: At, host: Host) -> ExamWords:
        return do(
            at,
            who,
            host,
            exam,
            lambda connection, acting: transfer.verify(
                connection, exam, acting, desk_of(given).settings, **body.model_dump()
            ),
        )

    @made.post("/exams/{exam}/reject", summary="Take images of it out of use")
    def reject_images(exam: ExamId, body: RejectingImages, who: Who, at: At, host: Host) -> RejectedImages:
        if context is None or context.archive is None:
            raise Defect("These routes have no archive.", code="no-archive")
        principal, rejecting = permit(who, Action.PERFORM), permit(who, Action.REJECT)
        if bool(body.series_uids) == bool(body.sop_uids):
            raise Refused("Name images, or series.", code="bad-value")
        with reading(at.engine) as connection:
            visibility.check(connection, principal, exam, Action.PERFORM)
            uids = execution.objects_of(
                connection,
                exams.get(connection, exam),
                series_uids=body.series_uids,
                sop_uids=body.sop_uids,
            )
            reason = body.reason or reason_words(connection, "reason-reject", body.code)
        code = "113037" if body.code in _SAFETY else "113001"
        reject.reject(context.archive, rejecting, code=code, by=who.name, reason=reason, sop_uids=uids)
        acting = at.acting(principal, host, reason)
        with writing(at.engine) as connection:
            detail = {"code": body.code, "objects": len(uids)}
            now = exams.note(connection, exam, "images rejected", acting, reason=reason, detail=detail)
            return RejectedImages(objects=len(uids), exam=ExamWords.of(now))

    @made.post("/shift", summary="What is left at the end of a shift, and what was done in it")
    def shift(body: ShiftWish, who: Who, at: At) -> ShiftWords:
        principal = permit(who, Action.PERFORM)
        with reading(at.engine) as connection:
            return ShiftWords.of(worksheet.shift(connection, principal, body.wish()))

    @made.post("/shift/end", summary="Hand the shift over; kept in the audit trail")
    def end_shift(body: ShiftEnd, who: Who, at: At, host: Host) -> ShiftWords:
        acting = at.acting(permit(who, Action.PERFORM), host, body.note)
        with writing(at.engine) as connection:
            found = worksheet.shift(connection, acting.who, body.wish())
            if not body.note and any(found.left[word] for word in _OPEN):
                raise Conflict(
                    "Exams are not finished, or their images are not there: say why they are handed over.",
                    code="shift-open",
                )
            acting.note(
                connection,
                "shift handed over",
                reason=body.note,
                begins=body.begins.isoformat(),
                ends=body.ends.isoformat(),
                stations=body.stations,
                examined=found.examined,
                left={word: [row.listed.exam.number for row in rows] for word, rows in found.left.items()},
            )
            return ShiftWords.of(found)

    made.include_router(making.router(given))
    return made


def _page(connection: Connection, principal: Principal, exam_id: int, desk: Desk | None) -> WorkPage:
    listed = lists.one(connection, exam_id)
    exam = listed.exam
    (row,) = worksheet.rows(connection, principal, [listed])
    check = transfer.compare(connection, exam)
    told = TransferWords(
        known_by=check.known_by,
        expected=check.expected,
        received=check.received,
        rejected=check.rejected,
        short=check.short,
        missing=list(check.missing[:500]),
        complete=check.complete,
    )
    asked = made_of.asked(connection, exam)
    policy = guards.class_words(connection, exam.exam_class).get("identity_exam", "recorded")
    return WorkPage(
        row=WorkRow.of(row),
        transfer=told,
        series=[WorkSeries(**one) for one in made_of.series_of(connection, exam)],
        steps=[WorkStep(**one) for one in made_of.steps_of(connection, exam)],
        identity=str(policy),
        history=asked.history,
        diagnosis=asked.diagnosis,
        purpose=asked.purpose,
        cautions=dict(asked.cautions or {}),
        note=str(exam.more.get("note", "")),
        protocol=str(exam.more.get("protocol", "")),
        checks=[CheckWords.of(one) for one in page.checks_of(connection, exam_id)],
        override=str(exam.more.get("override", "")),
        **making.told(connection, exam, desk),
    )
