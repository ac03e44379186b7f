"""What is on the canvas at one to one, for every transfer syntax and photometric interpretation that are met together,
beside the server's picture and beside what foreign decoders make of the same file: dcmtk of uncompressed, RLE, JPEG and
JPEG-LS, OpenJPEG of JPEG 2000 and HTJ2K (its opj_decompress reads both from 2.5 on). dcmtk paints the greys of all.
"""

from __future__ import annotations

import base64
import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import imagecodecs
import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.filereader import dcmread
from pydicom.uid import generate_uid

from filmless.dicom import uids
from tests import made, peers
from tests.web import looking

from .conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

Array = np.ndarray[Any, Any]
Opened = Callable[..., "Page"]

ROWS, COLUMNS = 62, 90
JPEG_2000 = {uids.JPEG_2000_LOSSLESS, uids.JPEG_2000}
HTJ2K = {uids.HTJ2K_LOSSLESS, uids.HTJ2K_LOSSLESS_RPCL, uids.HTJ2K}

#: dcmtk's program and its options that make a syntax of an uncompressed file
ENCODERS = {
    uids.IMPLICIT_VR_LE: ["dcmconv", "+ti"],
    uids.EXPLICIT_VR_LE: ["dcmconv", "+te"],
    uids.EXPLICIT_VR_BE: ["dcmconv", "+tb"],
    uids.DEFLATED_EXPLICIT_VR_LE: ["dcmconv", "+td"],
    uids.RLE_LOSSLESS: ["dcmcrle"],
    uids.JPEG_BASELINE: ["dcmcjpeg", "+eb", "+q", "92"],
    uids.JPEG_EXTENDED: ["dcmcjpeg", "+ee", "+q", "92"],
    uids.JPEG_LOSSLESS: ["dcmcjpeg", "+el"],
    uids.JPEG_LOSSLESS_SV1: ["dcmcjpeg", "+e1"],
    uids.JPEG_LS_LOSSLESS: ["dcmcjpls", "+el"],
    uids.JPEG_LS_NEAR_LOSSLESS: ["dcmcjpls", "+en", "+md", "3"],
}


class Kind(NamedTuple):
    """What samples an image has."""

    photometric: str
    stored: int = 8
    signed: bool = False
    planar: int = 0
    #: of the compressing program
    options: tuple[str, ...] = ()


GREY, INVERSE, PALETTE = "MONOCHROME2", "MONOCHROME1", "PALETTE COLOR"
GREYS = (
    Kind(GREY),
    Kind(GREY, 12),
    Kind(GREY, 16),
    Kind(GREY, 16, signed=True),
    Kind(GREY, 12, signed=True),
    Kind(INVERSE, 10),
)
RGB = Kind("RGB")
LOSSLESS = (
    uids.RLE_LOSSLESS,
    uids.JPEG_LOSSLESS,
    uids.JPEG_LOSSLESS_SV1,
    uids.JPEG_LS_LOSSLESS,
    uids.JPEG_2000_LOSSLESS,
    uids.HTJ2K_LOSSLESS,
    uids.HTJ2K_LOSSLESS_RPCL,
)

#: grey levels between the canvas and the pictures of the server and of others: rounding, also where a codec loses,
#: because all decoders reckon alike; dcmtk rounds uncompressed luminance and chrominance once more
TOLERANCE, CONVERTED = 1, 2

#: what is met together; syntaxes that only wrap the same pixels in another way with less
TABLE: dict[str, tuple[Kind, ...]] = {
    uids.IMPLICIT_VR_LE: (Kind(GREY, 12), RGB),
    uids.EXPLICIT_VR_LE: (
        *GREYS,
        Kind(PALETTE),
        Kind(PALETTE, 16),
        RGB,
        Kind("RGB", planar=1),
        Kind("YBR_FULL"),
    ),
    uids.EXPLICIT_VR_BE: (Kind(GREY), Kind(GREY, 12, signed=True), Kind(INVERSE, 10), Kind(PALETTE, 16), RGB),
    uids.DEFLATED_EXPLICIT_VR_LE: (Kind(GREY, 12), RGB),
    **{syntax: (*GREYS, Kind(PALETTE), RGB) for syntax in LOSSLESS},
    uids.JPEG_LOSSLESS: (Kind(GREY), Kind(GREY, 16, signed=True), Kind(INVERSE, 10), RGB),
    uids.HTJ2K_LOSSLESS: (Kind(GREY), Kind(GREY, 12, signed=True), RGB),
    uids.JPEG_BASELINE: (
        Kind(GREY),
        Kind(INVERSE, 8),
        Kind("RGB", options=("+cr",)),
        Kind("YBR_FULL", options=("+cy", "+s4")),
        Kind("YBR_FULL_422", options=("+cy", "+s2")),
    ),
    uids.JPEG_EXTENDED: (Kind(GREY, 12), Kind(INVERSE, 12)),
    uids.JPEG_LS_NEAR_LOSSLESS: (Kind(GREY), Kind(GREY, 12), Kind(GREY, 16), RGB),
    **{
        syntax: (Kind(GREY), Kind(GREY, 12), Kind(GREY, 16, signed=True), Kind(INVERSE, 10), Kind("YBR_ICT"))
        for syntax in (uids.JPEG_2000, uids.HTJ2K)
    },
}
TABLE[uids.EXPLICIT_VR_LE] += (Kind("YBR_FULL", planar=1), Kind("YBR_FULL_422"))
TABLE[uids.RLE_LOSSLESS] += (Kind("YBR_FULL"),)
for _syntax in (uids.JPEG_2000_LOSSLESS, uids.HTJ2K_LOSSLESS, uids.HTJ2K_LOSSLESS_RPCL):
    TABLE[_syntax] += (Kind("YBR_RCT"),)


def samples_of(kind: Kind) -> Array:
    """Slopes, an edge and a little noise, all bits stored in use; (rows, columns) or (rows, columns, 3)."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    noise = np.random.default_rng(5).random((ROWS, COLUMNS)) * 0.02
    plane = np.clip(0.1 + 0.7 * x / COLUMNS + 0.15 * y / ROWS + noise, 0, 1)
    plane[5:20, 10:30] = 1
    plane[30:50, 60:75] = 0
    if is_colour(kind):
        smooth = [plane, 0.2 + 0.6 * y / ROWS + 0 * x, 0.8 - 0.5 * x / COLUMNS + 0 * y]
        return np.stack([np.round(one * 255) for one in smooth], -1).astype(np.uint8)
    top = 2**kind.stored - 1
    values = np.round(plane * top) - (2 ** (kind.stored - 1) if kind.signed else 0)
    width = "1" if kind.stored <= 8 else "2"
    return values.astype(("i" if kind.signed else "u") + width)


def is_colour(kind: Kind) -> bool:
    return kind.photometric.startswith(("RGB", "YBR"))


def native(kind: Kind, syntax: str, values: Array, study: str, series: str, number: int) -> Dataset:
    """An uncompressed object of samples."""
    ds = made.image(number, name="True^Thea", patient_id="TRUTH1", study=study, series=series)
    ds.Rows, ds.Columns = ROWS, COLUMNS
    ds.BitsAllocated = 8 * values.dtype.itemsize
    ds.BitsStored, ds.HighBit = kind.stored, kind.stored - 1
    ds.PixelRepresentation, ds.PhotometricInterpretation = int(kind.signed), kind.photometric
    del ds.RescaleSlope, ds.RescaleIntercept
    ds.SeriesDescription = f"{uids.name_of(syntax)[:40]} {kind.photometric}"
    if is_colour(kind):
        ds.SamplesPerPixel, ds.PlanarConfiguration = 3, kind.planar
        if kind.photometric == "YBR_FULL_422":
            pairs = values.reshape(-1, 2, 3)
            values = np.stack([pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 0, 1], pairs[:, 0, 2]], -1)
        elif kind.planar:
            values = np.moveaxis(values, -1, 0)
    elif kind.photometric == PALETTE:
        count = 2**kind.stored
        for channel, curve in enumerate((lambda x: x, lambda x: 1 - x, lambda x: x**2)):
            entries = np.round(curve(np.arange(count) / (count - 1)) * 65535).astype("<u2")
            ds.add_new(0x00281101 + channel, "US", [count & 0xFFFF, 0, 16])
            ds.add_new(0x00281201 + channel, "OW", entries.tobytes())
    else:
        top = 2**kind.stored
        middle = 0 if kind.signed else top // 2
        ds.WindowCenter, ds.WindowWidth = str(middle), str(int(top * 0.9))
    ds.PixelData = values.tobytes()
    ds["PixelData"].VR = "OB" if values.dtype.itemsize == 1 else "OW"
    return ds


def encoded(kind: Kind, syntax: str, ds: Dataset, values: Array, path: Path) -> None:
    """Writes the object in a transfer syntax."""
    if syntax in ENCODERS:
        source = path.with_suffix(".native")
        if kind.options:  # colour is given as RGB, whatever becomes of it
            ds.PhotometricInterpretation = "RGB"
            ds.PixelData = values.tobytes()
        source.write_bytes(made.part10(ds))
        run(*ENCODERS[syntax], *kind.options, source, path)
        source.unlink()
        return
    lossless = syntax not in (uids.JPEG_2000, uids.HTJ2K)
    colour = kind.photometric.startswith("YBR")
    if syntax in HTJ2K:
        how = {"reversible": lossless, "tlm": syntax == uids.HTJ2K_LOSSLESS_RPCL}
        stream = imagecodecs.htj2k_encode(
            values, level=None if lossless else 0.002, rgb=colour if is_colour(kind) else None, **how
        )
    else:
        stream = imagecodecs.jpeg2k_encode(
            values, level=0 if lossless else 55, codecformat="j2k", reversible=lossless, mct=colour
        )
    ds.PixelData = encapsulate([stream])
    ds["PixelData"].VR = "OB"
    path.write_bytes(made.part10(ds, syntax))


def run(*command: object) -> None:
    subprocess.run([str(one) for one in command], check=True, capture_output=True)


def foreign(kind: Kind, syntax: str, path: Path) -> Array:
    """The picture that others make of a file: (rows, columns) or (rows, columns, 3), 8 bits."""
    program = "dcml2pnm" if syntax in (uids.JPEG_LS_LOSSLESS, uids.JPEG_LS_NEAR_LOSSLESS) else "dcmj2pnm"
    if syntax in JPEG_2000 | HTJ2K:
        path = decompressed(kind, path)
    out = path.with_suffix(".pnm")
    window = [] if is_colour(kind) or kind.photometric == PALETTE else ["+Wi", "1"]
    run(program, *window, path, out)
    picture = np.asarray(Image.open(out))
    out.unlink()
    return picture


def decompressed(kind: Kind, path: Path) -> Path:
    """The file of JPEG 2000 or HTJ2K with OpenJPEG's samples instead, which dcmtk paints."""
    ds = dcmread(path)
    stream = path.with_suffix(".j2k")
    stream.write_bytes(next(generate_frames(ds.PixelData, number_of_frames=1)))
    raw = path.with_suffix(".rawl")
    run("opj_decompress", "-i", stream, "-o", raw)
    data = raw.read_bytes()
    stream.unlink()
    raw.unlink()
    if is_colour(kind):
        data = np.moveaxis(np.frombuffer(data, np.uint8).reshape(3, ROWS, COLUMNS), 0, -1).tobytes()
        ds.PhotometricInterpretation = "RGB"
    elif kind.stored < ds.BitsAllocated:  # loss may lead beyond the bits stored, which dcmtk would cut
        cells = np.frombuffer(data, "<u2")
        data = np.minimum(cells, (1 << kind.stored) - 1).astype("<u2").tobytes() if not kind.signed else data
    ds.PixelData = data
    out = path.with_suffix(".opened")
    out.write_bytes(made.part10(Dataset({element.tag: element for element in ds})))
    return out


def png(picture: Array) -> str:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "png")
    return base64.b64encode(out.getvalue()).decode()


class Case(NamedTuple):
    syntax: str
    kind: Kind
    series: str
    sop: str

    def __str__(self) -> str:
        sign = "signed " if self.kind.signed else ""
        layout = " by planes" if self.kind.planar else ""
        return f"{uids.name_of(self.syntax)}, {sign}{self.kind.photometric} {self.kind.stored}{layout}"


def test_the_canvas_is_what_foreign_decoders_make_of_the_file(
    site: Site, opened: Opened, tmp_path: Path
) -> None:
    peers.need("dcmj2pnm", "dcml2pnm", "dcmcjpeg", "dcmcjpls", "dcmcrle", "dcmconv", "opj_decompress")
    study = str(generate_uid())
    cases: dict[str, Case] = {}
    pictures: dict[str, str] = {}
    for syntax, kinds in TABLE.items():
        # greys in one stack, colours in another one
        series = (str(generate_uid()), str(generate_uid()))
        for number, kind in enumerate(kinds, 1):
            coloured = is_colour(kind) or kind.photometric == PALETTE
            values = samples_of(kind)
            ds = native(kind, syntax, values, study, series[coloured], number)
            path = tmp_path / f"{len(cases)}.dcm"
            encoded(kind, syntax, ds, values, path)
            sop = str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)
            cases[sop] = Case(syntax, kind, series[coloured], sop)
            pictures[sop] = png(foreign(kind, syntax, path))
    site.server.cli("import", *(tmp_path / f"{number}.dcm" for number in range(len(cases))))
    page = opened("/studies", size=(700, 480))
    looking.begin(page)
    stacks = looking.call(page, "walk", study, 1, pictures)
    wrong = [f"{one['stack']}: {one['error']}" for one in stacks if "error" in one]
    for image in (image for stack in stacks for image in stack["images"]):
        case = cases.pop(image["frame"].partition("/instances/")[2].partition("/")[0])
        other = CONVERTED if case.kind.photometric.startswith("YBR_FULL") else TOLERANCE
        if "most" not in image or image["picture"] or image["count"] != ROWS * COLUMNS:
            wrong.append(f"{case}: {image}")
        elif image["most"] > TOLERANCE or image["other"]["most"] > other:
            wrong.append(
                f"{case}: {image['most']} off the server's, {image['other']['most']} off the others'"
            )
    wrong += [f"{case} is not shown" for case in cases.values()]
    assert not wrong, "\n".join(wrong)
