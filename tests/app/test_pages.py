"""The application's files over HTTP: types, caching, compression, the policy, and the router's own paths."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from filmless.app.pages import STATIC, Application

PAGE = b"<!doctype html><title>Filmless</title>" + b" " * 2000


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(PAGE)
    (tmp_path / "index.html.gz").write_bytes(gzip.compress(PAGE))
    (tmp_path / "assets" / "codec-abc.wasm").write_bytes(b"\0asm")
    (tmp_path.parent / "secret.txt").write_text("secret")
    transport = httpx.ASGITransport(Application(tmp_path))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as made:
        yield made


async def test_a_page_comes_compressed_and_is_asked_for_each_time(client: httpx.AsyncClient) -> None:
    found = await client.get("/", headers={"Accept-Encoding": "gzip, br"})
    assert found.headers["content-encoding"] == "gzip"
    assert found.content == PAGE
    assert found.headers["cache-control"] == "no-cache"
    assert "script-src 'self' 'wasm-unsafe-eval'" in found.headers["content-security-policy"]
    again = await client.get("/", headers={"If-None-Match": found.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = await client.get("/", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == PAGE


async def test_what_is_named_by_its_content_is_kept_for_ever(client: httpx.AsyncClient) -> None:
    found = await client.get("/assets/codec-abc.wasm")
    assert found.headers["content-type"] == "application/wasm"
    assert "immutable" in found.headers["cache-control"]


@pytest.mark.parametrize("path", ["/view/1.2.840.113619.2.5", "/studies", "/studies/1.2.840/view", "/users"])
async def test_pages_of_the_application_are_its_own_to_find(client: httpx.AsyncClient, path: str) -> None:
    found = await client.get(path)
    assert (found.status_code, found.content) == (200, PAGE)


@pytest.mark.parametrize("path", ["/assets/old-abc.js", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/x.php"])
async def test_there_is_nothing_else(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_nothing_is_posted_to_a_page(client: httpx.AsyncClient) -> None:
    assert (await client.post("/")).status_code == 405


async def test_the_real_application_is_built() -> None:
    assert (STATIC / "index.html").exists(), "make web builds it"
    transport = httpx.ASGITransport(Application())
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as real:
        page = (await real.get("/")).text
        script = page.split('src="')[1].split('"')[0]
        assert (await real.get(script)).headers["content-type"].startswith("text/javascript")
