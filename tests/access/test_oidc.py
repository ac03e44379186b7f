"""Sign-in through a real OpenID provider, the whole way."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient
from tests.access.conftest import Site, code_of, one_database, signed_in
from tests.access.openid import SECRET, provider, refuse, walk

from filmless.access import linking
from filmless.access.model import Role
from filmless.access.settings import AccessSettings
from filmless.db.work import writing

ACCOUNTS: dict[str, dict[str, Any]] = {
    "u-zhang": {"name": "张伟", "preferred_username": "Zhang.Wei", "groups": ["radiology", "staff"]},
    "u-boss": {"preferred_username": "boss", "email": "boss@hospital.example", "groups": ["radiology"]},
    "u-guest": {"preferred_username": "guest", "groups": ["visitors"]},
    "u-odd": {"preferred_username": "../../", "name": "a\u0000b", "groups": "it staff"},
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with provider(ACCOUNTS) as url:
        yield url


@pytest.fixture
def access_settings(issuer: str) -> AccessSettings:
    return AccessSettings(
        oidc_issuer=issuer,
        oidc_client_id="filmless",
        oidc_client_secret=SECRET,
        oidc_scopes=("profile", "groups"),
        oidc_roles=("radiology=ATT", "it=ADM"),
    )


def come_back(browser: TestClient, login: str, return_to: str = "/") -> Any:
    """Through the provider and back; the answer of our callback."""
    start = browser.get("/api/session/oidc/start", params={"return_to": return_to})
    assert start.status_code == 302, start.text
    return browser.get(walk(start.headers["location"], login))


def test_a_stranger_with_a_role_gets_an_account(site: Site) -> None:
    browser = site.browser()
    assert browser.get("/api/session/ways").json()["oidc"] == "OpenID Connect"
    answer = come_back(browser, "u-zhang", "/studies?x=1")
    assert (answer.status_code, answer.headers.get("location")) == (302, "/studies?x=1"), answer.text
    me = browser.get("/api/session").json()
    assert me["account"]["name"] == "zhang.wei" and me["account"]["display_name"] == "张伟"
    assert [role["role"] for role in me["roles"]] == ["ATT"] and me["method"] == "oidc"
    assert not me["account"]["has_password"]
    # and the same account the next time
    other = site.browser()
    come_back(other, "u-zhang")
    assert other.get("/api/session").json()["account"]["name"] == "zhang.wei"
    assert [row.who for row in site.told(kind="sign-in", outcome="success")] == ["zhang.wei"] * 2


def test_names_and_addresses_open_nobodys_account(site: Site) -> None:
    """The provider's `boss` is somebody else than ours, whatever the name and the e-mail say."""
    site.account("boss", Role.ADM)
    browser = site.browser()
    come_back(browser, "u-boss")
    me = browser.get("/api/session").json()
    assert me["account"]["name"] == "boss-2" and [role["role"] for role in me["roles"]] == ["ATT"]


def test_an_engineer_links_an_account(site: Site, issuer: str) -> None:
    site.account("boss", Role.ADM)
    with writing(site.engine) as connection:
        linking.link(connection, "boss", issuer, "u-boss", site.acting)
    browser = site.browser()
    come_back(browser, "u-boss")
    me = browser.get("/api/session").json()
    assert me["account"]["name"] == "boss"
    # what people granted stays, beside what the provider says
    assert {role["role"] for role in me["roles"]} == {"ADM", "ATT"}


@one_database
def test_who_has_no_role_here_stays_outside(site: Site) -> None:
    browser = site.browser()
    assert code_of(come_back(browser, "u-guest")) == (400, "no-account")
    assert browser.get("/api/session").status_code == 401
    told = site.told(kind="sign-in", outcome="refused")
    assert len(told) == 1 and "u-guest" in told[0].body


def test_what_the_provider_no_longer_says_is_taken_back(site: Site) -> None:
    come_back(site.browser(), "u-zhang")
    site.limit(oidc_roles=("radiology=RES",))  # type: ignore[arg-type]
    browser = site.browser()
    come_back(browser, "u-zhang")
    assert [role["role"] for role in browser.get("/api/session").json()["roles"]] == ["RES"]
    site.limit(oidc_roles=("nobody=RES",))  # type: ignore[arg-type]
    assert code_of(come_back(site.browser(), "u-zhang")) == (400, "no-account")
    # also in the session that is open
    site.gate.forget()
    assert browser.get("/api/session").json()["roles"] == []


def test_odd_claims_make_a_name_all_the_same(site: Site) -> None:
    browser = site.browser()
    come_back(browser, "u-odd")
    me = browser.get("/api/session").json()
    assert me["account"]["name"].startswith("oidc-") and me["account"]["display_name"] == "ab"
    assert [role["role"] for role in me["roles"]] == ["ADM"]


@one_database
def test_a_disabled_account_stays_outside(site: Site) -> None:
    come_back(site.browser(), "u-zhang")
    site.set("zhang.wei", enabled=False)
    browser = site.browser()
    assert code_of(come_back(browser, "u-zhang")) == (400, "disabled")
    assert browser.get("/api/session").status_code == 401


@one_database
def test_giving_up_at_the_provider(site: Site) -> None:
    browser = site.browser()
    start = browser.get("/api/session/oidc/start")
    answer = browser.get(refuse(start.headers["location"]))
    assert code_of(answer) == (400, "sign-in-refused")
    assert "access_denied" in site.told(kind="sign-in")[0].body


@one_database
def test_a_person_is_led_back_to_the_door(site: Site) -> None:
    browser = site.browser(Accept="text/html,application/xhtml+xml")
    answer = come_back(browser, "u-guest")
    assert (answer.status_code, answer.headers["location"]) == (302, "/?refused=no-account")
    assert browser.get("/api/session").status_code == 401


def test_a_return_is_good_once_and_in_its_own_browser(site: Site) -> None:
    browser, victim = site.browser(), site.browser()
    start = browser.get("/api/session/oidc/start")
    back = walk(start.headers["location"], "u-zhang")
    # an attacker's return, opened in the browser of somebody else: would sign that one in as the attacker
    assert code_of(victim.get(back)) == (400, "sign-in-refused")
    assert victim.get("/api/session").status_code == 401
    # it is used up
    assert code_of(browser.get(back)) == (400, "sign-in-refused")

    start = browser.get("/api/session/oidc/start")
    back = walk(start.headers["location"], "u-zhang")
    assert browser.get(back).status_code == 302
    assert code_of(browser.get(back)) == (400, "sign-in-refused")


@pytest.mark.parametrize("change", [{"iss": "https://evil.example"}, {"code": "another"}, {"iss": None}])
@one_database
def test_a_changed_answer_is_refused(site: Site, change: dict[str, str | None]) -> None:
    browser = site.browser()
    back = walk(browser.get("/api/session/oidc/start").headers["location"], "u-zhang")
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()} | change
    changed = {name: value for name, value in query.items() if value is not None}
    answer = browser.get("/api/session/oidc/callback", params=changed)
    assert code_of(answer) == (400, "sign-in-refused")
    assert browser.get("/api/session").status_code == 401


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nSet-Cookie: x=y", "a", ""]
)
def test_it_goes_on_inside(path: str) -> None:
    assert linking.safe_path(path) == "/"


@one_database
def test_the_request_has_what_protects_it(site: Site, issuer: str) -> None:
    answer = site.browser().get("/api/session/oidc/start")
    url = urlsplit(answer.headers["location"])
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert f"{url.scheme}://{url.netloc}" == issuer
    assert query["response_type"] == "code" and query["code_challenge_method"] == "S256"
    assert len(query["state"]) == len(query["nonce"]) == len(query["code_challenge"]) == 43
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/api/session/oidc" in cookie


@one_database
def test_without_a_provider_there_is_no_such_way(site: Site) -> None:
    site.gate.provider = None
    assert code_of(site.browser().get("/api/session/oidc/start")) == (404, "not-found")
    assert site.browser().get("/api/session/ways").json()["oidc"] == ""


@one_database
def test_a_provider_that_is_down_is_told(site: Site) -> None:
    from filmless.access.oidc import Provider

    site.gate.provider = Provider(AccessSettings(oidc_issuer="http://127.0.0.1:9", oidc_client_id="x"))
    assert code_of(site.browser().get("/api/session/oidc/start")) == (503, "provider")


@one_database
def test_others_sign_in_by_password_all_the_same(site: Site) -> None:
    site.account("zhang", Role.ATT)
    signed_in(site.browser(), "zhang")
