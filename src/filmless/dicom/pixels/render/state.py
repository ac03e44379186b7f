"""Softcopy presentation states (PS3.3 A.33, C.10.4, C.10.5, C.11.6, C.11.8): how an image was meant to be seen."""

from dataclasses import dataclass
from functools import cached_property

from filmless.dicom import uids
from filmless.dicom.elements import Buffer
from filmless.dicom.header import Header, text
from filmless.dicom.pixels.render.grey import Modality, modality_of, presentation_of, voi_of
from filmless.dicom.pixels.render.image import OVERLAY_GROUPS
from filmless.dicom.pixels.render.lut import Lut
from filmless.dicom.pixels.render.raster import Point
from filmless.dicom.pixels.render.values import number, numbers, word, words
from filmless.dicom.rendering import STATES, Window
from filmless.dicom.rewrite import inflate
from filmless.dicom.scan import scan, sequence_items
from filmless.kit.errors import Refused

_REFERENCED_SERIES, _REFERENCED_IMAGES = 0x00081115, 0x00081140
_INSTANCE, _FRAMES = 0x00081155, 0x00081160
_VOI_ITEMS, _ANNOTATIONS, _AREAS, _LAYERS = 0x00283110, 0x00700001, 0x0070005A, 0x00700060
_TEXTS, _FIGURES = 0x00700008, 0x00700009


@dataclass(frozen=True, slots=True)
class Area:
    """The displayed area: corner pixels (column, row) from 1 as shown at top left and bottom right, and the height of
    a pixel by its width (0: not said)."""

    first: tuple[int, int]
    last: tuple[int, int]
    aspect: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A graphic object: `kind` is POINT, POLYLINE, INTERPOLATED, CIRCLE or ELLIPSE; `display`: its points are parts
    of the displayed area, else image pixels; `grey` 0 to 255."""

    kind: str
    points: tuple[Point, ...]
    filled: bool
    display: bool
    grey: int


@dataclass(frozen=True, slots=True)
class Words:
    """A text object: its box's top left corner, its anchor where it is to be shown."""

    text: str
    corner: Point | None
    corner_display: bool
    anchor: Point | None
    anchor_display: bool
    grey: int


@dataclass
class State:
    """One presentation state; asked by image and frame (from 0)."""

    header: Header
    data: Buffer

    @cached_property
    def references(self) -> dict[str, tuple[int, ...]]:
        """SOP Instance UID of each image it is for -> frame numbers from 1, () for all."""
        found: dict[str, tuple[int, ...]] = {}
        for series in sequence_items(self.header, _REFERENCED_SERIES):
            found.update(_images(series))
        return found

    def modality(self, *, signed: bool) -> Modality:
        """Its own modality LUT; none in it means none, whatever the image has (PS3.3 A.33.1.3). `signed`: the image's
        pixels are."""
        return modality_of(self.header, signed=signed) or Modality()

    def voi(self, sop_instance_uid: str, frame: int, *, signed: bool) -> Window | Lut | None:
        """That of the item which is for this frame; None: none at all. `signed`: its input may be negative."""
        for item in sequence_items(self.header, _VOI_ITEMS):
            if _is_for(item, sop_instance_uid, frame):
                return voi_of(item, signed=signed)
        return None

    def shows(self, sop_instance_uid: str, frame: int) -> bool:
        """Whether it is for this frame of this image."""
        frames = self.references.get(sop_instance_uid)
        return frames is not None and (not frames or frame + 1 in frames)

    @property
    def presentation(self) -> Lut | None:
        return presentation_of(self.header)

    @property
    def inverse(self) -> bool:
        """It decides alone: Photometric Interpretation no longer does (PS3.3 C.11.6.1.2)."""
        return word(self.header, 0x20500020) == "INVERSE"

    @property
    def quarters(self) -> int:
        """Quarters of a circle to turn clockwise, before mirroring."""
        return int(number(self.header, 0x00700042)) // 90 % 4

    @property
    def mirrored(self) -> bool:
        return word(self.header, 0x00700041) == "Y"

    def area(self, sop_instance_uid: str, frame: int) -> Area | None:
        """The displayed area of a frame; None where there is none that makes sense."""
        for item in sequence_items(self.header, _AREAS):
            if not _is_for(item, sop_instance_uid, frame):
                continue
            first, last = numbers(item, 0x00700052), numbers(item, 0x00700053)
            if len(first) < 2 or len(last) < 2 or any(abs(one) > 1e6 for one in (*first, *last)):
                return None
            spacing, ratio = numbers(item, 0x00700101), numbers(item, 0x00700102)
            pair = spacing if len(spacing) >= 2 else ratio
            aspect = pair[0] / pair[1] if len(pair) >= 2 and min(pair) > 0 else 0.0
            return Area((int(first[0]), int(first[1])), (int(last[0]), int(last[1])), aspect)
        return None

    @property
    def active_overlays(self) -> frozenset[int]:
        """Overlay groups that it shows (Overlay Activation Layer (60xx,1001), PS3.3 C.11.7)."""
        return frozenset(group for group in OVERLAY_GROUPS if word(self.header, group << 16 | 0x1001))

    def _greys(self) -> dict[str, tuple[int, int]]:
        """Layer -> (its order, its grey)."""
        found = {}
        for item in sequence_items(self.header, _LAYERS):
            grey = numbers(item, 0x00700066)
            lab = numbers(item, 0x00700401)
            level = grey[0] if grey else (lab[0] if lab else 0xFFFF)
            found[word(item, 0x00700002)] = (int(number(item, 0x00700062)), min(int(level), 0xFFFF) >> 8)
        return found

    def drawings(self, sop_instance_uid: str, frame: int) -> tuple[list[Figure], list[Words]]:
        """What is drawn on a frame, the lowest layer first."""
        layers = self._greys()
        items = [
            item
            for item in sequence_items(self.header, _ANNOTATIONS)
            if _is_for(item, sop_instance_uid, frame)
        ]
        items.sort(key=lambda item: layers.get(word(item, 0x00700002), (0, 255))[0])
        figures: list[Figure] = []
        texts: list[Words] = []
        for item in items:
            grey = layers.get(word(item, 0x00700002), (0, 255))[1]
            for one in sequence_items(item, _FIGURES):
                values = numbers(one, 0x00700022, finite=False)
                figures.append(
                    Figure(
                        kind=word(one, 0x00700023),
                        points=tuple(zip(values[::2], values[1::2], strict=False)),
                        filled=word(one, 0x00700024) == "Y",
                        display=word(one, 0x00700005) == "DISPLAY",
                        grey=grey,
                    )
                )
            texts += [_words(one, grey) for one in sequence_items(item, _TEXTS)]
        return figures, texts


def _words(item: Header, grey: int) -> Words:
    anchor = numbers(item, 0x00700014)
    visible = word(item, 0x00700015) != "N"
    corner = numbers(item, 0x00700010)
    return Words(
        text=text(item, 0x00700006),
        corner=(corner[0], corner[1]) if len(corner) >= 2 else None,
        corner_display=word(item, 0x00700003) == "DISPLAY",
        anchor=(anchor[0], anchor[1]) if len(anchor) >= 2 and (visible or len(corner) < 2) else None,
        anchor_display=word(item, 0x00700004) == "DISPLAY",
        grey=grey,
    )


def _images(item: Header) -> dict[str, tuple[int, ...]]:
    return {
        word(one, _INSTANCE): tuple(int(frame) for frame in numbers(one, _FRAMES))
        for one in sequence_items(item, _REFERENCED_IMAGES)
    }


def _is_for(item: Header, sop_instance_uid: str, frame: int) -> bool:
    """Without Referenced Image Sequence an item is for every image of the state."""
    images = _images(item)
    if not images:
        return True
    frames = images.get(sop_instance_uid)
    return frames is not None and (not frames or frame + 1 in frames)


def open_state(data: Buffer, transfer_syntax_uid: str) -> State:
    """A presentation state's data set, opened. Raises Refused where it is none that is understood."""
    uid = transfer_syntax_uid
    if uids.transfer_syntax(uid).deflated:
        data, uid = inflate(data), uids.EXPLICIT_VR_LE
    header = scan(data, uid, None)
    if next(iter(words(header, 0x00080016)), "") not in STATES:
        raise Refused("This kind of presentation state cannot be shown.", code="not-acceptable")
    return State(header, data)
