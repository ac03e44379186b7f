"""Presentation states with what was drawn (PS3.3 A.33.1, C.10.5), by highdicom: for viewers that read no reports."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from highdicom import pr
from pydicom.dataset import Dataset

from filmless.dicom.measured import Json
from filmless.dicom.measured.report import clipped, tracking_uid
from filmless.dicom.measured.source import evidence, set_version, take_over

_LAYER = "ANNOTATIONS"
#: of one save: each kind of image in each series has its own
MOST = 20


def groups(annotations: Sequence[Json], images: Mapping[str, Dataset]) -> list[list[Json]]:
    """Annotations by the state in which they go: of one series, one size and one modality transformation. Images in
    colour have none: their state needs a colour profile that nobody gave. What is on a plane is on no image."""
    found: dict[Any, list[Json]] = {}
    for one in annotations:
        if one.get("plane"):
            continue
        image = images[one["sop"]]
        if int(image.get("SamplesPerPixel", 1) or 1) == 1 and image.get("PhotometricInterpretation") in (
            "MONOCHROME1",
            "MONOCHROME2",
        ):
            found.setdefault(_kind(image), []).append(one)
    return list(found.values())[:MOST]


def _kind(image: Dataset) -> tuple[Any, ...]:
    keywords = ("SeriesInstanceUID", "Rows", "Columns", "RescaleSlope", "RescaleIntercept", "RescaleType")
    return tuple(str(image.get(keyword, "")) for keyword in keywords)


def presentation_state(
    annotations: Sequence[Json], images: Mapping[str, Dataset], wish: Json, number: int, at: datetime
) -> Dataset:
    """A state with these annotations, one of `groups`. `wish`: "states" (UIDs, of which it takes that of `number`)
    and "states_series" besides those of a report."""
    used = {one["sop"]: images[one["sop"]] for one in annotations}
    shown = {sop: _image(source) for sop, source in used.items()}
    first = next(iter(used.values()))
    layer = pr.GraphicLayer(_LAYER, 1)
    made = pr.GrayscaleSoftcopyPresentationState(
        referenced_images=list(shown.values()),
        series_instance_uid=wish["states_series"],
        series_number=wish["number"] + 1,
        sop_instance_uid=wish["states"][number],
        instance_number=number + 1,
        manufacturer="Filmless",
        manufacturer_model_name="Filmless",
        software_versions=wish["version"],
        device_serial_number="",
        content_label="MEASUREMENTS",
        content_description="Measurements",
        content_creator_name=wish["observer"],
        graphic_layers=[layer],
        graphic_annotations=[_annotation(one, shown[one["sop"]], layer) for one in annotations],
        voi_lut_transformations=_window(first),
        specific_character_set="ISO_IR 192",
    )
    take_over(made, first, at)
    set_version(made, wish["version"])
    made.SeriesDescription = "Measurements"
    # type 2C (PS3.3 C.7.3.1): unknown where the image does not tell
    made.Laterality = str(first.get("Laterality", "") or "")
    return made


def _image(source: Dataset) -> Dataset:
    made = evidence(source)
    for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
        if keyword in source:
            made[keyword] = source[keyword]
    if "RescaleSlope" in made and "RescaleType" not in made:
        made.RescaleType = "HU" if str(source.get("Modality", "")) == "CT" else "US"
    return made


def _window(image: Dataset) -> list[Any] | None:
    center, width = image.get("WindowCenter"), image.get("WindowWidth")
    if center is None or width is None:
        return None
    try:
        return [pr.SoftcopyVOILUTTransformation(window_center=_first(center), window_width=_first(width))]
    except (TypeError, ValueError, IndexError):
        return None


def _first(value: Any) -> float:
    return float(value[0] if hasattr(value, "append") else value)


def _annotation(one: Json, image: Dataset, layer: pr.GraphicLayer) -> pr.GraphicAnnotation:
    points = clipped(one["points"], image)
    identity: dict[str, Any] = {
        "tracking_id": one["label"][:64] or one["tool"],
        "tracking_uid": tracking_uid(one["id"]),
    }
    pixel = pr.AnnotationUnitsValues.PIXEL
    said = words(one)
    text = [pr.TextObject(said, pixel, anchor_point=_inside(points[-1], image), **identity)] if said else []
    made = pr.GraphicAnnotation(
        referenced_images=[image],
        graphic_layer=layer,
        graphic_objects=[
            pr.GraphicObject(kind, part, pixel, **identity) for kind, part in _drawn(one["tool"], points)
        ],
        text_objects=text or None,
    )
    if int(image.get("NumberOfFrames", 1) or 1) > 1:
        # here, for highdicom allows it in classes of multi-frame images only
        made.ReferencedImageSequence[0].ReferencedFrameNumber = int(one["frame"])
    return made


def _inside(point: Any, image: Dataset) -> tuple[float, float]:
    return float(min(point[0], image.Columns)), float(min(point[1], image.Rows))


def _drawn(tool: str, points: Any) -> list[tuple[Any, Any]]:
    kinds = pr.GraphicTypeValues
    if tool in ("cobb", "ratio", "bidirectional"):
        return [(kinds.POLYLINE, points[:2]), (kinds.POLYLINE, points[2:4])]
    if tool == "ellipse":
        first, second = np.linalg.norm(points[1] - points[0]), np.linalg.norm(points[3] - points[2])
        return [(kinds.ELLIPSE, points[[2, 3, 0, 1]] if second > first else points)]
    if tool in ("rectangle", "freehand"):
        return [(kinds.POLYLINE, np.vstack([points, points[:1]]))]
    if len(points) == 1:
        return [(kinds.POINT, points)]
    return [(kinds.POLYLINE, points)]


_SHOWN_UNITS = {"mm2": "mm²", "deg": "°", "px2": "px²", "raw": "", "ratio": ""}
_SHOWN_NAMES = {
    "long": "L",
    "short": "S",
    "mean": "mean",
    "std": "SD",
    "min": "min",
    "max": "max",
    "area": "A",
}


#: a length that is none in the patient says so
_SHOWN_SPACINGS = {
    "calibrated": "calibrated",
    "detector": "at the detector",
    "scanned": "of the scanned film",
}


def words(one: Json) -> str:
    """What is written beside it: label and numbers."""
    lines = [one["label"]] if one["label"] else []
    for value in one["values"][:8]:
        unit = _SHOWN_UNITS.get(value["unit"], value["unit"])
        lines.append(f"{_SHOWN_NAMES.get(value['name'], '')} {value['value']:.4g} {unit}".strip())
    if one["tool"] == "calibration":
        lines.append("known length")
    elif said := _SHOWN_SPACINGS.get(one.get("spacing", "")):
        lines.append(f"({said})")
    return "\r\n".join(lines)[:1024]
