"""Accounts and grants, as an administrator's screen manages them."""

import re
import threading
from datetime import timedelta

import pytest
from starlette.testclient import TestClient
from tests.access.conftest import PASSWORD, Site, code_of, one_database, signed_in

from filmless.access import accounts, preferences
from filmless.access.first import first_account
from filmless.access.model import Role
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused


@pytest.fixture
def admin(site: Site) -> TestClient:
    """A browser in which an administrator is signed in."""
    site.account("boss", Role.ADM)
    browser = site.browser()
    signed_in(browser, "boss")
    return browser


def test_an_account_is_made_given_a_role_and_used(site: Site, admin: TestClient) -> None:
    made = admin.post(
        "/api/users", json={"name": "Li.Na", "display_name": "李娜", "language": "zh", "wards": ["W1"]}
    )
    assert made.status_code == 201
    assert made.json()["user"]["name"] == "li.na"
    first = made.json()["password"]
    scope = {"sites": ["north"], "modalities": ["CT", "MR"]}
    granted = admin.post(
        "/api/users/li.na/grants", json={"role": "ATT", "scope": scope, "reason": "new in the department"}
    )
    assert granted.status_code == 201 and granted.json()["granted_by"] == "boss"

    browser = site.browser()
    assert signed_in(browser, "li.na", first)["must_change_password"]
    changed = browser.put("/api/session/password", json={"old": first, "new": "a password of her own"})
    browser.headers["X-Filmless-CSRF"] = changed.json()["csrf"]
    me = browser.get("/api/session").json()
    assert me["account"]["wards"] == ["W1"] and me["roles"][0]["scope"]["sites"] == ["north"]
    assert code_of(browser.get("/api/users")) == (403, "not-permitted")

    admin.delete(f"/api/users/li.na/grants/{granted.json()['id']}?reason=left")
    assert browser.get("/api/session").json()["roles"] == []
    told = [row.body for row in site.told(kind="access", who="boss")]
    assert len(told) == 3 and "new in the department" in told[1] and "left" in told[2]
    assert first not in "".join(told) and "argon2" not in "".join(told)


@one_database
def test_only_administrators_manage_and_privacy_officers_look(site: Site) -> None:
    officer = site.account("officer", Role.SEC)
    site.account("doctor", Role.CHF)
    browser = site.browser()
    signed_in(browser, "officer")
    found = browser.get("/api/users").json()
    assert [one["name"] for one in found["users"]] == ["doctor", "officer"] and found["next"] == ""
    assert found["users"][1]["grants"][0]["role"] == "SEC"
    for answer in (
        browser.post("/api/users", json={"name": "mine"}),
        browser.patch("/api/users/doctor", json={"enabled": False}),
        browser.post("/api/users/doctor/password", json={}),
        browser.post("/api/users/officer/grants", json={"role": "PAD"}),
        browser.delete("/api/users/doctor/sessions"),
        browser.delete("/api/users/doctor/totp"),
    ):
        assert code_of(answer) == (403, "not-permitted"), answer.request.url
    assert officer.name == "officer"


def test_paging_and_search(site: Site, admin: TestClient) -> None:
    for name in ("anna", "bob", "carl"):
        site.account(name)
    first = admin.get("/api/users?limit=2").json()
    assert [one["name"] for one in first["users"]] == ["anna", "bob"] and first["next"] == "bob"
    rest = admin.get("/api/users?limit=2&after=bob").json()
    assert [one["name"] for one in rest["users"]] == ["boss", "carl"] and rest["next"] == ""
    assert [one["name"] for one in admin.get("/api/users?search=AR").json()["users"]] == ["carl"]
    assert admin.get("/api/users?search=%25").json()["users"] == []


@pytest.mark.parametrize("name", ["x", "with space", "-dash", "engineer", "a/b", "a" * 64 + "b", "张伟"])
@one_database
def test_names_that_cannot_be(admin: TestClient, name: str) -> None:
    assert admin.post("/api/users", json={"name": name}).status_code in (400, 422)


@one_database
def test_a_name_is_given_once(admin: TestClient) -> None:
    assert code_of(admin.post("/api/users", json={"name": "BOSS"})) == (409, "account-exists")


def test_unknown_fields_and_broken_text_are_refused(admin: TestClient) -> None:
    assert admin.post("/api/users", json={"name": "anna", "admin": True}).status_code == 422
    for text in ("a\u0000b", "a\nb", "\ud800"):
        body = f'{{"name": "anna", "display_name": {ascii(text).replace(chr(39), chr(34))}}}'
        body = body.replace("\\x00", "\\u0000")
        answer = admin.post("/api/users", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, text
    assert code_of(admin.get("/api/users/anna")) == (404, "not-found")


def test_disabling_ends_sessions(site: Site, admin: TestClient) -> None:
    site.account("anna", Role.ATT)
    browser = site.browser()
    signed_in(browser, "anna")
    assert (
        admin.patch("/api/users/anna", json={"enabled": False, "reason": "left"}).json()["enabled"] is False
    )
    assert browser.get("/api/session").status_code == 401
    assert admin.patch("/api/users/anna", json={"enabled": True}).json()["enabled"] is True
    assert browser.get("/api/session").status_code == 401


def test_there_is_always_an_administrator(site: Site, admin: TestClient) -> None:
    grant = admin.get("/api/users/boss").json()["grants"][0]["id"]
    assert code_of(admin.patch("/api/users/boss", json={"enabled": False})) == (409, "last-administrator")
    assert code_of(admin.delete(f"/api/users/boss/grants/{grant}")) == (409, "last-administrator")
    assert admin.get("/api/users/boss").json()["enabled"]
    site.account("second", Role.ADM)
    assert admin.delete(f"/api/users/boss/grants/{grant}").status_code == 204
    assert code_of(admin.get("/api/users")) == (403, "not-permitted")


@one_database
def test_administrators_are_no_privacy_officers(site: Site, admin: TestClient) -> None:
    site.account("second", Role.ADM)
    answer = admin.post("/api/users/second/grants", json={"role": "SEC"})
    assert code_of(answer) == (400, "barred-roles")


@one_database
def test_nobody_raises_himself(site: Site, admin: TestClient) -> None:
    site.account("second", Role.ADM)
    for method, path, body in (
        ("POST", "grants", {"role": "PAD"}),
        ("PATCH", "", {"wards": ["W1"]}),
        # what asks for the own password elsewhere is not had without it here
        ("POST", "password", {}),
        ("DELETE", "totp", None),
    ):
        for name in ("boss", "BOSS"):
            answer = admin.request(method, f"/api/users/{name}/{path}".rstrip("/"), json=body)
            assert code_of(answer) == (403, "not-permitted"), path
    assert [grant["role"] for grant in admin.get("/api/users/boss").json()["grants"]] == ["ADM"]
    assert [row.outcome for row in site.told(kind="refusal", who="boss")] == ["refused"] * 8
    assert admin.patch("/api/users/boss", json={"display_name": "The Boss", "wards": []}).status_code == 200
    assert admin.post("/api/users/second/grants", json={"role": "PAD"}).status_code == 201


@one_database
def test_the_first_account_may_raise_itself_while_it_is_alone(site: Site) -> None:
    first_account(site.engine, PASSWORD, site.trail, length=10)
    site.set("admin", must_change_password=False)
    browser = site.browser()
    signed_in(browser, "admin")
    assert browser.post("/api/users/admin/grants", json={"role": "ATT"}).status_code == 201
    site.account("boss", Role.ADM)
    site.account("steward", Role.PAD)
    site.gate.forget()
    assert browser.get("/api/users").status_code == 403


def test_grants_end(site: Site, admin: TestClient) -> None:
    site.account("anna")
    soon = clock.now() + timedelta(hours=1)
    body = {"role": "ATT", "until": soon.isoformat()}
    made = admin.post("/api/users/anna/grants", json=body).json()
    assert made["in_force"] is True
    assert code_of(admin.post("/api/users/anna/grants", json=body)) == (409, "grant-exists")
    past = {"role": "RES", "until": (clock.now() - timedelta(seconds=1)).isoformat()}
    assert code_of(admin.post("/api/users/anna/grants", json=past)) == (400, "bad-grant")
    assert (
        admin.post("/api/users/anna/grants", json={"role": "RES", "until": "2031-01-01T00:00:00"}).status_code
        == 422
    )


@one_database
def test_a_new_password_from_an_administrator_ends_sessions_and_is_to_be_changed(
    site: Site, admin: TestClient
) -> None:
    site.account("anna", Role.ATT)
    browser = site.browser()
    signed_in(browser, "anna")
    for _ in range(5):
        site.browser().post("/api/session", json={"name": "anna", "password": "wrong"})
    told = admin.post("/api/users/anna/password", json={}).json()["password"]
    assert re.fullmatch(r"([a-z2-7]{4}-){3}[a-z2-7]{4}", told)
    assert browser.get("/api/session").status_code == 401
    # the lock is over too
    assert signed_in(browser, "anna", told)["must_change_password"]


@one_database
def test_unlocking(site: Site, admin: TestClient) -> None:
    site.account("anna", Role.ATT)
    for _ in range(5):
        site.browser().post("/api/session", json={"name": "anna", "password": "wrong"})
    assert admin.get("/api/users/anna").json()["locked"]
    assert not admin.post("/api/users/anna/unlock").json()["locked"]
    signed_in(site.browser(), "anna")


@one_database
def test_roles_have_names(site: Site) -> None:
    site.account("anna", Role.ATT)
    browser = site.browser()
    assert code_of(browser.get("/api/roles")) == (401, "not-signed-in")
    signed_in(browser, "anna")
    found = {one["role"]: one for one in browser.get("/api/roles").json()["roles"]}
    assert set(found) == set(Role) and found["PAD"]["name_zh"] == "影像数据管理员"


class TestFirstAccount:
    def test_it_has_a_random_password_told_once(self, site: Site) -> None:
        told = first_account(site.engine, "", site.trail, length=10)
        assert told is not None
        assert first_account(site.engine, "", site.trail, length=10) is None
        browser = site.browser()
        me = signed_in(browser, "admin", told)
        assert me["must_change_password"] and me["first_account"]
        assert {role["role"] for role in me["roles"]} == {"ADM", "PAD"}

    @one_database
    def test_or_the_one_that_the_engineer_chose(self, site: Site) -> None:
        with pytest.raises(Refused, match="at least 10"):
            first_account(site.engine, "short", site.trail, length=10)
        assert first_account(site.engine, PASSWORD, site.trail, length=10) is None
        signed_in(site.browser(), "admin")

    def test_its_roles_are_for_as_long_as_nobody_else_has_them(self, site: Site) -> None:
        first_account(site.engine, PASSWORD, site.trail, length=10)
        site.set("admin", must_change_password=False)
        browser = site.browser()
        signed_in(browser, "admin")

        def roles() -> tuple[set[str], bool]:
            site.gate.forget()
            me = browser.get("/api/session").json()
            return {role["role"] for role in me["roles"]}, me["first_account"]

        site.account("steward", Role.PAD)
        assert roles() == ({"ADM"}, True)
        site.account("second", Role.ADM)
        assert roles() == (set(), False)
        # and again where those are gone: nobody is locked out of his own archive
        site.set("second", enabled=False)
        site.set("steward", enabled=False)
        assert roles() == ({"ADM", "PAD"}, True)

    def test_several_servers_of_one_database_make_one(self, site: Site) -> None:
        start = threading.Barrier(4)
        told: list[str | None] = []

        def begin() -> None:
            start.wait()
            told.append(first_account(site.engine, "", site.trail, length=10))

        threads = [threading.Thread(target=begin) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        passwords = [one for one in told if one is not None]
        assert len(told) == 4 and len(passwords) == 1
        signed_in(site.browser(), "admin", passwords[0])

    @one_database
    def test_there_is_none_where_there_are_accounts(self, site: Site) -> None:
        site.account("anna")
        assert first_account(site.engine, PASSWORD, site.trail, length=10) is None
        refused = site.browser().post("/api/session", json={"name": "admin", "password": PASSWORD})
        assert refused.status_code == 401


def test_of_two_who_make_the_same_account_one_is_told(site: Site) -> None:
    """Both have looked before either writes; on SQLite the second waits for the first."""
    made, conflicts = [], []
    start = threading.Barrier(4)

    def make() -> None:
        start.wait()
        try:
            with writing(site.engine) as connection:
                made.append(accounts.create(connection, "anna", site.acting))
        except Conflict as error:
            conflicts.append(error.code)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 1 and conflicts == ["account-exists"] * 3


def test_of_two_who_keep_the_same_preference_both_succeed(site: Site) -> None:
    account = site.account("anna")
    start = threading.Barrier(4)
    problems: list[BaseException] = []

    def put(value: int) -> None:
        start.wait()
        try:
            with writing(site.engine) as connection:
                preferences.put(connection, account.id, "layout", value)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert problems == []
    with reading(site.engine) as connection:
        assert preferences.all_of(connection, account.id)["layout"] in range(4)
