"""API tokens, as programs use them."""

import json
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient
from tests.access.conftest import PASSWORD, Site, code_of, one_database, signed_in

from filmless.access.account_tables import tokens as table
from filmless.access.model import Action, Role
from filmless.db.work import reading, writing
from filmless.kit import clock


@pytest.fixture
def zhang(site: Site) -> TestClient:
    site.account("zhang", Role.PAD)
    browser = site.browser()
    signed_in(browser, "zhang")
    return browser


def make(browser: TestClient, *scopes: str, **more: Any) -> dict[str, Any]:
    answer = browser.post("/api/me/tokens", json={"label": "a script", "scopes": list(scopes), **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{name}:{password}".encode()).decode()}


def test_a_token_does_what_it_is_for_and_no_more(site: Site, zhang: TestClient) -> None:
    made = make(zhang, "search", "view")
    assert made["secret"].startswith("fl_") and made["token"]["begins"] == made["secret"][:9]
    program = site.browser(Authorization=f"Bearer {made['secret']}")
    me = program.get("/api/session").json()
    assert me["via"] == "token" and me["actions"] == ["search", "view"] and me["csrf"] == ""
    # neither one's own account nor others
    assert code_of(program.get("/api/me/tokens")) == (403, "not-permitted")
    assert code_of(program.post("/api/me/tokens", json={"label": "x", "scopes": ["view"]}))[0] == 403
    assert code_of(program.put("/api/session/password", json={"old": "a", "new": "b"}))[0] == 403
    assert code_of(program.get("/api/users")) == (403, "not-permitted")


@one_database
def test_an_administrators_token_needs_no_csrf_header(site: Site) -> None:
    site.account("boss", Role.ADM)
    browser = site.browser()
    signed_in(browser, "boss")
    secret = make(browser, "users")["secret"]
    program = site.browser(Authorization=f"Bearer {secret}")
    assert program.post("/api/users", json={"name": "made-by-token"}).status_code == 201


@one_database
def test_basic_with_the_accounts_name(site: Site, zhang: TestClient) -> None:
    secret = make(zhang, "view")["secret"]
    other = site.browser()
    assert other.get("/api/session", headers=basic("zhang", secret)).status_code == 200
    assert other.get("/api/session", headers=basic("Zhang", secret)).status_code == 200
    site.account("li", Role.PAD)
    # believed for a moment, and still not for another name
    assert code_of(other.get("/api/session", headers=basic("li", secret))) == (401, "not-signed-in")
    # a password is no token: it would be sent with each request
    assert code_of(other.get("/api/session", headers=basic("zhang", PASSWORD))) == (401, "not-signed-in")


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer fl_wrong", "Basic !!!", "Basic YWJj", "Digest x", "", "Bearer \u00ff", "Basic \u00ff"],
)
@one_database
def test_what_is_no_token_is_refused(site: Site, authorization: str) -> None:
    answer = site.browser().get("/api/session", headers={"Authorization": authorization.encode("latin-1")})  # type: ignore[dict-item]
    assert code_of(answer) == (401, "not-signed-in")
    assert "WWW-Authenticate" in answer.headers


def test_the_database_has_no_token(site: Site, zhang: TestClient) -> None:
    secret = make(zhang, "view")["secret"]
    with reading(site.engine) as connection:
        rows = str(connection.execute(select(table)).all())
    assert secret not in rows and secret[9:] not in rows
    assert secret not in zhang.get("/api/me/tokens").text


def test_a_token_ends(site: Site, zhang: TestClient) -> None:
    made = make(zhang, "view", days=1)
    program = site.browser(Authorization=f"Bearer {made['secret']}")
    assert program.get("/api/session").status_code == 200
    with writing(site.engine) as connection:
        connection.execute(update(table).values(expires_at=clock.now() - timedelta(seconds=1)))
    site.gate.forget()
    assert code_of(program.get("/api/session")) == (401, "not-signed-in")
    assert zhang.get("/api/me/tokens").json()["tokens"][0]["in_force"] is False


def test_a_revoked_token_ends_at_once(site: Site, zhang: TestClient) -> None:
    made = make(zhang, "view")
    program = site.browser(Authorization=f"Bearer {made['secret']}")
    assert program.get("/api/session").status_code == 200
    assert zhang.delete(f"/api/me/tokens/{made['token']['id']}").status_code == 204
    assert code_of(program.get("/api/session")) == (401, "not-signed-in")


@one_database
def test_a_new_password_ends_tokens_unless_their_owner_keeps_them(site: Site, zhang: TestClient) -> None:
    program = site.browser(Authorization=f"Bearer {make(zhang, 'view')['secret']}")
    change = {"old": PASSWORD, "new": "another horse battery", "keep_tokens": True}
    zhang.headers["X-Filmless-CSRF"] = zhang.put("/api/session/password", json=change).json()["csrf"]
    assert program.get("/api/session").status_code == 200
    change = {"old": "another horse battery", "new": "a third horse battery"}
    zhang.headers["X-Filmless-CSRF"] = zhang.put("/api/session/password", json=change).json()["csrf"]
    assert code_of(program.get("/api/session")) == (401, "not-signed-in")
    # reset by somebody else, who is told
    other = site.browser(Authorization=f"Bearer {make(zhang, 'view')['secret']}")
    assert other.get("/api/session").status_code == 200
    site.account("boss", Role.ADM)
    boss = site.browser()
    signed_in(boss, "boss")
    assert boss.post("/api/users/zhang/password", json={}).json()["tokens_revoked"] == 1
    assert code_of(other.get("/api/session")) == (401, "not-signed-in")
    assert json.loads(site.told(kind="access")[-1].body)["detail"]["tokens_revoked"] == 1


@one_database
def test_a_token_ends_with_its_account(site: Site, zhang: TestClient) -> None:
    program = site.browser(Authorization=f"Bearer {make(zhang, 'view')['secret']}")
    assert program.get("/api/session").status_code == 200
    site.set("zhang", enabled=False)
    site.gate.forget()
    assert code_of(program.get("/api/session")) == (401, "not-signed-in")


@one_database
def test_an_administrator_revokes_others_tokens(site: Site, zhang: TestClient) -> None:
    made = make(zhang, "view")
    site.account("boss", Role.ADM)
    boss = site.browser()
    signed_in(boss, "boss")
    found = boss.get("/api/users/zhang/tokens").json()["tokens"]
    assert [one["begins"] for one in found] == [made["token"]["begins"]]
    site.account("li", Role.PAD)
    li = site.browser()
    signed_in(li, "li")
    assert code_of(li.delete(f"/api/me/tokens/{found[0]['id']}")) == (404, "not-found")
    assert boss.delete(f"/api/users/zhang/tokens/{found[0]['id']}").status_code == 204
    assert site.browser(Authorization=f"Bearer {made['secret']}").get("/api/session").status_code == 401


@one_database
def test_bounds(zhang: TestClient) -> None:
    def refused(**body: Any) -> int:
        return zhang.post("/api/me/tokens", json={"label": "x", "scopes": ["view"], **body}).status_code

    assert refused(scopes=[]) == 422
    assert refused(scopes=["everything"]) == 422
    assert refused(scopes=[Action.OWN_ACCOUNT]) == 400
    # not even the account may
    assert refused(scopes=[Action.USERS]) == 403
    assert refused(label="") == 422
    assert refused(days=366) == 400
    assert refused(days=0) == 422


def test_its_first_use_and_wrong_ones_are_told(site: Site, zhang: TestClient) -> None:
    secret = make(zhang, "view")["secret"]
    for _ in range(3):
        site.gate.forget()
        site.browser(Authorization=f"Bearer {secret}").get("/api/session")
    site.browser(Authorization="Bearer fl_no").get("/api/session")
    told = [(row.outcome, row.who) for row in site.told(kind="sign-in") if '"token"' in row.body]
    assert told == [("success", "zhang"), ("refused", "unknown")]
    assert secret not in "".join(row.body for row in site.told())


@one_database
def test_guessing_is_slowed_down(site: Site) -> None:
    site.limit(attempts_per_host=3)
    answers = [
        site.browser(Authorization=f"Bearer fl_{number}").get("/api/session").status_code
        for number in range(5)
    ]
    assert answers == [401] * 3 + [429] * 2
