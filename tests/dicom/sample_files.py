"""Real files to read: those that pydicom ships, and the larger collection where FILMLESS_SAMPLES names one."""

import os
from pathlib import Path

import pydicom

SAMPLES = Path(os.environ["FILMLESS_SAMPLES"]) if os.environ.get("FILMLESS_SAMPLES") else None

_SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"

#: above this a file adds time but no case; bytes
_LARGEST = 4 << 20


def dicom_files(*folders: str) -> list[Path]:
    """Files that pydicom ships and those of these folders of the samples, each of at most 4 MiB."""
    found = sorted(_SHIPPED.glob("*.dcm"))
    if SAMPLES is not None:
        for folder in folders:
            found += sorted((SAMPLES / folder).rglob("*.dcm"))
    return [path for path in found if path.stat().st_size <= _LARGEST]


def shipped(name: str) -> bytes:
    """One of pydicom's own test files."""
    return (_SHIPPED / name).read_bytes()
