"""Signing in and out, as a browser does."""

import os
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.access.conftest import PASSWORD, Site, code_of, one_database, signed_in

from filmless.access import grants, preferences, sessions
from filmless.access.account_tables import sessions as sessions_table
from filmless.access.gate import Gate
from filmless.access.keys import digest
from filmless.access.model import Principal, Role
from filmless.access.settings import AccessSettings
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.board import Board


@one_database
def test_who_signs_in_is_told_what_may_be_done(site: Site) -> None:
    site.account("zhang", Role.ATT)
    browser = site.browser()
    assert code_of(browser.get("/api/session")) == (401, "not-signed-in")

    answer = browser.post("/api/session", json={"name": "Zhang ", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    # plain HTTP: a cookie marked Secure would never come back
    assert "Secure" not in cookie

    me = browser.get("/api/session").json()
    assert me == answer.json()
    assert me["account"]["name"] == "zhang"
    assert [role["name_zh"] for role in me["roles"]] == ["审核医师"]
    assert "view" in me["actions"] and "users" not in me["actions"]
    assert me["must"] == "" and me["first_account"] is False and me["via"] == "session"
    assert [row.who for row in site.told(kind="sign-in", outcome="success")] == ["zhang"]


@one_database
def test_the_cookie_is_secure_over_tls(site: Site) -> None:
    site.account("zhang", Role.ATT)
    answer = site.browser().post(
        "https://filmless.example/api/session", json={"name": "zhang", "password": PASSWORD}
    )
    assert "Secure" in answer.headers["set-cookie"]


def test_the_database_knows_no_secret(site: Site) -> None:
    site.account("zhang", Role.ATT)
    browser = site.browser()
    signed_in(browser, "zhang")
    secret = browser.cookies["filmless_session"]
    with reading(site.engine) as connection:
        rows = connection.execute(select(sessions_table)).all()
    assert len(rows) == 1 and secret not in str(rows)


def test_sign_out_ends_the_session_and_not_only_the_cookie(site: Site) -> None:
    site.account("zhang", Role.ATT)
    browser = site.browser()
    signed_in(browser, "zhang")
    stolen = site.browser()
    stolen.cookies.set("filmless_session", browser.cookies["filmless_session"], domain="filmless.example")
    assert stolen.get("/api/session").status_code == 200
    assert browser.delete("/api/session").status_code == 204
    assert "filmless_session" not in browser.cookies
    assert code_of(stolen.get("/api/session")) == (401, "not-signed-in")
    assert [row.who for row in site.told(kind="sign-out")] == ["zhang"]


@one_database
def test_a_cookie_alone_changes_nothing(site: Site) -> None:
    site.account("zhang", Role.ATT)
    browser = site.browser()
    csrf = signed_in(browser, "zhang")["csrf"]
    path, body = "/api/me/preferences/layout", {"value": 1}
    del browser.headers["X-Filmless-CSRF"]
    assert code_of(browser.put(path, json=body)) == (403, "csrf")
    wrong = browser.put(path, json=body, headers={"X-Filmless-CSRF": "0" * 64})
    assert code_of(wrong) == (403, "csrf")
    another = site.browser()
    site.account("li", Role.ATT)
    others = signed_in(another, "li")["csrf"]
    assert code_of(browser.put(path, json=body, headers={"X-Filmless-CSRF": others})) == (403, "csrf")
    for origin in ("https://evil.example", "null", "http://filmless.example.evil.example", "http://[", ""):
        refused = browser.put(path, json=body, headers={"X-Filmless-CSRF": csrf, "Origin": origin})
        assert code_of(refused) == (403, "csrf"), origin
    right = browser.put(
        path, json=body, headers={"X-Filmless-CSRF": csrf, "Origin": "http://filmless.example"}
    )
    assert right.status_code == 204


@one_database
def test_another_sites_page_cannot_sign_in_for_somebody(site: Site) -> None:
    site.account("zhang", Role.ATT)
    answer = site.browser().post(
        "/api/session",
        json={"name": "zhang", "password": PASSWORD},
        headers={"Origin": "https://evil.example"},
    )
    assert code_of(answer) == (403, "csrf")
    assert len(site.told(kind="refusal", outcome="refused")) == 1


@one_database
def test_what_one_web_process_changes_acts_at_once_in_another(site: Site) -> None:
    """Two gates are two processes: they share a database and a board."""
    first = Board()
    here, there = (
        Gate(site.engine, site.gate.settings, site.gate.http, site.trail, board=board)
        for board in (first, Board(1, os.dup(first.fileno())))
    )
    site.account("zhang", Role.ATT)
    browser = site.browser()
    signed_in(browser, "zhang")
    secret = browser.cookies["filmless_session"]
    key = digest(secret)
    assert here.by_session(secret) is not None and there.by_session(secret) is not None
    assert here.believed("session", key) is not None and there.believed("session", key) is not None

    found = here.by_session(secret)
    assert found is not None and found.session is not None
    with writing(site.engine) as connection:
        sessions.end_this(connection, found.session)
    here.forget()
    assert here.believed("session", key) is None
    assert there.believed("session", key) is None
    assert there.by_session(secret) is None


@one_database
def test_an_answer_that_was_asked_before_a_change_is_not_believed_after_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.account("zhang", Role.ATT)
    browser = site.browser()
    signed_in(browser, "zhang")
    secret = browser.cookies["filmless_session"]
    really = grants.principal_of

    def slowly(*given: Any, **more: Any) -> Principal:
        made = really(*given, **more)
        # somebody takes rights away between this look at the database and its end
        site.gate.forget()
        return made

    monkeypatch.setattr(grants, "principal_of", slowly)
    assert site.gate.by_session(secret) is not None
    assert site.gate.believed("session", digest(secret)) is None


def test_idle_and_old_sessions_end(site: Site) -> None:
    site.account("zhang", Role.ATT)
    for column, ago in (("seen_at", timedelta(minutes=31)), ("ends_at", timedelta(seconds=1))):
        browser = site.browser()
        signed_in(browser, "zhang")
        assert browser.get("/api/session").status_code == 200
        with writing(site.engine) as connection:
            connection.execute(update(sessions_table).values({column: clock.now() - ago}))
        site.gate.forget()
        assert code_of(browser.get("/api/session")) == (401, "not-signed-in"), column


def test_a_page_that_only_keeps_itself_up_to_date_is_idle(site: Site) -> None:
    site.account("anna", Role.RES)
    browser = site.browser()
    signed_in(browser, "anna")
    ago = clock.now() - timedelta(minutes=20)
    with writing(site.engine) as connection:
        connection.execute(update(sessions_table).values(seen_at=ago))
    site.gate.forget()
    assert browser.get("/api/session", headers={"X-Filmless-Idle": "1"}).status_code == 200
    with reading(site.engine) as connection:
        assert connection.scalar(select(sessions_table.c.seen_at)) == ago
    site.gate.forget()
    assert browser.get("/api/session").status_code == 200
    with reading(site.engine) as connection:
        assert connection.scalar(select(sessions_table.c.seen_at)) > ago


def test_use_keeps_a_session_from_being_idle(site: Site) -> None:
    site.account("zhang", Role.ATT)
    browser = site.browser()
    signed_in(browser, "zhang")
    before = clock.now() - timedelta(minutes=29)
    with writing(site.engine) as connection:
        connection.execute(update(sessions_table).values(seen_at=before))
    site.gate.forget()
    assert browser.get("/api/session").status_code == 200
    with reading(site.engine) as connection:
        assert connection.scalar(select(sessions_table.c.seen_at)) > before + timedelta(minutes=28)


def test_own_sessions_are_listed_and_ended(site: Site) -> None:
    site.account("zhang", Role.ATT)
    here, there = site.browser(**{"User-Agent": "here"}), site.browser(**{"User-Agent": "there"})
    signed_in(here, "zhang")
    signed_in(there, "zhang")
    found = here.get("/api/me/sessions").json()["sessions"]
    assert [(one["browser"], one["this"]) for one in found] == [("there", False), ("here", True)]
    other = here.delete(f"/api/me/sessions/{found[0]['id']}")
    assert other.status_code == 204
    assert there.get("/api/session").status_code == 401
    assert here.get("/api/session").status_code == 200

    site.account("li", Role.ATT)
    stranger = site.browser()
    signed_in(stranger, "li")
    refused = stranger.delete(f"/api/me/sessions/{found[1]['id']}")
    assert code_of(refused) == (404, "not-found")
    assert here.get("/api/session").status_code == 200


def test_a_given_password_is_changed_before_anything_else(site: Site) -> None:
    site.account("zhang", Role.ADM, must_change=True)
    browser, other = site.browser(), site.browser()
    me = signed_in(browser, "zhang")
    signed_in(other, "zhang")
    assert me["must_change_password"] and me["actions"] == []
    assert code_of(browser.get("/api/users")) == (403, "change-password")
    assert code_of(browser.get("/api/me/tokens")) == (403, "change-password")

    def change(old: str, new: str) -> tuple[int, str]:
        return code_of(browser.put("/api/session/password", json={"old": old, "new": new}))

    assert change("wrong", "another good one") == (400, "wrong-password")
    assert change(PASSWORD, PASSWORD) == (400, "weak-password")
    assert change(PASSWORD, "short") == (400, "weak-password")
    answer = browser.put("/api/session/password", json={"old": PASSWORD, "new": "another good one"})
    assert answer.status_code == 200 and "users" in answer.json()["actions"]
    browser.headers["X-Filmless-CSRF"] = answer.json()["csrf"]
    assert browser.get("/api/users").status_code == 200
    # all other sessions ended
    assert code_of(other.get("/api/session")) == (401, "not-signed-in")
    signed_in(site.browser(), "zhang", "another good one")


def test_accounts_are_locked_after_five_wrong_passwords(site: Site) -> None:
    site.account("zhang", Role.ATT)
    browser = site.browser()
    for _ in range(5):
        wrong = browser.post("/api/session", json={"name": "zhang", "password": "not this one"})
        assert code_of(wrong) == (401, "wrong-credentials")
    right = browser.post("/api/session", json={"name": "zhang", "password": PASSWORD})
    # the same answer: a guess that was right is not told from others
    assert right.json() == wrong.json()
    assert len(site.told(kind="alert")) == 1
    site.set("zhang", locked_until=clock.now() - timedelta(seconds=1))
    signed_in(browser, "zhang")


@one_database
def test_a_right_password_forgets_wrong_ones(site: Site) -> None:
    site.account("zhang", Role.ATT)
    for _ in range(3):
        browser = site.browser()
        for _ in range(2):
            browser.post("/api/session", json={"name": "zhang", "password": "not this one"})
        signed_in(browser, "zhang")


@pytest.mark.parametrize("name", ["nobody", "'; drop table accounts; --", "\u0000", "张", "engineer"])
def test_a_name_that_nobody_has_is_told_as_a_wrong_password(site: Site, name: str) -> None:
    answer = site.browser().post("/api/session", json={"name": name, "password": "what was typed"})
    assert answer.status_code in (401, 422)
    if answer.status_code == 401:
        assert answer.json()["code"] == "wrong-credentials"
        # people type their password there: it is kept nowhere
        rows = site.told(kind="sign-in")
        assert [row.who for row in rows] == ["unknown"] and name not in str(rows[0].body)


@one_database
def test_one_address_cannot_try_without_end(site: Site) -> None:
    site.limit(attempts_per_host=4)
    browser = site.browser()
    answers = [
        browser.post("/api/session", json={"name": f"name{number}", "password": "x"}).status_code
        for number in range(6)
    ]
    assert answers == [401] * 4 + [429] * 2
    # the flood itself is told once
    assert len([row for row in site.told(kind="sign-in") if "too many" in row.body]) == 1


@one_database
def test_one_account_cannot_be_tried_without_end(site: Site) -> None:
    site.limit(attempts_per_account=3)
    site.account("zhang", Role.ATT)
    site.set("zhang", locked_until=clock.now() + timedelta(hours=1))
    answers = [
        site.browser().post("/api/session", json={"name": "zhang", "password": "x"}).status_code
        for _ in range(4)
    ]
    assert answers == [401] * 3 + [429]


@one_database
def test_who_signs_in_often_is_not_held_up(site: Site) -> None:
    site.account("zhang", Role.ATT)
    site.limit(attempts_per_host=1, attempts_per_account=1)
    for _ in range(3):
        signed_in(site.browser(), "zhang")


def test_disabled_accounts_are_out_at_once(site: Site) -> None:
    site.account("zhang", Role.ATT)
    browser = site.browser()
    signed_in(browser, "zhang")
    site.set("zhang", enabled=False)
    site.gate.forget()
    assert code_of(browser.get("/api/session")) == (401, "not-signed-in")
    again = browser.post("/api/session", json={"name": "zhang", "password": PASSWORD})
    assert code_of(again) == (401, "wrong-credentials")


@one_database
def test_programs_accounts_open_no_session(site: Site) -> None:
    site.account("ai-worker", Role.DEV)
    answer = site.browser().post("/api/session", json={"name": "ai-worker", "password": PASSWORD})
    assert code_of(answer) == (403, "no-sessions")


class TestWithARequiredSecondFactor:
    @pytest.fixture
    def access_settings(self) -> AccessSettings:
        return AccessSettings(second_factor="required")

    def test_it_is_added_before_anything_else(self, site: Site) -> None:
        site.account("zhang", Role.ADM)
        browser = site.browser()
        assert signed_in(browser, "zhang")["must"] == "add-second-factor"
        assert code_of(browser.get("/api/users")) == (403, "add-second-factor")
        assert browser.post("/api/session/totp", json={"password": PASSWORD}).status_code == 200


def test_preferences_are_ones_own_and_bounded(site: Site) -> None:
    assert site.account("zhang", Role.ATT).id == 1
    site.account("li", Role.ATT)
    zhang, li = site.browser(), site.browser()
    signed_in(zhang, "zhang")
    signed_in(li, "li")
    layout = {"rows": 2, "名": ["一", None, 1.5], "nul": "\u0000"}
    assert zhang.put("/api/me/preferences/layout.ct", json={"value": layout}).status_code == 204
    assert zhang.put("/api/me/preferences/layout.ct", json={"value": layout | {"rows": 3}}).status_code == 204
    assert zhang.get("/api/me/preferences").json()["preferences"] == {"layout.ct": layout | {"rows": 3}}
    assert li.get("/api/me/preferences").json()["preferences"] == {}
    too_long = zhang.put("/api/me/preferences/long", json={"value": "x" * (64 << 10)})
    assert code_of(too_long) == (413, "too-large")
    assert zhang.put("/api/me/preferences/Bad%20key", json={"value": 1}).status_code == 422
    with writing(site.engine) as connection:
        for number in range(199):
            preferences.put(connection, 1, f"k{number}", 1)
    assert code_of(zhang.put("/api/me/preferences/one-more", json={"value": 1})) == (413, "too-large")
    assert zhang.delete("/api/me/preferences/layout.ct").status_code == 204
    assert "layout.ct" not in zhang.get("/api/me/preferences").json()["preferences"]
