"""Bodies of requests have a longest length and a longest silence; whoever reads them gets an error in words."""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from filmless.kit.errors import FilmlessError, Refused
from filmless.net.http.model import too_large
from filmless.net.http.problems import of_error


class BoundedBodies:
    """ASGI middleware. `limit` says for a path how many bytes a body may have.

    A body that declares more is refused before it is read; one that turns out longer, or stops coming, raises where
    it is read: Refused with code "too-large" or "stalled".
    """

    def __init__(self, app: ASGIApp, limit: Callable[[str], int], stall_timeout: float) -> None:
        self._app = app
        self._limit = limit
        self._stall = stall_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if int(declared) > limit:
            await of_error(too_large(limit))(scope, receive, send)
            return
        taken, ended, begun = 0, False, False

        async def bounded() -> Message:
            nonlocal taken, ended
            if ended:
                return await receive()
            try:
                async with asyncio.timeout(self._stall):
                    message = await receive()
            except TimeoutError:
                raise Refused("The rest of the body did not come in time.", code="stalled") from None
            taken += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if taken > limit:
                raise too_large(limit)
            return message

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, bounded, noted)
        except FilmlessError as error:
            if begun:
                raise
            await of_error(error)(scope, receive, send)
