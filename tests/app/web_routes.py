"""Every route of the web side, as the assembled application has it."""

from collections.abc import Iterator
from typing import Any

from starlette.routing import BaseRoute, Mount, Route


def routes_of(app: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(method, path) of each route; ("*", path) for what is mounted and tells nothing of its routes."""
    for route in _routes(app):
        yield from _of(route, prefix)


def _of(route: BaseRoute, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(route, Route):
        methods = route.methods
        for method in sorted(methods - {"HEAD", "OPTIONS"}) if methods else ["*"]:
            yield method, prefix + _plain(route)
    elif isinstance(route, Mount):
        found = list(_routes(route.app))
        if not found:
            yield "*", prefix + route.path
        for one in found:
            yield from _of(one, prefix + route.path)
    elif hasattr(route, "original_router"):
        # FastAPI's include_router
        for one in route.original_router.routes:
            yield from _of(one, prefix + route.include_context.prefix)
    else:
        raise AssertionError(f"a route of an unknown kind: {route!r}")


def _routes(app: Any) -> list[BaseRoute]:
    """The routes of an application, whatever is wrapped around it."""
    while not hasattr(app, "routes"):
        inner = getattr(app, "app", None) or getattr(app, "_app", None)
        if inner is None:
            return []
        app = inner
    return list(app.routes)


def _plain(route: Route) -> str:
    return route.path_format
