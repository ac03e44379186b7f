"""Is the paper in somebody's hand what was signed, and is it still what counts? For the page behind a report's code.

Tells of the revision, never of the patient beyond initials. The address has a part of the revision's hash in it: who
has no paper cannot guess one.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Connection

from filmless.kit.errors import Refused
from filmless.reporting import find
from filmless.reporting.canonical import digest
from filmless.reporting.model import ADDENDUM, RELEASED, TOKEN_DIGITS, WHOLE, Report, Revision, Status
from filmless.reporting.press.gather import as_of
from filmless.reporting.signing import Keys, holds
from filmless.reporting.verify import altered

_TOKEN: Final = re.compile(rf"([0-9]{{1,16}})-([0-9]{{1,6}})-([0-9a-f]{{{TOKEN_DIGITS}}})")

#: "current"; "superseded" by a later one; "retracted"; "provisional": nothing is signed yet; "signed-since": it was
#: provisional, and there is a signed one now; "altered": what is kept is not what was signed
Standing = Literal["current", "superseded", "retracted", "provisional", "signed-since", "altered"]


@dataclass(frozen=True, slots=True)
class Paper:
    """What a printed revision is. `number`: the exam's. `at`: when it was signed, of a provisional one written.

    `since`: when what it is now came about; None where it is current.
    """

    report: int
    revision: int
    standing: Standing
    kind: str
    number: str
    initials: str
    at: datetime
    signers: tuple[str, ...]
    since: datetime | None
    language: str
    #: for the audit trail
    study_uid: str
    patient_id: str


def look_up(connection: Connection, keys: Keys, asked: str) -> Paper | None:
    """What a token leads to; None for one that was never printed."""
    found = _TOKEN.fullmatch(asked)
    if found is None:
        return None
    try:
        report = find.get(connection, int(found[1]))
        revision = find.revision(connection, report.id, int(found[2]))
    except Refused:
        return None
    if not hmac.compare_digest(revision.hash[:TOKEN_DIGITS], found[3]):
        return None
    (exam, *_) = find.exams_of(connection, report.id)
    person = find.person_row(connection, exam.person)
    signed = [one for one in find.signatures_of(connection, report.id) if one.revision == revision.number]
    standing, since = _standing(connection, keys, report, revision)
    names = tuple(dict.fromkeys(one.name for one in signed))
    return Paper(
        report=report.id,
        revision=revision.number,
        standing=standing,
        kind=revision.kind,
        number=exam.number,
        initials=_initials(person.name_alphabetic),
        at=signed[-1].signed_at if signed else revision.at,
        signers=names,
        since=since,
        language=revision.language,
        study_uid=exam.study_uid,
        patient_id=person.patient_id,
    )


def _standing(
    connection: Connection, keys: Keys, report: Report, revision: Revision
) -> tuple[Standing, datetime | None]:
    if digest(revision.canonical) != revision.hash or altered(revision):
        return "altered", None
    later = [one for one in find.revisions(connection, report.id) if one.number > revision.number]
    text = as_of(connection, report, revision.number)
    if text is None:
        # never signed: printed while it waited for its review
        done = next((one for one in later if one.kind in WHOLE), None)
        if report.status is Status.WITHDRAWN:
            return "retracted", report.changed_at
        return ("signed-since", done.at) if done is not None else ("provisional", None)
    parts = {one.number: one for one in (text.base, *text.addenda)}
    signatures = [one for one in find.signatures_of(connection, report.id) if one.revision in parts]
    unsigned = set(parts) - {one.revision for one in signatures}
    if unsigned or any(holds(one, parts[one.revision].canonical, keys) for one in signatures):
        return "altered", None
    if report.released == revision.number and report.status in RELEASED:
        return "current", None
    newer = [one for one in later if one.kind in (*WHOLE, ADDENDUM, "identity")]
    if report.released and newer:
        return "superseded", newer[0].at
    gone = next((one for one in later if one.kind == "retraction"), None)
    return "retracted", gone.at if gone is not None else report.changed_at


def _initials(alphabetic: str) -> str:
    """Of a name in letters, "W. X."; "" where there is none."""
    parts = [part for part in re.split(r"[\^ ]+", alphabetic) if part]
    return " ".join(f"{part[0].upper()}." for part in parts[:3])
