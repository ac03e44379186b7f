"""Damaged objects and presentation states: a picture or a refusal, never anything else, and never much time."""

import random
import time

import numpy as np
import pytest
from tests.dicom.render.making import LE, encoded, image
from tests.dicom.render.test_state import full_state
from tests.dicom.sample_files import shipped

from filmless.dicom import part10
from filmless.dicom.pixels.render import render
from filmless.dicom.rendering import Viewport, Wish
from filmless.kit.errors import Refused

WISH = Wish("image/png", viewport=Viewport(64, 64))
#: palette, overlay, JPEG 2000, RLE, one bit, colour
FILES = (
    "CT_small.dcm",
    "examples_palette.dcm",
    "examples_overlay.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jp2klossless.dcm",
    "liver_1frame.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "ExplVR_BigEnd.dcm",
    "image_dfl.dcm",
)


def _spoil(data: bytes, seed: int) -> bytes:
    """Some bytes of the header, and now and then of the pixels, are others."""
    chance = random.Random(seed)
    out = bytearray(data)
    head = data.find(b"\xe0\x7f\x10\x00")
    for _ in range(chance.choice((1, 3, 10))):
        end = head if head > 0 and chance.random() < 0.8 else len(out)
        out[chance.randrange(end)] = chance.choice((0, 255, chance.randrange(256)))
    return bytes(out)


@pytest.mark.parametrize("name", FILES)
def test_damaged_images(name: str) -> None:
    file = shipped(name)
    meta = part10.read_meta(file)
    data = file[meta.data_set_offset :]
    start = time.process_time()
    outcomes = set()
    with np.errstate(all="ignore"):
        for seed in range(25):
            try:
                render(_spoil(data, seed), meta.transfer_syntax_uid, WISH)
                outcomes.add("picture")
            except Refused as refused:
                assert refused.message
                outcomes.add("refused")
    assert outcomes
    assert time.process_time() - start < 20


def test_damaged_states() -> None:
    state = encoded(full_state())
    picture = encoded(image(np.arange(400, dtype=np.uint16).reshape(20, 20)))
    outcomes = []
    with np.errstate(all="ignore"):
        for seed in range(100):
            try:
                render(picture, LE, WISH, (_spoil(state, seed), LE))
                outcomes.append("picture")
            except Refused:
                outcomes.append("refused")
    assert set(outcomes) == {"picture", "refused"}
