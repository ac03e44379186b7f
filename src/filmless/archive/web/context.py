"""What the routes of /dicom-web work with: built once by app/, passed in."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine
from starlette.requests import Request

from filmless.access import web
from filmless.access.model import Principal
from filmless.archive.codecs import Codecs
from filmless.archive.model import ArchiveSettings
from filmless.archive.store import Archive
from filmless.kit.errors import Refused
from filmless.net.http.model import HttpSettings


class TrailLike(Protocol):
    """The audit trail as far as routes use it (access/audit)."""

    def record(self, entry: Any) -> None:
        """Keep an entry; raises Unavailable where it cannot be kept."""

    def require(self) -> None:
        """Raises Unavailable where nothing can be kept: before what is told only at its end."""

    def record_late(self, entry: Any) -> None:
        """Keep an entry about what has happened already; never raises."""

    def record_in(self, connection: Connection, entry: Any) -> None:
        """Keep an entry in the caller's write transaction."""

    def viewed(self, who: Principal, host: str, study_uid: str, what: str) -> None:
        """That `who` looked at a study; cheap on repeats."""


@dataclass(frozen=True, slots=True)
class ArchiveWeb:
    """The archive for one process that answers HTTP."""

    engine: Engine
    #: the home's folder: prepared metadata are in home / series.metadata_path
    home: Path
    #: the store's root: blobs are in store / versions.path
    store: Path
    codecs: Codecs
    trail: TrailLike
    #: the way in, for STOW-RS; None where this process takes no objects
    archive: Archive | None = None
    settings: ArchiveSettings = field(default_factory=ArchiveSettings)
    #: for net.http.origin: addresses behind a reverse proxy
    http: HttpSettings = field(default_factory=HttpSettings)
    #: set when the process is told to stop: whoever waits for news is answered at once
    ending: threading.Event = field(default_factory=threading.Event)


def principal_of(request: Request) -> Principal:
    """On whose behalf; raises Refused (code "not-signed-in", or what has to be done first) where nobody may ask."""
    state = request.scope.get("state", {})
    principal = state.get("principal")
    if not isinstance(principal, Principal):
        if state.get("signed_in") is not None:
            # signed in, but with a password to change first
            return web.principal_of(request)
        raise Refused("Sign in first.", code="not-signed-in")
    return principal
