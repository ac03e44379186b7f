"""The codec process: pixel work away from the network. Started by archive/codecs.py, never imported by it.

One task per line of JSON on standard input, one answer per line on standard output, results in files that
the task names. Ends when its input ends, so that it never outlives the process that started it.
"""

import json
import mmap
import os
import resource
import sys
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from filmless.dicom.elements import Buffer
from filmless.dicom.json_text import mapped
from filmless.dicom.pixels import transcode
from filmless.dicom.pixels.one_frame import transcode_frame
from filmless.dicom.same import same_object
from filmless.kit.errors import FilmlessError


def _read(part: dict[str, Any]) -> bytes:
    with Path(part["path"]).open("rb") as file:
        if part["offset"]:
            file.seek(part["offset"])
        data = file.read(part["size"])
    if len(data) != part["size"]:
        raise EOFError(f"the file ends {part['size'] - len(data)} bytes early")
    return b64decode(part.get("head", "")) + data


def _transcode(task: dict[str, Any]) -> dict[str, Any]:
    result = transcode(_read(task["from"]), task["from"]["transfer_syntax_uid"], task["to"])
    with Path(task["into"]).open("wb") as file:
        file.write(result)
    return {"size": len(result)}


def _same(task: dict[str, Any]) -> dict[str, Any]:
    a, b = task["a"], task["b"]
    difference = same_object(_read(a), a["transfer_syntax_uid"], _read(b), b["transfer_syntax_uid"])
    return {"difference": None if difference is None else str(difference)}


def _render(task: dict[str, Any]) -> dict[str, Any]:
    from filmless.dicom.pixels.render import render
    from filmless.dicom.rendering import Wish

    image, state = task["from"], task["state"]
    with _mapped(image) as data:
        rendered = render(
            data,
            image["transfer_syntax_uid"],
            Wish.of(task["wish"]),
            (_read(state), state["transfer_syntax_uid"]) if state else None,
        )
    Path(task["into"]).write_bytes(rendered.content)
    return {
        "media_type": rendered.media_type,
        "width": rendered.width,
        "height": rendered.height,
        "frames": rendered.frames,
        "warnings": rendered.warnings,
    }


def _icon(task: dict[str, Any]) -> dict[str, Any]:
    from filmless.dicom.pixels.render import icon
    from filmless.dicom.pixels.render.files import still

    pixels = icon(task["label"], task["side"])
    Path(task["into"]).write_bytes(still(pixels, task["media_type"], quality=90))
    return {
        "media_type": task["media_type"],
        "width": task["side"],
        "height": task["side"],
        "frames": 1,
        "warnings": [],
    }


@contextmanager
def _mapped(part: dict[str, Any]) -> Iterator[Buffer]:
    """A data set without reading all of it: of many frames a picture needs one. With a corrected header, read."""
    if part.get("head") or not part["size"]:
        yield _read(part)
        return
    with Path(part["path"]).open("rb") as file:
        if os.fstat(file.fileno()).st_size < part["offset"] + part["size"]:
            raise EOFError("the file is too short")
        # not closed here: whatever still points into it (an error's frames) keeps it until the garbage is collected
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    yield memoryview(mapped)[part["offset"] : part["offset"] + part["size"]]


def _frame(task: dict[str, Any]) -> dict[str, Any]:
    part = task["from"]
    with mapped(Path(part["path"]), part["offset"], part["size"]) as data:
        place = tuple(
            number - part["offset"] if even % 2 == 0 else number for even, number in enumerate(task["place"])
        )
        result = transcode_frame(data, part["transfer_syntax_uid"], task["number"], place, task["to"])
    with Path(task["into"]).open("wb") as file:
        file.write(result)
    return {"size": len(result)}


def _documents(task: dict[str, Any]) -> dict[str, Any]:
    from filmless.dicom.measured.tasks import documents

    made = documents([_head(one) for one in task["sources"]], task["wish"])
    with Path(task["into"]).open("wb") as file:
        for *_, data in made:
            file.write(data)
    return {"documents": [(sop_class, uid, len(data)) for sop_class, uid, data in made]}


def _measured(task: dict[str, Any]) -> dict[str, Any]:
    from filmless.dicom.measured.tasks import measured

    reports, failed = [], 0
    for one in task["sources"]:
        try:
            reports.append(_head(one))
        except Exception:  # noqa: BLE001  a bad report must cost itself only
            failed += 1
    found = measured(reports)
    with Path(task["into"]).open("w", encoding="utf-8") as file:
        json.dump({**found, "failed": found["failed"] + failed}, file)
    return {}


def _head(part: dict[str, Any]) -> Any:
    """The elements of an object before its pixels, as a pydicom data set."""
    from filmless.dicom.measured.tasks import head

    with _mapped(part) as data:
        return head(data, part["transfer_syntax_uid"], part["character_set"])


_TASKS = {
    "documents": _documents,
    "measured": _measured,
    "frame": _frame,
    "transcode": _transcode,
    "same": _same,
    "render": _render,
    "icon": _icon,
}


def answer(line: bytes) -> dict[str, Any]:
    """The answer to one task: its result, or the error's family, message and code. Never raises."""
    try:
        task = json.loads(line)
        return _TASKS[task["task"]](task)
    except FilmlessError as error:
        return {"error": type(error).__name__, "message": error.message, "code": error.code}
    except (OSError, EOFError):
        return {"error": "Refused", "message": "the object's file cannot be read", "code": "unreadable"}
    except MemoryError:
        return {
            "error": "Refused",
            "message": "the object needs more memory than image conversion may have ([codecs] memory)",
            "code": "memory",
        }
    except Exception as error:  # noqa: BLE001  a bad object must cost its own task only
        # The text of a codec's or parser's error may quote the object: only its kind goes further.
        return {
            "error": "Refused",
            "message": f"cannot be decoded ({type(error).__name__})",
            "code": "bad-pixels",
        }


def serve(tasks: BinaryIO, answers: BinaryIO) -> None:
    """Answer tasks until their stream ends."""
    for line in tasks:
        answers.write(json.dumps(answer(line)).encode() + b"\n")
        answers.flush()


def _bounded(memory_mib: int) -> None:
    """One crafted object must not take the machine. Bounded is what a process has of its own (RLIMIT_DATA): the address
    space would count the files that it maps. Where memory ends all the same, this process goes before others."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = memory_mib << 20
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    # a core dump would have pixels of patients in it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


def main() -> None:
    """Serve on standard input and output. Interactive work of the machine goes first (nice 5)."""
    os.nice(5)
    _bounded(int(sys.argv[1]))
    # Libraries may print: what they print must not look like an answer.
    own = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(own, "wb") as answers:
        serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
