"""schemathesis asks everything that our API's description promises, on a server as it runs: no 500, and every answer is
one that the description knows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests import made, peers, programs

from filmless.access import accounts, sessions
from filmless.access.model import Role
from filmless.app import openapi
from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.db.work import writing

#: requests of each operation that are as described, and that are not
EXAMPLES = int(os.environ.get("FILMLESS_TEST_OPENAPI_EXAMPLES", "4"))
#: of a route's parameters: something that is there, in half of the requests
KNOWN = {"name": "victim", "ae_title": "KNOWN"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = sorted(
    (path, method) for path, methods in json.loads(openapi.describe())["paths"].items() for method in methods
)


@dataclass
class Asked:
    server: peers.FilmlessServer
    schema: Any
    #: who asks what is in charge of the server and of images; who asks what is of the audit trail and emergencies
    steward: str
    officer: str
    known: dict[str, str]
    #: statuses that came, by operation
    answered: dict[tuple[str, str], set[int]] = field(default_factory=dict)

    def headers(self, path: str) -> Mapping[str, str]:
        """As whom an operation is asked; what is of a person is asked in a session, which may well end by it."""
        if path.startswith(("/session", "/me")):
            with open_index(load(self.server.home, environment={})) as engine, writing(engine) as connection:
                account = accounts.get(connection, "person")
                secret = sessions.open_session(
                    connection,
                    account.id,
                    load(self.server.home, environment={}).access,
                    method="password",
                    host="127.0.0.1",
                )
            return {"Cookie": f"filmless_session={secret}", "X-Filmless-CSRF": sessions.csrf_of(secret)}
        token = self.officer if path.startswith(("/audit", "/emergencies")) else self.steward
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("openapi")
    series = made.series(folder / "files", 2, name="Open^Api", patient_id="API1")
    with peers.FilmlessServer(folder / "home") as server:
        server.cli("import", folder / "files")
        server.cli("devices", "add", "KNOWN", "127.0.0.1", "1")
        steward = programs.token(server.home, "steward", roles=(Role.ADM, Role.PAD, Role.CHF))
        officer = programs.token(server.home, "officer", roles=(Role.SEC, Role.ATT))
        for name in ("person", "victim"):
            programs.token(server.home, name, roles=(Role.RES,))
        base = f"http://{peers.HOST}:{server.http_port}/api"
        schema = schemathesis.openapi.from_url(f"{base}/openapi.json", timeout=60)
        known = {
            **KNOWN,
            "study": series.study_uid,
            "study_uid": series.study_uid,
            "sop_instance_uid": next(iter(series.data_sets)),
        }
        found = Asked(server, schema, steward, officer, known)
        yield found
        # whoever asked is still who he was, and the server is well
        with programs.client(f"http://{peers.HOST}:{server.http_port}", steward) as client:
            assert client.get("/api/users").status_code == 200
        assert server.health()["worker"]["restarts"] == 0
        assert "Traceback" not in (server.home / "log" / "web.log").read_text()


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=[f"{m}-{p}" for p, m in OPERATIONS])
def test_operation(asked: Asked, path: str, method: str) -> None:
    operation = asked.schema[path][method.upper()]
    headers = asked.headers(path)
    # a session of its own: what answers set as cookies does not stay
    with requests.Session() as session:

        def ask(case: Case, there: bool) -> None:
            if there:
                for name in case.path_parameters:
                    case.path_parameters[name] = asked.known.get(name, case.path_parameters[name])
            wait = case.query.get("wait") if case.query else None
            if isinstance(wait, int | float) and 0.1 < wait <= 25:
                # it would be waited
                case.query["wait"] = 0.1
            case.headers = {**(case.headers or {}), **headers}
            session.cookies.clear()
            answer = case.call_and_validate(session=session, checks=CHECKS, timeout=30, allow_redirects=False)
            asked.answered.setdefault((path, method), set()).add(answer.status_code)

        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                cases = operation.as_strategy(generation_mode=mode)
                asking = given(cases, st.booleans())(ask)
                settings(
                    max_examples=EXAMPLES,
                    derandomize=True,
                    database=None,
                    deadline=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )(asking)()
            except Unsatisfiable:
                # nothing about it could be wrong
                assert mode is GenerationMode.NEGATIVE


def test_they_were_really_asked(asked: Asked) -> None:
    if len(asked.answered) < len(OPERATIONS):
        pytest.skip("only some were asked")
    refused = [one for one, statuses in asked.answered.items() if statuses <= {401, 403}]
    assert refused == []
    done = [one for one, statuses in asked.answered.items() if min(statuses) < 300]
    # of the others most name something that only a department at work has
    assert len(done) > len(OPERATIONS) / 3, done
