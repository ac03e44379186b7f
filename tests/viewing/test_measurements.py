"""What is drawn becomes DICOM that others read, and is read back, whoever made it."""

import io
import json
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import highdicom.sr
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from sqlalchemy import select
from tests import made
from tests.viewing.conftest import Room, images

from filmless.access.model import Principal, Role, Scope
from filmless.archive.model import Arrival, Source
from filmless.archive.query.instances import instances_of
from filmless.archive.tables import studies
from filmless.db.work import reading
from filmless.patients.tables import patients

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

#: what dciodvfy says and is not so: (part of its line, why)
NOT_SO = (
    ("<99FILMLESS>", "a private scheme (PS3.16 8.2), declared in Coding Scheme Identification Sequence"),
    ("<SCT>", "it does not know the scheme"),
)


def drawn(
    sop: str, tool: str, points: list[list[float]], label: str = "", **values: tuple[float, str]
) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "tool": tool,
        "sop": sop,
        "frame": 1,
        "points": points,
        "values": [{"name": name, "value": value, "unit": unit} for name, (value, unit) in values.items()],
        "spacing": "",
        "label": label,
    }


def hounsfield(image: Dataset) -> Any:
    return np.frombuffer(image.PixelData, "<u2").reshape(image.Rows, image.Columns) * 1.0 - 1024


def everything(study: list[Dataset]) -> list[dict[str, Any]]:
    """One of each tool. Lengths and grey levels are those of the image, by numpy."""
    first, second = (str(one.SOPInstanceUID) for one in study[:2])
    pixels = hounsfield(study[0])
    part = pixels[10:20, 30:40]
    row, column = (float(one) for one in study[0].PixelSpacing)
    length = float(np.hypot(20 * column, 20 * row))
    return [
        drawn(first, "length", [[10.25, 20.5], [30.25, 40.5]], "病灶 A", length=(length, "mm")),
        drawn(second, "length", [[1, 2], [3, 4]], length=(2.828427125, "px")),
        drawn(first, "angle", [[10, 10], [20, 20], [30, 10]], angle=(90.0, "deg")),
        drawn(first, "cobb", [[10, 10], [20, 20], [30, 10], [50, 50]], angle=(45.5, "deg")),
        drawn(
            second,
            "bidirectional",
            [[10, 10], [60, 10], [30, 5], [30, 15]],
            long=(25.0, "mm"),
            short=(7.5, "mm"),
        ),
        drawn(
            first,
            "rectangle",
            [[30, 10], [40, 10], [40, 20], [30, 20]],
            area=(100 * row * column, "mm2"),
            mean=(float(part.mean()), "HU"),
            std=(float(part.std()), "HU"),
            min=(float(part.min()), "HU"),
            max=(float(part.max()), "HU"),
        ),
        # higher than wide in pixels: its major axis is the one that comes second here
        drawn(first, "ellipse", [[20, 35], [40, 35], [30, 60], [30, 10]], area=(500.0, "px2")),
        drawn(first, "freehand", [[30, 40], [60, 40], [60, 60], [45, 63]], perimeter=(80.25, "mm")),
        drawn(first, "probe", [[5.5, 6.5]], value=(float(pixels[6, 5]), "HU")),
        drawn(first, "arrow", [[30, 60], [50, 62]], "look here"),
        drawn(first, "text", [[3, 6]], "a note"),
        drawn(first, "ratio", [[10, 10], [20, 10], [5, 30], [45, 30]], ratio=(0.25, "ratio")),
        drawn(second, "calibration", [[10, 10], [60, 10]], length=(25.4, "mm")),
        drawn(second, "length", [[10, 10], [35, 10]], length=(12.7, "mm")) | {"spacing": "calibrated"},
    ]


def stored(room: Room, who: Principal, uid: str) -> bytes:
    """A Part 10 file of a stored object."""
    with reading(room.place.context.engine) as connection:
        (found,) = instances_of(connection, who, level="IMAGE", sop_uids=[uid])
    return (room.place.archive.root / found.path).read_bytes()


async def save(room: Room, who: Principal, study: list[Dataset], **body: Any) -> tuple[int, Any]:
    where = f"/studies/{study[0].StudyInstanceUID}/measurements"
    return await room.ask(who, "POST", where, {"save": str(uuid.uuid4()), "annotations": [], **body})


def plain(annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    keys = ("id", "tool", "sop", "frame", "points", "values", "spacing", "label")
    return [{key: one[key] for key in keys} for one in annotations]


async def test_saved_read_by_others_and_read_back(room: Room, tmp_path: Path) -> None:
    study = images()
    room.store(study)
    resident = room.person("wang", Role.RES, display_name="王 医生")
    annotations = everything(study)
    where = f"/studies/{study[0].StudyInstanceUID}"
    status, draft = await room.ask(
        resident, "PUT", f"{where}/draft", {"version": 0, "annotations": annotations}
    )
    key = str(study[2].SOPInstanceUID)
    status, told = await save(
        room, resident, study, annotations=annotations, key_images=[key], draft=draft["version"]
    )
    assert status == 201, told
    assert (await room.ask(resident, "GET", f"{where}/draft"))[1]["version"] == 0

    # read back by another person: the same, in the same places
    attending = room.person("li", Role.ATT)
    status, found = await room.ask(attending, "GET", f"{where}/measurements")
    assert (status, found["left_out"]) == (200, 0)
    wanted = plain(annotations)
    ellipse = next(one for one in wanted if one["tool"] == "ellipse")
    ellipse["points"] = ellipse["points"][2:] + ellipse["points"][:2]
    assert plain(found["annotations"]) == wanted
    assert {(one["report"], one["by"], one["own"]) for one in found["annotations"]} == {
        (told["report"], "王 医生^", False)
    }
    assert (await room.ask(resident, "GET", f"{where}/measurements"))[1]["annotations"][0]["own"] is True

    # highdicom reads the same numbers, codes and references
    report = highdicom.sr.srread(io.BytesIO(stored(room, attending, told["report"])))
    groups = report.content.get_image_measurement_groups()
    length = groups[0].get_measurements()[0]
    assert length.name.meaning == "Length" and length.unit.value == "mm"
    assert length.value == pytest.approx(np.hypot(10.0, 15.0))
    assert groups[0].tracking_uid == f"2.25.{uuid.UUID(annotations[0]['id']).int}"
    regions = report.content.get_planar_roi_measurement_groups()
    assert len(regions) == 3 and len(groups) == len(annotations) - 3
    by_derivation = {
        one.derivation.meaning: one.value
        for one in regions[0].get_measurements()
        if one.derivation is not None
    }
    part = hounsfield(study[0])[10:20, 30:40]
    assert by_derivation["Mean"] == pytest.approx(part.mean())
    assert by_derivation["Standard Deviation"] == pytest.approx(part.std())
    assert regions[0].reference_type.meaning == "Image Region"
    assert regions[0].roi.value.tolist()[0] == regions[0].roi.value.tolist()[-1] == [30, 10]

    # patient and study as in the images, in every object
    files = [told["report"], *told["presentation_states"], told["key_objects"]]
    for number, uid in enumerate(files):
        (tmp_path / f"{number}.dcm").write_bytes(stored(room, attending, uid))
        one = pydicom.dcmread(tmp_path / f"{number}.dcm")
        for keyword in (
            "PatientName",
            "PatientID",
            "IssuerOfPatientID",
            "PatientBirthDate",
            "PatientSex",
            "PatientAge",
            "StudyInstanceUID",
            "StudyDate",
            "StudyTime",
            "StudyID",
            "AccessionNumber",
            "StudyDescription",
            "ReferringPhysicianName",
        ):
            assert one[keyword].value == study[0][keyword].value, keyword
    state = pydicom.dcmread(tmp_path / "1.dcm")
    assert len(state.GraphicAnnotationSequence) == len(annotations)
    assert state.GraphicAnnotationSequence[0].GraphicObjectSequence[0].GraphicData == [
        10.25,
        20.5,
        30.25,
        40.5,
    ]
    keys = pydicom.dcmread(tmp_path / f"{len(files) - 1}.dcm")
    named = (
        keys.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    )
    assert [one.ReferencedSOPInstanceUID for one in named] == [key]
    assert keys.ConceptNameCodeSequence[0].CodeMeaning == "Of Interest"
    verify(tmp_path, len(files))

    audited = [one for one in room.place.audited() if one["what"] == "measurements"]
    assert [(one["kind"], one["outcome"], one["who"]) for one in audited] == [("store", "success", "wang")]
    assert json.loads(audited[0]["body"])["studies"] == [str(study[0].StudyInstanceUID)]


def verify(folder: Path, files: int) -> None:
    """By foreign tools, where the machine has them."""
    for number in range(files):
        path = folder / f"{number}.dcm"
        if shutil.which("dsrdump") and number in (0, files - 1):
            shown = subprocess.run(["dsrdump", str(path)], capture_output=True, text=True, check=True)
            assert "E:" not in shown.stderr and "F:" not in shown.stderr, shown.stderr
        if shutil.which("dciodvfy"):
            said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
            lines = (said.stdout + said.stderr).splitlines()
            errors = [one for one in lines if one.startswith("Error")]
            wrong = [one for one in errors if not any(part in one for part, _ in NOT_SO)]
            assert not wrong, wrong


@SQLITE
async def test_the_same_save_twice_is_one(room: Room) -> None:
    study = images(1)
    room.store(study)
    resident = room.person("resident", Role.RES)
    body = {"save": str(uuid.uuid4()), "annotations": everything([*study, *study])[:1]}
    first = await save(room, resident, study, **body)
    before = room.place.stored()
    assert first[0] == 201 and len(before) == 3
    assert await save(room, resident, study, **body) == first
    assert room.place.stored() == before
    # another person's save of that number is another
    other = await save(room, room.person("other", Role.ATT), study, **body)
    assert other[0] == 201 and other[1]["report"] != first[1]["report"]


@SQLITE
async def test_the_latest_of_a_chain(room: Room) -> None:
    study = images()
    room.store(study)
    resident = room.person("resident", Role.RES)
    annotations = everything(study)[:2]
    _, first = await save(room, resident, study, annotations=annotations)
    annotations[0]["label"] = "changed"
    _, second = await save(room, resident, study, annotations=annotations[:1], previous=[first["report"]])
    where = f"/studies/{study[0].StudyInstanceUID}/measurements"
    _, found = await room.ask(resident, "GET", where)
    assert [(one["label"], one["report"]) for one in found["annotations"]] == [("changed", second["report"])]
    later = pydicom.dcmread(io.BytesIO(stored(room, resident, second["report"])))
    before = pydicom.dcmread(io.BytesIO(stored(room, resident, first["report"])))
    (predecessor,) = later.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert predecessor.ReferencedSOPInstanceUID == first["report"]
    assert later.SeriesInstanceUID == before.SeriesInstanceUID
    # of what is no report there is no later version
    image = str(study[0].SOPInstanceUID)
    status, told = await save(room, resident, study, annotations=annotations[:1], previous=[image])
    assert (status, told["code"]) == (400, "no-report")


@SQLITE
async def test_frames_colour_and_bad_headers(room: Room) -> None:
    cine, colour = images(2, modality="US")
    cine.NumberOfFrames = "3"
    cine.PixelData = cine.PixelData * 3
    cine.PatientAge = "42"
    cine.add_new("PatientID", "LO", "  keeps its blanks  ")
    colour.SamplesPerPixel, colour.PhotometricInterpretation, colour.PlanarConfiguration = 3, "RGB", 0
    colour.PatientID = cine.PatientID
    colour.PixelData = colour.PixelData * 3
    for one in (cine, colour):
        del one.RescaleSlope, one.RescaleIntercept, one.RescaleType
    room.store([cine, colour])
    resident = room.person("resident", Role.RES)
    annotations = [
        {**drawn(str(cine.SOPInstanceUID), "length", [[1, 2], [3, 4]], length=(1, "px")), "frame": 3},
        drawn(str(colour.SOPInstanceUID), "probe", [[1, 2]], value=(17, "raw")),
        # beyond the edge: as far as the image goes
        drawn(str(colour.SOPInstanceUID), "arrow", [[-4, 2], [80, 90]], "out"),
    ]
    status, told = await save(room, resident, [cine], annotations=annotations)
    assert status == 201, told
    wrong = [{**annotations[0], "frame": 4}]
    assert (await save(room, resident, [cine], annotations=wrong))[1]["code"] == "no-frame"
    _, found = await room.ask(resident, "GET", f"/studies/{cine.StudyInstanceUID}/measurements")
    assert [one["frame"] for one in found["annotations"]] == [3, 1, 1]
    assert found["annotations"][2]["points"] == [[0, 2], [64, 64]]
    assert found["annotations"][1]["values"] == [{"name": "value", "value": 17, "unit": "raw"}]
    report = pydicom.dcmread(io.BytesIO(stored(room, resident, told["report"])))
    assert report.PatientAge == "42"
    (state,) = (
        pydicom.dcmread(io.BytesIO(stored(room, resident, one))) for one in told["presentation_states"]
    )
    (image,) = state.GraphicAnnotationSequence[0].ReferencedImageSequence
    assert (image.ReferencedSOPInstanceUID, image.ReferencedFrameNumber) == (cine.SOPInstanceUID, 3)


@SQLITE
async def test_who_may_save(room: Room) -> None:
    study, other = images(1), images(1)
    room.store([*study, *other])
    annotations = everything([*study, *study])[:1]
    for role in (Role.QC, Role.TEC, Role.CLI, Role.REG):
        status, told = await save(room, room.person(role.lower(), role), study, annotations=annotations)
        assert (status, told["code"]) == (403, "not-permitted"), role
    north = room.person("north", Role.ATT, Scope(sites=frozenset({"North"})))
    assert (await save(room, north, study, annotations=annotations))[0] == 404
    resident = room.person("resident", Role.RES)
    # images of another study
    status, told = await save(room, resident, other, annotations=annotations)
    assert (status, told["code"]) == (404, "not-found")
    assert (await save(room, resident, study))[0] == 400
    assert room.place.stored() == {str(study[0].SOPInstanceUID), str(other[0].SOPInstanceUID)}


@SQLITE
async def test_images_of_several_patients_are_no_one_report(room: Room) -> None:
    study, (other, *_) = images(1), images(1)
    other.StudyInstanceUID, other.PatientID = study[0].StudyInstanceUID, "P 0816"
    room.store([*study, other])
    resident = room.person("resident", Role.RES)
    own, others = (
        drawn(str(one.SOPInstanceUID), "length", [[1, 2], [3, 4]], length=(2.8, "px"))
        for one in (study[0], other)
    )
    status, told = await save(room, resident, study, annotations=[own, others])
    assert (status, told["code"]) == (400, "several-patients")
    assert (await save(room, resident, study, annotations=[others]))[0] == 201
    # what is said of one of them is not said of the other
    where = f"/studies/{study[0].StudyInstanceUID}/measurements"
    with reading(room.place.archive.engine) as connection:
        rows = connection.execute(
            select(studies.c.id, patients.c.patient_id).join(patients, patients.c.id == studies.c.patient)
        )
        found = {
            patient: (await room.ask(resident, "GET", f"{where}?row={row}"))[1] for row, patient in rows.all()
        }
    assert {patient: len(told["annotations"]) for patient, told in found.items()} == {
        "P 0815": 0,
        "P 0816": 1,
    }


@SQLITE
async def test_what_is_made_is_of_the_patient_whom_the_device_meant(room: Room) -> None:
    """Where only the sender's device says whose numbers its patient IDs are."""
    (image,) = study = images(1)
    del image.IssuerOfPatientID
    source = Source("CT1", default_issuer="HOSPITAL")
    arrival = Arrival(str(image.SOPClassUID), str(image.SOPInstanceUID), "1.2.840.10008.1.2.1", source)
    room.place.archive.store_blocking(arrival, [made.data_set(made.part10(image))])
    one = drawn(str(image.SOPInstanceUID), "length", [[1, 2], [3, 4]], length=(2.8, "px"))
    assert (await save(room, room.person("resident", Role.RES), study, annotations=[one]))[0] == 201
    with reading(room.place.archive.engine) as connection:
        assert connection.scalars(select(patients.c.issuer)).all() == ["HOSPITAL"]
        assert len(connection.scalars(select(studies.c.id)).all()) == 1


@SQLITE
async def test_reports_of_others_and_damaged_ones(room: Room) -> None:
    study = images(1)
    room.store(study)
    resident = room.person("resident", Role.RES)
    image = study[0]
    theirs = foreign(image)
    damaged = foreign(image)
    damaged.SOPInstanceUID = generate_uid()
    del damaged.ContentSequence[-1].ContentSequence[0].ContentSequence[2].ContentSequence
    damaged.ContentSequence[-1].ContentSequence[0].ContentSequence[2].MeasuredValueSequence = [Dataset()]
    room.store([theirs, damaged])
    _, found = await room.ask(resident, "GET", f"/studies/{image.StudyInstanceUID}/measurements")
    (one,) = found["annotations"]
    assert (one["tool"], one["points"], one["sop"]) == (
        "ellipse",
        [[20, 25], [20, 15], [15, 20], [25, 20]],
        image.SOPInstanceUID,
    )
    assert one["values"] == [{"name": "area", "value": 12.5, "unit": "mm2"}]
    assert (one["finding"], one["by"], one["own"], one["at"]) == (
        "Mass",
        "Other^Reader",
        False,
        "2026-03-02T12:30:00",
    )


def foreign(image: Dataset) -> Dataset:
    """A report as another maker writes it: older codes, a circle, a finding, no method."""
    circle = content("SCOORD", ("111030", "DCM", "Image Region"), "CONTAINS")
    circle.GraphicType, circle.GraphicData = "CIRCLE", [20.0, 20.0, 20.0, 25.0]
    reference = content("IMAGE", None, "SELECTED FROM")
    reference.ReferencedSOPSequence = [Dataset()]
    reference.ReferencedSOPSequence[0].ReferencedSOPClassUID = image.SOPClassUID
    reference.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = image.SOPInstanceUID
    circle.ContentSequence = [reference]
    finding = content("CODE", ("121071", "DCM", "Finding"), "CONTAINS")
    finding.ConceptCodeSequence = [code("4147007", "SCT", "Mass")]
    area = content("NUM", ("G-A166", "SRT", "Area"), "CONTAINS")
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = "12.5", [code("mm2", "UCUM", "mm2")]
    area.MeasuredValueSequence = [measured]
    area.ContentSequence = [content("TEXT", ("121106", "DCM", "Comment"), "CONTAINS")]
    area.ContentSequence[0].TextValue = "x"
    group = content("CONTAINER", ("125007", "DCM", "Measurement Group"), "CONTAINS")
    group.ContentSequence = [circle, finding, area]
    all_of_them = content("CONTAINER", ("126010", "DCM", "Imaging Measurements"), "CONTAINS")
    all_of_them.ContentSequence = [group]
    observer = content("PNAME", ("121008", "DCM", "Person Observer Name"), "HAS OBS CONTEXT")
    observer.PersonName = "Other^Reader"
    report = made.image(
        1, name="x", patient_id="P 0815", study=str(image.StudyInstanceUID), series=generate_uid()
    )
    for keyword in (
        "PixelData",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
    ):
        delattr(report, keyword)
    report.PatientName = image.PatientName
    report.SOPClassUID, report.Modality = "1.2.840.10008.5.1.4.1.1.88.22", "SR"
    report.ContentDate, report.ContentTime = "20260302", "123000"
    report.ValueType = "CONTAINER"
    report.ConceptNameCodeSequence = [code("126000", "DCM", "Imaging Measurement Report")]
    report.ContentSequence = [observer, all_of_them]
    return report


def content(kind: str, name: tuple[str, str, str] | None, relation: str) -> Dataset:
    made_item = Dataset()
    made_item.RelationshipType, made_item.ValueType = relation, kind
    if name:
        made_item.ConceptNameCodeSequence = [code(*name)]
    return made_item


def code(value: str, scheme: str, meaning: str) -> Dataset:
    made_item = Dataset()
    made_item.CodeValue, made_item.CodingSchemeDesignator, made_item.CodeMeaning = value, scheme, meaning
    return made_item
