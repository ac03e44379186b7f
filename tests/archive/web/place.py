"""All of DICOMweb on either database: an archive that takes objects, a real trail, clients in the same process."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset
from sqlalchemy import Engine, func, select
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send
from tests import made

from filmless.access.audit.keys import Keys
from filmless.access.audit.tables import audit
from filmless.access.audit.trail import Trail
from filmless.access.model import Grant, Principal, Role, account_principal
from filmless.archive.codecs import Codecs
from filmless.archive.store import Archive
from filmless.archive.tables import instances, quarantine
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.routes import routes
from filmless.db.work import reading
from filmless.dicom.web.multipart import closing, part_head
from filmless.kit.errors import FilmlessError
from filmless.net.http.bodies import BoundedBodies
from filmless.net.http.model import HttpSettings
from filmless.net.http.problems import of_error, problem

STEWARD = account_principal("steward", 1, [Grant(Role.PAD)])
RESIDENT = account_principal("resident", 2, [Grant(Role.RES)])
CLERK = account_principal("clerk", 3, [Grant(Role.REG)])
HTTP = HttpSettings(public_url="https://images.example", stall_timeout=5.0)


class As:
    """Signs everybody in as one principal."""

    def __init__(self, app: ASGIApp, principal: Principal | None) -> None:
        self._app, self._principal = app, principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._principal is not None:
            scope.setdefault("state", {})["principal"] = self._principal
        await self._app(scope, receive, send)


async def problem_of(_request: Any, error: Exception) -> Response:
    assert isinstance(error, FilmlessError)
    return of_error(error)


async def no_route(_request: Any, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code)


@dataclass
class Place:
    """One archive with its web side."""

    context: ArchiveWeb
    archive: Archive
    trail: Trail

    def app(self, principal: Principal | None = STEWARD, *, limit: int = 1 << 30) -> ASGIApp:
        inner = Starlette(
            routes=[Mount("/dicom-web", routes=routes(self.context))],
            exception_handlers={FilmlessError: problem_of, HTTPException: no_route},
        )
        return BoundedBodies(As(inner, principal), lambda _: limit, self.context.http.stall_timeout)

    def client(self, principal: Principal | None = STEWARD, *, limit: int = 1 << 30) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app(principal, limit=limit), raise_app_exceptions=True),
            base_url="http://here/dicom-web",
        )

    def stored(self) -> set[str]:
        with reading(self.context.engine) as connection:
            return set(connection.scalars(select(instances.c.sop_instance_uid)))

    def quarantined(self) -> int:
        with reading(self.context.engine) as connection:
            return connection.scalar(select(func.count()).select_from(quarantine)) or 0

    def files(self) -> int:
        return sum(1 for _ in self.context.store.rglob("*.dcm"))

    def audited(self) -> list[dict[str, Any]]:
        """The entries of the trail, oldest first."""
        self.trail.flush()
        with reading(self.context.engine) as connection:
            rows = connection.execute(select(audit).order_by(audit.c.seq)).all()
        return [{**json.loads(row.body), **row._mapping} for row in rows]


@pytest.fixture
def place(engine: Engine, archive: Archive, tmp_path: Path) -> Iterator[Place]:
    home = tmp_path / "home"
    trail = Trail(engine, Keys(home / "keys" / "audit.key"))
    codecs = Codecs(home / "scratch")
    yield Place(ArchiveWeb(engine, home, archive.root, codecs, trail, archive, http=HTTP), archive, trail)
    codecs.close()
    trail.close()


def series(count: int, *, study: str = "1.2.3", name: str = "Web^Wanda") -> list[Dataset]:
    return [
        made.image(number, name=name, patient_id="WEB1", study=study, series=f"{study}.1")
        for number in range(1, count + 1)
    ]


def multipart(
    parts: Sequence[tuple[str, bytes] | tuple[str, bytes, str]],
    root: str = "application/dicom",
    boundary: str = "b0",
) -> dict[str, Any]:
    """content= and headers= of a request. Parts: (Content-Type, bytes[, Content-Location])."""
    body = b"".join(
        part_head(boundary, part[0], first=not number, location=part[2] if len(part) > 2 else "") + part[1]
        for number, part in enumerate(parts)
    )
    return {
        "content": body + closing(boundary),
        "headers": {"content-type": f'multipart/related; type="{root}"; boundary={boundary}'},
    }


def dicom_parts(objects: Sequence[Dataset | bytes]) -> list[tuple[str, bytes]]:
    return [("application/dicom", each if isinstance(each, bytes) else made.part10(each)) for each in objects]


def values(item: dict[str, Any], tag: str) -> list[Any]:
    return list(item.get(tag, {}).get("Value", []))


def one(item: dict[str, Any], tag: str) -> Any:
    (value,) = values(item, tag)
    return value
