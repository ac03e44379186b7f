"""Printing a report: its pictures rendered, its page set in a process of its own."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine

from filmless.access.model import SYSTEM
from filmless.archive.codecs import Codecs, DataSet
from filmless.archive.leaving import leaving
from filmless.archive.query.instances import StoredInstance, instances_of
from filmless.db.work import reading
from filmless.dicom.rendering import Viewport, Window, Wish
from filmless.kit import clock
from filmless.kit.errors import FilmlessError, Refused, Unavailable
from filmless.reporting.letterhead import suffix_of
from filmless.reporting.press.gather import Gathered
from filmless.reporting.press.layout import sheet_data

#: pages that are set at the same moment in one process of ours
_AT_ONCE: Final = threading.BoundedSemaphore(2)
_PATIENCE: Final = 30.0
#: seconds for one
_TIMEOUT: Final = 60.0
#: pixels of a picture's longer side: 85 mm at 200 dots an inch and more
_SIDE: Final = 1000


@dataclass(frozen=True, slots=True)
class Printed:
    """A PDF, the characters that no font has, and key images that are not there any more."""

    pdf: bytes
    missing: tuple[str, ...]
    lost: int
    #: (SOP Class UID, SOP Instance UID, data set) of the objects that were asked for
    objects: tuple[tuple[str, str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Shelf:
    """What printing works with."""

    engine: Engine
    #: the store's root
    store: Path
    codecs: Codecs
    #: a folder for what is half done
    scratch: Path


def look_up(engine: Engine, images: Sequence[Mapping[str, Any]]) -> dict[str, StoredInstance]:
    """The stored objects of key images and links, by SOP Instance UID; those that are out of use are left out."""
    wanted = list(dict.fromkeys(str(one["sop_uid"]) for one in images))
    if not wanted:
        return {}
    studies = list(dict.fromkeys(str(one["study_uid"]) for one in images))
    with reading(engine) as connection:
        found = instances_of(connection, SYSTEM, level="IMAGE", study_uids=studies, sop_uids=wanted)
        return {one.sop_instance: one for one in found}


def data_set(shelf: Shelf, one: StoredInstance) -> DataSet:
    """Where an object's bytes are, with the corrections of its header."""
    out = leaving(one, shelf.store)
    return DataSet(str(out.path), out.offset, out.length, out.transfer_syntax, out.head)


async def draw(
    shelf: Shelf, images: Sequence[Mapping[str, Any]], folder: Path
) -> tuple[list[tuple[str, str]], int]:
    """Render key images into a folder: ([(file name, caption)], how many are not there or cannot be shown)."""
    stored = await asyncio.to_thread(look_up, shelf.engine, images)
    made: list[tuple[str, str]] = []
    lost = 0
    for number, one in enumerate(images, 1):
        there = stored.get(str(one["sop_uid"]))
        try:
            if there is None:
                raise Refused("The image is not there.", code="not-found")
            window = one.get("window")
            wish = Wish(
                "image/png",
                frame=int(one.get("frame") or 1) - 1,
                window=Window(float(window["center"]), max(1.0, float(window["width"]))) if window else None,
                viewport=Viewport(_SIDE, _SIDE),
            )
            source = await asyncio.to_thread(data_set, shelf, there)
            picture = await shelf.codecs.render(source, wish)
        except (FilmlessError, OSError):
            lost += 1
            continue
        name = f"picture-{number}.png"
        await asyncio.to_thread(shutil.move, picture.path, folder / name)
        made.append((name, str(one.get("caption") or "")))
    return made, lost


@contextmanager
def folder_of(shelf: Shelf) -> Iterator[Path]:
    """A folder of one's own that is gone at the end."""
    shelf.scratch.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="press-", dir=shelf.scratch))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


async def print_report(shelf: Shelf, gathered: Gathered, objects: Mapping[str, Any] | None = None) -> Printed:
    """The PDF of a report, and the DICOM objects that are asked for (dicom/reported/tasks.py).

    Raises Unavailable (codes "press-busy", "press-failed").
    """
    with folder_of(shelf) as folder:
        pictures, lost = await draw(shelf, gathered.images, folder)
        sheet = replace(gathered.sheet, pictures=tuple(pictures), logo=_logo(gathered, folder))
        task = {
            "folder": str(folder),
            "data": sheet_data(sheet),
            "at": (sheet.signed_at or clock.now()).isoformat(),
            "objects": dict(objects) if objects else None,
        }
        answer = await asyncio.to_thread(_press, task)
        made = tuple(
            (sop_class, uid, (folder / name).read_bytes())
            for sop_class, uid, name in answer.get("objects", [])
        )
        pdf = (folder / "report.pdf").read_bytes()
        return Printed(pdf, tuple(answer["missing"]), lost, made)


def _logo(gathered: Gathered, folder: Path) -> str:
    """The hospital's picture, put beside the page; "" where there is none."""
    if gathered.logo:
        name = f"logo{suffix_of(gathered.logo)}"
        (folder / name).write_bytes(gathered.logo)
        return name
    path = gathered.sheet.logo
    source = Path(path).expanduser() if path else None
    if (
        source is None
        or source.suffix.lower() not in (".png", ".jpg", ".jpeg", ".svg")
        or not source.is_file()
    ):
        return ""
    name = f"logo{source.suffix.lower()}"
    shutil.copyfile(source, folder / name)
    return name


def _press(task: Mapping[str, Any]) -> dict[str, Any]:
    if not _AT_ONCE.acquire(timeout=_PATIENCE):
        raise Unavailable("Too many reports are printed at the moment. Try again.", code="press-busy")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "filmless.reporting.press.process"],
            input=json.dumps(task).encode(),
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, OSError, ValueError):
        raise Unavailable("The report cannot be printed at the moment.", code="press-failed") from None
    finally:
        _AT_ONCE.release()
    if "error" in answer:
        raise Unavailable(f"The report cannot be printed: {answer['error']}.", code="press-failed")
    return answer
