"""Where the frames of an object are, remembered: a version's bytes never change."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from filmless.archive import prepared
from filmless.archive.web.lookup import Found
from filmless.dicom import frames
from filmless.dicom.frames import Place

#: places that are kept; frames of one length, one behind the other, count as one
_KEPT: Final = 200_000


class Offsets:
    """For one process. Places are counted from the start of the stored file."""

    def __init__(self, home: Path, store: Path) -> None:
        self._home = home
        self._store = store
        #: by the path of the version, which is never used again
        self._places: OrderedDict[str, Sequence[Place]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    async def of(self, found: Found) -> Sequence[Place]:
        """The places of an instance's frames; empty where none can be told. Raises OSError where the file is gone."""
        version = found.stored.path
        with self._lock:
            places = self._places.get(version)
            if places is not None:
                self._places.move_to_end(version)
                return places
        return await asyncio.to_thread(self._find, found)

    def _find(self, found: Found) -> Sequence[Place]:
        one = found.stored
        places: Sequence[Place] | None = None
        if found.prepared:
            try:
                for entry in prepared.read_entries(self._home / found.prepared):
                    self._keep(entry["path"], prepared.unfolded(entry))
                    if entry["path"] == one.path:
                        places = prepared.unfolded(entry)
            except FileNotFoundError:
                # prepared anew in the meantime
                places = None
        if places is None:
            found_now = frames.of_file(self._store / one.path, one.offset, one.size, one.ts)
            places = prepared.unfolded(prepared.folded(found_now))
        self._keep(one.path, places)
        return places

    def _keep(self, version: str, places: Sequence[Place]) -> None:
        with self._lock:
            if version in self._places:
                return
            self._places[version] = places
            self._count += _weight(places)
            while self._count > _KEPT and len(self._places) > 1:
                _, old = self._places.popitem(last=False)
                self._count -= _weight(old)


def _weight(places: Sequence[Place]) -> int:
    return 1 if isinstance(places, prepared.EvenPlaces) else 1 + sum(map(len, places)) // 2
