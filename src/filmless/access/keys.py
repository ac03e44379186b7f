"""Random secrets (session ids, tokens, recovery codes) and what is kept of them.

They are random and long, so one round of SHA-256 is enough: there is nothing to guess. Passwords are in passwords.py.
"""

import base64
import hashlib
import hmac
import os


def new_secret() -> str:
    """256 random bits in 43 characters that fit into cookies, headers and URLs."""
    return base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()


def digest(secret: str) -> str:
    """What the database keeps of a secret: SHA-256, 64 hex digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def derived(secret: str, purpose: str) -> str:
    """Another secret that only the holder of the first can make: 64 hex digits."""
    return hmac.new(secret.encode("utf-8", "surrogatepass"), purpose.encode(), hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare without telling by the time how much is right."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
