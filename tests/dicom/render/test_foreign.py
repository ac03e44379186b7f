"""The same pictures as dcmtk's dcmj2pnm and pydicom make of the same files."""

import re
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut, apply_windowing
from tests.dicom.build import as_file
from tests.dicom.render.making import LE, encoded, image, lut, shown
from tests.dicom.sample_files import dicom_files
from tests.peers import need

from filmless.dicom import part10
from filmless.dicom.pixels.render import open_image, pixels
from filmless.dicom.pixels.render.lut import Lut
from filmless.dicom.pixels.render.picture import Painter
from filmless.dicom.rendering import Window, Wish
from filmless.kit.errors import Refused

FILES = dicom_files("codecs", "odd", "studies")
#: (SOP Instance UID of files whose picture dcmtk makes otherwise): why ours is right
DCMTK_DIFFERS = {
    "rtdose_expb.dcm": "32 bits in big endian are read in the wrong order; ours is that of rtdose.dcm",
    "rtdose_expb_1frame.dcm": "the same",
}
#: files on whose values we and pydicom's decoders differ
PYDICOM_DIFFERS = {
    "TOSHIBA_J2K_SIZ1_PixRep0.dcm": "a signed code stream in an unsigned object: pydicom adds 32768, which are no HU",
}


def _read_pnm(path: Path) -> np.ndarray:
    data = path.read_bytes()
    head = re.match(rb"P[56]\s+(?:#[^\n]*\n)?(\d+) (\d+)\s+255\s", data)
    assert head, data[:40]
    flat = np.frombuffer(data[head.end() :], np.uint8)
    return flat.reshape(int(head[2]), int(head[1]), -1).squeeze()


@pytest.mark.interop
def test_as_dcmtk(tmp_path: Path) -> None:
    """Grey with the file's own window or VOI LUT, else the range of the frame; colour; overlays drawn."""
    need("dcmj2pnm")
    compared, wrong = 0, []
    for path in FILES:
        if path.name in DCMTK_DIFFERS:
            continue
        data = path.read_bytes()
        try:
            meta = part10.read_meta(data)
            painter = Painter(
                open_image(memoryview(data)[meta.data_set_offset :], meta.transfer_syntax_uid), Wish()
            )
            found = painter.paint(0)
        except Refused:
            continue  # test_samples.py says which
        options: list[str] = []
        if painter.image.facts.samples == 1:
            _, voi = painter.transformations(0)
            options = (
                ["+Wi", "1"] if isinstance(voi, Window) else ["+Wl", "1"] if isinstance(voi, Lut) else ["+Wm"]
            )
        run = subprocess.run(
            ["dcmj2pnm", "+F", "1", *options, str(path), str(tmp_path / "out.pnm")],
            capture_output=True,
            check=False,
        )
        if run.returncode:
            continue  # JPEG 2000, JPEG-LS, floats and more are beyond this program
        expected = _read_pnm(tmp_path / "out.pnm")
        if expected.ndim > found.ndim:
            expected = expected[..., 0]
        compared += 1
        # converted luminance and chrominance are rounded once more by dcmtk
        tolerance = 2 if painter.image.facts.photometric.startswith("YBR") else 1
        if expected.shape != found.shape:
            wrong.append(f"{path.name}: {found.shape} instead of {expected.shape}")
        elif np.abs(expected.astype(int) - found).max() > tolerance:
            wrong.append(f"{path.name}: {np.abs(expected.astype(int) - found).max()} grey levels off")
    assert not wrong, "\n".join(wrong)
    assert compared >= 30


@pytest.mark.interop
@pytest.mark.parametrize("function", ["LINEAR", "SIGMOID"])
def test_windows_as_dcmtk(function: str, tmp_path: Path) -> None:
    need("dcmj2pnm")
    values = np.arange(-1024, 3072, dtype=np.int16).reshape(64, 64)
    ds = image(values, RescaleSlope="1", RescaleIntercept="-24", WindowCenter="40", WindowWidth="400")
    path = tmp_path / "one.dcm"
    path.write_bytes(as_file(encoded(ds)))
    way = ["+Wfs"] if function == "SIGMOID" else ["+Wfl"]
    subprocess.run(
        ["dcmj2pnm", "+Ww", "40", "400", *way, str(path), str(tmp_path / "out.pnm")],
        check=True,
        capture_output=True,
    )
    found = shown(ds, Wish(window=Window(40, 400, function)))  # type: ignore[arg-type]
    assert np.abs(found.astype(int) - _read_pnm(tmp_path / "out.pnm")).max() <= 1


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("width", [1, 2.5, 400])
def test_windows_as_pydicom(function: str, width: float) -> None:
    values = np.arange(-1024, 3072, dtype=np.int16).reshape(64, 64)
    ds = image(
        values, RescaleSlope="0.5", RescaleIntercept="-24", WindowCenter="40.25", WindowWidth=str(width)
    )
    ds.VOILUTFunction = function
    with np.errstate(over="ignore"):
        wide = apply_windowing(apply_modality_lut(values, ds), ds).astype(float)
    span = (values.min() * 0.5 - 24, values.max() * 0.5 - 24)
    low, high = (-(2**15) * 0.5 - 24, (2**15 - 1) * 0.5 - 24)  # pydicom's range: all that the bits hold
    assert low <= span[0]
    expected = (wide - low) / (high - low) * 255
    assert np.abs(shown(ds) - expected).max() <= 0.51


def test_look_up_tables_as_pydicom() -> None:
    values = np.arange(0, 64, dtype=np.uint8).reshape(8, 8)
    ds = image(values)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = LE
    modality = lut(10, [int(one) for one in np.linspace(0, 4000, 40)], 16)
    modality.ModalityLUTType = "US"
    ds.ModalityLUTSequence = [modality]
    ds.VOILUTSequence = [lut(0, [int(one) for one in np.linspace(1023, 0, 4001)], 10)]
    expected = apply_voi_lut(apply_modality_lut(values, ds), ds).astype(float) / 1023 * 255
    assert np.abs(shown(ds) - expected).max() <= 0.51


def test_compressed_files_as_pydicom_decodes_them() -> None:
    """Grey images of the codecs that dcmtk has not: one range, pydicom's pixels and modality LUT."""
    compared, wrong = 0, []
    for path in FILES:
        data = path.read_bytes()
        window = Window(1000, 3000, "LINEAR_EXACT")
        try:
            meta = part10.read_meta(data)
            if (
                not meta.transfer_syntax_uid.startswith("1.2.840.10008.1.2.4.")
                or path.name in PYDICOM_DIFFERS
            ):
                continue
            found = pixels(
                memoryview(data)[meta.data_set_offset :],
                meta.transfer_syntax_uid,
                Wish(window=window, overlays=False),
            )
        except Refused:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = pydicom.dcmread(path, force=True)
            try:
                array = ds.pixel_array
                hu = apply_modality_lut(array, ds).astype(float)
            except (RuntimeError, ValueError, AttributeError, NotImplementedError, TypeError):
                continue
        if found.ndim != 2 or ds.get("SamplesPerPixel") != 1 or "PALETTE" in ds.PhotometricInterpretation:
            continue
        hu = hu[0] if hu.ndim == 3 else hu
        expected = np.clip((hu - 1000) / 3000 + 0.5, 0, 1) * 255
        if ds.PhotometricInterpretation == "MONOCHROME1":
            expected = 255 - expected
        if "PixelPaddingValue" in ds:
            kept = (array[0] if array.ndim == 3 else array) != ds.PixelPaddingValue
            found, expected = found[kept], expected[kept]
        compared += 1
        if np.abs(found - expected).max() > 1:
            wrong.append(f"{path.name}: {np.abs(found - expected).max():.0f}")
    assert not wrong, "\n".join(wrong)
    assert compared >= 4
