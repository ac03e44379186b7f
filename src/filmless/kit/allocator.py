"""glibc's allocator, told to give back what is not needed.

By itself it keeps a heap for each thread that once allocated while another did, and gives a block back to the system
only if it was never asked for one of that size before: a process that hashed one password (19 MiB, Argon2) or answered
one large question keeps the memory for good. Here blocks of 4 MiB and more are the system's again when they are freed,
whatever came before, and all threads share one heap: most of what they ask for is of CPython's own, under its lock.

Smaller blocks come from the heap: to have each MiB that is read from a file anew from the system would cost five times
the processor time of reading it.
"""

import sys

#: malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_BLOCK = 4 << 20


def frugal() -> None:
    """Before there are threads. What is set in the environment (MALLOC_ARENA_MAX and so on) is overruled; does nothing
    where the allocator is another one."""
    if sys.platform != "linux":
        return
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_ARENA_MAX, 1)
    mallopt(_TRIM_THRESHOLD, _BLOCK)
    mallopt(_MMAP_THRESHOLD, _BLOCK)
