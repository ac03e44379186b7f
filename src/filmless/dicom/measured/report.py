"""Measurement reports (PS3.16 TID 1500, in Comprehensive SR or, of planes, Comprehensive 3D SR) and key object
selections (TID 2010), by highdicom."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import highdicom as hd
import numpy as np
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from filmless.dicom.measured import Json
from filmless.dicom.measured.concepts import (
    BLENDS,
    CLOSED,
    METHODS,
    OURS,
    PLANE,
    PLANE_ARM,
    REFORMATTING,
    SLAB,
    SPACING,
    SPACINGS,
    UNITS,
    quantity,
)
from filmless.dicom.measured.planes import arms, in_patient
from filmless.dicom.measured.source import evidence, set_version, take_over

_IMAGE_REGION = Code("111030", "DCM", "Image Region")
_COMMENT = Code("121106", "DCM", "Comment")
#: which points of a tool's a value is of; all where it is not said
_LINES: Mapping[str, Sequence[tuple[int, int]]] = {
    "cobb": ((0, 1), (2, 3)),
    "bidirectional": ((0, 1), (2, 3)),
    "ratio": ((0, 1), (2, 3)),
}
_AXIS = {"long": 0, "short": 1}


def tracking_uid(identity: str) -> str:
    """The Tracking Unique Identifier of an annotation: its UUID as a UID (PS3.5 B.2), or the UID that it is."""
    try:
        return f"2.25.{uuid.UUID(identity).int}"
    except ValueError:
        if identity.replace(".", "").isdigit() and len(identity) <= 64:
            return identity
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, identity).int}"


def measurement_report(
    annotations: Sequence[Json],
    images: Mapping[str, Dataset],
    wish: Json,
    at: datetime,
    previous: Sequence[Dataset],
) -> Dataset:
    """A report of these annotations. `images`: SOP Instance UID -> the image's elements before its pixels.

    `wish`: "report" and "report_series" (UIDs), "observer", "login", "version", "number" (of the series). `previous`:
    the reports of which this is a later version.
    """
    observer = sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(
            name=wish["observer"], login_name=wish["login"]
        ),
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_person_context=observer),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=[_group(one, images[one["sop"]]) for one in annotations],
        title=codes.DCM.ImagingMeasurementReport,
    )
    used = {one["sop"]: images[one["sop"]] for one in annotations}
    first = next(iter(used.values()))
    # coordinates in the patient need the class that has them (PS3.3 A.35.13)
    kind = sr.Comprehensive3DSR if any(one.get("plane") for one in annotations) else sr.ComprehensiveSR
    made = kind(
        evidence=[evidence(one) for one in used.values()],
        content=content[0],
        series_instance_uid=wish["report_series"],
        series_number=wish["number"],
        sop_instance_uid=wish["report"],
        instance_number=1,
        manufacturer="Filmless",
        is_complete=True,
        previous_versions=list(previous) or None,
    )
    take_over(made, first, at)
    set_version(made, wish["version"])
    made.SeriesDescription = "Measurements"
    made.CodingSchemeIdentificationSequence = [_our_scheme()]
    return made


def _our_scheme() -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator = OURS
    item.CodingSchemeName = "Filmless"
    item.CodingSchemeResponsibleOrganization = "Filmless"
    return item


def _group(one: Json, image: Dataset) -> Any:
    tracking = sr.TrackingIdentifier(uid=tracking_uid(one["id"]), identifier=one["label"] or one["tool"])
    method = METHODS.get(one["tool"])
    modality = str(image.get("Modality", ""))
    if one["tool"] in CLOSED:
        group: Any = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=tracking,
            referenced_region=_region(one, image),
            method=method,
            measurements=[_measurement(value, one, modality) for value in one["values"]],
        )
    else:
        group = sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=tracking,
            method=method,
            measurements=[
                _measurement(value, one, modality, _coordinates(value["name"], one, image))
                for value in one["values"]
            ],
            source_images=[
                sr.SourceImageForMeasurementGroup(
                    str(image.SOPClassUID), str(image.SOPInstanceUID), _frames(one, image)
                )
            ],
        )
        if not one["values"]:
            for region in _coordinates("", one, image):
                region.ConceptNameCodeSequence[0] = sr.CodedConcept.from_code(_IMAGE_REGION)
                region.RelationshipType = sr.RelationshipTypeValues.CONTAINS.value
                group[0].ContentSequence.append(region)
    if one.get("plane"):
        group[0].ContentSequence.extend(_plane(one, image))
    if source := SPACINGS.get(one.get("spacing", "")):
        group[0].ContentSequence.append(
            sr.CodeContentItem(
                name=SPACING, value=source, relationship_type=sr.RelationshipTypeValues.CONTAINS
            )
        )
    if one["label"]:
        group[0].ContentSequence.append(
            sr.TextContentItem(
                name=_COMMENT, value=one["label"], relationship_type=sr.RelationshipTypeValues.CONTAINS
            )
        )
    return group


def _measurement(value: Json, one: Json, modality: str, where: Sequence[Any] = ()) -> sr.Measurement:
    name, derivation = quantity(value["name"], value["unit"], one["tool"], modality)
    return sr.Measurement(
        name=name,
        # in full as Floating Point Value, besides the DS of 16 characters
        value=float(value["value"]),
        unit=UNITS[value["unit"]],
        derivation=derivation,
        referenced_coordinates=list(where) or None,
    )


def _plane(one: Json, image: Dataset) -> list[Any]:
    """Where the plane of an annotation is, what it shows, and the image that is nearest."""
    contains = sr.RelationshipTypeValues.CONTAINS
    plane = one["plane"]
    items: list[Any] = [
        sr.Scoord3DContentItem(
            name=PLANE,
            graphic_type=sr.GraphicTypeValues3D.POLYLINE,
            graphic_data=arms(one, PLANE_ARM),
            frame_of_reference_uid=plane["reference"],
            relationship_type=contains,
        ),
        sr.CodeContentItem(name=REFORMATTING, value=BLENDS[plane["blend"]], relationship_type=contains),
    ]
    if plane["slab"]:
        items.append(
            sr.NumContentItem(
                name=SLAB, value=float(plane["slab"]), unit=UNITS["mm"], relationship_type=contains
            )
        )
    if one["tool"] in CLOSED:
        # the other groups name it already
        items.append(
            sr.SourceImageForMeasurementGroup(
                str(image.SOPClassUID), str(image.SOPInstanceUID), _frames(one, image)
            )
        )
    return items


def _coordinates(name: str, one: Json, image: Dataset) -> list[Any]:
    plane = one.get("plane")
    points = in_patient(one) if plane else clipped(one["points"], image)
    lines = _LINES.get(one["tool"])
    if lines is None:
        parts = [points]
    elif name in _AXIS:
        first, last = lines[_AXIS[name]]
        parts = [points[first : last + 1]]
    else:
        parts = [points[first : last + 1] for first, last in lines]
    if plane:
        kinds = sr.GraphicTypeValues3D
        return [
            sr.CoordinatesForMeasurement3D(
                graphic_type=kinds.POINT if len(part) == 1 else kinds.POLYLINE,
                graphic_data=part,
                frame_of_reference_uid=plane["reference"],
            )
            for part in parts
        ]
    return [
        sr.CoordinatesForMeasurement(
            graphic_type=sr.GraphicTypeValues.POINT if len(part) == 1 else sr.GraphicTypeValues.POLYLINE,
            graphic_data=part,
            source_image=_source(one, image),
        )
        for part in parts
    ]


def _region(one: Json, image: Dataset) -> Any:
    """A closed region: an outline begins and ends at one point, an ellipse begins with its major axis (PS3.3
    C.18.6.1.2, C.18.9.1.2)."""
    plane = one.get("plane")
    points = in_patient(one) if plane else clipped(one["points"], image)
    if one["tool"] == "ellipse":
        first, second = np.linalg.norm(points[1] - points[0]), np.linalg.norm(points[3] - points[2])
        if second > first:
            points = points[[2, 3, 0, 1]]
    else:
        points = np.vstack([points, points[:1]])
    ellipse = one["tool"] == "ellipse"
    if plane:
        kinds = sr.GraphicTypeValues3D
        return sr.ImageRegion3D(
            graphic_type=kinds.ELLIPSE if ellipse else kinds.POLYGON,
            graphic_data=points,
            frame_of_reference_uid=plane["reference"],
        )
    return sr.ImageRegion(
        graphic_type=sr.GraphicTypeValues.ELLIPSE if ellipse else sr.GraphicTypeValues.POLYLINE,
        graphic_data=points,
        source_image=_source(one, image),
    )


def clipped(points: Sequence[Sequence[float]], image: Dataset) -> Any:
    """Points of an annotation within the image, which coordinates must be (PS3.3 C.18.6.1.1)."""
    limit = [float(image.Columns), float(image.Rows)]
    return np.clip(np.asarray(points, dtype=np.float64), 0.0, limit)


def _source(one: Json, image: Dataset) -> sr.SourceImageForRegion:
    return sr.SourceImageForRegion(str(image.SOPClassUID), str(image.SOPInstanceUID), _frames(one, image))


def _frames(one: Json, image: Dataset) -> list[int] | None:
    """Of an image of one frame no frame is named (PS3.3 C.18.4)."""
    return [int(one["frame"])] if "NumberOfFrames" in image and int(image.NumberOfFrames or 1) > 1 else None


def key_objects(images: Sequence[Dataset], wish: Json, at: datetime) -> Dataset:
    """A key object selection of these images, "Of Interest". `wish`: "keys" and "keys_series" besides those of a
    report."""
    shown = [evidence(one) for one in images]
    observer = sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(
            name=wish["observer"], login_name=wish["login"]
        ),
    )
    made = hd.ko.KeyObjectSelectionDocument(
        evidence=shown,
        content=hd.ko.KeyObjectSelection(
            document_title=codes.DCM.OfInterest,
            referenced_objects=shown,
            observer_person_context=observer,
        ),
        series_instance_uid=wish["keys_series"],
        series_number=wish["number"] + 2,
        sop_instance_uid=wish["keys"],
        instance_number=1,
        manufacturer="Filmless",
    )
    take_over(made, images[0], at)
    set_version(made, wish["version"])
    made.SeriesDescription = "Key images"
    return made
