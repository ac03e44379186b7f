"""Devices, jobs and the server's state over our own HTTP API, on a running server with either database."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from filmless.access import accounts, grants, sessions
from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Role, Scope
from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.app.trail import open_trail
from filmless.db.work import writing
from tests import peers

PASSWORD = "mended-lantern-42"


@pytest.fixture
def admin(database_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client signed in as an administrator."""
    with peers.FilmlessServer(tmp_path / "home", settings=f'[database]\nurl = "{database_url}"\n') as server:
        settings = load(server.home, environment={})
        with open_index(settings) as engine, open_trail(settings, engine, "test") as trail:
            _, kept = accounts.new_password(PASSWORD, name="the-adm", length=8)
            acting = Acting(SYSTEM, trail, reason="a test")
            with writing(engine) as connection:
                account = accounts.create(
                    connection, "the-adm", acting, password_hash=kept, must_change_password=False
                )
                grants.grant(connection, account.name, Role.ADM, acting, scope=Scope())
                secret = sessions.open_session(
                    connection, account.id, settings.access, method="password", host=peers.HOST
                )
        base = f"http://{peers.HOST}:{server.http_port}/api"
        with httpx.Client(base_url=base, timeout=60, cookies={"filmless_session": secret}) as client:
            client.headers["X-Filmless-CSRF"] = client.get("/session").json()["csrf"]
            client.headers["X-Port"] = str(server.dicom_port)
            yield client


def test_a_device_is_added_asked_changed_and_removed(admin: httpx.Client) -> None:
    port = int(admin.headers["X-Port"])
    ours = {"ae_title": "FILMLESS", "host": peers.HOST, "port": port, "reason": "new"}
    assert admin.post("/devices", json=ours).status_code == 201
    assert admin.post("/devices", json=ours).status_code == 409
    away = {"ae_title": "ROOM 1/2", "host": peers.HOST, "port": peers.free_port()}
    assert admin.post("/devices", json=away).status_code == 201

    answers = admin.post("/devices/FILMLESS/check").json()
    assert answers["ok"] and answers["ms"] > 0 and answers["device"]["check_ok"]
    # a slash is part of an AE title
    silent = admin.post("/devices/ROOM%201%2F2/check").json()
    assert not silent["ok"] and "nothing listens there" in silent["reason"]
    alarms = admin.get("/system/alarms").json()["alarms"]
    assert [(one["why"], one["about"]) for one in alarms] == [("device", "ROOM 1/2")]

    assert admin.patch("/devices/FILMLESS", json={"site": "North"}).status_code == 422, "no reason"
    change = {"site": "North", "services": ["echo"], "scope": {"modalities": ["CT"]}, "reason": "moved"}
    changed = admin.patch("/devices/FILMLESS", json=change).json()
    assert (changed["site"], changed["services"], changed["scope"]["modalities"]) == (
        "North",
        ["echo"],
        ["CT"],
    )
    assert changed["host"] == peers.HOST, "what is not named stays"
    newest = admin.get("/devices/FILMLESS/history").json()["events"][0]
    assert (newest["what"], newest["by"], newest["reason"]) == ("changed", "the-adm", "moved")
    assert newest["changes"]["site"] == ["", "North"]

    assert admin.delete("/devices/FILMLESS", params={"reason": "gone"}).status_code == 204
    assert [one["ae_title"] for one in admin.get("/devices").json()["devices"]] == ["ROOM 1/2"]


def test_the_state_of_the_server_and_its_jobs(admin: httpx.Client) -> None:
    found = admin.get("/system").json()
    assert found["ok"] and found["ae_title"] == "FILMLESS" and found["studies"] == 0
    assert {one["name"] for one in found["parts"]} == {"dicom", "web", "worker", "database", "disk"}
    assert found["database_bytes"] > 0 and 0 < found["spaces"][0]["free"] < found["spaces"][0]["size"]
    assert admin.get("/system/associations").json() == {"associations": []}
    assert admin.get("/jobs").json() == {"jobs": [], "more": False}
    assert admin.post("/jobs/none/cancel", json={"reason": "a test"}).status_code == 404


def test_a_second_factor_comes_as_a_picture(admin: httpx.Client) -> None:
    begun = admin.post("/session/totp", json={"password": PASSWORD}).json()
    assert begun["url"].startswith("otpauth://totp/") and begun["secret"] in begun["url"]
    assert begun["qr"].startswith('<svg xmlns="http://www.w3.org/2000/svg"') and "<script" not in begun["qr"]
