"""Identifiers that we make."""

import os
import time
import uuid


def new_uid() -> str:
    """A new DICOM UID under 2.25 (PS3.5 B.2): unique without a registered root, at most 44 characters."""
    return f"2.25.{uuid.uuid4().int}"


def new_version_key() -> str:
    """A name for a stored object's version: 32 hex digits, 48 bits of milliseconds then 80 random bits.

    Names sort by time, and a name is never used twice, so writing one never replaces anything.
    """
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
