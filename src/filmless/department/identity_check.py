"""Making sure who it is: at the desk by a document, before the exam by two identifiers. Recorded with who and how.

The number of a document is compared and then kept as a keyed hash only, by which the same document at two persons is
noticed (identity fraud). Whether an exam may go on without a check is a matter of its class (department_words).
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Connection, insert, select

from filmless.access.acting import Acting
from filmless.access.model import Action, may
from filmless.department import exams
from filmless.department.exams import Exam
from filmless.department.exams.guards import BLOCKING, class_words
from filmless.department.model import Desk
from filmless.department.tables import exams as exam_rows
from filmless.department.tables import identity_checks
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.patients import persons

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
    if policy == "document" and shown.document not in _NUMBERED and not shown.despite:
        raise Conflict("A document with a number is asked for.", code="identity-failed")
    override = ""
    if not verdict.passed:
        code = "document-elsewhere" if verdict.why == "of-another-person" else "identity-failed"
        if not shown.despite:
            raise Conflict(_WORDS[verdict.why], code=code)
        if policy in BLOCKING and not may(acting.who, Action.OVERRIDE_IDENTITY):
            raise Refused(
                f"{_WORDS[verdict.why]} Going on in spite of it takes the right to override.",
                code="not-permitted",
            )
        override = acting.who.name
    what = "identity checked" if verdict.passed else "identity check overridden"
    _keep(connection, exam, stage, shown, verdict, acting, desk, what, override)
    return verdict


def keep_failure(
    connection: Connection, exam: Exam, stage: Stage, shown: Shown, acting: Acting, desk: Desk
) -> None:
    """Write that a check failed and nothing came of it; the one that counts is still to be made."""
    verdict = compare(connection, exam.person, shown, desk.document_key)
    if not verdict.passed:
        _keep(connection, exam, stage, shown, verdict, acting, desk, "identity check failed", "")


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
    numbered = shown.document in _NUMBERED and shown.number.strip()
    connection.execute(
        insert(identity_checks).values(
            exam=exam.id,
            stage=stage,
            document=shown.document,
            document_hash=fingerprint(desk.document_key, shown.document, shown.number) if numbered else "",
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
