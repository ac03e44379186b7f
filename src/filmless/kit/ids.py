"""Identifiers that we make."""

import os
import time
import uuid


def new_uid() -> str:
    """A new DICOM UID under 2.25 (PS3.5 B.2): unique without a registered root, at most 44 characters."""
    return f"2.25.{uuid.uuid4().int}"


def uid_from(key: str, name: str) -> str:
    """The UID that `name` has under `key` (a UUID's text): the same again for the same two."""
    return f"2.25.{uuid.uuid5(uuid.UUID(key), name).int}"


def new_version_key() -> str:
    """A name for a stored object's version: 32 hex digits, 48 bits of milliseconds then 80 random bits.

    Names sort by time, and a name is never used twice, so writing one never replaces anything.
    """
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


def new_number() -> int:
    """A key for a row that must be known before it is written: 41 bits of milliseconds, then 22 random bits.

    Two of the same millisecond may, rarely, be equal: the table's uniqueness decides and the writer tries again.
    """
    return (time.time_ns() // 1_000_000 - 1_577_836_800_000) << 22 | int.from_bytes(os.urandom(3)) & 0x3FFFFF
