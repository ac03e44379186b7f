"""Rendering: DICOM objects as pictures that anything can show (PS3.18 8.7.4, PS3.4 N.2).

`render` gives a file; `pixels` gives what is in it, for those who go on with it. Both work on encoded data sets, in
memory or mapped, and want numpy, imagecodecs and (for GIF, MP4 and video) av: they belong into a codec process.

Decisions where the standard leaves one:

- Without a window or VOI LUT, black and white are the lowest and highest modality value of the frame, padding left
  out; of a moving picture those of 16 of its frames. Segmentations have the range of their kind. A VOI LUT goes before
  a window, the first of several is taken; `Wish.window` goes before both.
- Padding is black, in MONOCHROME1 too. Overlays are white. Shutters lie below overlays and figures.
- A viewport shows pixels in their proportions (Pixel Spacing, Pixel Aspect Ratio); without one nothing is scaled.
- A moving picture's rate: Recommended Display Frame Rate, Frame Time (Vector), Cine Rate, else 10 frames a second.
- Texts of presentation states: ASCII in a simple font; what is not in it is a box, and a warning.
"""

from collections.abc import Iterator

import numpy as np

from filmless.dicom.elements import Buffer
from filmless.dicom.frames import is_video
from filmless.dicom.pixels.render.colour import managed, profile_of
from filmless.dicom.pixels.render.files import still
from filmless.dicom.pixels.render.icons import icon
from filmless.dicom.pixels.render.image import Image, open_image
from filmless.dicom.pixels.render.picture import Painter, common_range
from filmless.dicom.pixels.render.state import State, open_state
from filmless.dicom.pixels.render.timing import frame_times
from filmless.dicom.pixels.render.values import Array
from filmless.dicom.rendering import (
    MAX_FRAMES,
    MAX_MOVING_PIXELS,
    MAX_SIDE,
    MIDDLE,
    MOVING,
    STATES,
    STILL,
    Rendered,
    Viewport,
    Window,
    Wish,
)
from filmless.kit.errors import Refused

__all__ = [
    "MAX_FRAMES",
    "MAX_SIDE",
    "MIDDLE",
    "MOVING",
    "STATES",
    "STILL",
    "Rendered",
    "Viewport",
    "Window",
    "Wish",
    "icon",
    "open_image",
    "open_state",
    "pixels",
    "render",
]

_FAR = 50

#: a data set and its transfer syntax UID
Encoded = tuple[Buffer, str]


def pixels(
    data: Buffer, transfer_syntax_uid: str, wish: Wish | None = None, state: Encoded | None = None
) -> Array:
    """One frame as display values, 0 black to 255 white: uint8 of shape (rows, columns), or (rows, columns, 3) of RGB
    for colour. Colour profiles are not applied. Raises as `render` does."""
    wish = wish or Wish()
    painter = Painter(open_image(data, transfer_syntax_uid), wish, open_state(*state) if state else None)
    return painter.paint(_frame(painter, wish))


def render(
    data: Buffer, transfer_syntax_uid: str, wish: Wish | None = None, state: Encoded | None = None
) -> Rendered:
    """An image object as a file of `wish.media_type`; `state`: a presentation state that references it.

    Width and height in the answer are in pixels. Raises Refused: "no-pixels" (no image), "bad-pixels" (damaged),
    "unsupported-syntax", "no-such-frame", "not-acceptable" (not for this object), "bad-..." (a wish out of
    bounds), "too-many-frames".
    """
    wish = wish or Wish()
    opened = open_state(*state) if state else None
    image = open_image(data, transfer_syntax_uid)
    if wish.media_type == "video/mp4" or (
        wish.media_type in MOVING and wish.frame is None and image.frames > 1
    ):
        return _moving(image, wish, opened)
    painter = Painter(image, wish, opened)
    shown, profile = painter.paint(_frame(painter, wish)), b""
    if shown.ndim == 3 or wish.icc not in ("", "no"):
        shown, profile = managed(shown, profile_of(image.header) if shown.ndim == 3 else b"", wish.icc)
    content = still(shown, wish.media_type, quality=wish.quality, profile=profile)
    return Rendered(content, wish.media_type, shown.shape[1], shown.shape[0], 1, painter.warnings)


def _frame(painter: Painter, wish: Wish) -> int:
    image, state = painter.image, painter.state
    if wish.frame is None:
        listed = state.references.get(painter.uid, ()) if state is not None else ()
        return min(listed) - 1 if listed else 0
    if wish.frame != MIDDLE:
        return wish.frame
    # a video is decoded from its start
    return min(image.frames // 2, _FAR) if is_video(image.transfer_syntax_uid) else image.frames // 2


def _moving(image: Image, wish: Wish, state: State | None) -> Rendered:
    from filmless.dicom.pixels.render.moving import gif, mp4

    if wish.frame is not None:
        raise Refused("One frame is no moving picture.", code="not-acceptable")
    if image.frames > MAX_FRAMES:
        raise Refused(
            f"There are {image.frames} frames; a moving picture has at most {MAX_FRAMES}.",
            code="too-many-frames",
        )
    painter = Painter(image, wish, state)
    painter.span = common_range(painter)
    times = frame_times(image.header, image.frames)
    shape = [0, 0]
    shown = 0

    def pictures() -> Iterator[Array]:
        nonlocal shown
        for frame, decoded in enumerate(image.all_decoded()):
            if state is not None and not state.shows(painter.uid, frame):
                continue
            picture = np.ascontiguousarray(painter.paint(frame, decoded))
            if not shown:
                shape[:] = picture.shape[:2]
                if shape[0] * shape[1] * image.frames > MAX_MOVING_PIXELS:
                    raise Refused(
                        "The moving picture would be too large: ask for a smaller viewport.",
                        code="too-many-frames",
                    )
            if frame >= len(times):  # a video of more frames than it says
                return
            shown += 1
            yield picture

    if wish.media_type == "image/gif":
        content = gif(pictures(), times)
    else:
        content = mp4(pictures(), times, quality=wish.quality)
    return Rendered(content, wish.media_type, shape[1], shape[0], shown, painter.warnings)
