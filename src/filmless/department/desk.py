"""What registering takes, opened for a home."""

from pathlib import Path

from filmless.access.audit.keys import Keys
from filmless.department.model import DepartmentSettings, Desk


def open_desk(settings: DepartmentSettings, home: Path) -> Desk:
    """The desk of this home. The key of documents' hashes is made when first asked for: HOME/keys/documents.key.

    Raises Refused (code "audit-key") for a key file that will not do.
    """
    return Desk(settings, Keys(home / "keys" / "documents.key").current.secret)
