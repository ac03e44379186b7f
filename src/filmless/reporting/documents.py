"""Released reports as DICOM objects in the archive: an encapsulated PDF and a structured report, made by the worker.

What is to be made is written with the signature, under UIDs of its own: made twice, it is the same objects.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from filmless import __version__
from filmless.access.model import SYSTEM
from filmless.archive.model import Arrival, Kind, Source
from filmless.archive.query.instances import StoredInstance, instances_of, stored
from filmless.archive.reject import reject
from filmless.archive.store import Archive
from filmless.archive.tables import instances, series, studies
from filmless.archive.whose import issuer_of
from filmless.db.work import reading, writing
from filmless.department import images
from filmless.department.tables import exam_studies
from filmless.dicom.uids import EXPLICIT_VR_LE
from filmless.kit import clock
from filmless.kit.errors import FilmlessError
from filmless.kit.ids import new_uid
from filmless.reporting import find, templates
from filmless.reporting.fields import values_of
from filmless.reporting.model import SECTIONS, Report, whole
from filmless.reporting.press.gather import Gathered, as_of, released_sheet
from filmless.reporting.press.service import Shelf, data_set, look_up, print_report
from filmless.reporting.settings import ReportingSettings
from filmless.reporting.tables import report_documents

log = logging.getLogger(__name__)

#: the source by which the index knows what came from here
SOURCE: Final = "reporting"
KINDS: Final = ("pdf", "sr")
_CLASSES: Final = {"pdf": "1.2.840.10008.5.1.4.1.1.104.1", "sr": "1.2.840.10008.5.1.4.1.1.88.22"}
MOST_TRIES: Final = 12
#: patient safety: the report was of somebody or something else (PS3.16 CID 7011)
_WITHDRAWN: Final = "113037"


def want(connection: Connection, report: Report) -> None:
    """Write down that the newest revision of a report becomes objects in the studies of its exams."""
    now = clock.now()
    for study_uid in sorted(
        {_study_of(connection, one.id, one.study_uid) for one in find.exams_of(connection, report.id)}
    ):
        for kind in KINDS:
            # later revisions stand in the series of the first
            before = connection.scalar(
                select(report_documents.c.series_uid).where(
                    report_documents.c.report == report.id,
                    report_documents.c.kind == kind,
                    report_documents.c.study_uid == study_uid,
                )
            )
            connection.execute(
                insert(report_documents).values(
                    report=report.id,
                    revision=report.revision,
                    kind=kind,
                    study_uid=study_uid,
                    series_uid=before or new_uid(),
                    sop_uid=new_uid(),
                    status="wanted",
                    tries=0,
                    error="",
                    at=now,
                )
            )


def withdraw(connection: Connection, report: Report) -> None:
    """Of a report that was retracted: its objects go out of use."""
    mine = report_documents.c.report == report.id
    connection.execute(
        update(report_documents)
        .where(mine, report_documents.c.status.in_(("wanted", "failed")))
        .values(status="rejected")
    )
    connection.execute(
        update(report_documents)
        .where(mine, report_documents.c.status == "stored")
        .values(status="to-reject", tries=0, at=clock.now())
    )


def _study_of(connection: Connection, exam_id: int, own: str) -> str:
    """The study of an exam that has images: the one that came first, else its own."""
    query = (
        select(exam_studies.c.study_uid)
        .join(studies, studies.c.study_uid == exam_studies.c.study_uid)
        .where(exam_studies.c.exam == exam_id)
        .order_by(exam_studies.c.at)
    )
    return connection.scalar(query.limit(1)) or own


@dataclass
class Documents:
    """Makes what is wanted; run by the worker, one at a time."""

    shelf: Shelf
    settings: ReportingSettings
    #: opens the way in, for as long as it is needed
    way_in: Callable[[], AbstractContextManager[Archive]]
    base_url: str = ""

    def run_once(self) -> int:
        """Make or reject what is due, at most one report's; returns how many objects were."""
        if not self.settings.documents:
            return 0
        now = clock.now()
        query = (
            select(report_documents)
            .where(
                report_documents.c.status.in_(("wanted", "to-reject")), report_documents.c.tries < MOST_TRIES
            )
            .order_by(report_documents.c.at)
            .limit(100)
        )
        with reading(self.shelf.engine) as connection:
            waiting = connection.execute(query).all()
        due = [row for row in waiting if row.at + _pause(row.tries) <= now]
        if not due:
            return 0
        first = due[0]
        group = [
            row
            for row in due
            if (row.report, row.revision, row.status) == (first.report, first.revision, first.status)
        ]
        try:
            if first.status == "wanted":
                self._make(group)
                self._done(group, "stored")
            else:
                self._reject(group)
                self._done(group, "rejected")
        except (FilmlessError, OSError) as error:
            words = error.message if isinstance(error, FilmlessError) else str(error.strerror)
            log.warning("report %d: its documents could not be made: %s", first.report, words)
            self._failed(group, words)
        return len(group)

    def _done(self, rows: list[Row[Any]], status: str) -> None:
        with writing(self.shelf.engine) as connection:
            for row in rows:
                connection.execute(
                    update(report_documents)
                    .where(_same(row), report_documents.c.status == row.status)
                    .values(status=status, error="", at=clock.now())
                )

    def _failed(self, rows: list[Row[Any]], words: str) -> None:
        with writing(self.shelf.engine) as connection:
            for row in rows:
                tries = row.tries + 1
                status = row.status if tries < MOST_TRIES else "failed"
                connection.execute(
                    update(report_documents)
                    .where(_same(row))
                    .values(status=status, tries=tries, error=words[:400], at=clock.now())
                )

    def _make(self, rows: list[Row[Any]]) -> None:
        with reading(self.shelf.engine) as connection:
            report = find.get(connection, rows[0].report)
            gathered = released_sheet(
                connection, report, self.settings, revision=rows[0].revision, base_url=self.base_url
            )
            text = as_of(connection, report, rows[0].revision)
            wish = self._wish(connection, report, gathered, text, rows)
        links = [*gathered.images, *wish.pop("linked")]
        found = look_up(self.shelf.engine, links)
        wish["images"] = [_part(self.shelf, one) for one in found.values()]
        issuers = {one["sop"]: one.pop("issuer") for one in wish["wanted"]}
        printed = asyncio.run(print_report(self.shelf, gathered, wish))
        with self.way_in() as archive:
            for sop_class, uid, data in printed.objects:
                study = next(row.study_uid for row in rows if row.sop_uid == uid)
                source = Source(SOURCE, default_issuer=issuers[uid])
                arrival = Arrival(sop_class, uid, EXPLICIT_VR_LE, source, study)
                outcome = archive.store_blocking(arrival, [data])
                if outcome.kind not in (Kind.STORED, Kind.SAME, Kind.KEPT_FIRST):
                    raise OSError(0, f"the archive did not take it: {outcome.kind}")

    def _wish(
        self, connection: Connection, report: Report, gathered: Gathered, text: Any, rows: list[Row[Any]]
    ) -> dict[str, Any]:
        """For dicom/reported/tasks.py."""
        sheet = gathered.sheet
        content = whole(sheet.content)
        sections = [(name, str(content[name])) for name in SECTIONS if str(content[name]).strip()]
        for one in sheet.addenda:
            added = whole(one.content)
            words = "\n".join(
                str(added[name]) for name in ("findings", "impression", "advice") if str(added[name]).strip()
            )
            sections.append(("addendum", words))
        names = find.names_of(connection, [report.author, report.reviewer, text.last.by])
        author, verifier = names.get(report.author), names.get(text.last.by)
        wanted = []
        for row in rows:
            source = self._source(connection, report, row.study_uid)
            wanted.append(
                {
                    "kind": row.kind,
                    "study": row.study_uid,
                    "series": row.series_uid,
                    "sop": row.sop_uid,
                    "revision": row.revision,
                    "source": _part(self.shelf, source) if source is not None else None,
                    "issuer": issuer_of(connection, source.version) if source is not None else "",
                    "previous": _previous(connection, row),
                }
            )
        return {
            "wanted": wanted,
            "linked": content["links"],
            "links": [
                {"text": one.get("text", ""), "sop": one["sop_uid"], "frame": one.get("frame") or 1}
                for one in content["links"]
            ],
            "language": sheet.language,
            "sections": sections,
            "values": values_of(content, templates.by_key(connection, text.base.template), sheet.language),
            "pictures": [
                {"sop": one["sop_uid"], "frame": one.get("frame") or 1, "caption": one.get("caption", "")}
                for one in gathered.images
            ],
            "observer": _person_name(author.words(sheet.language) if author else ""),
            "verifier": _person_name(verifier.words(sheet.language) if verifier else ""),
            "organization": (sheet.hospital or sheet.department or "Filmless")[:64],
            "signed_at": (sheet.signed_at or text.last.at).astimezone().replace(microsecond=0).isoformat(),
            "number": sheet.number,
            "procedure": "; ".join(sheet.procedures),
            "title": f"{sheet.number} {'检查报告' if sheet.language == 'zh' else 'Report'}"[:64],
            "version": __version__,
            "patient": {
                "PatientName": find.identity(gathered.person)["name"],
                "PatientID": gathered.person.patient_id,
                "IssuerOfPatientID": gathered.person.issuer,
                "PatientBirthDate": gathered.person.birth_date
                if len(gathered.person.birth_date) == 8
                else "",
                "PatientSex": gathered.person.sex,
                "StudyDate": _day(gathered),
                "StudyTime": "",
                "AccessionNumber": sheet.number,
                "StudyDescription": "; ".join(sheet.procedures)[:64],
            },
        }

    def _source(self, connection: Connection, report: Report, study_uid: str) -> StoredInstance | None:
        """An object of the study, whose patient and study are taken over; None where none is of its patient."""
        query = (
            stored(SYSTEM)
            .where(studies.c.study_uid == study_uid, series.c.modality.not_in(("DOC", "KO", "PR")))
            .order_by(instances.c.id)
            .limit(1)
        )
        if images.shared_numbers(connection, [study_uid]):
            # several patients have images under this number: only those of the exam's
            rows = {images.row_of(connection, one, study_uid) for one in find.exams_of(connection, report.id)}
            query = query.where(studies.c.id.in_(rows - {0}))
        row = connection.execute(query).first()
        return StoredInstance(*row) if row is not None else None

    def _reject(self, rows: list[Row[Any]]) -> None:
        with reading(self.shelf.engine) as connection:
            there = [
                one.sop_instance
                for one in instances_of(
                    connection, SYSTEM, level="IMAGE", sop_uids=[row.sop_uid for row in rows]
                )
            ]
        if not there:
            return
        with self.way_in() as archive:
            reject(
                archive,
                SYSTEM,
                code=_WITHDRAWN,
                by=SYSTEM.name,
                reason="the report was retracted",
                study_uids=sorted({row.study_uid for row in rows}),
                sop_uids=there,
            )


def _pause(tries: int) -> timedelta:
    return timedelta(seconds=0 if not tries else min(3600, 5 * 2**tries))


def _same(row: Row[Any]) -> Any:
    table = report_documents.c
    return (
        (table.report == row.report)
        & (table.revision == row.revision)
        & (table.kind == row.kind)
        & (table.study_uid == row.study_uid)
    )


def _part(shelf: Shelf, one: StoredInstance) -> dict[str, Any]:
    """A stored object for the press process."""
    source = data_set(shelf, one)
    return {
        "path": source.path,
        "offset": source.offset,
        "size": source.size,
        "transfer_syntax_uid": source.transfer_syntax_uid,
        "head": source.head.hex(),
        "character_set": one.character_set,
    }


def _previous(connection: Connection, row: Row[Any]) -> list[dict[str, str]]:
    """The document that this one takes the place of."""
    table = report_documents.c
    query = (
        select(report_documents)
        .where(
            table.report == row.report,
            table.kind == row.kind,
            table.study_uid == row.study_uid,
            table.revision < row.revision,
            table.status == "stored",
        )
        .order_by(table.revision.desc())
        .limit(1)
    )
    return [
        {"study": one.study_uid, "series": one.series_uid, "sop": one.sop_uid, "class": _CLASSES[one.kind]}
        for one in connection.execute(query)
    ]


def _person_name(name: str) -> str:
    cleaned = "".join(letter for letter in name if letter >= " " and letter not in "\\=^").strip()
    return cleaned[:63] + "^" if cleaned.isascii() else f"={cleaned[:63]}^"


def _day(gathered: Gathered) -> str:
    at = gathered.sheet.examined_at
    return at.astimezone().strftime("%Y%m%d") if at is not None else ""
