"""The web side of access/ on a fresh database of either kind, asked as browsers and programs ask it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, select, update
from starlette.testclient import TestClient

from filmless.access import accounts, api, grants
from filmless.access.account_tables import accounts as accounts_table
from filmless.access.acting import Acting
from filmless.access.audit.keys import Keys
from filmless.access.audit.tables import audit
from filmless.access.audit.trail import Trail
from filmless.access.gate import Gate
from filmless.access.model import SYSTEM, Role
from filmless.access.settings import AccessSettings
from filmless.app.settings import load
from filmless.app.site import assemble
from filmless.db.work import reading, writing
from filmless.net.http.model import HttpSettings

PASSWORD = "correct horse battery"
ORIGIN = "http://filmless.example"

#: for what no database decides: the other one would only take time
one_database = pytest.mark.parametrize("backend", ["sqlite"])


@dataclass
class Site:
    """A web side with nothing but access/ behind it."""

    engine: Engine
    trail: Trail
    gate: Gate
    app: Any
    clients: list[TestClient] = field(default_factory=list)

    def browser(self, **headers: str) -> TestClient:
        """A browser with a cookie jar of its own."""
        client = TestClient(self.app, base_url=ORIGIN, headers=headers, follow_redirects=False)
        self.clients.append(client)
        return client

    @property
    def acting(self) -> Acting:
        return Acting(SYSTEM, self.trail)

    def account(self, name: str, *roles: Role, must_change: bool = False) -> accounts.Account:
        """An account with PASSWORD and these roles."""
        _, kept = accounts.new_password(PASSWORD, name=name, length=10)
        with writing(self.engine) as connection:
            made = accounts.create(
                connection, name, self.acting, password_hash=kept, must_change_password=must_change
            )
            for role in roles:
                grants.grant(connection, name, role, self.acting)
        return made

    def limit(self, **settings: int) -> None:
        """Other limits, from now on."""
        self.gate.settings = replace(self.gate.settings, **settings)

    def set(self, name: str, **values: Any) -> None:
        """Change a row of an account, as time would."""
        with writing(self.engine) as connection:
            connection.execute(update(accounts_table).where(accounts_table.c.name == name).values(**values))

    def told(self, **wanted: str) -> list[Any]:
        """The rows of the trail that have these values."""
        self.trail.flush()
        with reading(self.engine) as connection:
            rows = connection.execute(select(audit).order_by(audit.c.seq)).all()
        return [row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())]


def signed_in(client: TestClient, name: str, password: str = PASSWORD, code: str = "") -> dict[str, Any]:
    """Sign in; from then on the client says what is needed to change something."""
    answer = client.post("/api/session", json={"name": name, "password": password, "code": code})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    client.headers["X-Filmless-CSRF"] = found["csrf"]
    return found


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """(status, our code) of a problem answer."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


@pytest.fixture
def access_settings() -> AccessSettings:
    """To be overridden by tests that want others."""
    return AccessSettings()


@pytest.fixture
def site(engine: Engine, tmp_path: Path, access_settings: AccessSettings) -> Iterator[Site]:
    trail = Trail(engine, Keys(tmp_path / "audit.key"), server="test")
    gate = Gate(engine, access_settings, HttpSettings(), trail)
    app = assemble(load(tmp_path, environment={}), gate, [], [api.router])
    made = Site(engine, trail, gate, app)
    yield made
    for client in made.clients:
        client.close()
    trail.close()
