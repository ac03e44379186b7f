"""WADO-RS and WADO-URI (PS3.18 9, 10.4): the resources of retrieval, and what they share."""

from starlette.routing import BaseRoute

from filmless.archive.web import bulkdata, frames, metadata, objects, uri
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.lookup import Lookup
from filmless.archive.web.offsets import Offsets


def routes(context: ArchiveWeb) -> list[BaseRoute]:
    """Their addresses, those asked for most first."""
    lookup = Lookup(context.engine)
    offsets = Offsets(context.home, context.store)
    frame = frames.Frames(context, lookup, offsets)
    whole = objects.Objects(context, lookup)
    return [
        *frames.routes(frame),
        *metadata.routes(metadata.Metadata(context, lookup)),
        *bulkdata.routes(bulkdata.BulkData(context, lookup, frame)),
        *objects.routes(whole),
        *uri.routes(uri.Uri(context, whole)),
    ]
