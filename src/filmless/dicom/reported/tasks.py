"""What the press process does of this: a signed report to its objects, encoded."""

from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pydicom.config
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence as Items

from filmless.dicom.measured import Json
from filmless.dicom.measured.source import set_version, take_over
from filmless.dicom.measured.tasks import head
from filmless.dicom.reported.structured import structured_report

ENCAPSULATED_PDF: Final = "1.2.840.10008.5.1.4.1.1.104.1"
#: Series Numbers: behind what scanners make, and what is drawn
_NUMBERS: Final = {"pdf": 9101, "sr": 9102}
_TITLE: Final = ("18748-4", "LN", "Diagnostic imaging report")


def documents(wish: Json, pdf: bytes) -> list[tuple[str, str, bytes]]:
    """The objects of a report: (SOP Class UID, SOP Instance UID, data set in explicit VR little endian).

    `wish`: "wanted" [{"kind": "pdf" or "sr", "study", "series", "sop", "revision", "source": a stored object of the
    study or None}], "images": stored objects that are referred to, "patient" {keyword: value} for a study without
    images, "title", "version", and what structured.py names.
    """
    # what is wrong in the images is taken over as it is
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
    images = {}
    for one in wish["images"]:
        header = _header(one)
        images[str(header.SOPInstanceUID)] = header
    at = datetime.fromisoformat(wish["signed_at"])
    made = []
    for one in wish["wanted"]:
        source = _header(one["source"]) if one["source"] else _described(wish["patient"])
        if one["kind"] == "pdf":
            ds = _encapsulated(wish, pdf, at)
        else:
            ds = structured_report({**wish, "study": one["study"], "previous": one["previous"]}, images)
        take_over(ds, source, at)
        ds.StudyInstanceUID = one["study"]
        ds.SeriesInstanceUID, ds.SOPInstanceUID = one["series"], one["sop"]
        ds.SeriesNumber, ds.InstanceNumber = _NUMBERS[one["kind"]], one["revision"]
        ds.SeriesDescription = wish["title"]
        ds.ReferencedPerformedProcedureStepSequence = Items()
        if wish["number"] and not ds.AccessionNumber:
            ds.AccessionNumber = wish["number"]
        if one["kind"] == "sr":
            ds.ReferencedRequestSequence = _requests(wish, ds)
        else:
            del ds.ReferencedPerformedProcedureStepSequence
        set_version(ds, wish["version"])
        made.append((str(ds.SOPClassUID), str(ds.SOPInstanceUID), _encoded(ds)))
    return made


def _header(part: Mapping[str, Any]) -> Dataset:
    with Path(part["path"]).open("rb") as file:
        file.seek(part["offset"])
        data = file.read(part["size"])
    return head(bytes.fromhex(part["head"]) + data, part["transfer_syntax_uid"], part["character_set"])


def _described(patient: Mapping[str, str]) -> Dataset:
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in patient.items():
        setattr(made, keyword, value)
    return made


def _encapsulated(wish: Json, pdf: bytes, at: datetime) -> Dataset:
    """Encapsulated Document (PS3.3 A.45.1, C.24.2)."""
    made = Dataset()
    made.SOPClassUID = ENCAPSULATED_PDF
    made.Modality = "DOC"
    made.ConversionType = "WSD"
    made.ContentDate, made.ContentTime = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    made.AcquisitionDateTime = at.strftime("%Y%m%d%H%M%S")
    made.BurnedInAnnotation = "YES"
    made.DocumentTitle = wish["title"]
    made.VerificationFlag = "VERIFIED"
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = _TITLE
    made.ConceptNameCodeSequence = Items([title])
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(pdf)
    made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return made


def _requests(wish: Json, ds: Dataset) -> Items:
    """The requested procedure that the report fulfils (PS3.3 C.17.2)."""
    one = Dataset()
    one.StudyInstanceUID = ds.StudyInstanceUID
    one.ReferencedStudySequence = Items()
    one.AccessionNumber = wish["number"]
    one.PlacerOrderNumberImagingServiceRequest = ""
    one.FillerOrderNumberImagingServiceRequest = ""
    one.RequestedProcedureID = wish["number"]
    one.RequestedProcedureDescription = wish["procedure"][:64]
    one.RequestedProcedureCodeSequence = Items()
    return Items([one])


def _encoded(made: Dataset) -> bytes:
    out = BytesIO()
    writer = DicomIO(out)
    writer.is_implicit_VR, writer.is_little_endian = False, True
    write_dataset(writer, made)
    return out.getvalue()
