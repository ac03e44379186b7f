"""Signatures: Ed25519 (RFC 8032) over the canonical form of a revision and over who signed it when.

The private key is a file of its own in HOME/keys, in no database: whoever can write the database alone can sign
nothing. A public key is kept beside it under its fingerprint for as long as there are signatures by it, so that the
key may be replaced.
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, insert

from filmless.access.model import Principal
from filmless.kit import clock
from filmless.kit.errors import Unavailable
from filmless.reporting import find
from filmless.reporting.find import Signature
from filmless.reporting.model import Report
from filmless.reporting.tables import signatures

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM: Final = "Ed25519"
_PRIVATE: Final = "report-signing.pem"


class Keys:
    """The signing key of a home, made at its first use, and the public keys of all that were."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def private(self) -> "Ed25519PrivateKey":
        """Raises Unavailable where the key cannot be read."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        path = self.folder / _PRIVATE
        try:
            if not path.exists():
                self._make(path)
            key = load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError):
            raise Unavailable("The key that signs reports cannot be read.", code="no-key") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise Unavailable("The key that signs reports is of another kind.", code="no-key")
        self._keep_public(key.public_key())
        return key

    def _make(self, path: Path) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        made = Ed25519PrivateKey.generate()
        data = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # of two processes that make one at the same moment, the first one's is kept
        with suppress(FileExistsError):
            os.link(whole, path)
        whole.unlink()

    def _keep_public(self, key: "Ed25519PublicKey") -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        path = self.folder / f"report-{fingerprint(key)}.pub"
        if not path.exists():
            pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            whole = path.with_name(f"{path.name}.{os.getpid()}")
            whole.write_bytes(pem)
            whole.replace(path)

    def public(self, key_id: str) -> "Ed25519PublicKey | None":
        """The public key of this fingerprint; None where it is not kept here, or is not what its name says."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        if not key_id.isalnum():
            return None
        try:
            key = load_pem_public_key((self.folder / f"report-{key_id}.pub").read_bytes())
        except (OSError, ValueError):
            return None
        return key if isinstance(key, Ed25519PublicKey) and fingerprint(key) == key_id else None

    def known(self) -> Iterator[str]:
        """The fingerprints of all public keys that are kept."""
        for path in sorted(self.folder.glob("report-*.pub")):
            yield path.stem.removeprefix("report-")


def fingerprint(key: "Ed25519PublicKey") -> str:
    """SHA-256 of a public key's 32 bytes, in hexadecimal."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def signed_bytes(canonical: str, *, role: str, account: str, name: str, at: str) -> bytes:
    """What a signature is over: the text, and who signed it as what and when."""
    head = json.dumps(
        {"account": account, "at": at, "name": name, "role": role},
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return head.encode("utf-8") + b"\n" + canonical.encode("utf-8")


def sign_revision(connection: Connection, report: Report, who: Principal, keys: Keys, role: str) -> None:
    """Sign the newest revision of a report; in the caller's write transaction."""
    revision = find.revision(connection, report.id, report.revision)
    key = keys.private()
    now = clock.now()
    name = find.names_of(connection, [who.name])[who.name]
    shown = name.signed(revision.language)[:200]
    over = signed_bytes(revision.canonical, role=role, account=who.name, name=shown, at=now.isoformat())
    connection.execute(
        insert(signatures).values(
            report=report.id,
            revision=revision.number,
            role=role,
            account=who.name,
            name=shown,
            algorithm=ALGORITHM,
            key_id=fingerprint(key.public_key()),
            value=base64.b64encode(key.sign(over)).decode("ascii"),
            signed_at=now,
        )
    )


def holds(signature: Signature, canonical: str, keys: Keys) -> str:
    """Why a signature does not hold over this canonical form: "" where it does, "unknown-key", "wrong"."""
    from cryptography.exceptions import InvalidSignature

    if signature.algorithm != ALGORITHM:
        return "wrong"
    key = keys.public(signature.key_id)
    if key is None:
        return "unknown-key"
    over = signed_bytes(
        canonical,
        role=signature.role,
        account=signature.account,
        name=signature.name,
        at=signature.signed_at.isoformat(),
    )
    try:
        key.verify(base64.b64decode(signature.value), over)
    except (InvalidSignature, ValueError):
        return "wrong"
    return ""
