"""What is drawn on a plane through a volume is saved where it is in the patient, and found there again."""

import io
import math
from pathlib import Path
from typing import Any

import highdicom.sr
import numpy as np
import pytest
from pydicom.dataset import Dataset
from tests.viewing.conftest import Room, images
from tests.viewing.test_measurements import SQLITE, code, content, drawn, foreign, plain, save, stored, verify

from filmless.access.model import Role

#: tilted by 30 degrees about the axis from right to left
COS, SIN = math.cos(math.pi / 6), math.sin(math.pi / 6)


def plane(study: list[Dataset], **more: Any) -> dict[str, Any]:
    reference = str(study[0].FrameOfReferenceUID)
    axes = {"origin": [-5.0, 3.25, 4.0], "row": [1.0, 0.0, 0.0], "column": [0.0, COS, SIN]}
    return {"reference": reference, "slab": 0.0, "blend": "", **axes, **more}


def on_planes(study: list[Dataset]) -> list[dict[str, Any]]:
    sop = str(study[1].SOPInstanceUID)
    thin, thick = plane(study), plane(study, slab=10.0, blend="max")
    said: dict[str, Any] = {"plane": thin, "spacing": "reformatted"}
    return [
        drawn(sop, "length", [[-12.5, 4], [17.5, -36]], "病灶 B", length=(50.0, "mm")) | said,
        drawn(sop, "ellipse", [[0, 10], [0, -10], [-5, 0], [5, 0]], area=(157.08, "mm2"), mean=(55.5, "HU"))
        | {"plane": thick, "spacing": "reformatted"},
        drawn(sop, "rectangle", [[0, 0], [20, 0], [20, 5], [0, 5]], mean=(-20.25, "HU")) | {"plane": thin},
        drawn(sop, "freehand", [[0, 0], [20, 0], [25, 5], [0, 50]], perimeter=(80.0, "mm")) | said,
        drawn(sop, "probe", [[1.5, 2.5]], value=(17.0, "HU")) | {"plane": thick},
        drawn(sop, "angle", [[0, 10], [0, 0], [10, 0]], angle=(90.0, "deg")) | {"plane": thin},
        drawn(sop, "cobb", [[0, 0], [9, 1], [0, 20], [9, 24]], angle=(17.6, "deg")) | {"plane": thin},
        drawn(sop, "arrow", [[30, 6], [5, 6]], "look here") | {"plane": thin},
    ]


async def test_saved_in_the_patient_and_read_back(room: Room, tmp_path: Path) -> None:
    study = images()
    room.store(study)
    resident = room.person("wang", Role.RES)
    flat = drawn(str(study[0].SOPInstanceUID), "length", [[10, 20], [30, 20]], length=(10.0, "mm")) | {
        "plane": None
    }
    annotations = [*on_planes(study), flat]
    where = f"/studies/{study[0].StudyInstanceUID}"
    status, draft = await room.ask(
        resident, "PUT", f"{where}/draft", {"version": 0, "annotations": annotations}
    )
    assert status == 200, draft
    kept = (await room.ask(resident, "GET", f"{where}/draft"))[1]["annotations"]
    assert [one["plane"] for one in kept] == [one["plane"] for one in annotations]
    status, told = await save(room, resident, study, annotations=annotations)
    assert status == 201, told
    # for viewers that read no reports: what is on an image, and only that
    assert len(told["presentation_states"]) == 1

    found = (await room.ask(resident, "GET", f"{where}/measurements"))[1]["annotations"]
    same(found, annotations)

    path = tmp_path / "0.dcm"
    path.write_bytes(stored(room, resident, told["report"]))
    verify(tmp_path, 1)
    report = highdicom.sr.srread(io.BytesIO(path.read_bytes()))
    assert report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"
    ellipse, *_ = report.content.get_planar_roi_measurement_groups()
    assert ellipse.reference_type.meaning == "Image Region"
    assert ellipse.roi.frame_of_reference_uid == study[0].FrameOfReferenceUID
    ends = ellipse.roi.value
    down, across = np.array([0, COS, SIN]), np.array([1, 0, 0])
    wanted = np.array([-5, 3.25, 4]) + np.stack([10 * down, -10 * down, -5 * across, 5 * across])
    assert ends == pytest.approx(wanted, abs=1e-4)
    length, *_ = report.content.get_image_measurement_groups()
    (item,) = length.get_measurements()[0].referenced_coordinates
    assert np.linalg.norm(item.value[1] - item.value[0]) == pytest.approx(50, abs=1e-4)


def same(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """Numbers in the patient are kept in single precision."""
    assert [{**one, "points": 0} for one in plain(found)] == [{**one, "points": 0} for one in plain(wanted)]
    for one, other in zip(found, wanted, strict=True):
        assert np.array(one["points"]) == pytest.approx(np.array(other["points"]), abs=1e-3)
        assert (one["plane"] is None) == (other["plane"] is None)
        if other["plane"]:
            for axis in ("origin", "row", "column"):
                assert one["plane"][axis] == pytest.approx(other["plane"][axis], abs=1e-5)
            for key in ("reference", "slab", "blend"):
                assert one["plane"][key] == other["plane"][key]


@SQLITE
async def test_outlines_of_others_in_the_patient(room: Room) -> None:
    study = images()
    report = foreign(study[0])
    (group,) = report.ContentSequence[1].ContentSequence
    outline = content("SCOORD3D", ("111030", "DCM", "Image Region"), "CONTAINS")
    outline.GraphicType, outline.ReferencedFrameOfReferenceUID = "POLYGON", study[0].FrameOfReferenceUID
    outline.GraphicData = [0.0, 0, 5, 0, 20, 5, 0, 20, 15, 0, 0, 15, 0, 0, 5]
    group.ContentSequence[0] = outline
    # another one, of two points: there is no one plane through them
    line = content("SCOORD3D", None, "INFERRED FROM")
    line.GraphicType, line.ReferencedFrameOfReferenceUID = "POLYLINE", study[0].FrameOfReferenceUID
    line.GraphicData = [0.0, 0, 5, 0, 20, 5]
    length = content("NUM", ("410668003", "SCT", "Length"), "CONTAINS")
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = "20", [code("mm", "UCUM", "mm")]
    length.MeasuredValueSequence, length.ContentSequence = [measured], [line]
    second = content("CONTAINER", ("125007", "DCM", "Measurement Group"), "CONTAINS")
    second.ContentSequence = [length]
    report.ContentSequence[1].ContentSequence = [group, second]
    room.store([*study, report])
    where = f"/studies/{study[0].StudyInstanceUID}/measurements"
    drawn_on, unplaced = (await room.ask(room.person("li", Role.ATT), "GET", where))[1]["annotations"]
    assert (drawn_on["tool"], drawn_on["sop"], drawn_on["finding"]) == ("freehand", "", "Mass")
    assert drawn_on["plane"]["row"] == [0, 1, 0] and drawn_on["plane"]["column"] == [0, 0, 1]
    assert drawn_on["points"] == [[0, 0], [20, 0], [20, 10], [0, 10]]
    assert (unplaced["plane"], unplaced["points"]) == (None, [])
    assert unplaced["values"] == [{"name": "length", "value": 20.0, "unit": "mm"}]


@SQLITE
async def test_a_plane_that_is_none_is_refused(room: Room) -> None:
    study = images()
    room.store(study)
    resident = room.person("resident", Role.RES)
    (one, *_) = on_planes(study)
    for wrong in (
        {"row": [1, 1, 0]},
        {"column": [1, 0, 0]},
        {"slab": 10.0},
        {"blend": "max"},
        {"reference": "no-uid"},
    ):
        body = [one | {"plane": plane(study, **wrong)}]
        assert (await save(room, resident, study, annotations=body))[0] == 422, wrong
    # mm on a plane, and the plane is missing
    body = [one | {"plane": None, "points": [[-12.5, 4], [17.5, -36]]}]
    status, told = await save(room, resident, study, annotations=body)
    assert (status, told["code"]) == (400, "outside")
