"""Annotations of reports (PS3.16 TID 1500), ours and others': whatever has a measurement group with coordinates.

Reads leniently: a group that is not understood costs itself only. Bounded in depth and number.
"""

import contextlib
import math
import uuid
from collections.abc import Iterator
from typing import Any, Final

from pydicom.dataset import Dataset

from filmless.dicom.measured import Json
from filmless.dicom.measured.concepts import (
    BLENDS,
    OURS,
    PLANE,
    POINTS,
    REFORMATTING,
    SLAB,
    SPACING,
    SPACINGS,
    name_of,
    unit_of,
)
from filmless.dicom.measured.planes import on_plane, plane_of, thickness

#: of one report; coordinates of one annotation; nesting
MOST: Final = 2000
_MOST_POINTS: Final = 20_000
_DEEPEST: Final = 24
_GROUP: Final = ("125007", "DCM")
_TRACKING: Final = ("112039", "DCM")
_TRACKING_UID: Final = ("112040", "DCM")
_FINDING: Final = ("121071", "DCM")
_SITE: Final = (("363698007", "SCT"), ("G-C0E3", "SRT"))
_METHOD: Final = (("370129005", "SCT"), ("G-C036", "SRT"))
_COMMENT: Final = ("121106", "DCM")
_SPACING: Final = (SPACING.value, OURS)
_PLANE: Final = (PLANE.value, OURS)
_SLAB: Final = (SLAB.value, OURS)
_REFORMATTING: Final = (REFORMATTING.value, OURS)
_BLEND_OF: Final = {(code.value, code.scheme_designator): blend for blend, code in BLENDS.items()}
_SPACING_OF: Final = {code.value: source for source, code in SPACINGS.items()}
_DERIVATION: Final = ("121401", "DCM")
_OBSERVER: Final = ("121008", "DCM")
_LOGIN: Final = ("128774", "DCM")


def annotations(report: Dataset) -> list[Json]:
    """The annotations of a report with: "report" (its SOP Instance UID), "by", "login" (the observer), "at" (ISO 8601,
    as written), "finding", "site"."""
    about = {
        "report": str(report.get("SOPInstanceUID", "")),
        "by": _of_document(report, _OBSERVER),
        "login": _of_document(report, _LOGIN),
        "at": _moment(report),
    }
    made: list[Json] = []
    for group in _groups(report, 0):
        try:
            made.extend({**one, **about} for one in _group(group))
        except (AttributeError, TypeError, ValueError, KeyError, IndexError):
            # a group that makes no sense
            continue
        if len(made) >= MOST:
            break
    for number, one in enumerate(made):
        one["id"] = one["id"] or f"{about['report']}/{number}"
    return made[:MOST]


def predecessors(report: Dataset) -> list[str]:
    """SOP Instance UIDs of the documents of which this is a later version (PS3.3 C.17.2, Predecessor Documents)."""
    found: list[str] = []
    for study in report.get("PredecessorDocumentsSequence", None) or []:
        for series in study.get("ReferencedSeriesSequence", None) or []:
            items = series.get("ReferencedSOPSequence", None) or []
            found.extend(str(item.get("ReferencedSOPInstanceUID", "")) for item in items)
    return found


def _groups(item: Dataset, depth: int) -> Iterator[Dataset]:
    if depth > _DEEPEST:
        return
    for child in _children(item):
        if child.get("ValueType") == "CONTAINER":
            if _name(child) == _GROUP:
                yield child
            else:
                yield from _groups(child, depth + 1)


def _group(group: Dataset) -> list[Json]:
    said = {"id": "", "label": "", "finding": "", "site": "", "method": "", "spacing": ""}
    tracking = ""
    values: list[Json] = []
    regions: list[tuple[str, str, list[float], Json]] = []
    image: Json = {}
    plane: Json | None = None
    slab, blend = 0.0, ""
    for child in _children(group):
        name, kind = _name(child), child.get("ValueType")
        if kind == "UIDREF" and name == _TRACKING_UID:
            said["id"] = _identity(str(child.UID))
        elif kind == "TEXT" and name == _TRACKING:
            tracking = str(child.TextValue)
        elif kind == "TEXT" and name == _COMMENT:
            said["label"] = str(child.TextValue)[:256]
        elif kind == "CODE" and name == _FINDING:
            said["finding"] = _meaning(child)
        elif kind == "CODE" and name in _SITE:
            said["site"] = _meaning(child)
        elif kind == "CODE" and name == _SPACING:
            said["spacing"] = _SPACING_OF.get(str(child.ConceptCodeSequence[0].CodeValue), "")
        elif kind == "CODE" and name in _METHOD:
            code = child.ConceptCodeSequence[0]
            if code.get("CodingSchemeDesignator") == OURS:
                said["method"] = str(code.CodeValue)
        elif kind == "CODE" and name == _REFORMATTING:
            blend = _BLEND_OF.get(_code(child.ConceptCodeSequence[0]), "")
        elif kind == "NUM" and name == _SLAB:
            slab = thickness(child.MeasuredValueSequence[0].NumericValue)
        elif kind == "SCOORD3D" and name == _PLANE:
            plane = plane_of(*_space(child))
        elif kind == "NUM":
            value = _value(child)
            if value:
                values.append(value)
            regions.extend(_regions(child, value["name"] if value else ""))
        elif kind in ("SCOORD", "SCOORD3D"):
            regions.extend(_region(child, ""))
        elif kind == "IMAGE":
            image = image or _image(child)
    method = said.pop("method")
    if not said["label"] and tracking != method:
        said["label"] = "" if ":" in tracking and " " not in tracking else tracking[:256]
    references = [str(where["reference"]) for *_, where in regions if "reference" in where]
    if references:
        plane, regions = _flattened(plane, references[0], regions)
        if plane and slab and blend:
            plane = {**plane, "slab": slab, "blend": blend}
        # in the patient, whether an image is named or not
        images = [image or {"sop": "", "frame": 1}]
    else:
        plane = None
        images = [where for *_, where in regions if where] or ([image] if image else [])
    if not images:
        return []
    tool, points = _drawn(method, regions)
    return [
        {
            **said,
            **images[0],
            "tool": tool,
            "points": points,
            "plane": plane,
            "values": values,
            "colour": "",
        }
    ]


_Regions = list[tuple[str, str, list[float], Json]]


def _flattened(plane: Json | None, reference: str, regions: _Regions) -> tuple[Json | None, _Regions]:
    """(the plane that regions in the patient lie on, the regions on it); (None, none) where there is no one plane."""
    solid = [one for one in regions if one[2] and one[3].get("reference") == reference]
    for _, _, flat, _ in solid:
        plane = plane or plane_of(reference, [flat[at : at + 3] for at in range(0, len(flat) - 2, 3)])
    found: _Regions = []
    for kind, name, flat, where in solid:
        points = on_plane(plane, flat) if plane and plane["reference"] == reference else None
        if points is None:
            return None, []
        found.append(("POLYLINE" if kind == "POLYGON" else kind, name, points, where))
    return plane, found


def _identity(uid: str) -> str:
    """The UUID of which a UID was made (PS3.5 B.2), or the UID."""
    number = uid.removeprefix("2.25.")
    if number != uid and number.isdigit() and int(number) < 1 << 128:
        return str(uuid.UUID(int=int(number)))
    return uid[:64]


def _drawn(method: str, regions: list[tuple[str, str, list[float], Json]]) -> tuple[str, list[list[float]]]:
    """(tool, points) of the regions of a group, each (graphic type, name of the value, coordinates, image)."""
    parts: list[tuple[str, str, list[list[float]]]] = []
    for kind, name, flat, _ in regions:
        points = [[flat[at], flat[at + 1]] for at in range(0, len(flat) - 1, 2)]
        if points and (kind, points) not in [(known, other) for known, _, other in parts]:
            parts.append((kind, name, points))
    if not parts:
        return "other", []
    kind, name, points = parts[0]
    lines = [one for one in parts if one[0] == "POLYLINE" and len(one[2]) == 2]
    if len(lines) >= 2 and len(lines) == len(parts):
        names = {one[1]: one[2] for one in lines}
        if "long" in names and "short" in names:
            return "bidirectional", names["long"] + names["short"]
        return method if method in ("cobb", "ratio") else "cobb", lines[0][2] + lines[1][2]
    if kind == "ELLIPSE" and len(points) == 4:
        return "ellipse", points
    if kind == "CIRCLE" and len(points) == 2:
        return "ellipse", _circle(points)
    if kind == "POINT":
        if method in ("probe", "text"):
            return method, points[:1]
        return ("probe" if name else "text"), points[:1]
    if kind == "POLYLINE" and len(points) > 3 and _same(points[0], points[-1]):
        outline = points[:-1]
        return ("rectangle" if method == "rectangle" and len(outline) == 4 else "freehand"), outline
    if kind == "POLYLINE" and method in POINTS and POINTS[method] == len(points):
        return method, points
    if kind == "POLYLINE" and len(points) == 2:
        return ("length" if name in ("length", "") else "arrow"), points
    if kind == "POLYLINE" and len(points) == 3 and name == "angle":
        return "angle", points
    return "other", points


def _circle(points: list[list[float]]) -> list[list[float]]:
    """Centre and a point of the circle as the ends of two diameters."""
    (x, y), other = points
    radius = math.dist(points[0], other)
    return [[x, y + radius], [x, y - radius], [x - radius, y], [x + radius, y]]


def _same(a: list[float], b: list[float]) -> bool:
    return math.dist(a, b) < 1e-3


def _value(item: Dataset) -> Json | None:
    measured = (item.get("MeasuredValueSequence", None) or [None])[0]
    if measured is None:
        return None
    derivation = None
    for child in _children(item):
        if _name(child) == _DERIVATION:
            derivation = _code(child.ConceptCodeSequence[0])
    number = float(measured.get("FloatingPointValue", None) or measured.NumericValue)
    if not math.isfinite(number):
        return None
    name = name_of(_name(item) or ("", ""), derivation)
    unit = (measured.get("MeasurementUnitsCodeSequence", None) or [Dataset()])[0]
    return {
        "name": name or str(item.ConceptNameCodeSequence[0].get("CodeMeaning", ""))[:64],
        "value": number,
        "unit": unit_of(str(unit.get("CodeValue", "")), name)[:64],
    }


def _regions(item: Dataset, name: str) -> list[tuple[str, str, list[float], Json]]:
    found: list[tuple[str, str, list[float], Json]] = []
    for child in _children(item):
        if child.get("ValueType") in ("SCOORD", "SCOORD3D"):
            found.extend(_region(child, name))
        elif child.get("ValueType") == "IMAGE":
            found.append(("", name, [], _image(child)))
    return found


def _region(item: Dataset, name: str) -> list[tuple[str, str, list[float], Json]]:
    flat = item.get("GraphicData", None)
    # one pair comes as a list of two; more than is sensible is left out
    points = [float(one) for one in flat][:_MOST_POINTS] if flat is not None else []
    where: Json = {}
    if item.get("ValueType") == "SCOORD3D":
        where = {"reference": str(item.get("ReferencedFrameOfReferenceUID", "") or "")}
    else:
        for child in _children(item):
            if child.get("ValueType") == "IMAGE":
                where = where or _image(child)
    return [(str(item.get("GraphicType", "")), name, points, where)]


def _space(item: Dataset) -> tuple[str, list[list[float]]]:
    """(Frame of Reference UID, points) of coordinates in the patient."""
    flat = [float(one) for one in item.GraphicData][:_MOST_POINTS]
    points = [flat[at : at + 3] for at in range(0, len(flat) - 2, 3)]
    return str(item.get("ReferencedFrameOfReferenceUID", "") or ""), points


def _image(item: Dataset) -> Json:
    reference = item.ReferencedSOPSequence[0]
    frame = reference.get("ReferencedFrameNumber", None)
    number = 1
    with contextlib.suppress(TypeError, ValueError, IndexError):
        number = int(frame[0] if hasattr(frame, "append") else frame) if frame else 1
    return {"sop": str(reference.ReferencedSOPInstanceUID), "frame": number}


def _children(item: Dataset) -> list[Dataset]:
    return list(item.get("ContentSequence", None) or [])


def _code(item: Dataset) -> tuple[str, str]:
    return str(item.get("CodeValue", "")), str(item.get("CodingSchemeDesignator", ""))


def _name(item: Dataset) -> tuple[str, str] | None:
    names = item.get("ConceptNameCodeSequence", None) or []
    return _code(names[0]) if names else None


def _meaning(item: Dataset) -> str:
    return str(item.ConceptCodeSequence[0].get("CodeMeaning", ""))[:64]


def _of_document(report: Dataset, name: tuple[str, str]) -> str:
    for child in _children(report):
        if _name(child) == name:
            return str(child.get("PersonName", "") or child.get("TextValue", ""))[:128]
    return ""


def _moment(report: Dataset) -> str:
    day, time = str(report.get("ContentDate", "") or ""), str(report.get("ContentTime", "") or "")
    if len(day) != 8 or not day.isdigit():
        return ""
    made = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    return (
        f"{made}T{time[:2]}:{time[2:4]}:{time[4:6] or '00'}"
        if len(time) >= 4 and time[:4].isdigit()
        else made
    )


def parsed(data: Any, transfer_syntax: str, character_set: str = "") -> Dataset:
    """A data set of bytes; elements are decoded when they are asked for. Raises what pydicom raises."""
    from io import BytesIO

    from pydicom.filereader import read_dataset
    from pydicom.uid import UID

    syntax = UID(transfer_syntax)
    made = read_dataset(BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian)
    if "SpecificCharacterSet" not in made and character_set:
        made.SpecificCharacterSet = character_set.split("\\")
    made.decode()
    return made
