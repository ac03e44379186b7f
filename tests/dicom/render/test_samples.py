"""Every image among the sample files is rendered, or is in the list of those that cannot be, with the reason."""

import csv
from pathlib import Path

import imagecodecs
from tests.dicom.sample_files import _SHIPPED, SAMPLES

from filmless.dicom import part10
from filmless.dicom.pixels.render import render
from filmless.dicom.rendering import Viewport, Wish
from filmless.kit.errors import Refused

LIST = Path(__file__).parent / "not_rendered.csv"


def _files() -> list[tuple[str, Path]]:
    found = [(path.name, path) for path in sorted(_SHIPPED.glob("*")) if path.is_file()]
    if SAMPLES is not None:
        for folder in ("codecs", "odd", "studies", "charsets"):
            root = SAMPLES / folder
            found += [
                (path.relative_to(SAMPLES).as_posix(), path)
                for path in sorted(root.rglob("*"))
                if path.is_file()
            ]
    return found


def test_every_image_is_rendered_or_listed() -> None:
    with LIST.open(encoding="utf-8", newline="") as lines:
        listed = {row["file"]: row["code"] for row in csv.DictReader(lines)}
    rendered, wrong = 0, []
    for name, path in _files():
        data = path.read_bytes()
        try:
            meta = part10.read_meta(data)
        except Refused:
            continue  # no DICOM
        try:
            made = render(
                memoryview(data)[meta.data_set_offset :],
                meta.transfer_syntax_uid,
                Wish("image/png", viewport=Viewport(64, 64)),
            )
        except Refused as error:
            if error.code != "no-pixels" and listed.get(name) != error.code:
                wrong.append(f"{name}: {error.code}, {error.message}")
            continue
        shape = imagecodecs.png_decode(made.content).shape[:2]
        if name in listed or shape != (made.height, made.width) or max(shape) != 64:
            wrong.append(f"{name}: listed and yet rendered, or of a wrong size {shape}")
        rendered += 1
    assert not wrong, "\n".join(wrong)
    assert rendered >= 60
