"""Colour frames as RGB of 8 bits (PS3.3 C.7.6.3.1.2), and colour profiles."""

from functools import lru_cache

import imagecodecs
import numpy as np

from filmless.dicom.frames import PixelFacts
from filmless.dicom.header import Header
from filmless.dicom.pixels.decode import Decoded
from filmless.dicom.pixels.render.values import Array, first_item
from filmless.kit.errors import Refused

ICC_PROFILE, _OPTICAL_PATH = 0x00282000, 0x00480105
#: YCbCr to RGB, offsets taken off before: the full and the partial range (CCIR 601-2)
_FULL = np.array([[1.0, 0.0, 1.402], [1.0, -0.344136, -0.714136], [1.0, 1.772, 0.0]])
_PARTIAL = np.array([[1.1644, 0.0, 1.5960], [1.1644, -0.3917, -0.8130], [1.1644, 2.0173, 0.0]])


def rgb(decoded: Decoded) -> Array:
    """(rows, columns, 3) of 8 bits from a frame of several samples."""
    facts = decoded.facts
    pixels = _eight(decoded.pixels, facts)
    name = facts.photometric
    if pixels.ndim != 3 or pixels.shape[2] < 3:
        raise Refused(f"Pixels of {facts.samples} samples are not known.", code="unsupported-pixels")
    if name in ("YBR_FULL", "YBR_FULL_422"):
        return _matrix(pixels, _FULL, 0.0)
    if name.startswith("YBR_PARTIAL"):
        return _matrix(pixels, _PARTIAL, 16.0)
    if name == "CMYK" and pixels.shape[2] == 4:
        light = 255 - pixels.astype(np.uint16)
        return ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)
    if name == "ARGB" and pixels.shape[2] == 4:
        return np.ascontiguousarray(pixels[..., 1:])
    if name == "HSV":
        return _of_hsv(pixels)
    return np.ascontiguousarray(pixels[..., :3])


def _eight(pixels: Array, facts: PixelFacts) -> Array:
    """Samples of whatever bits as 8, the full range to the full range."""
    bits = facts.bits_stored if 1 <= facts.bits_stored <= facts.bits_allocated else facts.bits_allocated
    if facts.signed:
        # Pixel Representation of colour is 0 (PS3.3 C.7.6.3): an error of the writer's
        pixels = pixels.view(f"u{pixels.dtype.itemsize}")
    if bits == 8:
        return pixels.astype(np.uint8, copy=False)
    top = (1 << bits) - 1
    rows = max(1, (1 << 20) // max(pixels.shape[1], 1))
    out = np.empty(pixels.shape, np.uint8)
    for at in range(0, len(pixels), rows):
        part = (pixels[at : at + rows] & top).astype(np.float64)
        out[at : at + rows] = np.floor(part * (255.0 / top) + 0.5)
    return out


def _matrix(pixels: Array, matrix: Array, luma_offset: float) -> Array:
    out = np.empty(pixels.shape, np.uint8)
    rows = max(1, (1 << 18) // max(pixels.shape[1], 1))
    transposed = matrix.T.astype(np.float32)
    for at in range(0, len(pixels), rows):
        part = pixels[at : at + rows].astype(np.float32) - np.array([luma_offset, 128.0, 128.0], np.float32)
        out[at : at + rows] = np.clip(part @ transposed + 0.5, 0, 255)
    return out


def _of_hsv(pixels: Array) -> Array:
    """Retired HSV: hue over the full range of its sample."""
    hue, saturation, value = np.moveaxis(pixels.astype(np.float32) / 255.0, -1, 0)
    channels = []
    for n in (5.0, 3.0, 1.0):
        k = (n + hue * 6.0) % 6.0
        channels.append(value - value * saturation * np.clip(np.minimum(k, 4.0 - k), 0.0, 1.0))
    return (np.stack(channels, axis=-1) * 255.0 + 0.5).astype(np.uint8)


def profile_of(header: Header) -> bytes:
    """The ICC profile of a colour image, a slide's optical path included; b"" where there is none."""
    for place in (header, first_item(header, _OPTICAL_PATH)):
        found = place.values.get(ICC_PROFILE) if place is not None else None
        if found and len(found[1]) > 128 and found[1][36:40] == b"acsp":
            length = int.from_bytes(found[1][:4], "big")
            return found[1][:length] if 128 < length <= len(found[1]) else found[1]
    return b""


@lru_cache(maxsize=8)
def colour_space(name: str) -> bytes:
    """The ICC profile of a colour space of PS3.18 8.3.5.1.5, or "grey": the greys of sRGB."""
    if name in ("srgb", "adobergb"):
        return bytes(imagecodecs.cms_profile(name))
    ramp = np.linspace(0.0, 1.0, 1024)
    curve = np.where(ramp <= 0.04045, ramp / 12.92, ((ramp + 0.055) / 1.055) ** 2.4)
    if name == "grey":
        table = np.floor(curve * 65535 + 0.5).astype(np.uint16)
        return bytes(
            imagecodecs.cms_profile("gray", whitepoint=[0.3127, 0.3290, 1.0], transferfunction=table)
        )
    if name == "displayp3":
        white, primaries = (0.3127, 0.3290), (0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
    else:  # ROMM RGB (ISO 22028-2)
        curve = np.where(ramp < 16 / 512, ramp / 16, ramp**1.8)
        white, primaries = (0.3457, 0.3585), (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)
    table = np.floor(curve * 65535 + 0.5).astype(np.uint16)
    return bytes(
        imagecodecs.cms_profile(
            "rgb", whitepoint=[*white, 1.0], primaries=[*primaries], transferfunction=table
        )
    )


def managed(pixels: Array, source: bytes, wish: str) -> tuple[Array, bytes]:
    """(pixels, the profile to put into the file): PS3.18 8.3.5.1.5.

    "no": as they are, none. "" and "yes": as they are, with the source's, where "yes" and there is none with that
    of sRGB (of grey images its greys), which is what pixels without a profile are taken for. A name: transformed to it.
    """
    if wish == "no" or (wish == "" and not source):
        return pixels, b""
    if wish in ("", "yes"):
        return pixels, source or colour_space("srgb" if pixels.ndim == 3 else "grey")
    target = colour_space(wish)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    try:
        out = imagecodecs.cms_transform(
            np.ascontiguousarray(pixels), source or colour_space("srgb"), target, colorspace="rgb",
            outcolorspace="rgb",
        )  # fmt: skip
    except (ValueError, RuntimeError) as error:
        raise Refused("The image's colour profile is damaged.", code="bad-pixels") from error
    return np.asarray(out), target
