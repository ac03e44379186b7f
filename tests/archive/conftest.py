"""An archive on either database, and objects to put into it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from sqlalchemy import Engine

from filmless.archive.model import ArchiveSettings, Arrival, Outcome, Source
from filmless.archive.store import Archive

EXPLICIT_LE = "1.2.840.10008.1.2.1"
IMPLICIT_LE = "1.2.840.10008.1.2"
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def archive(engine: Engine, tmp_path: Path) -> Iterator[Archive]:
    """A started archive with an empty store."""
    made = Archive(engine, tmp_path / "home" / "store", ArchiveSettings(minimum_free_bytes=0))
    made.start()
    yield made
    made.stop()


def ct(**attributes: Any) -> Dataset:
    """A small CT image; keywords replace its attributes, None removes one."""
    data_set = Dataset()
    plain = {
        "SOPClassUID": CT,
        "SOPInstanceUID": "1.2.3.1.1.1",
        "StudyInstanceUID": "1.2.3.1",
        "SeriesInstanceUID": "1.2.3.1.1",
        "PatientID": "P1",
        "PatientName": "DOE^JANE",
        "PatientBirthDate": "19700102",
        "PatientSex": "F",
        "StudyDate": "20260102",
        "StudyTime": "101112",
        "AccessionNumber": "A1",
        "StudyID": "1",
        "Modality": "CT",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "Rows": 8,
        "Columns": 8,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": bytes(range(128)),
        **attributes,
    }
    for keyword, value in plain.items():
        if value is not None:
            setattr(data_set, keyword, value)
    data_set["PixelData"].VR = "OW"
    return data_set


def encoded(data_set: Dataset, *, implicit: bool = False) -> bytes:
    """The data set in explicit (or implicit) VR little endian."""
    buffer = DicomBytesIO()
    buffer.is_little_endian = True
    buffer.is_implicit_VR = implicit
    write_dataset(buffer, data_set)
    return bytes(buffer.getvalue())


Put = Callable[..., Outcome]


@pytest.fixture
def put(archive: Archive) -> Put:
    """put(data_set, source=..., implicit=...) stores an object and returns its outcome."""

    def store(data_set: Dataset, source: Source | None = None, *, implicit: bool = False) -> Outcome:
        arrival = Arrival(
            str(data_set.get("SOPClassUID", CT)),
            str(data_set.get("SOPInstanceUID", "1.2.3.9")),
            IMPLICIT_LE if implicit else EXPLICIT_LE,
            source or Source("CT1"),
        )
        return archive.store_blocking(arrival, [encoded(data_set, implicit=implicit)])

    return store
