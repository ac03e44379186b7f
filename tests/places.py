"""Where tests keep their files: in memory where there is room, so that no test waits for a disk that others keep busy.

What must be on disk before it is said is tested by the calls themselves (strace), not by how long a disk takes.
"""

import os
from functools import cache
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")
#: bytes; all tests together leave less than 1 GiB at any time
_ROOM: Final = 4 << 30


@cache
def folder() -> Path:
    """/dev/shm where files there may be run and 4 GiB are free, else /tmp."""
    try:
        found = os.statvfs(_MEMORY)
    except OSError:
        return Path("/tmp")
    enough = found.f_bavail * found.f_frsize >= _ROOM and not found.f_flag & os.ST_NOEXEC
    return _MEMORY if enough and os.access(_MEMORY, os.W_OK | os.X_OK) else Path("/tmp")
