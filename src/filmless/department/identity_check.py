"""Making sure who it is: at the desk by a document, before the exam by two identifiers. Recorded with who and how.

The number of a document is compared and then kept as a keyed hash only, by which the same document at two persons is
noticed (identity fraud). Whether an exam may go on without a check is a matter of its class (department_words).
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, insert, literal, or_, select, union_all, update

from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.access.model import Action, Principal, may
from filmless.department import exams, visibility
from filmless.department.exams import Exam
from filmless.department.exams.guards import BLOCKING, class_words
from filmless.department.model import Desk
from filmless.department.tables import exams as exam_rows
from filmless.department.tables import failed_checks, identity_checks
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.patients import persons
from filmless.patients.tables import persons as person_rows

Stage = Literal["registration", "exam"]
#: how somebody may show who he is -> English, Chinese
DOCUMENTS: Final = {
    "NI": ("identity card", "身份证"),
    "PPN": ("passport", "护照"),
    "HC": ("insurance card", "医保卡"),
    "wristband": ("wristband", "腕带"),
    "two-identifiers": ("asked for name and birth date", "核对姓名和出生日期"),
}
#: documents with a number of their own
_NUMBERED: Final = ("NI", "PPN", "HC", "wristband")


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody showed. `despite`: why it goes on although the check failed."""

    document: str
    number: str = ""
    despite: str = ""
    #: the one at the desk compared the photograph, or the answers, and they do not fit
    fits: bool = True
    #: who has the right to let somebody through all the same, and has just shown that it is they
    agreed: Principal | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of comparing. `other`: the person to whom the document belongs, by what is known here."""

    #: "" where it passed
    why: Literal["", "does-not-fit", "another-number", "of-another-person", "no-number"]
    other: int | None = None

    @property
    def passed(self) -> bool:
        return not self.why


_PASSED: Final = Verdict("")
#: codes of errors that say that a check failed
FAILED: Final = ("identity-failed", "document-elsewhere")


#: failed checks so long before a registration belong to it
_BEFORE: Final = timedelta(days=1)
_WORDS: Final = {
    "does-not-fit": "The person does not fit the document.",
    "another-number": "Another number is known of this person's document.",
    "of-another-person": "This document belongs to another person who is known here.",
    "no-number": "Read the number of the document.",
}


def fingerprint(key: bytes, document: str, number: str) -> str:
    """The keyed hash of a document's number, 64 hex digits."""
    plain = f"{document}:{number.strip().upper()}".encode()
    return hmac.new(key, plain, hashlib.sha256).hexdigest()


def compare(connection: Connection, person_id: int, shown: Shown, key: bytes) -> Verdict:
    """Whether what was shown is this person's. Raises Refused (code "bad-value") for what is no document."""
    if shown.document not in DOCUMENTS:
        raise Refused("This is no document that is known here.", code="bad-value")
    if not shown.fits:
        return Verdict("does-not-fit")
    if shown.document not in _NUMBERED:
        return _PASSED
    number = shown.number.strip()
    if not number:
        return Verdict("no-number")
    person = persons.resolve(connection, person_id)
    if shown.document == "wristband":
        of_person = {person.patient_id.upper()} | {
            one.value.upper() for one in person.identifiers if one.active and one.kind in ("MR", "AN", "VN")
        }
        return _PASSED if number.upper() in of_person else Verdict("another-number")
    fits = shown.document != "NI" or not contradicts(number, person.birth_date, person.sex)
    known = {one.value.upper() for one in person.identifiers if one.active and one.kind == shown.document}
    if number.upper() in known:
        return _PASSED if fits else Verdict("does-not-fit")
    owner = persons.by_identifier(connection, shown.document, number, None)
    if owner is not None and owner.id != person.id:
        return Verdict("of-another-person", owner.id)
    before = _shown_before(connection, person.id, fingerprint(key, shown.document, number))
    if before is not None:
        return Verdict("of-another-person", before)
    if known:
        return Verdict("another-number")
    return _PASSED if fits else Verdict("does-not-fit")


def contradicts(number: str, birth_date: str, sex: str) -> bool:
    """Whether the number of a resident identity card (GB 11643) tells another birth date or sex than is known.

    Numbers of another form, or whose check digit is wrong, tell nothing.
    """
    digits = number.strip().upper()
    # other signs are digits too ("²"), and no numbers
    if len(digits) != 18 or not digits.isascii() or not digits[:17].isdigit():
        return False
    rest = sum(int(one) * pow(2, 17 - at, 11) for at, one in enumerate(digits[:17])) % 11
    if digits[17] != "10X98765432"[rest]:
        return False
    born, told_sex = digits[6:14], "M" if int(digits[16]) % 2 else "F"
    return bool(birth_date and not born.startswith(birth_date)) or (sex in ("M", "F") and sex != told_sex)


def record(
    connection: Connection, exam: Exam, stage: Stage, shown: Shown, acting: Acting, desk: Desk
) -> Verdict:
    """Compare, and keep that it was done, with who and how.

    A failed check stops where the class of the exam asks for one, unless somebody who may (Action.OVERRIDE_IDENTITY)
    says why it goes on; where the class only records, whoever checks says why. Raises Conflict: "identity-failed",
    "document-elsewhere"; Refused: "not-permitted", "bad-value", "reason-missing".
    """
    verdict = compare(connection, exam.person, shown, desk.document_key)
    policy = str(class_words(connection, exam.exam_class).get(_POLICY[stage], "recorded"))
    wanting = policy == "document" and shown.document not in _NUMBERED
    override = ""
    if wanting or not verdict.passed:
        words = "A document with a number is asked for." if verdict.passed else _WORDS[verdict.why]
        if not shown.despite and verdict.why == "of-another-person":
            raise Conflict(words, code="document-elsewhere")
        if not shown.despite:
            raise Conflict(words, code="identity-failed")
        if shown.agreed is not None:
            visibility.check(connection, shown.agreed, exam.id, Action.OVERRIDE_IDENTITY)
        who = shown.agreed or acting.who
        if policy in BLOCKING and not may(who, Action.OVERRIDE_IDENTITY):
            raise Refused(
                f"{words} Going on in spite of it takes the right to override.", code="not-permitted"
            )
        override = who.name[:80]
    what = "identity checked" if not override else "identity check overridden"
    _keep(connection, exam, stage, shown, verdict, acting, desk, what, override)
    return verdict


def keep_failure(
    connection: Connection, exam: Exam, stage: Stage, shown: Shown, acting: Acting, desk: Desk
) -> None:
    """Write that a check failed and nothing came of it; the one that counts is still to be made."""
    verdict = compare(connection, exam.person, shown, desk.document_key)
    if not verdict.passed:
        _keep(connection, exam, stage, shown, verdict, acting, desk, "identity check failed", "")


def keep_failure_of(connection: Connection, person_id: int, shown: Shown, acting: Acting, desk: Desk) -> None:
    """Write that a check at the desk failed before there was an exam: whose, by whom, how."""
    verdict = compare(connection, person_id, shown, desk.document_key)
    if verdict.passed:
        return
    person = persons.resolve(connection, person_id)
    connection.execute(
        insert(failed_checks).values(
            person=person.id,
            document=shown.document,
            document_hash=_hashed(shown, desk),
            why=verdict.why,
            at=clock.now(),
            by=acting.who.name[:80],
        )
    )
    acting.note(
        connection,
        "identity check failed",
        kind=Kind.ORDER,
        patients=(persons.told_id(person),),
        stage="registration",
        document=shown.document,
        why=verdict.why,
    )


def take_over(connection: Connection, exam: Exam, acting: Acting) -> None:
    """What failed of a person within a day before the registration is the exam's: its page and statistics tell it."""
    rows = connection.execute(
        select(failed_checks)
        .where(
            failed_checks.c.person == exam.person,
            failed_checks.c.exam.is_(None),
            failed_checks.c.at > clock.now() - _BEFORE,
        )
        .order_by(failed_checks.c.id)
    ).all()
    for row in rows:
        connection.execute(
            insert(identity_checks).values(
                exam=exam.id,
                stage="registration",
                document=row.document,
                document_hash=row.document_hash,
                passed=False,
                reason="",
                at=row.at,
                by=row.by,
            )
        )
        connection.execute(update(failed_checks).where(failed_checks.c.id == row.id).values(exam=exam.id))
        exams.note(
            connection,
            exam.id,
            "identity check failed",
            acting,
            detail={
                "stage": "registration",
                "document": row.document,
                "passed": False,
                "why": row.why,
                "at": row.at.isoformat(timespec="seconds"),
                "by": row.by,
            },
        )


def failed_of(connection: Connection, person_id: int, *, limit: int = 20) -> Sequence[Row[Any]]:
    """Failed checks of a person, before any exam and at exams, the newest first.

    Rows of `stage`, `document`, `at`, `by`, `number` (of the exam, "" without one), `override_by`.
    """
    # also of those who were merged into the person
    same = select(person_rows.c.id).where(
        or_(person_rows.c.id == person_id, person_rows.c.merged_into == person_id)
    )
    before = select(
        literal("registration").label("stage"),
        failed_checks.c.document,
        failed_checks.c.at,
        failed_checks.c.by,
        literal("").label("number"),
        literal("").label("override_by"),
    ).where(failed_checks.c.person.in_(same), failed_checks.c.exam.is_(None))
    at_exams = (
        select(
            identity_checks.c.stage,
            identity_checks.c.document,
            identity_checks.c.at,
            identity_checks.c.by,
            exam_rows.c.number,
            identity_checks.c.override_by,
        )
        .join(exam_rows, exam_rows.c.id == identity_checks.c.exam)
        .where(exam_rows.c.person == person_id, ~identity_checks.c.passed)
    )
    both = union_all(before, at_exams).subquery()
    return connection.execute(select(both).order_by(both.c.at.desc()).limit(limit)).all()


def _hashed(shown: Shown, desk: Desk) -> str:
    numbered = shown.document in _NUMBERED and shown.number.strip()
    return fingerprint(desk.document_key, shown.document, shown.number) if numbered else ""


def _keep(
    connection: Connection,
    exam: Exam,
    stage: Stage,
    shown: Shown,
    verdict: Verdict,
    acting: Acting,
    desk: Desk,
    what: str,
    override: str,
) -> None:
    connection.execute(
        insert(identity_checks).values(
            exam=exam.id,
            stage=stage,
            document=shown.document,
            document_hash=_hashed(shown, desk),
            passed=verdict.passed,
            override_by=override,
            reason=shown.despite[:400],
            at=clock.now(),
            by=acting.who.name[:80],
        )
    )
    exams.note(
        connection,
        exam.id,
        what,
        acting,
        reason=shown.despite,
        detail={
            "stage": stage,
            "document": shown.document,
            "passed": verdict.passed,
            **({"why": verdict.why} if verdict.why else {}),
        },
    )


_POLICY: Final[dict[Stage, str]] = {"registration": "identity", "exam": "identity_exam"}


def _shown_before(connection: Connection, person_id: int, hashed: str) -> int | None:
    """Another person at whose exam the same document was shown."""
    query = (
        select(exam_rows.c.person)
        .join(identity_checks, identity_checks.c.exam == exam_rows.c.id)
        .where(
            identity_checks.c.document_hash == hashed,
            identity_checks.c.document_hash != "",
            identity_checks.c.passed,
        )
        .order_by(identity_checks.c.id.desc())
        .limit(20)
    )
    for other in connection.scalars(query):
        found = persons.resolve(connection, other)
        if found.id != person_id:
            return found.id
    return None
