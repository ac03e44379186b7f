"""`[http] processes`: several web processes on one port are one server to whoever asks."""

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests import made
from tests.peers import HOST, FilmlessServer, eventually

PASSWORD = "several-lantern-42"
SETTINGS = f"""
admin_password = "{PASSWORD}"
[http]
processes = 2
[access]
lock_after = 3
attempts_per_account = 6
"""


class Connection:
    """A connection that stays open, and so stays with one process."""

    def __init__(self, server: FilmlessServer) -> None:
        self._server = server
        self._connection = http.client.HTTPConnection(HOST, server.http_port, timeout=60)
        self._connection.connect()
        self.headers: dict[str, str] = {}

    @property
    def pid(self) -> int:
        """The process at its other end."""
        ours = self._connection.sock.getsockname()[1]
        for process in webs(self._server):
            for one in process.net_connections("tcp4"):
                if one.raddr and one.raddr.port == ours and one.status == "ESTABLISHED":
                    return int(process.pid)
        return 0

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        sent = {"Content-Type": "application/json", **self.headers, **headers}
        self._connection.request(method, path, data, sent)
        answer = self._connection.getresponse()
        content = answer.read()
        if cookie := answer.headers.get("Set-Cookie"):
            self.headers["Cookie"] = cookie.split(";", 1)[0]
        return answer.status, json.loads(content) if content[:1] in (b"{", b"[") else content

    def sign_in(self, password: str) -> tuple[int, Any]:
        return self.ask("POST", "/api/session", {"name": "admin", "password": password, "code": ""})

    def close(self) -> None:
        self._connection.close()


def webs(server: FilmlessServer) -> list[psutil.Process]:
    return [one for one in psutil.Process(server.running.pid).children() if one.name() == "filmless-web"]


def health(server: FilmlessServer) -> dict[str, Any]:
    connection = Connection(server)
    try:
        return dict(connection.ask("GET", "/health")[1])
    finally:
        connection.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilmlessServer]:
    with FilmlessServer(tmp_path_factory.mktemp("several") / "home", settings=SETTINGS) as running:
        eventually(lambda: health(running)["web"] == web_of(running, 0), "both serve")
        yield running


def web_of(server: FilmlessServer, restarts: int) -> dict[str, Any]:
    return {"ok": True, "processes": 2, "restarts": restarts, "port": server.http_port}


def pair(server: FilmlessServer) -> tuple[Connection, Connection]:
    """A connection to each process."""

    def both() -> tuple[Connection, Connection] | None:
        first, second = Connection(server), Connection(server)
        for one in (first, second):
            # whoever answers has taken it
            assert one.ask("GET", "/health")[0] == 200
        if first.pid != second.pid:
            return first, second
        first.close()
        second.close()
        return None

    return eventually(both, "there is a connection to each process")


def test_connections_of_one_client_are_shared_out(server: FilmlessServer) -> None:
    def shared_out() -> bool:
        opened = [Connection(server) for _ in range(6)]
        for one in opened:
            assert one.ask("GET", "/health")[0] == 200
        places = [one.pid for one in opened]
        for one in opened:
            one.close()
        return sorted(places.count(process.pid) for process in webs(server)) == [3, 3]

    # a machine that is busy with other things may once leave one of them behind
    eventually(shared_out, "each has half of them", 10)


def test_they_answer_as_one(server: FilmlessServer) -> None:
    here, there = pair(server)
    status, session = here.sign_in(PASSWORD)
    assert (status, session["must_change_password"]) == (200, True)
    here.headers["X-Filmless-CSRF"] = session["csrf"]
    there.headers.update(here.headers)
    # the other one has heard, and remembers, that the password has to be changed
    assert there.ask("GET", "/api/session")[1]["must"] == "change-password"
    assert there.ask("GET", "/api/studies/changes")[0] == 403
    new = PASSWORD + "-changed"
    assert here.ask("PUT", "/api/session/password", {"old": PASSWORD, "new": new})[0] < 300
    here.headers["X-Filmless-CSRF"] = here.ask("GET", "/api/session")[1]["csrf"]
    there.headers.update(here.headers)
    status, answer = there.ask("GET", "/api/studies/changes")
    assert status == 200

    # what comes in by one is told to those who wait at the other
    told: list[Any] = []
    path = f"/api/studies/changes?since={answer['seq']}&wait=20"
    waiting = threading.Thread(target=lambda: told.append(there.ask("GET", path)))
    waiting.start()
    study, series = "1.2.826.0.1.3680043.8.498.16", "1.2.826.0.1.3680043.8.498.16.1"
    image = made.part10(made.image(1, name="Two^Doors", patient_id="16", study=study, series=series))
    mark = b"--x\r\nContent-Type: application/dicom\r\n\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=x'
    accepted = {"Content-Type": kind, "Accept": "application/dicom+json"}
    status, stored = here.ask("POST", "/dicom-web/studies", mark + image + b"\r\n--x--", **accepted)
    assert status == 200, stored
    waiting.join(30)
    status, changes = told[0]
    assert status == 200 and [one["study_uid"] for one in changes["changes"]] == [study]
    status, found = there.ask("GET", "/dicom-web/studies", Accept="application/dicom+json")
    assert [one["0020000D"]["Value"] for one in found] == [[study]]

    # signed out at one, nobody at the other, at once
    assert there.ask("GET", "/api/session")[0] == 200
    assert here.ask("DELETE", "/api/session")[0] == 204
    assert there.ask("GET", "/api/session")[0] == 401

    # three wrong passwords lock the account, whoever was asked, and six attempts in a minute are enough
    codes = [one.sign_in("wrong-wrong-wrong")[1]["code"] for one in (here, there, here)]
    codes += [one.sign_in(new)[1]["code"] for one in (there, here, there, there, here)]
    assert codes == ["wrong-credentials"] * 6 + ["too-many"] * 2
    here.close()
    there.close()


def test_one_that_is_killed_is_missed_by_nobody_and_comes_back(server: FilmlessServer) -> None:
    here, there = pair(server)
    killed = psutil.Process(there.pid)
    killed.kill()
    for _ in range(20):
        assert health(server)["dicom"]["ok"]
    assert here.ask("GET", "/health")[0] == 200
    eventually(lambda: health(server)["web"] == web_of(server, 1), "another one is there")
    for one in (here, there):
        one.close()
    again = pair(server)
    assert {one.pid for one in again} == {one.pid for one in webs(server)} != {0}
    for one in again:
        one.close()


def test_sigterm_ends_all(server: FilmlessServer) -> None:
    everybody = psutil.Process(server.running.pid).children(recursive=True)
    assert len(everybody) >= 4
    assert server.stop() == 0
    assert [one for one in everybody if one.is_running() and one.status() != "zombie"] == []
