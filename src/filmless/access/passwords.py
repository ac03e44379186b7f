"""Passwords: which are good enough, and argon2id (RFC 9106) to keep and check them."""

import base64
import os
import re
import threading
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Final

from filmless.kit.errors import Refused, Unavailable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

#: more is a mistake or an attack: argon2 would read it all
LONGEST: Final = 200
#: checks at the same moment; each holds 19 MiB
_AT_ONCE: Final = threading.BoundedSemaphore(2)
_PATIENCE: Final = 10.0

#: of the most common passwords, those of ten characters and more; compared in lower case
_COMMON_WORDS: Final = """
    1234567890 0123456789 12345678910 123456789a a123456789 1234567891 1234567899 0987654321 9876543210 1111111111
    123123123123 1234512345 123qweasdzxc 1qaz2wsx3edc 1q2w3e4r5t 1q2w3e4r5t6y 1q2w3e4r5t6y7u q1w2e3r4t5 qwertyuiop
    qwertyuiop123 qwerty12345 qwerty123456 qwerty1234 qazwsxedcrfv asdfghjkl1 zxcvbnm123 abcdefghij abcdefghijk
    abc1234567 abcd123456 abc123456789 aa12345678 a1234567890 password123 password1234 password12 password01
    passw0rd123 p@ssw0rd123 p@ssword123 mypassword administrator admin12345 admin123456 admin@123456 root123456
    iloveyou123 iloveyou12 sunshine123 football123 baseball123 superman123 letmein123 letmein1234 welcome123
    welcome1234 welcome@123 changeme123 changeit123 monkey12345 dragon12345 princess123 michael123 charlie123
    woaini1314 woaini1314520 woaini520520 5201314520 1314520520 5201314a520 zxcvbnm1234 147258369a 1472583690
    7894561230 741852963a 789456123a 11223344556 1122334455 112233445566 0000000000 hospital123 radiology1 radiology123
    radiologist filmless123 filmless1234 dicom12345 pacs123456 pacsadmin1 pacsadmin123 orthanc123 changeme1234
"""
_COMMON: Final = frozenset(_COMMON_WORDS.split())


@cache
def _hasher() -> "PasswordHasher":
    # imported here: processes that check no passwords stay small
    from argon2 import PasswordHasher

    # the OWASP Password Storage Cheat Sheet's first choice for argon2id: 19 MiB, two passes, one lane
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@cache
def _nobodys() -> str:
    """The hash that is checked where there is none, so that it takes as long."""
    return _hasher().hash(os.urandom(16))


def _as_typed(password: str) -> bytes:
    # keyboards compose the same letters in different ways (NIST SP 800-63B 3.1.1.2)
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def hashed(password: str) -> str:
    """What is kept of a password. About 20 ms of work. Raises Unavailable where many are checked already."""
    with _Turn():
        return _hasher().hash(_as_typed(password))


def check(kept: str, password: str) -> bool:
    """Whether `password` is the one that `kept` was made of; "" is of none. Takes the same time in every case."""
    from argon2.exceptions import InvalidHashError, VerificationError

    typed = _as_typed(password[: LONGEST + 1])
    with _Turn():
        try:
            right = _hasher().verify(kept or _nobodys(), typed)
        except (VerificationError, InvalidHashError):
            return False
    return right and bool(kept) and len(password) <= LONGEST


def is_old(kept: str) -> bool:
    """Whether it was made with weaker parameters than today's, so that it is to be made anew at the next sign-in."""
    return _hasher().check_needs_rehash(kept)


def demand(password: str, *, name: str, length: int) -> str:
    """The password. Raises Refused (code "weak-password") that says what is wrong with it."""
    plain = unicodedata.normalize("NFKC", password)
    lower = plain.lower()
    why = ""
    if len(plain) < length:
        why = f"it needs at least {length} characters"
    elif len(password) > LONGEST:
        why = f"it may have at most {LONGEST} characters"
    elif any(unicodedata.category(letter).startswith("C") for letter in plain):
        why = "it has characters that cannot be typed"
    elif len(lower.replace(name.lower(), "")) < 4:
        why = "it is made of the account's name"
    elif lower in _COMMON or len(set(lower)) < 4 or re.fullmatch(r"(.{1,4})\1+", lower):
        why = "it is one of those that are tried first"
    if why:
        raise Refused(f"This password cannot be taken: {why}.", code="weak-password")
    return password


def random_password() -> str:
    """A password to be told to somebody: 80 random bits as four groups of four letters and digits."""
    text = base64.b32encode(os.urandom(10)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


class _Turn:
    def __enter__(self) -> None:
        if not _AT_ONCE.acquire(timeout=_PATIENCE):
            raise Unavailable("Too many are signing in at this moment. Try again soon.", code="busy")

    def __exit__(self, *_: object) -> None:
        _AT_ONCE.release()
