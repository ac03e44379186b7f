"""Two servers on one PostgreSQL and one store: whichever is asked, the answers are the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests import made, peers, programs

from filmless.access.model import Role

#: seconds until what is done at one holds at the other
SOON = 3.0
PASSWORD = "two lanterns over the harbour"


@dataclass
class Two:
    homes: tuple[Path, Path]
    servers: tuple[peers.FilmlessServer, peers.FilmlessServer]
    clients: tuple[httpx.Client, httpx.Client]

    def both(self, path: str, **headers: str) -> tuple[httpx.Response, httpx.Response]:
        one, other = self.clients
        return one.get(path, headers=headers), other.get(path, headers=headers)


@pytest.fixture(scope="module")
def two(
    postgres_server: str, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Two]:
    from tests import postgres

    folder = tmp_path_factory.mktemp("two")
    url = postgres.make_database(postgres_server, "two_servers", postgres_template)
    homes = (folder / "first", folder / "second")
    for home in homes:
        home.mkdir()
        # what is one for both: objects, and the key of the audit trail
        for shared in ("store", "keys"):
            (folder / shared).mkdir(mode=0o750, exist_ok=True)
            (home / shared).symlink_to(folder / shared)
    # addresses in answers begin alike, as behind one name
    settings = (
        f'admin_password = "{PASSWORD}"\n[database]\nurl = "{url}"\n'
        '[http]\npublic_url = "http://images.example"\n[archive]\nsettle_seconds = 2\n'
    )
    with ExitStack() as stack:
        first, second = (stack.enter_context(peers.FilmlessServer(home, settings=settings)) for home in homes)
        token = programs.token(first.home)
        clients = [
            stack.enter_context(programs.client(f"http://{peers.HOST}:{server.http_port}", token))
            for server in (first, second)
        ]
        yield Two(homes, (first, second), (clients[0], clients[1]))
    postgres.drop_database(postgres_server, "two_servers")


def _same(two: Two, path: str, **headers: str) -> httpx.Response:
    one, other = two.both(path, **headers)
    assert one.status_code == other.status_code, (path, one.text[:300], other.text[:300])
    boundary = re.search(r'boundary="?([^";]+)', one.headers.get("content-type", ""))
    contents = [one.content, other.content]
    if boundary:
        second = re.search(r'boundary="?([^";]+)', other.headers["content-type"])
        assert second
        contents = [
            one.content.replace(boundary[1].encode(), b""),
            other.content.replace(second[1].encode(), b""),
        ]
    if one.status_code == 200 and "json" in one.headers["content-type"]:
        # white space apart: metadata that are prepared are put together of parts
        assert one.json() == other.json(), path
    else:
        assert contents[0] == contents[1], path
    assert one.headers.get("etag") == other.headers.get("etag"), path
    return one


def _count(client: httpx.Client, patient: str) -> int:
    answer = client.get("/dicom-web/instances", params={"PatientID": patient})
    assert answer.status_code in (200, 204), answer.text
    return len(answer.json()) if answer.content else 0


def _stow(client: httpx.Client, file: Path) -> httpx.Response:
    content = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file.read_bytes() + b"\r\n--b--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    return client.post("/dicom-web/studies", content=content, headers={"Content-Type": kind})


def test_they_answer_alike(two: Two, tmp_path: Path) -> None:
    series = made.series(tmp_path / "files", 3, name="Two^Twins=双^子", patient_id="TWO1")
    peers.storescu(two.servers[0].dicom_port, tmp_path / "files")
    study, uid = series.study_uid, next(iter(series.data_sets))
    below = f"/dicom-web/studies/{study}/series/{series.series_uid}"
    dicom, octets = "application/dicom", "application/octet-stream"
    requests = [
        ("/dicom-web/studies?PatientID=TWO1&includefield=all", "application/dicom+json", 200),
        ("/dicom-web/studies?PatientName=双*", "application/dicom+json", 200),
        ("/dicom-web/studies?PatientID=TWO1", 'multipart/related; type="application/dicom+xml"', 200),
        (f"/dicom-web/studies/{study}/series", "application/dicom+json", 200),
        ("/dicom-web/series?Modality=CT", "application/dicom+json", 200),
        (f"{below}/instances?limit=2&offset=1&orderby=InstanceNumber", "application/dicom+json", 200),
        (f"{below}/metadata", "application/dicom+json", 200),
        (f"{below}/metadata", 'multipart/related; type="application/dicom+xml"', 200),
        (f"/dicom-web/studies/{study}", f'multipart/related; type="{dicom}"; transfer-syntax=*', 200),
        (f"{below}/instances/{uid}", f"{dicom}; transfer-syntax=*", 200),
        (f"{below}/instances/{uid}/frames/1", octets, 200),
        (f"{below}/instances/{uid}/bulkdata/7FE00010", octets, 200),
        (f"{below}/instances/{uid}/rendered?viewport=20,20", "image/png", 200),
        (f"{below}/thumbnail", "image/jpeg", 200),
        ("/dicom-web/studies/9.9.9/metadata", "application/dicom+json", 404),
        (f"{below}/metadata", "image/gif", 406),
        ("/dicom-web/studies?NoSuchKey=1", "application/dicom+json", 400),
    ]
    for path, accepted, status in requests:
        assert _same(two, path, Accept=accepted).status_code == status, path
    # once the series has come to rest and its metadata are prepared by the one of them, they are still the same
    eventually_prepared = [home / "metadata" for home in two.homes]
    peers.eventually(
        lambda: any(any(one.rglob("*")) for one in eventually_prepared if one.exists()), "prepared"
    )
    for path, accepted, _ in requests[:8]:
        _same(two, path, Accept=accepted)


def test_what_comes_to_one_is_seen_at_the_other(two: Two, tmp_path: Path) -> None:
    for number, (here, there) in enumerate((two.clients, two.clients[::-1])):
        series = made.series(tmp_path / str(number), 1, patient_id=f"SEEN{number}")
        assert _count(there, f"SEEN{number}") == 0
        assert _stow(here, series.files[0]).status_code == 200
        assert _count(there, f"SEEN{number}") == 1, "at once"
        below = f"/dicom-web/studies/{series.study_uid}/series/{series.series_uid}"
        before = [client.get(f"{below}/metadata") for client in two.clients]
        assert [one.status_code for one in before] == [200, 200]


def test_what_is_rejected_at_one_is_hidden_at_the_other(two: Two, tmp_path: Path) -> None:
    series = made.series(tmp_path / "files", 1, patient_id="GONE1")
    here = two.clients[0]
    assert _stow(here, series.files[0]).status_code == 200
    below = f"/dicom-web/studies/{series.study_uid}"
    # a reader, whom nothing of it is shown any more: data stewards see on what is rejected for its quality
    secret = programs.token(two.homes[0], "reader", roles=(Role.RES,))
    with programs.client(str(here.base_url), secret) as one, ExitStack() as stack:
        there = stack.enter_context(programs.client(str(two.clients[1].base_url), secret))
        for client in (one, there):
            # both have it in memory by now
            assert _count(client, "GONE1") == 1
            assert client.get(f"{below}/metadata").status_code == 200
            assert client.get(f"{below}/rendered", headers={"Accept": "image/jpeg"}).status_code == 200
        done = here.post(f"{below}/reject/113001", params={"reason": "a test"})
        assert done.status_code in (200, 204), done.text
        peers.eventually(lambda: _count(there, "GONE1") == 0, "hidden at the other", SOON)
        for path in ("/metadata", "", "/rendered"):
            peers.eventually(
                lambda path=path: there.get(below + path, headers={"Accept": "*/*"}).status_code == 404,
                f"{path} hidden at the other",
                SOON,
            )


def test_what_is_corrected_at_one_is_right_at_the_other(two: Two, tmp_path: Path) -> None:
    series = made.series(tmp_path / "files", 1, name="Wrong^Name", patient_id="FIX1")
    here, there = two.clients
    assert _stow(here, series.files[0]).status_code == 200
    below = f"/dicom-web/studies/{series.study_uid}/metadata"
    old = there.get(below)
    two.servers[0].cli("correct", "study", series.study_uid, "StudyDescription=Right", "--reason", "a test")

    def right() -> bool:
        (found,) = there.get(below).json()
        return bool(found["00081030"]["Value"] == ["Right"])

    peers.eventually(right, "the correction is in force at the other", SOON)
    again = there.get(below, headers={"If-None-Match": old.headers["etag"]})
    assert again.status_code == 200, "the old ETag names the old answer"


def test_sessions_and_tokens_hold_at_both(two: Two) -> None:
    token = programs.token(two.homes[1], "both")
    bases = [str(client.base_url) for client in two.clients]
    for base in bases:
        with programs.client(base, token) as client:
            assert client.get("/dicom-web/studies").status_code == 200
    listed = json.loads(two.servers[0].cli("tokens", "list", "both", "--json").output)
    two.servers[0].cli("tokens", "revoke", "both", str(listed[0]["id"]), "--reason", "a test")
    for base in bases:
        with programs.client(base, token) as client:
            peers.eventually(
                lambda client=client: client.get("/dicom-web/studies").status_code == 401,
                "revoked at both",
                SOON,
            )
    # one person, one session: signed in at the one, out at the other
    with httpx.Client(base_url=bases[0], timeout=30) as browser:
        answer = browser.post("/api/session", json={"name": "admin", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        cookie = answer.cookies["filmless_session"]
        headers = {"Cookie": f"filmless_session={cookie}"}
        with httpx.Client(base_url=bases[1], timeout=30, headers=headers) as other:
            # the first password is still to be changed, here as there
            assert other.get("/api/session").json()["must"] == "change-password"
            out = other.delete("/api/session", headers={"X-Filmless-CSRF": answer.json()["csrf"]})
            assert out.status_code == 204, out.text
        peers.eventually(lambda: browser.get("/api/session").status_code == 401, "signed out at both", SOON)


def test_the_audit_trail_is_one(two: Two) -> None:
    for server in two.servers:
        assert "nothing was altered or removed" in server.cli("audit", "verify").output
