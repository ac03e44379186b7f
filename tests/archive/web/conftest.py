"""The archive's web side on either database: objects in it, a real trail, clients in the same process."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, select
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.archive.web.place import place  # noqa: F401 - a fixture of its own

from filmless.access.audit.keys import Keys
from filmless.access.audit.tables import audit
from filmless.access.audit.trail import Trail
from filmless.access.model import Grant, Principal, Role, account_principal
from filmless.archive import settle
from filmless.archive.codecs import Codecs
from filmless.archive.model import ArchiveSettings, Arrival, Kind, Source
from filmless.archive.store import Archive
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.routes import routes
from filmless.db.work import reading
from filmless.dicom import part10
from filmless.kit.errors import FilmlessError
from filmless.net.http.problems import of_error

STEWARD = account_principal("steward", 1, [Grant(Role.PAD)])
READER = account_principal("reader", 2, [Grant(Role.RES)])
REGISTRAR = account_principal("registrar", 3, [Grant(Role.REG)])


class As:
    """Signs everybody in as one principal."""

    def __init__(self, app: ASGIApp, principal: Principal | None) -> None:
        self._app, self._principal = app, principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._principal is not None:
            scope.setdefault("state", {})["principal"] = self._principal
        await self._app(scope, receive, send)


async def _problem(_request: Any, error: Exception) -> Response:
    assert isinstance(error, FilmlessError)
    return of_error(error)


def web_app(context: ArchiveWeb, principal: Principal | None) -> ASGIApp:
    """All routes of DICOMweb, for one principal."""
    inner = Starlette(
        routes=[Mount("/dicom-web", routes=routes(context))],
        exception_handlers={FilmlessError: _problem},
    )
    return As(inner, principal)


@dataclass
class Web:
    """One archive with its web side."""

    context: ArchiveWeb
    archive: Archive
    trail: Trail

    def app(self, principal: Principal | None = STEWARD) -> ASGIApp:
        return web_app(self.context, principal)

    def client(self, principal: Principal | None = STEWARD) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app(principal), raise_app_exceptions=True),
            base_url="http://here/dicom-web",
        )

    def put(self, file: bytes) -> tuple[str, bytes]:
        """Store a DICOM file; (address of its instance, its data set)."""
        meta = part10.read_meta(file)
        data = file[meta.data_set_offset :]
        source = Source("CT1", duplicates="replace")
        arrival = Arrival(meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid, source)
        outcome = self.archive.store_blocking(arrival, [data])
        assert outcome.kind in (Kind.STORED, Kind.REPLACED), (outcome.kind, outcome.cause)
        return self.address(meta.sop_instance_uid), data

    def address(self, sop_instance_uid: str) -> str:
        from filmless.archive.tables import instances, series, studies

        with reading(self.context.engine) as connection:
            study, one = connection.execute(
                select(studies.c.study_uid, series.c.series_uid)
                .join(series, series.c.study == studies.c.id)
                .join(instances, instances.c.series == series.c.id)
                .where(instances.c.sop_instance_uid == sop_instance_uid)
            ).one()
        return f"/studies/{study}/series/{one}/instances/{sop_instance_uid}"

    def settle(self) -> int:
        """Prepare all series that are not; how many that were."""
        with reading(self.context.engine) as connection:
            due = settle.due(connection, ArchiveSettings(settle_seconds=-60))
        for series_id, generation in due:
            assert settle.settle(self.context.engine, self.context.store, series_id, generation)
        return len(due)

    def audited(self) -> list[dict[str, Any]]:
        """The entries of the trail, oldest first."""
        self.trail.flush()
        with reading(self.context.engine) as connection:
            rows = connection.execute(select(audit).order_by(audit.c.seq)).all()
        return [{**json.loads(row.body), **row._mapping} for row in rows]


@pytest.fixture
def web(engine: Engine, archive: Archive, tmp_path: Path) -> Iterator[Web]:
    """An archive with its web side."""
    home = archive.root.parent
    trail = Trail(engine, Keys(home / "keys" / "audit.key"))
    codecs = Codecs(home / "scratch")
    yield Web(ArchiveWeb(engine, home, archive.root, codecs, trail), archive, trail)
    codecs.close()
    trail.close()


def parts_of(response: httpx.Response) -> list[tuple[dict[str, str], bytes]]:
    """(headers, bytes) of the parts of a multipart answer, read to the letter of RFC 2046."""
    kind = response.headers["content-type"]
    assert kind.startswith("multipart/related; ")
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    body = response.content
    assert body.startswith(b"--" + boundary + b"\r\n")
    assert body.endswith(b"\r\n--" + boundary + b"--\r\n")
    inner = body[len(boundary) + 4 : -(len(boundary) + 8)]
    parts = []
    for part in inner.split(b"\r\n--" + boundary + b"\r\n"):
        head, _, content = part.partition(b"\r\n\r\n")
        parts.append((dict(HeaderParser().parsestr(head.decode()).items()), content))
    return parts
