"""The query parameters of rendered resources (PS3.18 8.3.5) as a wish; what cannot be understood is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from filmless.dicom.rendering import MAX_SIDE, THUMBNAIL_SIDE, Function, Viewport, Window
from filmless.kit.errors import Refused

_UID = re.compile(r"[0-9.]{0,64}")
_FUNCTIONS: dict[str, Function] = {
    "linear": "LINEAR",
    "linear-exact": "LINEAR_EXACT",
    "sigmoid": "SIGMOID",
}


@dataclass(frozen=True, slots=True)
class Looks:
    """What the parameters ask, beside media type and frame. `state`: SOP Instance UID of a presentation state."""

    window: Window | None = None
    viewport: Viewport | None = None
    quality: int = 90
    icc: str = ""
    state: str = ""
    state_series: str = ""
    warnings: tuple[str, ...] = ()


def looks(parameters: Mapping[str, str]) -> Looks:
    """The parameters of a rendered resource. Raises Refused (codes "bad-window", "bad-viewport", "bad-quality",
    "bad-iccprofile", "bad-state") where one is not as PS3.18 8.3.5.1 says; unknown ones are ignored.

    `presentationUID` (with `presentationSeriesUID`) is WADO-URI's way to name a presentation state (PS3.18 9.1.2.2),
    taken here too.
    """
    warnings = []
    if parameters.get("annotation"):
        # burned-in text needs a font for every script, and a name that is wrong is worse than none
        warnings.append(
            f"The following annotation values are not supported: {_plain(parameters['annotation'])}"
        )
    quality = parameters.get("quality", "90")
    if not (quality.isascii() and quality.isdigit() and len(quality) <= 3 and 1 <= int(quality) <= 100):
        raise Refused("quality must be a number from 1 to 100.", code="bad-quality")
    icc = parameters.get("iccprofile", "").lower()
    if icc not in ("", "no", "yes", "srgb", "adobergb", "rommrgb", "displayp3"):
        raise Refused("There is no such iccprofile.", code="bad-iccprofile")
    for word in ("presentationUID", "presentationSeriesUID"):
        if not _UID.fullmatch(parameters.get(word, "")):
            raise Refused(f"{word} is no UID.", code="bad-state")
    return Looks(
        window=window(parameters["window"]) if "window" in parameters else None,
        viewport=viewport(parameters["viewport"]) if "viewport" in parameters else None,
        quality=int(quality),
        icc=icc,
        state=parameters.get("presentationUID", ""),
        state_series=parameters.get("presentationSeriesUID", ""),
        warnings=tuple(warnings),
    )


def thumbnail_looks(parameters: Mapping[str, str]) -> Looks:
    """The parameters of a thumbnail: a viewport of width and height only (PS3.18 10.4.3.3.4)."""
    text = parameters.get("viewport", f"{THUMBNAIL_SIDE},{THUMBNAIL_SIDE}")
    port = viewport(text)
    if port != Viewport(port.width, port.height):
        raise Refused("A thumbnail's viewport is a width and a height.", code="bad-viewport")
    return Looks(viewport=port, quality=85, icc="no")


def window(text: str) -> Window:
    """center,width,function."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (2, 3):
        raise Refused("window is: center,width,function.", code="bad-window")
    function = _FUNCTIONS.get((parts[2] if len(parts) == 3 else "linear").lower().replace("_", "-"))
    if function is None:
        raise Refused("The window's function is linear, linear-exact or sigmoid.", code="bad-window")
    made = Window(_decimal(parts[0], "bad-window"), _decimal(parts[1], "bad-window"), function)
    if not made.sound():
        raise Refused("The window is too narrow.", code="bad-window")
    return made


def viewport(text: str) -> Viewport:
    """vw,vh or vw,vh,sx,sy,sw,sh; of the last four each may be empty. A negative sw or sh mirrors."""
    parts = [part.strip() for part in text.split(",")]
    if not 2 <= len(parts) <= 6:
        raise Refused("viewport is: vw,vh or vw,vh,sx,sy,sw,sh.", code="bad-viewport")
    width, height, left, top, region_width, region_height = (
        _decimal(part, "bad-viewport") if part else 0.0 for part in [*parts, "", "", "", ""][:6]
    )
    for side in (width, height):
        if side != int(side) or not 1 <= side <= MAX_SIDE:
            raise Refused(f"vw and vh are whole numbers from 1 to {MAX_SIDE}.", code="bad-viewport")
    if left < 0 or top < 0:
        raise Refused("sx and sy are not negative.", code="bad-viewport")
    return Viewport(
        int(width),
        int(height),
        left,
        top,
        abs(region_width),
        abs(region_height),
        flip_horizontal=region_width < 0,
        flip_vertical=region_height < 0,
    )


def _decimal(text: str, code: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number) or abs(number) > 1e9 or len(text) > 32 or "_" in text:
        raise Refused("A parameter is no number.", code=code)
    return number


def _plain(text: str) -> str:
    """For a header: letters, digits, comma and dash."""
    return "".join(one for one in text[:64] if one.isascii() and (one.isalnum() or one in ",-"))
