"""Generated DICOM files for tests: small, different from each other, without anybody's data."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


@dataclass(frozen=True)
class Made:
    """A series on disk; `data_sets`: SOP Instance UID -> encoded data set."""

    files: list[Path]
    study_uid: str
    series_uid: str
    data_sets: dict[str, bytes]


def image(number: int, *, name: str, patient_id: str, study: str, series: str, side: int = 32) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = generate_uid()
    ds.StudyDate, ds.StudyTime = "20260302", "101500"
    ds.AccessionNumber = f"ACC{patient_id[-8:]}"
    ds.Modality = "CT"
    ds.StudyDescription = "Thorax"
    ds.SeriesDescription = "axial"
    ds.PatientName, ds.PatientID = name, patient_id
    ds.PatientBirthDate, ds.PatientSex = "19600101", "O"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "1", "1", str(number)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = side
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.RescaleIntercept, ds.RescaleSlope = "-1024", "1"
    private = ds.private_block(0x0019, "FILMLESS TEST", create=True)
    private.add_new(0x10, "LO", "kept as it is ")
    ds.PixelData = b"".join(struct.pack("<H", (number * 31 + at) % 4096) for at in range(side * side))
    ds["PixelData"].VR = "OW"
    return ds


def part10(ds: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = transfer_syntax
    out = io.BytesIO()
    FileDataset(None, ds, file_meta=meta, preamble=b"\0" * 128).save_as(out, enforce_file_format=True)
    return out.getvalue()


def data_set(file: bytes | Path) -> bytes:
    """What follows preamble and file meta information (explicit VR LE, PS3.10 7.1), where there are any."""
    data = file.read_bytes() if isinstance(file, Path) else file
    at = 132 if data[128:132] == b"DICM" else 0
    while data[at : at + 2] == b"\x02\x00":
        if data[at + 4 : at + 6] in (b"OB", b"UN", b"UT"):
            at += 12 + struct.unpack_from("<I", data, at + 8)[0]
        else:
            at += 8 + struct.unpack_from("<H", data, at + 6)[0]
    return data[at:]


def series(
    folder: Path,
    count: int,
    *,
    name: str = "Made^Mia",
    patient_id: str = "MADE0001",
    side: int = 32,
    transfer_syntax: str = ExplicitVRLittleEndian,
) -> Made:
    """Writes `count` CT images of one new series."""
    folder.mkdir(parents=True, exist_ok=True)
    study, series_uid = str(generate_uid()), str(generate_uid())
    files, data_sets = [], {}
    for number in range(1, count + 1):
        ds = image(number, name=name, patient_id=patient_id, study=study, series=series_uid, side=side)
        file = folder / f"{number:05d}.dcm"
        file.write_bytes(part10(ds, transfer_syntax))
        files.append(file)
        data_sets[str(ds.SOPInstanceUID)] = data_set(file)
    return Made(files, study, series_uid, data_sets)


def recorded(folder: Path) -> dict[str, bytes]:
    """SOP Instance UID -> data set of the files that a peer wrote."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.iterdir()):
        uid = str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"], force=True).SOPInstanceUID)
        assert uid not in found, f"{uid} was recorded twice"
        found[uid] = data_set(path)
    return found
