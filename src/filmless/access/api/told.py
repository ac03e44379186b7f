"""Refusals of these routes go into the audit trail; what is done, each route tells itself."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from filmless.access.audit.model import Entry, Kind
from filmless.access.web import gate_of, host_of, principal_of
from filmless.kit.errors import Refused


class Told(APIRoute):
    """A route that tells whom it refused for want of a right."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        really = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await really(request)
            except Refused as error:
                if error.code == "not-permitted":
                    gate_of(request).trail.record_late(
                        Entry(
                            Kind.REFUSAL,
                            principal_of(request),
                            "refused",
                            host_of(request),
                            what=f"{request.method} {self.path}",
                            reason=error.message,
                        )
                    )
                raise

        return handler
