"""What a send has confirmed, one line for each object, so that a resumed send does not repeat it.

HOME/jobs/<job id>.jsonl. A line reaches the operating system as soon as the device has answered, so that it outlives
the death of this process; after a power cut the last objects may be sent again, which is harmless.
"""

import contextlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filmless.archive.query import StoredInstance
from filmless.exchange.send import Sent
from filmless.kit.errors import Defect

_NAME = re.compile(r"[A-Za-z0-9._ -]{1,128}")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a send has come: objects confirmed and refused so far, of how many; None where not yet known."""

    sent: int
    failed: int
    total: int | None


class Journal:
    """The journal of one job, written by the worker."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def total(self, number: int) -> None:
        """Note how many objects there are in all."""
        self._line({"total": number})

    def note(self, one: StoredInstance, sent: Sent) -> None:
        """Note what became of an object as it was then."""
        self._line({"uid": one.sop_instance, "as": _state(one), "became": sent.became, "why": sent.why})

    def _line(self, content: dict[str, object]) -> None:
        self._file.write(json.dumps(content, separators=(",", ":")).encode() + b"\n")


@contextmanager
def open_journal(home: Path, job_id: str) -> Iterator[Journal]:
    """Open the journal to go on writing it."""
    path = _path(home, job_id)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        if file.tell():
            # after a crash the last line may be half a line: it must not spoil the next
            file.write(b"\n")
        yield Journal(file)


def confirmed(home: Path, job_id: str, objects: Iterable[StoredInstance]) -> set[str]:
    """SOP Instance UIDs of those of the objects that the device has as they are now. What was corrected or replaced
    since has to be sent again: else it has one half of a study as it was, the other as it is."""
    taken = {
        (str(line["uid"]), line.get("as"))
        for line in _lines(home, job_id)
        if line.get("became") in ("sent", "warning")
    }
    return {one.sop_instance for one in objects if (one.sop_instance, _state(one)) in taken}


def progress(home: Path, job_id: str) -> Progress:
    """How far the job has come, from any process."""
    total: int | None = None
    became: dict[str, str] = {}
    for line in _lines(home, job_id):
        if "total" in line:
            total = int(str(line["total"]))
        elif "uid" in line:
            became[str(line["uid"])] = str(line["became"])
    sent = sum(word in ("sent", "warning") for word in became.values())
    return Progress(sent, sum(word == "failed" for word in became.values()), total)


def forget(home: Path, job_ids: list[str]) -> None:
    """Delete the journals of these jobs."""
    for job_id in job_ids:
        with contextlib.suppress(Defect):
            _path(home, job_id).unlink(missing_ok=True)


def _state(one: StoredInstance) -> str:
    return f"{one.sha256[:32]}-{one.correction}"


def _lines(home: Path, job_id: str) -> Iterator[dict[str, object]]:
    try:
        file = _path(home, job_id).open("rb")
    except FileNotFoundError:
        return
    with file:
        for raw in file:
            try:
                line = json.loads(raw)
            except ValueError:
                # half a line of a process that died while writing it
                continue
            if isinstance(line, dict):
                yield line


def _path(home: Path, job_id: str) -> Path:
    if not _NAME.fullmatch(job_id) or job_id.startswith("."):
        raise Defect("a job's id cannot be the name of a file")
    return home / "jobs" / f"{job_id}.jsonl"
