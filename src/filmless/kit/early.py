"""Having the disk begin early with what will be synced soon."""

import ctypes
from typing import Any

#: linux/fs.h
_WRITE = 2

_range: Any
try:
    _range = ctypes.CDLL(None).sync_file_range
    _range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
except (OSError, AttributeError):
    _range = None


def begin_writing(handle: int, offset: int, length: int) -> None:
    """Have the system begin to write these bytes of a file to the disk, and do not wait for it (sync_file_range(2)).

    Promises nothing: a sync has to follow. Does nothing where the system has no such call.
    """
    if _range is not None and length > 0:
        _range(handle, offset, length, _WRITE)
