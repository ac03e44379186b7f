"""The ledger: decisions that no image file can tell, one JSON line each, so that the index can be made again.

`STORE/ledger.jsonl` is only ever appended to, and a line is on disk before the index commits the decision. A line
whose decision then did not commit is harmless: either its file is gone (recovery removed it), or the person
decides again. That of a correction is taken back by the next one (corrections/ledgered.py).

    {"at": "...", "what": "quarantine", "key": "...", "cause": "different-object"}
    {"at": "...", "what": "keep-first" | "replace" | "accept" | "discard", "key": "...", "by": "...", "reason": "..."}
    {"at": "...", "what": "reject" | "revoke", "note": "<SOP Instance UID>", "by": "...", "reason": "..."}
    {"at": "...", "what": "purge", "key": "...", "by": "...", "reason": "..."}
    {"at": "...", "what": "rejected", "note": "...", "code": "...", "rejected_at": "...", "objects": ["..."], ...}
    {"at": "...", "what": "correct", "key": "...", "level": "STUDY", "study_uid": "...", "changes": {...}, ...}
    {"at": "...", "what": "undo-correction", "key": "...", "by": "...", "reason": "..."}
    {"at": "...", "what": "settle-doubt", "kind": "same-id", "patient": ["...", ...], "other": ["...", ...], ...}

"rejected" is written when a rejection note itself is purged: what it rejects stays rejected. `at` is the moment that
the index has for the decision, where it has one.
"""

import errno
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from filmless.archive.blobs import sync_folder
from filmless.kit import clock

NAME = "ledger.jsonl"

log = logging.getLogger(__name__)


def write(root: Path, decisions: Iterable[Mapping[str, Any]]) -> None:
    """Append decisions durably; one that does not say when (`at`) is of this moment.

    One write, so that lines of several processes never mix (O_APPEND).
    """
    at = clock.now().isoformat()
    lines = "".join(
        json.dumps({"at": at, **decision}, ensure_ascii=False, separators=(",", ":")) + "\n"
        for decision in decisions
    )
    if not lines:
        return
    path = root / NAME
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        end = os.fstat(fd).st_size
        # a crash may have cut the last line: the new ones must not be glued to it
        cut = end > 0 and os.pread(fd, 1, end - 1) != b"\n"
        data = ("\n" if cut else "").encode() + lines.encode()
        if os.write(fd, data) != len(data):
            # what is there now is a line cut off; the decision must not be made
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fdatasync(fd)
    finally:
        os.close(fd)
    if end == 0:
        sync_folder(root)


def read(root: Path) -> Iterator[dict[str, Any]]:
    """All decisions in their order. A line cut off by a crash is passed over: its decision never committed."""
    path = root / NAME
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                log.warning("the ledger has a line cut off by a crash; its decision was never made")
