"""The second factor, with a real app's codes."""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from starlette.testclient import TestClient
from tests.access.conftest import PASSWORD, Site, code_of, one_database, signed_in

from filmless.access.model import Role


class App:
    """A telephone: makes a code for a step that was not asked for yet."""

    def __init__(self, url: str) -> None:
        self._totp = pyotp.parse_uri(url)
        self._last = 0

    def code(self) -> str:
        now = int(time.time()) // 30
        # the server takes one step to either side: no waiting for the next one
        step = max(now - 1, self._last + 1)
        assert step <= now + 1, "this test asks for more codes than there are without waiting"
        self._last = step
        return str(self._totp.generate_otp(step))


@pytest.fixture
def zhang(site: Site) -> TestClient:
    site.account("zhang", Role.ATT)
    browser = site.browser()
    signed_in(browser, "zhang")
    return browser


def enrol(browser: TestClient) -> tuple[App, list[str]]:
    begun = browser.post("/api/session/totp", json={"password": PASSWORD}).json()
    app = App(begun["url"])
    assert parse_qs(urlsplit(begun["url"]).query)["secret"] == [begun["secret"]]
    confirmed = browser.post("/api/session/totp/confirm", json={"code": app.code()})
    assert confirmed.status_code == 200, confirmed.text
    return app, confirmed.json()["recovery_codes"]


def attempt(site: Site, **body: Any) -> Any:
    return site.browser().post("/api/session", json={"name": "zhang", "password": PASSWORD, **body})


def test_once_confirmed_a_code_is_asked_for(site: Site, zhang: TestClient) -> None:
    app, _ = enrol(zhang)
    assert zhang.get("/api/session").json()["account"]["has_second_factor"]
    assert code_of(attempt(site)) == (401, "code-needed")
    assert code_of(attempt(site, code="000000")) == (401, "wrong-code")
    # the code is asked for only after the right password
    assert code_of(attempt(site, password="wrong", code=app.code()))[1] == "wrong-credentials"
    code = app.code()
    answer = attempt(site, code=f" {code[:3]} {code[3:]} ")
    assert answer.status_code == 200 and answer.json()["method"] == "password+code"
    # seen over the shoulder, it is of no use
    assert code_of(attempt(site, code=code)) == (401, "wrong-code")


@one_database
def test_until_confirmed_it_is_not_asked_for(site: Site, zhang: TestClient) -> None:
    begun = zhang.post("/api/session/totp", json={"password": PASSWORD}).json()
    assert code_of(zhang.post("/api/session/totp/confirm", json={"code": "000000"})) == (400, "bad-code")
    assert attempt(site).status_code == 200
    # begun anew, the first secret is of no use
    assert zhang.post("/api/session/totp", json={"password": PASSWORD}).json()["secret"] != begun["secret"]
    old = App(begun["url"]).code()
    assert code_of(zhang.post("/api/session/totp/confirm", json={"code": old})) == (400, "bad-code")


@one_database
def test_it_is_begun_with_the_password_only(zhang: TestClient) -> None:
    assert code_of(zhang.post("/api/session/totp", json={"password": "wrong"})) == (400, "wrong-password")


def test_recovery_codes_are_good_once(site: Site, zhang: TestClient) -> None:
    _, codes = enrol(zhang)
    assert len(set(codes)) == 10
    assert attempt(site, code=codes[0].upper()).status_code == 200
    assert code_of(attempt(site, code=codes[0])) == (401, "wrong-code")
    assert attempt(site, code=codes[1]).status_code == 200


@one_database
def test_wrong_codes_lock_the_account(site: Site, zhang: TestClient) -> None:
    _, codes = enrol(zhang)
    for _ in range(5):
        assert code_of(attempt(site, code="000000"))[0] == 401
    assert code_of(attempt(site, code=codes[0])) == (401, "wrong-credentials")


def test_removing_it_needs_password_and_code(site: Site, zhang: TestClient) -> None:
    _, codes = enrol(zhang)
    again = zhang.post("/api/session/totp", json={"password": PASSWORD})
    assert code_of(again) == (409, "has-second-factor")

    def remove(password: str, code: str) -> Any:
        return zhang.post("/api/session/totp/remove", json={"password": password, "code": code})

    assert code_of(remove("wrong", codes[0])) == (400, "wrong-password")
    assert code_of(remove(PASSWORD, "000000")) == (401, "wrong-code")
    assert remove(PASSWORD, codes[0]).status_code == 204
    assert attempt(site).status_code == 200


def test_an_administrator_resets_a_lost_one(site: Site, zhang: TestClient) -> None:
    enrol(zhang)
    site.account("boss", Role.ADM)
    boss = site.browser()
    signed_in(boss, "boss")
    assert boss.delete("/api/users/zhang/totp").status_code == 204
    assert zhang.get("/api/session").status_code == 401
    assert attempt(site).status_code == 200
    told = [row.who for row in site.told(kind="access") if "second factor removed" in row.body]
    assert told == ["boss"]
