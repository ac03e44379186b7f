"""One frame as a picture: the pipeline in the order of PS3.4 N.2."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from filmless.dicom import frames
from filmless.dicom.pixels.decode import Decoded
from filmless.dicom.pixels.render import grey
from filmless.dicom.pixels.render.colour import rgb
from filmless.dicom.pixels.render.drawing import Canvas
from filmless.dicom.pixels.render.image import Image, stored_values
from filmless.dicom.pixels.render.lut import Lut
from filmless.dicom.pixels.render.overlays import overlays_of
from filmless.dicom.pixels.render.palette import read_palette
from filmless.dicom.pixels.render.placing import Cut, Mirror, Step, Turn, through, viewing
from filmless.dicom.pixels.render.shutters import FRAME_SHUTTER, bitmap_group, hidden, shutter_grey
from filmless.dicom.pixels.render.state import State
from filmless.dicom.pixels.render.values import Array, numbers, word
from filmless.dicom.rendering import Window, Wish
from filmless.kit.errors import Refused

#: X-ray angiography and fluoroscopy: their modality LUT leads to intensities, not to what is shown
_XRAY = ("1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.2", "1.2.840.10008.5.1.4.1.1.12.3")
Range = tuple[float, float]


@dataclass
class Painter:
    """Renders frames of one image in one way. `span`: modality values of black and white where nothing says them;
    None: the range of each frame."""

    image: Image
    wish: Wish
    state: State | None = None
    span: Range | None = None

    def __post_init__(self) -> None:
        self.warnings: list[str] = []
        self.uid = word(self.image.header, 0x00080018)
        if self.state is not None and self.uid not in self.state.references:
            raise Refused("The presentation state is not for this image.", code="not-acceptable")

    def paint(self, frame: int, decoded: Decoded | None = None) -> Array:
        """The finished picture of a frame: uint8, (rows, columns) or (rows, columns, 3)."""
        if self.state is not None and not self.state.shows(self.uid, frame):
            raise Refused("The presentation state is not for this frame.", code="not-acceptable")
        decoded = decoded or self.image.decode(frame)
        pixels, whole = self._toned(frame, decoded)
        pixels = self._covered(pixels, frame, whole)
        return self._framed(pixels, frame)

    # --- values ----------------------------------------------------------------------------------------------

    def _toned(self, frame: int, decoded: Decoded) -> tuple[Array, Array | None]:
        """(display values, whole pixel cells where the image is grey)."""
        facts = decoded.facts
        if facts.samples > 1:
            if self.wish.window is not None:
                self._warn("A window is for grey images only.")
            return rgb(decoded), None
        values, whole = stored_values(decoded, at_zero=self.image.at_zero(frame))
        header = self.image.header
        if facts.photometric == "PALETTE COLOR":
            palette = read_palette(header, signed=facts.signed, data=self.image.data)
            if palette is None:
                raise Refused("The image has no palette.", code="bad-palette")
            return palette(values), whole
        padding = grey.padding_of(self.image, values, whole)
        modality, tones = self._tones(frame, values, padding)
        pixels = grey.shown(values, modality, tones, facts)
        if padding is not None:
            pixels[padding] = 0
        if word(header, 0x00089205) in ("COLOR", "MIXED"):
            palette = read_palette(header, signed=facts.signed, data=self.image.data)
            if palette is not None:  # supplemental: the values from its first on are colours (PS3.3 C.7.6.19)
                coloured = values >= palette.first
                pixels = np.repeat(pixels[:, :, None], 3, axis=2)
                pixels[coloured] = palette(values[coloured])
        return pixels, whole

    def _tones(self, frame: int, values: Array, padding: Array | None) -> tuple[grey.Modality, grey.Tones]:
        modality, voi = self.transformations(frame)
        low, high = 0.0, 1.0
        if voi is None and self.state is not None:
            low, high = self._whole_range(modality)
        elif voi is None:
            low, high = self.span or grey.full_range(self.image, modality, values, padding)
        if self.state is not None:
            return modality, grey.Tones(voi, low, high, self.state.presentation, self.state.inverse)
        header = self.image.header
        inverse = grey.is_inverse(header, self.image.facts)
        return modality, grey.Tones(voi, low, high, grey.presentation_of(header), inverse)

    def transformations(self, frame: int) -> tuple[grey.Modality, Window | Lut | None]:
        """Modality LUT and VOI LUT in force: what was asked for, the state's, the image's."""
        if self.state is not None:
            signed = self.image.facts.signed
            modality = self.state.modality(signed=signed)
            negative = modality.lut is None and (signed or modality.intercept < 0)
            return modality, self.wish.window or self.state.voi(self.uid, frame, signed=negative)
        modality = grey.image_modality(self.image, frame)
        header = self.image.header
        if word(header, 0x00080016) in _XRAY and word(header, 0x00281040) in ("LOG", "DISP"):
            modality = grey.Modality()  # PS3.3 C.8.7.1.1.2
        return modality, self.wish.window or grey.image_voi(self.image, frame, modality)

    def _whole_range(self, modality: grey.Modality) -> Range:
        """All that the stored bits could hold: a state without a VOI LUT means the identity."""
        facts = self.image.facts
        if modality.lut is not None:
            return 0.0, float((1 << modality.lut.bits) - 1)
        bits = max(facts.bits_stored, 1)
        ends = np.array([-(1 << (bits - 1)), (1 << (bits - 1)) - 1] if facts.signed else [0, (1 << bits) - 1])
        shown = modality(ends)
        return float(shown.min()), float(shown.max())

    # --- what covers the image -------------------------------------------------------------------------------

    def _covered(self, pixels: Array, frame: int, whole: Array | None) -> Array:
        """Shutters, and on top of them overlays."""
        image, state = self.image, self.state
        shape = (pixels.shape[0], pixels.shape[1])
        source = state.header if state is not None else image.group(frame, FRAME_SHUTTER) or image.header
        shut = hidden(source, shape, aspect_of(image))
        if state is not None:
            group = bitmap_group(state.header)
            if group is not None:
                for overlay in overlays_of(state.header, state.data, frame, groups=frozenset({group})):
                    shut = overlay.on(shape) if shut is None else shut | overlay.on(shape)
        pixels = pixels if pixels.flags.writeable and pixels.flags.owndata else pixels.copy()
        if shut is not None:
            pixels[shut] = shutter_grey(source)
        if state is not None:
            active = state.active_overlays
            own = overlays_of(state.header, state.data, frame, groups=active)
            in_state = {overlay.group for overlay in own}
            planes = own + overlays_of(
                image.header, image.data, frame, whole, groups=active.difference(in_state)
            )
        elif self.wish.overlays:
            planes = overlays_of(image.header, image.data, frame, whole)
        else:
            planes = []
        for overlay in planes:
            pixels[overlay.on(shape)] = 255
        return pixels

    # --- where it is shown -----------------------------------------------------------------------------------

    def _framed(self, pixels: Array, frame: int) -> Array:
        """Displayed area, rotation, mirroring, viewport; then what is drawn on it."""
        size = (pixels.shape[0], pixels.shape[1])
        first, aspect = self._arrangement(size, frame)
        shown = through(first, size)
        later = viewing(self.wish.viewport, shown, aspect)
        steps = [*first, *later]
        for step in steps:
            pixels = step.pixels(pixels)
        if self.state is None:
            return pixels
        canvas = Canvas(pixels, steps, shown, later)
        figures, texts = self.state.drawings(self.uid, frame)
        for figure in figures:
            canvas.figure(figure)
        for words in texts:
            canvas.words(words)
        for warning in canvas.warnings:
            self._warn(warning)
        return canvas.pixels

    def _arrangement(self, size: tuple[int, int], frame: int) -> tuple[list[Step], float]:
        """(the steps of the presentation state, height of a shown pixel by its width)."""
        aspect = aspect_of(self.image)
        state = self.state
        if state is None:
            return [], aspect
        rows, columns = size
        steps: list[Step] = []
        area = state.area(self.uid, frame)
        if area is not None:
            # after turning and mirroring, "top left" is another corner of the image
            left, right = sorted((area.first[0], area.last[0]))
            top, bottom = sorted((area.first[1], area.last[1]))
            width, height = right - left + 1, bottom - top + 1
            if width > 4 * columns + 64 or height > 4 * rows + 64:
                raise Refused("The displayed area is far larger than the image.", code="bad-viewport")
            aspect = area.aspect or aspect
            if (left, top, width, height) != (1, 1, columns, rows):
                steps.append(Cut(left - 1, top - 1, width, height))
                rows, columns = height, width
        if state.quarters:
            steps.append(Turn(state.quarters, rows, columns))
            if state.quarters % 2:
                rows, columns, aspect = columns, rows, 1 / aspect
        if state.mirrored:
            steps.append(Mirror(columns))
        return steps, aspect

    def _warn(self, words: str) -> None:
        if words not in self.warnings:
            self.warnings.append(words)


def aspect_of(image: Image) -> float:
    """Height of a pixel by its width, 1 where not said: spacing, spacing at the detector, or Pixel Aspect Ratio
    (PS3.3 C.7.6.3.1.7), rows first in each."""
    measures = image.group(0, 0x00289110)  # Pixel Measures (PS3.3 C.7.6.16.2.1)
    if measures is not None and len(found := numbers(measures, 0x00280030)) >= 2:
        pairs: Sequence[list[float]] = [found]
    else:
        pairs = [numbers(image.header, tag) for tag in (0x00280030, 0x00181164, 0x00280034)]
    for pair in pairs:
        if len(pair) >= 2 and min(pair[:2]) > 0:
            ratio = pair[0] / pair[1]
            return ratio if 0.05 < ratio < 20 else 1.0
    return 1.0


def common_range(painter: Painter, samples: int = 16) -> Range | None:
    """(lowest, highest) modality value over frames spread over a moving picture, so that it does not flicker; None
    where each frame has a VOI LUT, or no frame is grey."""
    image = painter.image
    if image.facts.samples > 1 or frames.is_video(image.transfer_syntax_uid):
        return None
    count = image.frames
    ends: list[Range] = []
    for frame in sorted({count * step // samples for step in range(samples)}):
        modality, voi = painter.transformations(frame)
        if voi is not None:
            return None
        values, whole = stored_values(image.decode(frame), at_zero=image.at_zero(frame))
        ends.append(grey.full_range(image, modality, values, grey.padding_of(image, values, whole)))
    return min(low for low, _ in ends), max(high for _, high in ends)
