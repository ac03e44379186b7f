"""The routes of DICOMweb (PS3.18), relative to where app/ mounts them (/dicom-web)."""

from collections.abc import Callable, Sequence

from starlette.routing import BaseRoute, Route

from filmless.archive.web import capabilities, original, qido, reject, rendered, retrieve, stow
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.unseen import Unseen

#: one function for each file with routes, in the order in which they are tried: frames are asked for most
_FILES: tuple[Callable[[ArchiveWeb], Sequence[BaseRoute]], ...] = (
    retrieve.routes,
    rendered.routes,
    qido.routes,
    stow.routes,
    reject.routes,
    original.routes,
)


def routes(context: ArchiveWeb) -> list[BaseRoute]:
    """All of them."""
    unseen = Unseen(context)
    made = [route for file in _FILES for route in unseen.around(file(context))]
    # what has nothing to be found out in its address costs the others least
    made.sort(key=lambda route: isinstance(route, Route) and "{" in route.path)
    return [*made, *capabilities.routes(context, made)]
