"""What a codec process does of this: annotations to objects, and reports to annotations."""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO

import pydicom.config
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset

from filmless.dicom.elements import Buffer
from filmless.dicom.measured import Json, reading
from filmless.dicom.rewrite import inflate
from filmless.dicom.scan import scan
from filmless.dicom.uids import EXPLICIT_VR_LE, transfer_syntax
from filmless.kit.errors import Refused

#: annotations of one study
MOST = 5000


def head(data: Buffer, transfer_syntax_uid: str, character_set: str = "") -> Dataset:
    """The elements of an object before its pixels."""
    if transfer_syntax(transfer_syntax_uid).deflated:
        data, transfer_syntax_uid = inflate(data), EXPLICIT_VR_LE
    header = scan(data, transfer_syntax_uid, frozenset())
    end = len(data) if header.pixel_offset is None else header.pixel_offset
    return reading.parsed(bytes(data[:end]), transfer_syntax_uid, character_set)


def documents(sources: Sequence[Dataset], wish: Json) -> list[tuple[str, str, bytes]]:
    """The objects that annotations become: (SOP Class UID, SOP Instance UID, data set in explicit VR little endian).

    `wish`: "annotations", "key_images" (SOP Instance UIDs), "previous" (SOP Instance UIDs), "at" (ISO 8601) and what
    report.py and states.py name. `sources` are the images and the previous reports, in any order.
    """
    # what is wrong in the images is taken over as it is
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
    from filmless.dicom.measured import report, states

    objects = {str(one.SOPInstanceUID): one for one in sources}
    at = datetime.fromisoformat(wish["at"])
    annotations: list[Json] = wish["annotations"]
    for one in annotations:
        if "Rows" not in objects[one["sop"]]:
            raise Refused("What is drawn on is no image.", code="no-image")
        if one["frame"] > int(objects[one["sop"]].get("NumberOfFrames", 1) or 1):
            raise Refused("The image has no such frame.", code="no-frame")
    made: list[Dataset] = []
    if annotations:
        previous = [objects[uid] for uid in wish["previous"]]
        made.append(report.measurement_report(annotations, objects, wish, at, previous))
        for number, group in enumerate(states.groups(annotations, objects)):
            # for viewers that read no reports: where an image does not fit in one, the report is made all the same
            with contextlib.suppress(ValueError, TypeError, AttributeError):
                made.append(states.presentation_state(group, objects, wish, number, at))
    if wish["key_images"]:
        made.append(report.key_objects([objects[uid] for uid in wish["key_images"]], wish, at))
    return [(str(one.SOPClassUID), str(one.SOPInstanceUID), _encoded(one)) for one in made]


def _encoded(made: Dataset) -> bytes:
    out = BytesIO()
    writer = DicomIO(out)
    writer.is_implicit_VR, writer.is_little_endian = False, True
    write_dataset(writer, made)
    return out.getvalue()


def measured(reports: Sequence[Dataset]) -> Json:
    """{"annotations": of the reports of which there is no later version among them, "failed": how many reports are
    damaged}."""
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    read: list[tuple[str, list[Json]]] = []
    replaced: set[str] = set()
    failed = 0
    for one in reports:
        try:
            before = reading.predecessors(one)
            read.append((str(one.get("SOPInstanceUID", "")), reading.annotations(one)))
            replaced.update(before)
        except Exception:  # noqa: BLE001  a bad report must cost itself only
            failed += 1
    found = [annotation for uid, those in read if uid not in replaced for annotation in those]
    return {"annotations": found[:MOST], "failed": failed}
