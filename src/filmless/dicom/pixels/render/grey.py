"""Grey frames to 8-bit display values: padding, modality LUT, VOI LUT, presentation LUT, inversion (PS3.4 N.2.1)."""

from dataclasses import dataclass

import numpy as np

from filmless.dicom.frames import PixelFacts
from filmless.dicom.header import Header
from filmless.dicom.pixels.render.image import Image
from filmless.dicom.pixels.render.lut import Lut, read_lut
from filmless.dicom.pixels.render.values import Array, first_item, number, numbers, word
from filmless.dicom.pixels.render.voi import eight_bits, spread, windowed
from filmless.dicom.rendering import Function, Window

_INTERCEPT, _SLOPE, _MODALITY_SEQUENCE = 0x00281052, 0x00281053, 0x00283000
_CENTER, _WIDTH, _FUNCTION, _VOI_SEQUENCE = 0x00281050, 0x00281051, 0x00281056, 0x00283010
_PIXEL_TRANSFORMATION, _FRAME_VOI = 0x00289145, 0x00289132
_PRESENTATION_SEQUENCE, _PRESENTATION_SHAPE = 0x20500010, 0x20500020
_SEGMENTATION = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_FUNCTIONS: dict[str, Function] = {"LINEAR_EXACT": "LINEAR_EXACT", "SIGMOID": "SIGMOID"}
#: integers of no more bits go through a table of all their values
_TABLE_BITS = 16


@dataclass(frozen=True, slots=True)
class Modality:
    """Stored values to modality values: a table, or slope and intercept (PS3.3 C.11.1)."""

    slope: float = 1.0
    intercept: float = 0.0
    lut: Lut | None = None

    def __call__(self, values: Array) -> Array:
        """float64 of the same shape."""
        if self.lut is not None:
            return self.lut.at(values).astype(np.float64)
        return values.astype(np.float64) * self.slope + self.intercept


@dataclass(frozen=True, slots=True)
class Tones:
    """What comes after the modality LUT. `voi` None: the full range of what is shown."""

    voi: Window | Lut | None = None
    #: modality values shown as black and white where there is no `voi`
    low: float = 0.0
    high: float = 1.0
    presentation: Lut | None = None
    inverse: bool = False

    def __call__(self, values: Array) -> Array:
        """Modality values as display values, 0 to 255."""
        if isinstance(self.voi, Window):
            out = windowed(values, self.voi)
        elif self.voi is not None:
            out = self.voi.fraction(values)
        else:
            out = spread(values, self.low, self.high)
        if self.presentation is not None:
            # the table spans the whole range of what comes before it (PS3.3 C.11.6.1.1)
            last = len(self.presentation.entries) - 1
            table = Lut(0, self.presentation.entries, self.presentation.bits)
            out = table.fraction(out * last)
        return eight_bits(1.0 - out if self.inverse else out)


def modality_of(header: Header, *, signed: bool) -> Modality | None:
    """The modality LUT of a header or of an item; None where it has none."""
    item = first_item(header, _MODALITY_SEQUENCE)
    lut = read_lut(item, signed=signed) if item is not None else None
    if lut is not None:
        return Modality(lut=lut)
    slope, intercept = numbers(header, _SLOPE), numbers(header, _INTERCEPT)
    if not slope and not intercept:
        return None
    # a slope of 0 would make everything one grey
    return Modality((slope[0] if slope else 1.0) or 1.0, intercept[0] if intercept else 0.0)


def image_modality(image: Image, frame: int) -> Modality:
    """That of a frame: of its functional group, else of the image; else values as they are."""
    group = image.group(frame, _PIXEL_TRANSFORMATION)
    signed = image.facts.signed
    own = modality_of(group, signed=signed) if group is not None else None
    return own or modality_of(image.header, signed=signed) or Modality()


def voi_of(header: Header, *, signed: bool) -> Window | Lut | None:
    """The first VOI LUT of a header or of an item, else its first window that is sound; None where there is none."""
    item = first_item(header, _VOI_SEQUENCE)
    lut = read_lut(item, signed=signed) if item is not None else None
    if lut is not None:
        return lut
    function = _FUNCTIONS.get(word(header, _FUNCTION), "LINEAR")
    for center, width in zip(numbers(header, _CENTER), numbers(header, _WIDTH), strict=False):
        window = Window(center, width, function)
        if window.sound():
            return window
    return None


def image_voi(image: Image, frame: int, modality: Modality) -> Window | Lut | None:
    """That of a frame: of its functional group, else of the image. Of inputs that may be negative, the first of a
    table's descriptor is signed (PS3.3 C.11.2.1.1)."""
    signed = image.facts.signed if modality.lut is None else False
    signed = signed or modality.intercept < 0
    group = image.group(frame, _FRAME_VOI)
    own = voi_of(group, signed=signed) if group is not None else None
    return own or voi_of(image.header, signed=signed)


def presentation_of(header: Header) -> Lut | None:
    """The Presentation LUT Sequence's table; None where there is none, or a shape instead."""
    item = first_item(header, _PRESENTATION_SEQUENCE)
    return read_lut(item, signed=False) if item is not None else None


def is_inverse(header: Header, facts: PixelFacts) -> bool:
    """Whether the lowest value is white: MONOCHROME1, or the shape that DX and others say beside it."""
    return facts.photometric == "MONOCHROME1" or word(header, _PRESENTATION_SHAPE) == "INVERSE"


def full_range(image: Image, modality: Modality, values: Array, padding: Array | None) -> tuple[float, float]:
    """(lowest, highest) modality value of a frame without its padding: what is shown where there is no VOI LUT.

    Segmentations have the range of their kind instead (PS3.3 C.8.20), so that frames compare.
    """
    header, facts = image.header, image.facts
    if facts.bits_allocated == 1 or facts.bits_stored == 1:
        return 0.0, 1.0
    if word(header, 0x00080016) in _SEGMENTATION and word(header, 0x00620001) == "FRACTIONAL":
        return 0.0, number(header, 0x0062000E, 255.0) or 255.0
    shown = values if padding is None else values[~padding]
    if facts.is_float:
        shown = shown[np.isfinite(shown)]
    if not shown.size:
        return 0.0, 1.0
    ends = modality(np.array([shown.min(), shown.max()]))
    if modality.lut is not None:  # a table need not rise
        ends = modality(np.unique(shown))
    return float(ends.min()), float(ends.max())


def padding_of(image: Image, values: Array, whole: Array) -> Array | None:
    """Which pixels are padding (PS3.3 C.7.5.1.1.2), by their stored values; None where none is declared.

    A padding value that the stored bits cannot hold is looked for in the whole cells, as scanners write it.
    """
    header, facts = image.header, image.facts
    if facts.is_float:
        value_tag, limit_tag = (
            (0x00280122, 0x00280124) if facts.bits_allocated == 32 else (0x00280123, 0x00280125)
        )
    else:
        value_tag, limit_tag = 0x00280120, 0x00280121
    declared = numbers(header, value_tag, signed=facts.signed)
    if not declared:
        return None
    limits = numbers(header, limit_tag, signed=facts.signed)
    low, high = declared[0], (limits or declared)[0]
    if facts.is_float:
        low, high = min(low, high), max(low, high)
        found: Array = (values >= low) & (values <= high)
        return found
    low, high = _as_stored(low, facts), _as_stored(high, facts)
    low, high = min(low, high), max(low, high)
    bits = facts.bits_stored
    bottom, top = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if facts.signed else (0, (1 << bits) - 1)
    if bottom <= low and high <= top:
        return (values >= int(low)) & (values <= int(high))
    cells = whole.view(f"i{whole.dtype.itemsize}") if facts.signed else whole
    span = np.iinfo(cells.dtype)
    if high < span.min or low > span.max:
        return None
    return (cells >= max(int(low), span.min)) & (cells <= min(int(high), span.max))


def _as_stored(value: float, facts: PixelFacts) -> float:
    """A padding value sent with the other sign (US for signed pixels, SS for unsigned): the same bits as stored."""
    size = 1 << facts.bits_allocated
    if facts.signed and value >= size // 2:
        return value - size
    if not facts.signed and value < 0:
        return value + size
    return value


def shown(values: Array, modality: Modality, tones: Tones, facts: PixelFacts) -> Array:
    """Stored values as display values: through a table of all values where there are few, else one by one. Works on
    some rows at a time."""
    out = np.empty(values.shape, np.uint8)
    rows = max(1, (1 << 20) // max(values.shape[-1], 1))
    table: Array | None = None
    low = 0
    if np.issubdtype(values.dtype, np.integer) and values.dtype.itemsize * 8 <= _TABLE_BITS and values.size:
        span = np.iinfo(values.dtype)
        low, high = span.min, span.max
        if facts.bits_stored <= 12:  # most tables are short
            low, high = int(values.min()), int(values.max())
        table = tones(modality(np.arange(low, high + 1, dtype=np.int64)))
    for at in range(0, len(values), rows):
        part = values[at : at + rows]
        if table is None:
            out[at : at + rows] = tones(modality(part))
        else:
            out[at : at + rows] = table[part.astype(np.int32) - low]
    return out
