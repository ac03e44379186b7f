"""The routes of DICOMweb (PS3.18), relative to where app/ mounts them (/dicom-web)."""

from collections.abc import Callable, Sequence

from starlette.routing import BaseRoute

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
    return [*made, *capabilities.routes(context, made)]
