"""How images are presented: greys by every kind of table, overlays, shutters and padding as the server renders them;
presentation states, segmentations, key images and reports over and beside the images that they refer to."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from tests import made, peers
from tests.web import looking

from .conftest import Site
from .test_viewer import COLUMNS, ROWS, ct, shows, slice_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

Opened = Callable[..., "Page"]


def table(first: int, values: Any, bits: int = 16) -> Dataset:
    """An item of a LUT sequence."""
    item = Dataset()
    item.add_new(0x00283002, "US", [len(values) % 65536, first, bits])
    item.LUTExplanation = "bent"
    item.add_new(0x00283006, "OW", np.asarray(values, np.uint16).tobytes())
    return item


def plane(ds: Dataset, group: int) -> None:
    """A frame of a rectangle in an overlay that begins outside of the image."""
    bits = np.zeros((40, 60), np.uint8)
    bits[5:35, 5:55] = 1
    bits[8:32, 8:52] = 0
    for element, vr, value in (
        (0x10, "US", 40), (0x11, "US", 60), (0x40, "CS", "G"), (0x50, "SS", [-3, 20]),
        (0x100, "US", 1), (0x102, "US", 0),
        (0x3000, "OW", np.packbits(bits.reshape(-1), bitorder="little").tobytes()),
    ):  # fmt: skip
        ds.add_new(group << 16 | element, vr, value)


def embedded(ds: Dataset) -> None:
    values = slice_of(1)
    values[30:50, 40:80] |= 0x8000
    ds.BitsStored, ds.HighBit = 12, 11
    ds.PixelData = values.tobytes()
    for element, vr, value in (
        (0x10, "US", ROWS), (0x11, "US", COLUMNS), (0x40, "CS", "G"), (0x50, "SS", [1, 1]),
        (0x100, "US", 16), (0x102, "US", 15),
    ):  # fmt: skip
        ds.add_new(0x60000000 | element, vr, value)


def padded(ds: Dataset) -> None:
    values = slice_of(1)
    values[:, :20] = 4000
    ds.PixelData = values.tobytes()
    ds.PhotometricInterpretation = "MONOCHROME1"
    ds.add_new(0x00280120, "US", 4000)


def windowless(ds: Dataset) -> None:
    del ds.WindowCenter, ds.WindowWidth


def voi_table(ds: Dataset) -> None:
    windowless(ds)
    curve = (np.linspace(0, 1, 3000) ** 2 * 4095).astype(int)
    ds.VOILUTSequence = Sequence([table(300, curve, 12)])


def modality_table(ds: Dataset) -> None:
    windowless(ds)
    del ds.RescaleSlope, ds.RescaleIntercept
    ds.ModalityLUTSequence = Sequence([table(0, np.arange(4096)[::-1])])
    ds.ModalityLUTSequence[0].ModalityLUTType = "US"


def presentation_table(ds: Dataset) -> None:
    ds.PresentationLUTSequence = Sequence([table(0, (np.linspace(0, 1, 256) ** 0.5 * 255).astype(int), 8)])


def colour(photometric: str, *, planar: int = 0) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        for keyword in ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"):
            delattr(ds, keyword)
        y, x = np.mgrid[:ROWS, :COLUMNS]
        pixels = np.stack([(x * 2) % 256, (y * 2 + 30) % 256, (x + y) % 256], -1).astype(np.uint8)
        ds.BitsAllocated = ds.BitsStored = 8
        ds.HighBit, ds.PhotometricInterpretation = 7, photometric
        if photometric == "PALETTE COLOR":
            ds.PixelData = pixels[..., 0].tobytes()
            for number, channel in enumerate(
                (np.arange(256), np.arange(256)[::-1], np.arange(256) ** 2 // 256)
            ):
                ds.add_new(0x00281101 + number, "US", [256, 0, 16])
                ds.add_new(0x00281201 + number, "OW", (channel * 257).astype(np.uint16).tobytes())
        else:
            ds.SamplesPerPixel, ds.PlanarConfiguration = 3, planar
            if photometric == "YBR_FULL_422":
                pairs = pixels.reshape(-1, 2, 3)
                pixels = np.stack([pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 0, 1], pairs[:, 0, 2]], -1)
            ds.PixelData = (np.moveaxis(pixels, -1, 0) if planar else pixels).tobytes()
        ds["PixelData"].VR = "OB"

    return change


def setting(**values: Any) -> Callable[[Dataset], None]:
    return lambda ds: [setattr(ds, keyword, value) for keyword, value in values.items()] and None


KINDS: dict[str, Callable[[Dataset], None]] = {
    "VOI LUT": voi_table,
    "modality LUT": modality_table,
    "presentation LUT": presentation_table,
    "sigmoid": setting(VOILUTFunction="SIGMOID"),
    "linear exact": setting(VOILUTFunction="LINEAR_EXACT"),
    "inverse": setting(PresentationLUTShape="INVERSE"),
    "padding": padded,
    "no window": windowless,
    "overlay": lambda ds: plane(ds, 0x6000),
    "overlay in the pixels": embedded,
    "rectangle": setting(
        ShutterShape="RECTANGULAR",
        ShutterLeftVerticalEdge=20,
        ShutterRightVerticalEdge=100,
        ShutterUpperHorizontalEdge=10,
        ShutterLowerHorizontalEdge=80,
        ShutterPresentationValue=0x4000,
    ),
    "circle": setting(ShutterShape="CIRCULAR", CenterOfCircularShutter=[50, 60], RadiusOfCircularShutter=40),
    "polygon": setting(
        ShutterShape="POLYGONAL", VerticesOfThePolygonalShutter=[10, 10, 20, 110, 90, 100, 60, 40]
    ),
    "palette": colour("PALETTE COLOR"),
    "RGB": colour("RGB"),
    "RGB by planes": colour("RGB", planar=1),
    "YBR": colour("YBR_FULL"),
    "YBR by planes": colour("YBR_FULL", planar=1),
    "YBR 4:2:2": colour("YBR_FULL_422"),
}


def stored(site: Site, folder: Path, objects: list[Dataset]) -> None:
    for number, one in enumerate(objects):
        (folder / f"{number}.dcm").write_bytes(made.part10(one))
    done = site.server.cli("import", folder, check=False)
    assert done.status == 0, done.output


def test_greys_and_covers_as_the_server_renders_them(site: Site, opened: Opened, tmp_path: Path) -> None:
    study = str(generate_uid())
    series: dict[str, str] = {}
    objects = []
    for number, (kind, change) in enumerate(KINDS.items(), 1):
        uid = str(generate_uid())
        ds = ct(1, study, uid)
        ds.SeriesNumber, ds.SeriesDescription = str(number), kind
        change(ds)
        objects.append(ds)
        series[uid] = kind
    stored(site, tmp_path, objects)
    page = opened("/studies", size=(1000, 720))
    looking.begin(page)
    off = {}
    for stack in looking.call(page, "walk", study, 1):
        kind = series[stack["stack"].partition("/")[0]]
        (image,) = stack["images"] or [stack]
        # the server tells other renderings from the object's own by their address only where a window is named
        if "most" not in image or image["most"] > 1 or image["count"] < ROWS * COLUMNS or image["picture"]:
            off[kind] = image
    assert not off, off
    by_kind = {kind: uid for uid, kind in series.items()}
    looking.call(page, "show", f"{by_kind['overlay']}/{objects[list(KINDS).index('overlay')].SOPInstanceUID}")
    page.keyboard.press("Alt+o")
    shows(page, "Overlays are off")
    # what is said of the image is there before the image is
    peers.eventually(lambda: looking.call(page, "compare")["off"] > 0.002, "the overlay goes")
    page.keyboard.press("Alt+o")
    page.get_by_text("Overlays are off").wait_for(state="hidden")
    peers.eventually(lambda: looking.call(page, "compare")["most"] <= 1, "the overlay comes back")


def reference(ds: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    return item


def coded(value: str, scheme: str, meaning: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Sequence([item])


def beside(image: Dataset, sop_class: str, modality: str) -> Dataset:
    """An object of the same study without pixels."""
    ds = Dataset()
    for keyword in ("SpecificCharacterSet", "StudyDate", "StudyTime", "PatientName", "PatientID", "StudyInstanceUID",
                    "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber"):  # fmt: skip
        setattr(ds, keyword, getattr(image, keyword))
    ds.SOPClassUID, ds.SOPInstanceUID, ds.SeriesInstanceUID = sop_class, generate_uid(), generate_uid()
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = modality, "90", "1"
    return ds


def state_of(image: Dataset) -> Dataset:
    """Another window, inverse, a circle, turned and mirrored, with a line and a text."""
    ds = beside(image, "1.2.840.10008.5.1.4.1.1.11.1", "PR")
    ds.ContentLabel, ds.ContentDescription = "AS MEANT", "As it was meant"
    series = Dataset()
    series.SeriesInstanceUID = image.SeriesInstanceUID
    series.ReferencedImageSequence = Sequence([reference(image)])
    ds.ReferencedSeriesSequence = Sequence([series])
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "2", "-200", "US"
    voi = Dataset()
    voi.WindowCenter, voi.WindowWidth, voi.VOILUTFunction = "1200", "1500", "SIGMOID"
    ds.SoftcopyVOILUTSequence = Sequence([voi])
    ds.PresentationLUTShape = "INVERSE"
    ds.ShutterShape, ds.CenterOfCircularShutter, ds.RadiusOfCircularShutter = "CIRCULAR", [48, 64], "45"
    ds.ShutterPresentationValue = 0
    return ds


def test_a_presentation_state(site: Site, opened: Opened, tmp_path: Path) -> None:
    study, series = str(generate_uid()), str(generate_uid())
    images = [ct(number, study, series) for number in (1, 2, 3)]
    state = state_of(images[1])
    turned = deepcopy(state)
    turned.SOPInstanceUID, turned.SeriesInstanceUID, turned.ContentLabel = (
        generate_uid(),
        generate_uid(),
        "TURNED",
    )
    turned.ContentDescription = "Turned"
    turned.ImageRotation, turned.ImageHorizontalFlip = 90, "Y"
    line, words, drawn = Dataset(), Dataset(), Dataset()
    line.GraphicAnnotationUnits, line.GraphicDimensions, line.NumberOfGraphicPoints = "PIXEL", 2, 2
    line.GraphicData, line.GraphicType, line.GraphicFilled = [20, 48, 108, 48], "POLYLINE", "N"
    words.AnchorPointAnnotationUnits, words.AnchorPoint, words.AnchorPointVisibility = "PIXEL", [64, 60], "N"
    words.UnformattedTextValue = "here"
    drawn.GraphicLayer, drawn.GraphicObjectSequence, drawn.TextObjectSequence = (
        "MARKS",
        Sequence([line]),
        Sequence([words]),
    )
    layer = Dataset()
    layer.GraphicLayer, layer.GraphicLayerOrder = "MARKS", 1
    layer.GraphicLayerRecommendedDisplayGrayscaleValue = 65535
    turned.GraphicAnnotationSequence, turned.GraphicLayerSequence = Sequence([drawn]), Sequence([layer])
    stored(site, tmp_path, [*images, state, turned])

    page = opened("/studies", size=(1000, 720))
    looking.begin(page)
    looking.call(page, "open", study)
    assert looking.call(page, "show", f"{state.SeriesInstanceUID}/{state.SOPInstanceUID}") == "image"
    shows(page, "Presentation state: As it was meant")
    # the image that it is for comes after its name
    meant = f"[data-ready][data-frame*='{images[1].SOPInstanceUID}']"
    page.locator(f"section:has({meant}) [data-state=shown]").wait_for()
    found = looking.call(page, "compare", f"?presentationUID={state.SOPInstanceUID}")
    assert str(images[1].SOPInstanceUID) in found["frame"]
    assert found["most"] <= 1 and found["count"] >= ROWS * COLUMNS, found
    page.keyboard.press("ArrowDown")
    shows(page, "not for this image")
    page.wait_for_selector(f"[data-ready][data-frame*='{images[2].SOPInstanceUID}']")
    assert looking.call(page, "compare", "?window=2000,3600")["most"] <= 1
    page.get_by_label("Without the presentation state").first.click()
    page.keyboard.press("ArrowUp")
    page.wait_for_selector(meant)
    shows(page, "3600 / 2000")

    looking.call(page, "show", f"{turned.SeriesInstanceUID}/{turned.SOPInstanceUID}")
    shows(page, "Presentation state: Turned")
    # feet first would be wrong: clockwise by a quarter and then mirrored, left is on top and front on the left
    page.wait_for_function(
        "() => [...document.querySelectorAll('[class*=_edge]')].map((one) => one.innerText).join(' ') === 'R P L A'"
    )
    page.wait_for_function(
        """() => {
        const layer = document.querySelector('[data-ready] canvas[data-layer]')
        if (!layer?.width) return false
        const { data, width, height } = layer.getContext('2d').getImageData(0, 0, layer.width, layer.height)
        let upright = 0
        for (let x = 0; x < width; x += 1) {
            let count = 0
            for (let y = 0; y < height; y += 1) count += data[4 * (y * width + x) + 1] > 200
            upright = Math.max(upright, count / height)
        }
        return upright > 0.5
    }"""
    )


def test_what_is_not_shown_says_why(site: Site, opened: Opened, tmp_path: Path) -> None:
    study, series = str(generate_uid()), str(generate_uid())
    image = ct(1, study, series)
    state = state_of(image)
    del state.RescaleSlope, state.RescaleIntercept, state.RescaleType
    state.ModalityLUTSequence = Sequence([table(0, np.arange(4096)[::-1])])
    state.ModalityLUTSequence[0].ModalityLUTType = "US"
    # as some scanners of Philips send what they have compressed in their own way
    own, empty = ct(2, study, str(generate_uid())), ct(3, study, str(generate_uid()))
    for number, one in enumerate((own, empty), 2):
        del one.PixelData
        one.SeriesNumber = str(number)
    block = own.private_block(0x07A1, "ELSCINT1", create=True)
    block.add_new(0x0A, "OB", bytes(300))
    block.add_new(0x11, "CS", "PMSCT_RLE1")
    stored(site, tmp_path, [image, state, own, empty])
    page = opened("/studies", size=(1000, 720))
    looking.begin(page)
    looking.call(page, "open", study)
    for one, words in (
        (state, "by a table (Modality LUT), which is not applied here"),
        (own, "in a form of the maker's own (ELSCINT1 PMSCT_RLE1)"),
        (empty, "holds no pixels"),
    ):
        assert words in looking.call(page, "show", f"{one.SeriesInstanceUID}/{one.SOPInstanceUID}")
    assert looking.call(page, "show", f"{series}/{image.SOPInstanceUID}") == "image"


def test_segments_key_images_and_reports(site: Site, opened: Opened, tmp_path: Path) -> None:
    import highdicom
    from pydicom.sr.codedict import codes

    study, series = str(generate_uid()), str(generate_uid())
    images = [ct(number, study, series) for number in range(1, 6)]
    for one in images:
        one.file_meta = Dataset()
        one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        one.SliceThickness, one.PositionReferenceIndicator = "2", ""
    mask = np.zeros((5, ROWS, COLUMNS), np.uint8)
    mask[2, 30:50, 40:80] = 1
    mask[2, 60:70, 40:80] = 2
    described = [
        highdicom.seg.SegmentDescription(
            number, label, codes.SCT.Organ, codes.SCT.Liver, highdicom.seg.SegmentAlgorithmTypeValues.MANUAL
        )
        for number, label in ((1, "Liver"), (2, "Lesion"))
    ]
    segmentation = highdicom.seg.Segmentation(
        images, mask, highdicom.seg.SegmentationTypeValues.BINARY, described, str(generate_uid()), 80,
        str(generate_uid()), 1, "Filmless", "test", "1", "0",
    )  # fmt: skip
    evidence, of_series = Dataset(), Dataset()
    of_series.SeriesInstanceUID = series
    of_series.ReferencedSOPSequence = Sequence([reference(images[1]), reference(images[3])])
    evidence.StudyInstanceUID, evidence.ReferencedSeriesSequence = study, Sequence([of_series])

    def document(sop_class: str, modality: str, title: Sequence, content: list[Dataset]) -> Dataset:
        ds = beside(images[0], sop_class, modality)
        ds.CurrentRequestedProcedureEvidenceSequence = Sequence([evidence])
        ds.ValueType, ds.ConceptNameCodeSequence, ds.ContinuityOfContent = "CONTAINER", title, "SEPARATE"
        ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
        ds.ContentDate, ds.ContentTime = "20260302", "101500"
        ds.ContentSequence = Sequence(content)
        return ds

    def pointing(image: Dataset) -> Dataset:
        item = Dataset()
        item.RelationshipType, item.ValueType = "CONTAINS", "IMAGE"
        item.ReferencedSOPSequence = Sequence([reference(image)])
        return item

    finding = Dataset()
    finding.RelationshipType, finding.ValueType, finding.TextValue = "CONTAINS", "TEXT", "肝脏低密度灶"
    finding.ConceptNameCodeSequence = coded("121071", "DCM", "Finding")
    of_interest, imaging = coded("113000", "DCM", "Of Interest"), coded("126000", "DCM", "Imaging Report")
    both = [pointing(images[1]), pointing(images[3])]
    keys = document("1.2.840.10008.5.1.4.1.1.88.59", "KO", of_interest, both)
    report = document("1.2.840.10008.5.1.4.1.1.88.11", "SR", imaging, [finding, both[1]])
    stored(site, tmp_path, [*images, segmentation, keys, report])

    page = opened("/studies", size=(1200, 720))
    looking.begin(page)
    looking.call(page, "open", study)
    looking.call(page, "show", f"{segmentation.SeriesInstanceUID}/{segmentation.SOPInstanceUID}")
    page.get_by_label("Liver").wait_for()
    coloured = """() => {
        const layer = document.querySelector('[data-ready] canvas[data-layer]')
        // while another image is on its way there is none
        if (!layer?.width) return null
        const { data } = layer.getContext('2d').getImageData(0, 0, layer.width, layer.height)
        let count = 0
        for (let at = 3; at < data.length; at += 4) count += data[at] > 20
        return Math.round(count / Number(document.querySelector('[data-ready]').dataset.step.split(',')[0]) ** 2)
    }"""
    page.wait_for_function(f"() => Math.abs(({coloured})() - {20 * 40 + 10 * 40}) < 60")
    page.get_by_label("Lesion").uncheck()
    page.wait_for_function(f"() => Math.abs(({coloured})() - {20 * 40}) < 50")
    page.get_by_label("Without the segmentation").click()
    page.wait_for_function(f"() => ({coloured})() === 0")

    assert looking.call(page, "show", f"{keys.SeriesInstanceUID}/{keys.SOPInstanceUID}") == "image"
    shows(page, "1/2")
    looking.call(page, "show", f"{report.SeriesInstanceUID}/{report.SOPInstanceUID}")
    shows(page, "肝脏低密度灶")
    page.get_by_role("button", name="Show the image").click()
    page.wait_for_selector(f"[data-ready][data-frame*='{images[3].SOPInstanceUID}']")
    page.locator("[data-report]").wait_for()
    assert page.locator("[data-report]").count() == 1
