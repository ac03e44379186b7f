"""What may be asked of a rendering, and what it gives (PS3.18 8.3.5, 8.7.4). What renders is dicom/pixels/render."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from filmless.kit.errors import Refused

Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

#: single pictures, with the media type's file in mind; and pictures that move
STILL = ("image/jpeg", "image/png", "image/gif")
MOVING = ("video/mp4", "image/gif")

#: of a thumbnail where nothing else is asked; pixels
THUMBNAIL_SIDE = 128
#: of Wish.frame
MIDDLE = -1
#: neither side of a picture may be longer; pixels
MAX_SIDE = 8192
#: frames of one moving picture, and their pixels all together
MAX_FRAMES = 2000
MAX_MOVING_PIXELS = 1 << 31
#: presentation states that are understood: grayscale and color softcopy
STATES = ("1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.11.2")
#: colour spaces that `iccprofile` may ask for (PS3.18 8.3.5.1.5), beside "no" and "yes"
COLOUR_SPACES = ("srgb", "adobergb", "rommrgb", "displayp3")


@dataclass(frozen=True, slots=True)
class Window:
    """A window over the output of the modality LUT (PS3.3 C.11.2.1.2): HU, or whatever the rescale gives."""

    center: float
    width: float
    function: Function = "LINEAR"

    def sound(self) -> bool:
        """Whether the standard allows such a width: at least 1 for LINEAR, above 0 for the others."""
        return self.width >= 1 if self.function == "LINEAR" else self.width > 0


@dataclass(frozen=True, slots=True)
class Viewport:
    """Width and height in pixels within which the picture is scaled, keeping its proportions, and the region of the
    image that it shows: left, top, width, height in image pixels (0: up to the edge). `flip_*` mirror it."""

    width: int
    height: int
    left: float = 0.0
    top: float = 0.0
    region_width: float = 0.0
    region_height: float = 0.0
    flip_horizontal: bool = False
    flip_vertical: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """How to render. Raises Refused where a value is out of bounds."""

    media_type: str = "image/jpeg"
    #: from 0; None: all frames for a moving picture, for a still one the first; MIDDLE: the one in the middle
    frame: int | None = None
    window: Window | None = None
    viewport: Viewport | None = None
    #: of JPEG and of MP4, 1 to 100
    quality: int = 90
    #: "" as is convenient, "no", "yes" or one of COLOUR_SPACES
    icc: str = ""
    #: overlays of the image; a presentation state decides for itself
    overlays: bool = True

    def __post_init__(self) -> None:
        if self.media_type not in (*STILL, *MOVING):
            raise Refused(f"{self.media_type} cannot be rendered.", code="not-acceptable")
        if not 1 <= self.quality <= 100:
            raise Refused("The quality must be from 1 to 100.", code="bad-quality")
        if self.icc not in ("", "no", "yes", *COLOUR_SPACES):
            raise Refused("There is no such colour profile.", code="bad-iccprofile")
        if self.icc not in ("", "no") and self.media_type in MOVING:
            raise Refused(f"{self.media_type} holds no colour profile.", code="bad-iccprofile")
        if self.window is not None and not self.window.sound():
            raise Refused("The window is too narrow.", code="bad-window")
        port = self.viewport
        if port is not None and not (1 <= port.width <= MAX_SIDE and 1 <= port.height <= MAX_SIDE):
            raise Refused(f"The viewport must be of 1 to {MAX_SIDE} pixels a side.", code="bad-viewport")

    def as_json(self) -> dict[str, Any]:
        """For a codec process, and for what is kept under this wish."""
        return asdict(self)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Wish":
        """Back from `as_json`."""
        window, viewport = content["window"], content["viewport"]
        return cls(
            **{
                **content,
                "window": Window(**window) if window else None,
                "viewport": Viewport(**viewport) if viewport else None,
            }
        )


@dataclass(frozen=True, slots=True)
class Rendered:
    """The file of a picture, its size in pixels, its frames, and what could not be done as asked."""

    content: bytes
    media_type: str
    width: int
    height: int
    frames: int = 1
    warnings: list[str] = field(default_factory=list)
