"""Generated CT studies: 512 x 512 slices of 16 bits with a scanner's noise, 527 kB each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SIDE = 512


def phantom() -> np.ndarray:
    """A body-like ellipse in Hounsfield units + 1024, without noise: uint16 of SIDE x SIDE."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    image = np.full((SIDE, SIDE), 24.0)
    image[(x / 0.82) ** 2 + (y / 0.62) ** 2 < 1] = 1074
    for centre_x, centre_y, width, height, value in (
        (-0.35, -0.05, 0.25, 0.38, 180),
        (0.35, -0.05, 0.25, 0.38, 180),
        (0.0, 0.42, 0.09, 0.09, 1700),
        (0.05, -0.1, 0.16, 0.2, 1110),
    ):
        image[((x - centre_x) / width) ** 2 + ((y - centre_y) / height) ** 2 < 1] = value
    return image


def header(patient: int, study_uid: str, series_uid: str, number: int) -> Dataset:
    """What a scanner writes about a slice, some 60 elements with private ones among them."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = generate_uid()
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20260302"
    ds.StudyTime = ds.SeriesTime = "101500"
    ds.AcquisitionTime = ds.ContentTime = f"1016{number % 60:02d}.123000"
    ds.AccessionNumber = f"A{patient:07d}"
    ds.Modality = "CT"
    ds.Manufacturer = "Bench"
    ds.InstitutionName = "Generated"
    ds.ReferringPhysicianName = "Referrer^Rita"
    ds.StationName = "CT01"
    ds.StudyDescription = "Thorax"
    ds.SeriesDescription = "Thorax 1.0 B30f"
    ds.ManufacturerModelName = "Model 64"
    ds.PatientName = f"Bench^Patient{patient:05d}"
    ds.PatientID = f"BENCH{patient:05d}"
    ds.PatientBirthDate = "19600101"
    ds.PatientSex = "O"
    ds.PatientAge = "066Y"
    ds.BodyPartExamined = "CHEST"
    ds.SliceThickness = "1"
    ds.KVP = "120"
    ds.DataCollectionDiameter = "500"
    ds.DeviceSerialNumber = "4711"
    ds.SoftwareVersions = "bench"
    ds.ProtocolName = "ThoraxRoutine"
    ds.ReconstructionDiameter = "360"
    ds.GantryDetectorTilt = "0"
    ds.TableHeight = "150"
    ds.RotationDirection = "CW"
    ds.ExposureTime = "500"
    ds.XRayTubeCurrent = "200"
    ds.Exposure = "100"
    ds.ConvolutionKernel = "B30f"
    ds.PatientPosition = "HFS"
    ds.StudyInstanceUID = study_uid
    ds.SeriesInstanceUID = series_uid
    ds.StudyID = f"{patient}"
    ds.SeriesNumber = "2"
    ds.AcquisitionNumber = "2"
    ds.InstanceNumber = str(number)
    ds.ImagePositionPatient = [-180.0, -180.0, float(-number)]
    ds.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    ds.FrameOfReferenceUID = series_uid + ".1"
    ds.PositionReferenceIndicator = ""
    ds.SliceLocation = float(-number)
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows = ds.Columns = SIDE
    ds.PixelSpacing = [0.703125, 0.703125]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.WindowCenter, ds.WindowWidth = "40", "400"
    ds.RescaleIntercept, ds.RescaleSlope = "-1024", "1"
    private = ds.private_block(0x0019, "FILMLESS BENCH", create=True)
    private.add_new(0x10, "LO", "a private value")
    private.add_new(0x11, "DS", "1.5")
    return ds


def make(folder: Path, studies: int, slices: int, first_patient: int = 1, seed: int = 1) -> list[list[Path]]:
    """Writes `studies` x `slices` Part 10 files in explicit VR little endian; the files of each study."""
    random = np.random.default_rng(seed)
    image = phantom()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = []
    for study in range(studies):
        study_uid, series_uid = generate_uid(), str(generate_uid())[:60]
        target = folder / f"study{study:04d}"
        target.mkdir(parents=True, exist_ok=True)
        files = []
        for number in range(1, slices + 1):
            ds = header(first_patient + study, study_uid, series_uid, number)
            noisy = image + random.standard_normal((SIDE, SIDE), dtype=np.float32) * 12
            ds.PixelData = noisy.clip(0, 4095).astype("<u2").tobytes()
            ds["PixelData"].VR = "OW"
            meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
            file = target / f"{number:05d}.dcm"
            out = FileDataset(None, ds, file_meta=meta, preamble=b"\0" * 128)
            out.save_as(file, enforce_file_format=True)
            files.append(file)
        made.append(files)
    return made
