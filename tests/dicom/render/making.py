"""Image objects for rendering tests, made with pydicom from arrays."""

import warnings
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from filmless.dicom import uids
from filmless.dicom.pixels.render import pixels
from filmless.dicom.rendering import Wish

LE = uids.EXPLICIT_VR_LE
SOP_UID = "1.2.3.1.1.1"


def encoded(data_set: Dataset, *, implicit: bool = False) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian = True
    buffer.is_implicit_VR = implicit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_dataset(buffer, data_set)
    return bytes(buffer.getvalue())


def image(array: np.ndarray, **attributes: Any) -> Dataset:
    """An image of one frame, or with `NumberOfFrames` of several, of an array in its natural type."""
    ds = Dataset()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.SOPInstanceUID = SOP_UID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.1", "1.2.3.1.1"
    ds.Modality = "OT"
    frames = int(attributes.get("NumberOfFrames", 1))
    colour = array.ndim == (4 if frames > 1 else 3)
    ds.SamplesPerPixel = 3 if colour else 1
    ds.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    ds.Rows, ds.Columns = array.shape[1:3] if frames > 1 else array.shape[:2]
    bits = array.dtype.itemsize * 8
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = bits, bits, bits - 1
    ds.PixelRepresentation = int(array.dtype.kind == "i")
    if colour:
        ds.PlanarConfiguration = 0
    if array.dtype.kind == "f":
        if bits == 32:
            ds.FloatPixelData = array.astype("<f4").tobytes()
        else:
            ds.DoubleFloatPixelData = array.astype("<f8").tobytes()
        for keyword in ("BitsStored", "HighBit", "PixelRepresentation"):
            delattr(ds, keyword)
    else:
        ds.PixelData = array.astype(array.dtype.newbyteorder("<")).tobytes()
        ds["PixelData"].VR = "OW" if bits > 8 else "OB"
    for keyword, value in attributes.items():
        if value is None:
            ds.pop(keyword, None)
        else:
            setattr(ds, keyword, value)
    return ds


def lut(first: int, entries: list[int], bits: int = 8, *, signed: bool = False) -> Dataset:
    """An item of a LUT sequence; entries in words."""
    item = Dataset()
    item.add_new(0x00283002, "SS" if signed else "US", [len(entries), first, bits])
    item.add_new(0x00283006, "OW", np.array(entries, "<u2").tobytes())
    return item


def shown(data_set: Dataset, wish: Wish | None = None, state: Dataset | None = None) -> np.ndarray:
    """The picture's pixels."""
    return pixels(encoded(data_set), LE, wish, (encoded(state), LE) if state is not None else None)
