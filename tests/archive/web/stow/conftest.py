"""Clients of STOW-RS."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import httpx
import pytest
from tests.archive.web.place import Place, multipart


@pytest.fixture
async def client(place: Place) -> AsyncIterator[httpx.AsyncClient]:
    async with place.client() as made_client:
        yield made_client


Post = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]


@pytest.fixture
def post(client: httpx.AsyncClient) -> Post:
    """post(parts, path="/studies", ...) -> (status, the answer's JSON)."""

    async def send(parts: Sequence[Any], path: str = "/studies", **more: Any) -> tuple[int, dict[str, Any]]:
        answer = await client.post(path, **multipart(parts, **more))
        return answer.status_code, json.loads(answer.content)

    return send
