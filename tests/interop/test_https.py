"""HTTPS from the one certificate setting, and behind a reverse proxy: headers, cookies, addresses in answers."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests import made, peers, programs
from tests.certificates import Authority, Pair
from tests.peers import HOST, FilmlessServer, Running

EXAMPLE = Path(__file__).parents[2] / "deploy" / "nginx.conf"
PASSWORD = "lantern over the quiet harbour"
NEW_PASSWORD = "another lantern over the harbour"
METADATA = {"Accept": "application/dicom+json"}


@dataclass(frozen=True)
class Secure:
    server: FilmlessServer
    base: str
    authority: Authority
    own: Pair
    token: str
    study: made.Made

    @property
    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.file))

    def client(self, base: str = "", **headers: str) -> httpx.Client:
        return httpx.Client(base_url=base or self.base, verify=self.trusting, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("https")
    authority = Authority(folder / "hospital", "Hospital CA")
    own = authority.issue("filmless")
    study = made.series(folder / "files", 2, name="Geheim^Gerda", patient_id="TLS1")
    settings = (
        f'admin_password = "{PASSWORD}"\n[http]\ntls = true\n'
        f'[tls]\ncertificate = "{own.certificate}"\nkey = "{own.key}"\n'
    )
    with FilmlessServer(folder / "home", settings=settings) as server:
        server.cli("import", folder / "files")
        base = f"https://{HOST}:{server.http_port}"
        yield Secure(server, base, authority, own, programs.token(server.home), study)


def _hardened(answer: httpx.Response, *, framed: bool = False) -> None:
    """The headers that every answer has."""
    headers = answer.headers
    assert headers["strict-transport-security"].startswith("max-age=")
    assert int(headers["strict-transport-security"].partition("=")[2].split(";")[0]) >= 180 * 24 * 3600
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == ("SAMEORIGIN" if framed else "DENY")
    assert headers["referrer-policy"] == "no-referrer"
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["frame-ancestors"] == ("'self'" if framed else "'none'")
    assert policy["default-src"] in ("'none'", "'self'")
    assert policy.get("base-uri") == "'none'"
    assert "'unsafe-eval'" not in headers["content-security-policy"]
    assert "server" not in headers or "/" not in headers["server"]


def _signed_in(client: httpx.Client) -> httpx.Response:
    """The sign-in of `admin`, with the change of the first password where that is due."""
    for password in (PASSWORD, NEW_PASSWORD):
        answer = client.post("/api/session", json={"name": "admin", "password": password})
        if answer.status_code == 200:
            break
    assert answer.status_code == 200, answer.text
    if answer.json().get("must") == "change-password":
        changed = client.put(
            "/api/session/password",
            json={"old": PASSWORD, "new": NEW_PASSWORD},
            headers={"X-Filmless-CSRF": answer.json()["csrf"]},
        )
        assert changed.status_code == 200, changed.text
    return answer


def test_only_who_trusts_the_authority_gets_in(secure: Secure) -> None:
    with secure.client() as client:
        assert client.get("/health").status_code in (200, 503)
    stranger = Authority(secure.server.home / "stranger", "Stranger CA")
    with (
        httpx.Client(verify=ssl.create_default_context(cafile=str(stranger.file)), timeout=30) as client,
        pytest.raises(httpx.ConnectError, match="certificate verify failed"),
    ):
        client.get(secure.base + "/health")
    with httpx.Client() as client, pytest.raises(httpx.HTTPError):
        client.get(f"http://{HOST}:{secure.server.http_port}/health")
    old = ssl.create_default_context(cafile=str(secure.authority.file))
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with httpx.Client(verify=old) as client, pytest.raises(httpx.ConnectError):
        client.get(secure.base + "/health")


def test_every_answer_is_hardened(secure: Secure) -> None:
    study = secure.study.study_uid
    with secure.client(Authorization=f"Bearer {secure.token}") as client:
        for path, status in (
            ("/", 200),
            ("/health", 200),
            ("/api/session/ways", 200),
            ("/api/openapi.json", 200),
            ("/api/users/nobody-at-all", 403),
            ("/dicom-web/studies", 200),
            (f"/dicom-web/studies/{study}/metadata", 200),
            ("/dicom-web/studies/9.9.9/metadata", 404),
            ("/dicom-web/nothing", 404),
        ):
            answer = client.get(path)
            assert answer.status_code == status, (path, answer.text)
            _hardened(answer)
            if path.startswith("/api"):
                assert answer.headers["cache-control"] == "no-store"
        rendered = client.get(f"/dicom-web/studies/{study}/rendered", headers={"Accept": "image/jpeg, */*"})
        assert rendered.status_code == 200
        _hardened(rendered, framed=True)


def test_a_share_link_over_https(secure: Secure) -> None:
    with secure.client(Authorization=f"Bearer {secure.token}") as sharer:
        answer = sharer.post(
            f"/api/studies/{secure.study.study_uid}/links", json={"days": 1, "password": "harbour"}
        )
    assert answer.status_code == 201, answer.text
    address = answer.json()["address"]
    assert address.startswith(secure.base + "/s/")
    with secure.client() as browser:
        page = browser.get(address)
        assert page.status_code == 200
        _hardened(page)
        entered = browser.post(address, data={"password": "harbour"})
        assert entered.status_code == 303
        _cookie(entered, "filmless")
        shown = browser.get(entered.headers["location"])
        assert shown.status_code == 200
        _hardened(shown)
        assert "Gerda" in shown.text


def _cookie(answer: httpx.Response, name: str) -> None:
    (said,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith(name)]
    words = {word.strip().lower() for word in said.split(";")[1:]}
    assert {"secure", "httponly"} <= words
    assert words & {"samesite=lax", "samesite=strict"}


def test_the_cookie_goes_over_https_only(secure: Secure) -> None:
    with secure.client() as browser:
        _cookie(_signed_in(browser), "filmless_session=")
        assert browser.get("/api/session").status_code == 200


def _addresses(item: Any) -> list[str]:
    """All addresses in DICOM JSON: bulk data, and Retrieve URLs."""
    if isinstance(item, list):
        return [found for one in item for found in _addresses(one)]
    if not isinstance(item, dict):
        return []
    found = [item["BulkDataURI"]] if "BulkDataURI" in item else []
    for tag, value in item.items():
        if tag == "00081190":
            found += value["Value"]
        found += _addresses(value)
    return found


def _check_addresses(client: httpx.Client, secure: Secure, base: str) -> None:
    """Every address begins with `base`, and leads there."""
    study = secure.study.study_uid
    for path in (
        "/dicom-web/studies",
        f"/dicom-web/studies/{study}/series",
        f"/dicom-web/studies/{study}/metadata",
    ):
        answer = client.get(path, headers=METADATA)
        assert answer.status_code == 200, answer.text
        found = _addresses(answer.json())
        assert found, path
        assert {one[: len(base) + 11] for one in found} == {f"{base}/dicom-web/"}
        for one in found:
            if "/bulkdata/" in one:
                assert client.get(one).status_code == 200


def test_addresses_are_those_of_https(secure: Secure) -> None:
    with secure.client(Authorization=f"Bearer {secure.token}") as client:
        _check_addresses(client, secure, secure.base)


@pytest.fixture
def proxied(secure: Secure, tmp_path: Path) -> Iterator[tuple[FilmlessServer, str, Path]]:
    """A second server without TLS behind nginx with the example of deploy/; the proxy's address, its access log."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if nginx is None:
        peers.need("nginx")
    port, plain = peers.free_port(), peers.free_port()
    settings = '[http]\ntrusted_proxies = ["127.0.0.1"]\n'
    log = tmp_path / "access.log"
    with FilmlessServer(tmp_path / "home", settings=settings) as server:
        # for engineers it says which lines are theirs; these are the test's
        text = EXAMPLE.read_text("utf-8")
        for old, new in (
            ("127.0.0.1:8104", f"{HOST}:{server.http_port}"),
            ("listen 443 ssl;", f"listen {HOST}:{port} ssl;"),
            ("listen 80;", f"listen {HOST}:{plain};"),
            ("images.hospital.example", "localhost"),
            ("/etc/filmless/tls/server.pem", str(secure.own.certificate)),
            ("/etc/filmless/tls/server.key", str(secure.own.key)),
            ("/var/log/nginx/filmless.log", str(log)),
            ("/var/log/nginx/filmless-error.log", str(tmp_path / "error.log")),
        ):
            assert old in text, old
            text = text.replace(old, new)
        kept = tmp_path / "nginx"
        kept.mkdir()
        places = "".join(
            f"{one}_temp_path {kept}/{one};\n" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        configuration = tmp_path / "nginx.conf"
        configuration.write_text(
            f"daemon off;\nmaster_process off;\npid {kept}/pid;\nerror_log {kept}/error.log;\n"
            f"events {{}}\nhttp {{\n{places}{text}}}\n",
            "utf-8",
        )
        assert nginx is not None
        with Running(nginx, "-c", configuration, "-e", kept / "error.log", log=tmp_path / "out", port=port):
            yield server, f"https://localhost:{port}", log


def test_behind_nginx(secure: Secure, proxied: tuple[FilmlessServer, str, Path], tmp_path: Path) -> None:
    server, base, log = proxied
    server.cli("import", *{file.parent for file in secure.study.files})
    token = programs.token(server.home)
    with secure.client(base, Authorization=f"Bearer {token}") as client:
        _check_addresses(client, secure, base)
        found = client.get("/dicom-web/studies", params={"PatientName": "Geheim*"})
        assert len(found.json()) == 1
        # a body longer than nginx takes by itself, and an answer longer than it buffers
        big = made.series(tmp_path / "big", 1, patient_id="BIG1", side=2048)
        content = (
            b"--b\r\nContent-Type: application/dicom\r\n\r\n" + big.files[0].read_bytes() + b"\r\n--b--\r\n"
        )
        kind = 'multipart/related; type="application/dicom"; boundary=b'
        stored = client.post("/dicom-web/studies", content=content, headers={"Content-Type": kind})
        assert stored.status_code == 200, stored.text
        assert _addresses(stored.json())
        assert {one.startswith(base + "/dicom-web/") for one in _addresses(stored.json())} == {True}
        frame = client.get(
            f"/dicom-web/studies/{big.study_uid}/series/{big.series_uid}/instances/{next(iter(big.data_sets))}/frames/1",
            headers={"Accept": "application/octet-stream"},
        )
        assert len(frame.content) == 2048 * 2048 * 2
    with secure.client(base) as browser:
        answer = browser.get("/")
        assert answer.status_code == 200
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert len(answer.headers.get_list("strict-transport-security")) == 1
        wrong = browser.post("/api/session", json={"name": "nobody", "password": "x"})
        assert wrong.status_code == 401
    with secure.client(base, Forwarded="for=203.0.113.9;proto=http;host=evil.example") as liar:
        liar.headers["Authorization"] = f"Bearer {token}"
        # what a client says of itself is not passed on
        _check_addresses(liar, secure, base)
    lines = peers.eventually(log.read_text, "the proxy logs")
    assert "/dicom-web/studies" in lines
    for secret in ("Geheim", "?", token):
        assert secret not in lines
