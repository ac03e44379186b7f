"""The first account, from the words of `filmless serve` to a person who is signed in."""

import re
from collections.abc import Iterator

import httpx
import pytest
from tests.peers import FilmlessServer, eventually


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilmlessServer]:
    with FilmlessServer(tmp_path_factory.mktemp("first") / "home") as running:
        yield running


def test_the_password_is_told_once_and_opens_the_first_account(server: FilmlessServer) -> None:
    eventually(lambda: "Ctrl-C stops" in server.running.output(), "the server says what to do next")
    told = re.findall(r"\b(?:[a-z2-7]{4}-){3}[a-z2-7]{4}\b", server.running.output())
    assert len(told) == 1
    with httpx.Client(base_url=f"http://127.0.0.1:{server.http_port}/api", timeout=30) as browser:
        me = browser.post("/session", json={"name": "admin", "password": told[0]})
        assert me.status_code == 200 and me.json()["first_account"] and me.json()["must_change_password"]
        assert browser.get("/users").status_code == 403
        # the same reason at every door, which is not that nobody has signed in
        images = browser.get(f"http://127.0.0.1:{server.http_port}/dicom-web/studies")
        assert (images.status_code, images.json()["code"]) == (403, "change-password")
        assert "Change your password first" in images.json()["detail"]
        browser.headers["X-Filmless-CSRF"] = me.json()["csrf"]
        changed = browser.put("/session/password", json={"old": told[0], "new": "a password of mine"})
        assert changed.status_code == 200
        browser.headers["X-Filmless-CSRF"] = changed.json()["csrf"]
        assert [one["name"] for one in browser.get("/users").json()["users"]] == ["admin"]

        # beside the running server
        server.cli("users", "disable", "admin", check=False)
        assert browser.get("/session").status_code == 200, "the last administrator"
        made = browser.post("/users", json={"name": "zhang"}).json()["password"]
        assert made not in server.running.output()
    # nowhere else: neither in the logs nor in the database
    for file in server.home.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert told[0].encode() not in content, file
            assert b"a password of mine" not in content, file
            assert made.encode() not in content, file
