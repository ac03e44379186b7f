"""A signed report on paper and as DICOM objects, looked at with foreign eyes (poppler, dcmtk, dicom3tools)."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from sqlalchemy import select
from tests import peers
from tests.access.conftest import one_database
from tests.reporting.conftest import Room, done
from tests.reporting.test_reports import TEXT, signed

from filmless.access.model import SYSTEM
from filmless.archive.leaving import leaving
from filmless.archive.query.instances import instances_of
from filmless.archive.tables import studies
from filmless.db.work import reading
from filmless.reporting.documents import Documents
from filmless.reporting.tables import report_documents


def with_pictures(images: list[Any]) -> dict[str, Any]:
    places = [
        {
            "study_uid": str(one.StudyInstanceUID),
            "series_uid": str(one.SeriesInstanceUID),
            "sop_uid": str(one.SOPInstanceUID),
        }
        for one in images
    ]
    return {
        **TEXT,
        "images": [{**places[0], "caption": "左侧基底节区出血", "window": {"center": 40, "width": 80}}],
        "links": [{**places[1], "text": "见高密度影"}],
        "fields": {"midline_shift": 4.0},
    }


def values_in(sr: pydicom.Dataset) -> list[tuple[str, str, str, str]]:
    """(code value, scheme, number, unit) of the NUM items of a section."""
    found = []
    for section in sr.ContentSequence:
        for item in section.get("ContentSequence", ()):
            if item.ValueType == "NUM":
                name, measured = item.ConceptNameCodeSequence[0], item.MeasuredValueSequence[0]
                unit = measured.MeasurementUnitsCodeSequence[0]
                assert unit.CodingSchemeDesignator == "UCUM"
                said = (
                    name.CodeValue,
                    name.CodingSchemeDesignator,
                    str(measured.NumericValue),
                    unit.CodeValue,
                )
                found.append(said)
    return found


def test_units_are_those_of_ucum() -> None:
    from filmless.dicom.reported.structured import unit_of

    pairs = {
        "mm": "mm",
        "cm²": "cm2",
        "HU": "[hnsf'U]",
        "次/分": "/min",
        "": "1",
        "个": "{count}",
        "象限": "{unit}",
    }
    assert {one: unit_of(one).value for one in pairs} == pairs


def run(*command: Any) -> str:
    done = subprocess.run(
        [str(one) for one in command], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


@one_database
def test_a_printed_report(room: Room, tmp_path: Path) -> None:
    exam = room.exam(name="㐂𠮷龘\U00031350")
    report = signed(room, exam, with_pictures(room.images(exam)))
    attending = room.browser("attending", "ATT")
    clerk = room.browser("clerk", "FLM")
    first = done(clerk.post(f"/api/reports/{report['id']}/print", json={}), 201)
    second = done(clerk.post(f"/api/reports/{report['id']}/print", json={}), 201)
    assert [first["copy_number"], second["copy_number"]] == [1, 2]
    answer = clerk.get(f"/api/reports/{report['id']}/pdf?delivery={second['id']}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-missing-characters"] == "1"
    assert answer.headers["x-lost-pictures"] == "0"
    file = tmp_path / "report.pdf"
    file.write_bytes(answer.content)
    text = run("pdftotext", "-layout", file, "-").replace(" ", "")
    for words in (
        "㐂𠮷龘□",
        "M000001",
        "左侧基底节区脑出血。",
        "第2次打印",
        "attending",
        "字库中没有的字",
        "中线移位4mm",
    ):
        assert words in text, words
    fonts = run("pdffonts", file).splitlines()[2:]
    assert fonts
    assert all(line.split()[-5] == "yes" for line in fonts), "a font is not embedded"
    (picture,) = [
        line.split() for line in run("pdfimages", "-list", file).splitlines()[2:] if "image" in line
    ]
    assert min(int(picture[12]), int(picture[13])) >= 150, "dots an inch"
    # what is being written is marked as such, and is for those who write
    assert done_draft(attending, report["id"]) == 200
    assert done_draft(clerk, report["id"]) == 403


def done_draft(browser: Any, report: int) -> int:
    return browser.get(f"/api/reports/{report}/pdf?draft=true").status_code


@one_database
def test_documents_in_the_archive(room: Room, documents: Documents, tmp_path: Path) -> None:
    peers.need("dsrdump", "dciodvfy")
    exam = room.exam()
    report = signed(room, exam, with_pictures(room.images(exam)))
    assert documents.run_once() == 2
    assert documents.run_once() == 0
    with reading(room.engine) as connection:
        rows = connection.execute(select(report_documents)).all()
        stored = {
            one.sop_instance: one
            for one in instances_of(connection, SYSTEM, level="IMAGE", sop_uids=[row.sop_uid for row in rows])
        }
        # of the same patient as the images, of whose ID only the scanner's entry says who issued it
        filed = connection.execute(select(studies).where(studies.c.study_uid == rows[0].study_uid)).all()
    assert {row.status for row in rows} == {"stored"} and len(filed) == 1
    files = {}
    for row in rows:
        out = leaving(stored[row.sop_uid], room.context.store)
        ds = pydicom.dcmread(BytesIO(out.path.read_bytes()))
        assert str(ds.PatientName) == "Wang^Xiaodong=王^小东"
        files[row.kind] = tmp_path / f"{row.kind}.dcm"
        files[row.kind].write_bytes(out.path.read_bytes())
        told = run("dciodvfy", files[row.kind])
        assert "Error" not in told, told
    pdf = pydicom.dcmread(files["pdf"])
    assert pdf.EncapsulatedDocument[: pdf.EncapsulatedDocumentLength].startswith(b"%PDF-")
    dumped = run("dsrdump", "+U8", "+Pl", files["sr"])
    assert "Errors" not in dumped
    for words in ("Diagnostic imaging report", TEXT["findings"], TEXT["impression"], "Key Images"):
        assert words in dumped, dumped
    # what was filled into fields of the template: numbers with units (TID 300), beside the text
    assert values_in(pydicom.dcmread(files["sr"])) == [("midline_shift", "99FILMLESS", "4.0", "mm")]
    assert "NUM:" in dumped and 'UCUM,"mm"' in dumped, dumped
    assert report["released"] == 2
