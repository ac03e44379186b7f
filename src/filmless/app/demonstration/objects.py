"""Images of an exam as its device would send them: DICOM objects of the phantoms, under the exam's identity."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from filmless.app.demonstration import phantoms
from filmless.kit.ids import new_uid

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_CT, _MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
_DX, _MG = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1.2"
_US = "1.2.840.10008.5.1.4.1.1.6.1"
_EXPLICIT: Final = "1.2.840.10008.1.2.1"


@dataclass(frozen=True, slots=True)
class Identity:
    """What the worklist gave the device."""

    patient_id: str
    issuer: str
    name: str
    sex: str
    birth_date: str
    study_uid: str
    number: str
    procedure: str
    modality: str
    body_part: str
    station: str
    at: datetime
    laterality: str = ""


@dataclass(frozen=True, slots=True)
class _Series:
    number: int
    description: str
    window: tuple[float, float] | None
    uid: str = ""


def write(folder: Path, who: Identity, what: str, wheel: Path | None) -> list[Path]:
    """Files of an exam's images. `what`: "bleeding", "head", "nodule", "effusion", "chest", "brain", "x-ray",
    "x-ray-effusion", "ultrasound", "mammogram"."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for data in _objects(who, what, wheel):
        path = folder / f"{data.SOPInstanceUID}.dcm"
        data.save_as(path, enforce_file_format=True)
        made.append(path)
    return made


@cache
def _volume(what: str) -> Any:
    match what:
        case "bleeding":
            return phantoms.body([*phantoms.HEAD, *phantoms.BLEEDING], 36, 256, noise=5)
        case "head":
            return phantoms.body(phantoms.HEAD, 36, 256, noise=5, seed=8)
        case "nodule":
            return phantoms.chest(60, 256, phantoms.NODULE)
        case "effusion":
            return phantoms.chest(60, 256, phantoms.EFFUSION, seed=3)
        case _:
            return phantoms.chest(60, 256, seed=2)


def _objects(who: Identity, what: str, wheel: Path | None) -> "Iterator[Dataset]":
    match what:
        case "bleeding" | "head":
            yield from _slices(who, _CT, _volume(what), _Series(1, "Head 4.0 H30s", (40, 90)), (0.9, 4.0))
        case "nodule" | "effusion" | "chest":
            yield from _slices(who, _CT, _volume(what), _Series(1, "Chest 5.0 B31f", (40, 400)), (1.5, 5.0))
        case "brain":
            volume, edge = phantoms.brain(wheel)
            yield from _slices(who, _MR, volume, _Series(1, "T1 MPRAGE sag iso", (1000, 2000)), (edge, edge))
        case "x-ray" | "x-ray-effusion":
            seen = _volume("effusion" if what.endswith("effusion") else "chest")
            for number, (view, lateral) in enumerate((("PA", False), ("LL", True)), 1):
                series = _Series(number, f"Chest {view}", (2048, 4096))
                yield _x_ray(who, phantoms.projected(seen, 1024, lateral=lateral), series, view)
        case "mammogram":
            for number, (side, view) in enumerate((("R", "CC"), ("L", "CC")), 1):
                pixels = phantoms.breast((1280, 960), seed=8 + number)
                yield _mammogram(who, pixels[:, ::-1] if side == "R" else pixels, number, side, view)
        case "ultrasound":
            series = _Series(1, "Liver, gall bladder", None, new_uid())
            for number in range(1, 5):
                pixels = phantoms.sector((480, 640), stones=2 if number < 3 else 0, seed=number)
                yield _ultrasound(who, pixels, series, number)


def _base(who: Identity, sop_class: str, series: _Series, instance: int) -> "Dataset":
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(_EXPLICIT)
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = UID(new_uid())
    local = who.at.astimezone()
    for name in ("Study", "Series", "Acquisition", "Content"):
        setattr(data, f"{name}Date", local.strftime("%Y%m%d"))
        setattr(data, f"{name}Time", local.strftime("%H%M%S"))
    data.AccessionNumber = who.number
    data.Modality = who.modality
    data.Manufacturer = "Filmless demonstration"
    data.StationName = who.station
    data.StudyDescription = who.procedure
    data.SeriesDescription = series.description
    data.PatientName, data.PatientID = who.name, who.patient_id
    data.IssuerOfPatientID = who.issuer
    data.PatientBirthDate, data.PatientSex = who.birth_date, who.sex
    data.BodyPartExamined = who.body_part
    data.StudyInstanceUID = who.study_uid
    data.SeriesInstanceUID = series.uid
    data.StudyID = who.number
    data.SeriesNumber, data.InstanceNumber = series.number, instance
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.BurnedInAnnotation = "NO"
    if series.window is not None:
        data.WindowCenter, data.WindowWidth = series.window
    return data


def _pixels(data: "Dataset", pixels: Any, *, bits: int = 16, signed: bool = False) -> None:
    data.Rows, data.Columns = pixels.shape[:2]
    colour = pixels.ndim == 3
    data.SamplesPerPixel = 3 if colour else 1
    data.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        data.PlanarConfiguration = 0
    data.BitsAllocated = 8 if colour else 16
    data.BitsStored = 8 if colour else bits
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(signed)
    data.PixelData = pixels.tobytes()
    data["PixelData"].VR = "OB" if colour else "OW"


def _slices(
    who: Identity, sop_class: str, volume: Any, series: _Series, size: tuple[float, float]
) -> "Iterator[Dataset]":
    series = replace(series, uid=new_uid())
    frame, (pixel, slice_) = new_uid(), size
    ct = sop_class == _CT
    for number, plane in enumerate(volume, 1):
        data = _base(who, sop_class, series, number)
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"] if ct else ["DERIVED", "PRIMARY", "M", "ND"]
        data.FrameOfReferenceUID, data.PositionReferenceIndicator = frame, ""
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        half = pixel * (plane.shape[0] - 1) / 2
        data.ImagePositionPatient = [-half, -half, round((number - 1 - len(volume) / 2) * slice_, 3)]
        data.PixelSpacing = [pixel, pixel]
        data.SliceThickness = data.SpacingBetweenSlices = slice_
        data.PatientPosition = "HFS"
        if ct:
            data.KVP, data.RescaleIntercept, data.RescaleSlope, data.RescaleType = 120, 0, 1, "HU"
        else:
            data.ScanningSequence, data.SequenceVariant, data.ScanOptions = "GR", "SP", ""
            data.MRAcquisitionType, data.EchoTime, data.RepetitionTime = "3D", 3.1, 2300
            data.EchoTrainLength = 1
        _pixels(data, plane, signed=True)
        yield data


def _x_ray(who: Identity, pixels: Any, series: _Series, view: str) -> "Dataset":
    data = _base(who, _DX, replace(series, uid=new_uid()), 1)
    _projection(data, pixels, 0.4)
    data.ViewPosition = view
    data.PatientOrientation = ["L", "F"] if view == "PA" else ["A", "F"]
    data.ImageLaterality = "U"
    return data


def _mammogram(who: Identity, pixels: Any, number: int, side: str, view: str) -> "Dataset":
    series = _Series(number, f"{side} {view}", (2048, 4096), new_uid())
    data = _base(who, _MG, series, 1)
    _projection(data, pixels, 0.16)
    data.ImageLaterality, data.ViewPosition = side, view
    data.PatientOrientation = ["P", "L"] if side == "R" else ["A", "R"]
    return data


def _projection(data: "Dataset", pixels: Any, spacing: float) -> None:
    data.PresentationIntentType = "FOR PRESENTATION"
    data.PixelIntensityRelationship, data.PixelIntensityRelationshipSign = "LOG", -1
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = 0, 1, "US"
    data.PresentationLUTShape = "IDENTITY"
    data.LossyImageCompression = "00"
    data.ImagerPixelSpacing = [spacing, spacing]
    _pixels(data, pixels, bits=12)


def _ultrasound(who: Identity, pixels: Any, series: _Series, number: int) -> "Dataset":
    from pydicom.dataset import Dataset

    data = _base(who, _US, series, number)
    data.LossyImageCompression = "00"
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = pixels.shape[1] - 1, pixels.shape[0] - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 16 / pixels.shape[0]
    data.SequenceOfUltrasoundRegions = [region]
    _pixels(data, pixels)
    return data


def middle(paths: Sequence[Path]) -> tuple[str, str]:
    """(Series Instance UID, SOP Instance UID) of the image in the middle of the first series."""
    from pydicom import dcmread

    heads = [dcmread(path, stop_before_pixels=True) for path in paths]
    first = sorted((one for one in heads if one.SeriesNumber == 1), key=lambda one: one.InstanceNumber)
    chosen = first[len(first) * 6 // 10]
    return str(chosen.SeriesInstanceUID), str(chosen.SOPInstanceUID)
