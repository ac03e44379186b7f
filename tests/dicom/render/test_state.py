"""Presentation states: values, displayed area, rotation, what is drawn, shutters and overlays, all of which they decide
in place of the image."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from tests.dicom.render.making import LE, SOP_UID, encoded, image, lut, shown

from filmless.dicom.pixels.render import render
from filmless.dicom.rendering import STATES, Viewport, Window, Wish
from filmless.kit.errors import Refused

RAMP = np.arange(0, 240, 5, dtype=np.uint8).reshape(6, 8)


def _reference(uid: str = SOP_UID, frames: list[int] | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", uid
    if frames:
        item.ReferencedFrameNumber = frames
    return item


def state(**attributes: Any) -> Dataset:
    """A grayscale softcopy presentation state for the image that `making.image` makes."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = STATES[0], "1.2.3.9"
    series = Dataset()
    series.SeriesInstanceUID = "1.2.3.1.1"
    series.ReferencedImageSequence = [_reference()]
    ds.ReferencedSeriesSequence = [series]
    ds.PresentationLUTShape = "IDENTITY"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def _area(first: tuple[int, int], last: tuple[int, int], **more: Any) -> Dataset:
    item = Dataset()
    item.DisplayedAreaTopLeftHandCorner, item.DisplayedAreaBottomRightHandCorner = list(first), list(last)
    item.PresentationSizeMode = "SCALE TO FIT"
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


def _voi(center: float, width: float, *references: Dataset) -> Dataset:
    item = Dataset()
    item.WindowCenter, item.WindowWidth = str(center), str(width)
    if references:
        item.ReferencedImageSequence = list(references)
    return item


def test_its_values_take_the_place_of_the_images() -> None:
    ds = image(RAMP, RescaleSlope="100", RescaleIntercept="7", WindowCenter="1", WindowWidth="1")
    identity = shown(ds, state=state())
    np.testing.assert_array_equal(identity, RAMP)  # all that 8 bits hold, to all that is shown
    own = state(
        RescaleSlope="2", RescaleIntercept="0", RescaleType="US", SoftcopyVOILUTSequence=[_voi(240, 480)]
    )
    np.testing.assert_array_equal(
        shown(ds, state=own), np.floor(np.clip((RAMP * 2.0 - 239.5) / 479 + 0.5, 0, 1) * 255 + 0.5)
    )


def test_a_window_that_is_asked_for_goes_before_its_own() -> None:
    own = state(SoftcopyVOILUTSequence=[_voi(10, 10)])
    found = shown(image(RAMP), Wish(window=Window(128, 256)), own)
    np.testing.assert_array_equal(found, RAMP)


def test_the_voi_lut_of_the_image_and_frame_counts() -> None:
    ds = image(np.stack([RAMP, RAMP]), NumberOfFrames=2)
    own = state(
        SoftcopyVOILUTSequence=[
            _voi(1, 1, _reference("9.9.9")),
            _voi(1, 1, _reference(frames=[2])),
            _voi(128, 256, _reference(frames=[1])),
        ]
    )
    np.testing.assert_array_equal(shown(ds, Wish(frame=0), own), RAMP)
    np.testing.assert_array_equal(shown(ds, Wish(frame=1), own), np.where(RAMP > 0.5, 255, 0))


def test_a_state_for_some_frames_shows_those() -> None:
    ds = image(np.stack([RAMP, RAMP + 10, RAMP + 15]), NumberOfFrames=3)
    own = state()
    own.ReferencedSeriesSequence[0].ReferencedImageSequence = [_reference(frames=[2, 3])]
    np.testing.assert_array_equal(shown(ds, state=own), RAMP + 10)
    np.testing.assert_array_equal(shown(ds, Wish(frame=2), own), RAMP + 15)
    with pytest.raises(Refused):
        shown(ds, Wish(frame=0), own)
    moving = render(encoded(ds), LE, Wish("image/gif"), (encoded(own), LE))
    assert moving.frames == 2


def test_a_modality_lut_of_a_state_takes_the_images_sign() -> None:
    item = lut(0, [0, 100, 200], 8)
    item[0x00283002].value = [3, 65534, 8]
    item.ModalityLUTType = "US"
    own = state(ModalityLUTSequence=[item], SoftcopyVOILUTSequence=[_voi(100.5, 201)])
    assert shown(image(np.array([[-2, -1, 0]], np.int16)), state=own).tolist() == [[0, 128, 255]]


def test_it_decides_inversion_alone() -> None:
    inverted = image(RAMP, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(shown(inverted, state=state()), RAMP)
    np.testing.assert_array_equal(shown(inverted, state=state(PresentationLUTShape="INVERSE")), 255 - RAMP)


def test_its_presentation_lut() -> None:
    own = state()
    del own.PresentationLUTShape
    own.PresentationLUTSequence = [lut(0, [255, 0], 8)]
    ds = image(np.array([[0, 255]], np.uint8))
    assert shown(ds, state=own).tolist() == [[255, 0]]


def test_a_state_for_another_image_is_refused() -> None:
    own = state()
    own.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.3.4.5"
    with pytest.raises(Refused) as refused:
        shown(image(RAMP), state=own)
    assert refused.value.code == "not-acceptable"


def test_another_kind_of_state_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        shown(image(RAMP), state=state(SOPClassUID="1.2.840.10008.5.1.4.1.1.11.4"))
    assert refused.value.code == "not-acceptable"


# --- where ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", ["N", "Y"])
def test_rotation_is_clockwise_and_before_the_flip(rotation: int, flip: str) -> None:
    expected = np.rot90(RAMP, -rotation // 90)
    if flip == "Y":
        expected = expected[:, ::-1]
    own = state(ImageRotation=rotation, ImageHorizontalFlip=flip)
    np.testing.assert_array_equal(shown(image(RAMP), state=own), expected)


def test_the_displayed_area_counts_from_1_and_may_reach_outside() -> None:
    inner = state(DisplayedAreaSelectionSequence=[_area((2, 3), (5, 4))])
    np.testing.assert_array_equal(shown(image(RAMP), state=inner), RAMP[2:4, 1:5])
    outer = state(DisplayedAreaSelectionSequence=[_area((-1, 0), (8, 7))])
    np.testing.assert_array_equal(shown(image(RAMP), state=outer), np.pad(RAMP, ((1, 1), (2, 0))))


def test_a_turned_area_is_said_by_the_corners_that_are_shown() -> None:
    """Turned by 90 degrees, the top left of what is shown is the bottom left of the image."""
    own = state(ImageRotation=90, DisplayedAreaSelectionSequence=[_area((2, 4), (5, 3))])
    np.testing.assert_array_equal(shown(image(RAMP), state=own), np.rot90(RAMP[2:4, 1:5], -1))


def test_the_areas_spacing_gives_the_proportions() -> None:
    own = state(DisplayedAreaSelectionSequence=[_area((1, 1), (8, 6), PresentationPixelSpacing=["2", "1"])])
    assert shown(image(RAMP), Wish(viewport=Viewport(80, 200)), own).shape == (120, 80)
    turned = state(
        ImageRotation=90,
        DisplayedAreaSelectionSequence=[_area((1, 6), (8, 1), PresentationPixelSpacing=["2", "1"])],
    )
    assert shown(image(RAMP), Wish(viewport=Viewport(120, 200)), turned).shape == (80, 120)


def test_an_absurd_area_is_refused() -> None:
    own = state(DisplayedAreaSelectionSequence=[_area((1, 1), (900_000, 900_000))])
    with pytest.raises(Refused):
        shown(image(RAMP), state=own)


# --- what is drawn -------------------------------------------------------------------------------------------


def _figure(kind: str, data: list[float], **more: Any) -> Dataset:
    item = Dataset()
    item.GraphicAnnotationUnits, item.GraphicDimensions = "PIXEL", 2
    item.NumberOfGraphicPoints, item.GraphicData, item.GraphicType = len(data) // 2, data, kind
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


def _drawn(
    figures: list[Dataset], texts: list[Dataset] | None = None, side: int = 20, **attributes: Any
) -> np.ndarray:
    annotation = Dataset()
    annotation.GraphicLayer = "ONE"
    if figures:
        annotation.GraphicObjectSequence = figures
    if texts:
        annotation.TextObjectSequence = texts
    layer = Dataset()
    layer.GraphicLayer, layer.GraphicLayerOrder = "ONE", 1
    layer.GraphicLayerRecommendedDisplayGrayscaleValue = 0xC000
    own = state(GraphicAnnotationSequence=[annotation], GraphicLayerSequence=[layer], **attributes)
    return shown(image(np.zeros((side, side), np.uint8)), state=own) == 0xC0


def _places(mask: np.ndarray) -> set[tuple[int, int]]:
    """(x, y) of what is drawn."""
    return {(int(x), int(y)) for y, x in np.argwhere(mask)}


def test_lines_are_drawn_in_the_layers_grey() -> None:
    found = _places(_drawn([_figure("POLYLINE", [2.5, 3.5, 6.5, 3.5, 6.5, 5.5])]))
    assert found == {(2, 3), (3, 3), (4, 3), (5, 3), (6, 3), (6, 4), (6, 5)}


def test_lines_go_where_the_image_goes() -> None:
    line = _figure("POLYLINE", [2.5, 3.5, 4.5, 3.5])
    assert _places(_drawn([line], ImageRotation=90)) == {(16, 2), (16, 3), (16, 4)}
    assert _places(_drawn([line], ImageHorizontalFlip="Y")) == {(17, 3), (16, 3), (15, 3)}
    area = [_area((3, 4), (12, 13))]
    assert _places(_drawn([line], DisplayedAreaSelectionSequence=area)) == {(0, 0), (1, 0), (2, 0)}


def test_display_units_are_parts_of_what_is_shown() -> None:
    line = _figure("POLYLINE", [0.0, 0.5, 0.99, 0.5], GraphicAnnotationUnits="DISPLAY")
    area = [_area((3, 4), (12, 13))]
    assert _places(_drawn([line], DisplayedAreaSelectionSequence=area)) == {(x, 5) for x in range(10)}


def test_circle_ellipse_and_filling() -> None:
    circle = _drawn([_figure("CIRCLE", [10, 10, 15, 10])])
    y, x = np.mgrid[0:20, 0:20] + 0.5
    distance = np.hypot(x - 10, y - 10)
    assert circle.any()
    assert (np.abs(distance[circle] - 5) < 1).all()
    filled = _drawn([_figure("CIRCLE", [10, 10, 15, 10], GraphicFilled="Y")])
    assert filled[distance < 4.5].all()
    assert not filled[distance > 6].any()
    ellipse = _drawn([_figure("ELLIPSE", [2, 10, 18, 10, 10, 6, 10, 14])])
    around = np.abs(np.hypot((x - 10) / 8, (y - 10) / 4) - 1)
    assert (around[ellipse] < 0.3).all()
    assert ellipse[9:11, 1:3].any()


def test_a_polygon_is_filled_only_where_it_is_closed() -> None:
    corners = [5.0, 5.0, 15.0, 5.0, 15.0, 15.0, 5.0, 15.0]
    closed = _drawn([_figure("POLYLINE", [*corners, 5.0, 5.0], GraphicFilled="Y")])
    assert closed[6:14, 6:14].all()
    assert not _drawn([_figure("POLYLINE", corners, GraphicFilled="Y")])[8:12, 8:12].any()


def test_a_curve_goes_through_its_points() -> None:
    found = _drawn([_figure("INTERPOLATED", [2.5, 2.5, 10.5, 8.5, 17.5, 2.5])])
    assert all(found[y, x] for x, y in ((2, 2), (10, 8), (17, 2)))


def test_points_far_away_and_not_numbers_cost_nothing() -> None:
    figures = [
        _figure("POLYLINE", [-1e30, 5.5, 1e30, 5.5]),
        _figure("POLYLINE", [float("nan"), 1, 3, 3, 5, 9]),
        _figure("CIRCLE", [1e20, 1e20, 1.01e20, 1e20], GraphicFilled="Y"),
        _figure("POLYLINE", [-1e6, 7.5, 1e6, 7.5]),
    ]
    assert _places(_drawn(figures)) == {(x, 7) for x in range(20)} | _places(
        _drawn([_figure("POLYLINE", [3, 3, 5, 9])])
    )


def test_more_figures_than_anybody_draws_are_cut_and_said() -> None:
    annotation = Dataset()
    annotation.GraphicLayer = "ONE"
    annotation.GraphicObjectSequence = [_figure("POLYLINE", [1.0, 1.0, 5.0, 5.0] * 1000)] * 100
    own = state(GraphicAnnotationSequence=[annotation])
    rendered = render(encoded(image(RAMP)), LE, Wish("image/png"), (encoded(own), LE))
    assert any("more on the picture" in warning for warning in rendered.warnings)


def test_a_text_is_drawn_and_what_cannot_be_is_said() -> None:
    item = Dataset()
    item.BoundingBoxAnnotationUnits = "PIXEL"
    item.BoundingBoxTopLeftHandCorner, item.BoundingBoxBottomRightHandCorner = [2, 3], [19, 19]
    item.UnformattedTextValue = "L"
    found = _places(_drawn([], [item]))
    assert found == {(2, y) for y in range(3, 10)} | {(x, 9) for x in range(2, 7)}
    annotation = Dataset()
    annotation.GraphicLayer, annotation.TextObjectSequence = "ONE", [item]
    item.UnformattedTextValue = "肝"
    own = state(SpecificCharacterSet="ISO_IR 192", GraphicAnnotationSequence=[annotation])
    rendered = render(encoded(image(RAMP)), LE, Wish("image/png"), (encoded(own), LE))
    assert any("cannot be drawn" in warning for warning in rendered.warnings)


def test_its_shutter_and_its_overlay() -> None:
    flat = image(np.full((6, 8), 100, np.uint8))
    plane = np.zeros((6, 8), np.uint8)
    plane[:3] = 1
    own = state(ShutterShape="BITMAP", ShutterOverlayGroup=0x6000, ShutterPresentationValue=0x4000)
    for element, vr, value in (
        (0x10, "US", 6),
        (0x11, "US", 8),
        (0x50, "SS", [1, 1]),
        (0x3000, "OW", np.packbits(plane.ravel(), bitorder="little").tobytes()),
    ):
        own.add_new(0x60000000 | element, vr, value)
    np.testing.assert_array_equal(shown(flat, state=own), np.where(plane, 0x40, 100))
    own.ShutterShape = "RECTANGULAR"  # the group is no shutter any more, and not active either
    np.testing.assert_array_equal(shown(flat, state=own), np.full((6, 8), 100))
    own.add_new(0x60001001, "CS", "ONE")
    np.testing.assert_array_equal(shown(flat, state=own), np.where(plane, 255, 100))


def test_overlays_of_the_image_show_where_the_state_activates_them() -> None:
    ds = image(np.full((2, 8), 100, np.uint8), WindowCenter="128", WindowWidth="256")
    for element, vr, value in (
        (0x10, "US", 2),
        (0x11, "US", 8),
        (0x50, "SS", [1, 1]),
        (0x3000, "OW", b"\x0f\x00"),
    ):
        ds.add_new(0x60020000 | element, vr, value)
    assert (shown(ds) == 255).sum() == 4  # without a state they are drawn
    assert not (shown(ds, state=state()) == 255).any()
    own = state()
    own.add_new(0x60021001, "CS", "ONE")
    assert (shown(ds, state=own) == 255).sum() == 4


def full_state() -> Dataset:
    """One with everything in it, for test_damaged.py."""
    annotation = Dataset()
    annotation.GraphicLayer = "ONE"
    annotation.GraphicObjectSequence = [
        _figure("POLYLINE", [2.5, 3.5, 6.5, 3.5, 6.5, 5.5]),
        _figure("CIRCLE", [10, 10, 15, 10], GraphicFilled="Y"),
        _figure("ELLIPSE", [2, 10, 18, 10, 10, 6, 10, 14]),
        _figure("INTERPOLATED", [2.5, 2.5, 10.5, 8.5, 17.5, 2.5]),
        _figure("POINT", [3, 3]),
    ]
    text = Dataset()
    text.BoundingBoxAnnotationUnits, text.UnformattedTextValue = "PIXEL", "Left"
    text.BoundingBoxTopLeftHandCorner, text.BoundingBoxBottomRightHandCorner = [2, 3], [19, 19]
    text.AnchorPoint, text.AnchorPointAnnotationUnits, text.AnchorPointVisibility = [9, 9], "PIXEL", "Y"
    annotation.TextObjectSequence = [text]
    layer = Dataset()
    layer.GraphicLayer, layer.GraphicLayerOrder = "ONE", 1
    voi = _voi(40, 400, _reference())
    voi.VOILUTSequence = [lut(0, [0, 100, 255], 8)]
    modality = lut(-1, [10, 20, 30], 16, signed=True)
    modality.ModalityLUTType = "HU"
    return state(
        ImageRotation=90,
        ImageHorizontalFlip="Y",
        ModalityLUTSequence=[modality],
        SoftcopyVOILUTSequence=[voi],
        DisplayedAreaSelectionSequence=[_area((2, 3), (15, 14), PresentationPixelSpacing=["2", "1"])],
        GraphicAnnotationSequence=[annotation],
        GraphicLayerSequence=[layer],
        ShutterShape=["RECTANGULAR", "CIRCULAR", "POLYGONAL"],
        ShutterLeftVerticalEdge=2,
        ShutterRightVerticalEdge=18,
        ShutterUpperHorizontalEdge=2,
        ShutterLowerHorizontalEdge=18,
        CenterOfCircularShutter=[10, 10],
        RadiusOfCircularShutter=9,
        VerticesOfThePolygonalShutter=[1, 1, 1, 20, 20, 20, 20, 1],
    )
