"""The keys of the chain: in files outside the database, so that who can write to the database cannot seal a row.

A key is 32 random bytes, in its file as 64 hex digits. `new_key` puts another one in force; keys that were in force
before lie beside it as audit-ID.key, because the rows sealed with them are verified with them.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from filmless.kit.errors import Refused

NAME = "audit.key"


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the word for it that rows carry, which does not give it away."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        return hashlib.sha256(b"filmless audit key\0" + self.secret).hexdigest()[:16]

    def seal(self, *parts: bytes) -> str:
        """HMAC-SHA-256 (RFC 2104) over the parts, hex. Each part is preceded by its length."""
        told = b"".join([piece for part in parts for piece in (len(part).to_bytes(8, "big"), part)])
        return hmac.digest(self.secret, told, "sha256").hex()


class Keys:
    """The key in force and those before it."""

    def __init__(self, file: Path) -> None:
        """Reads the key in `file`; makes one where there is none. Raises Refused for a file that will not do."""
        self._file = file
        self._stamp = (0, 0)
        self._known: dict[str, Key] = {}
        if not file.exists():
            _make(file)
        self._current = self._load()

    @property
    def folder(self) -> Path:
        return self._file.parent

    @property
    def current(self) -> Key:
        """The key in force at this moment: another process may have put a new one there."""
        if _stamp(self._file) != self._stamp:
            self._current = self._load()
        return self._current

    def find(self, key_id: str) -> Key | None:
        """The key of this id, where it is here."""
        for key in (self._current, self.current, self._known.get(key_id)):
            if key is not None and key.id == key_id:
                return key
        old = self._file.with_name(f"{self._file.stem}-{key_id}.key")
        if not old.exists():
            return None
        key = self._known[key_id] = _read(old)
        return key if key.id == key_id else None

    def new_key(self) -> Key:
        """Put a new key in force. The one before stays, for verification."""
        before = self.current
        old = self._file.with_name(f"{self._file.stem}-{before.id}.key")
        with contextlib.suppress(FileExistsError):
            os.link(self._file, old)
        part = _written(self._file)
        part.replace(self._file)
        _sync(self._file.parent)
        return self.current

    def _load(self) -> Key:
        self._stamp = _stamp(self._file)
        return _read(self._file)


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0)
    return (found.st_ino, found.st_mtime_ns)


def _read(file: Path) -> Key:
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise Refused(
                f"The audit key {file} may be read by others: `chmod 600 {file}`.", code="audit-key"
            )
        secret = bytes.fromhex(file.read_text("ascii").strip())
    except OSError as why:
        raise Refused(f"The audit key {file} cannot be read: {why.strerror}.", code="audit-key") from None
    except ValueError:
        secret = b""
    if len(secret) != 32:
        raise Refused(f"{file} is no audit key: 64 hex digits are wanted.", code="audit-key")
    return Key(secret)


def _make(file: Path) -> None:
    """Make a key. Where several processes start at once, the first one's stays."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = _written(file)
        with contextlib.suppress(FileExistsError):
            os.link(part, file)
        part.unlink()
        _sync(file.parent)
    except OSError as why:
        raise Refused(f"The audit key {file} cannot be made: {why.strerror}.", code="audit-key") from None


def _written(file: Path) -> Path:
    part = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, secrets.token_hex(32).encode() + b"\n")
        os.fsync(fd)
    finally:
        os.close(fd)
    return part


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
