"""What somebody tries who looks for holes in the assembled web side, on either database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from filmless.access import accounts, grants, tokens
from filmless.access.acting import Acting
from filmless.access.audit.keys import Keys
from filmless.access.audit.search import Asked, newest
from filmless.access.audit.trail import Trail
from filmless.access.gate import Gate
from filmless.access.model import SYSTEM, Action, Role
from filmless.access.settings import AccessSettings
from filmless.app.settings import load
from filmless.app.site import assemble, routers
from filmless.db.work import reading, writing
from filmless.net.http.model import HttpSettings


class House:
    """The whole of our own API, without what stores and serves."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self.engine = engine
        self.trail = Trail(engine, Keys(home / "audit.key"), server="test")
        self.gate = Gate(engine, AccessSettings(), HttpSettings(), self.trail)
        self.app = assemble(load(home, environment={}), self.gate, [], routers(None))

    def program(self, name: str, *roles: Role) -> TestClient:
        """Asks with a token of an account that has these roles."""
        acting = Acting(SYSTEM, self.trail)
        with writing(self.engine) as connection:
            account = accounts.create(connection, name, acting)
            for role in roles:
                grants.grant(connection, name, role, acting)
            secret, _ = tokens.add(
                connection,
                account,
                self.gate.settings,
                acting,
                label="all",
                scopes=frozenset(Action) - {Action.OWN_ACCOUNT},
            )
        return TestClient(self.app, headers={"Authorization": f"Bearer {secret}"})

    def refused(self, who: str) -> list[str]:
        """What of the trail's refusals this account did, the oldest first."""
        self.trail.flush()
        with reading(self.engine) as connection:
            found = newest(connection, Asked(who=who, outcome="refused"))
        return [one.what for one in reversed(found)]


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> Iterator[House]:
    made = House(engine, tmp_path)
    yield made
    made.trail.close()


@pytest.mark.parametrize("title", ["%00", "A%00B", "%0A", "%7F"])
def test_names_that_nobody_can_have_are_no_defect(house: House, title: str) -> None:
    admin = house.program("boss", Role.ADM)
    for method, path in (("GET", "history"), ("POST", "check")):
        answer = admin.request(method, f"/api/devices/{title}/{path}")
        assert answer.status_code in (404, 422), answer.text


def test_every_refusal_is_in_the_trail(house: House) -> None:
    nurse = house.program("nurse", Role.TRI)
    asked = [
        ("POST", "/studies/{study}/links", {}),
        ("GET", "/studies/{study}/links", None),
        ("GET", "/links", None),
        ("POST", "/studies/{study}/shares", {"account": "nurse", "until": "2100-01-01T00:00:00Z"}),
        ("GET", "/studies/{study}/belonging", None),
        ("PUT", "/studies/{study}/belonging", {"sensitive": False, "reason": "curious"}),
        ("POST", "/cares", {"patient_id": "1", "ward": "W1"}),
        ("POST", "/cares/search", {"patient_id": "1"}),
        ("GET", "/emergencies", None),
        ("GET", "/emergencies/own", None),
        ("GET", "/users", None),
        ("POST", "/audit/search", {}),
        ("GET", "/devices", None),
    ]
    for method, path, body in asked:
        answer = nurse.request(method, "/api" + path.format(study="1.2.3"), json=body)
        assert answer.status_code == 403, (method, path, answer.text)
    assert [what.replace("/api/", "/") for what in house.refused("nurse")] == [
        f"{method} {path}" for method, path, _ in asked
    ]
