"""What this server offers over DICOMweb, told by itself (PS3.18 8.9, annex H): WADL as XML, or the same tree as JSON.

    OPTIONS any resource     that resource and all below it
    GET     /                everything

Which routes there are comes from the routes themselves; what they mean, from TABLE. The conformance statement is made
of the same table, and a test compares it with the routes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from filmless.archive.web.context import ArchiveWeb, principal_of
from filmless.dicom.web import accept
from filmless.dicom.web.media_types import DICOM, DICOM_JSON, DICOM_XML, JSON, OCTET_STREAM, SYNTAXES, ZIP
from filmless.kit.errors import Refused
from filmless.net.http.origin import base_url

WADL_XML: Final = "application/vnd.sun.wadl+xml"
WADL_JSON: Final = "application/vnd.sun.wadl+json"
_OFFERED: Final = ((WADL_XML, False), (WADL_JSON, False), (DICOM_JSON, False))


def _multipart(media_type: str) -> str:
    return f'multipart/related; type="{media_type}"'


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction: its name, what it takes and gives, and where it is described."""

    name: str
    #: section of PS3.18, or "own": an addition that the standard allows and does not have
    section: str
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    statuses: tuple[int, ...] = (200,)


_SEARCH: Final = Transaction(
    "Search",
    "10.6",
    gives=(DICOM_JSON, _multipart(DICOM_XML)),
    parameters=(
        "{attribute}",
        "fuzzymatching",
        "emptyvaluematching",
        "multiplevaluematching",
        "includefield",
        "limit",
        "offset",
        "orderby",
        "after",
        "count",
        "accept",
    ),
)
_RETRIEVE: Final = Transaction(
    "Retrieve", "10.4", gives=(_multipart(DICOM), DICOM, ZIP), parameters=("accept",)
)
_METADATA: Final = Transaction(
    "Retrieve metadata",
    "10.4",
    gives=(DICOM_JSON, _multipart(DICOM_XML)),
    parameters=("accept",),
    statuses=(200, 304),
)
_FRAMES: Final = Transaction(
    "Retrieve frames",
    "10.4",
    gives=(
        *(_multipart(each) for each in (OCTET_STREAM, *SYNTAXES)),
        OCTET_STREAM,
        *SYNTAXES,
    ),
    parameters=("accept",),
    statuses=(200, 206),
)
_BULK: Final = Transaction(
    "Retrieve bulk data", "10.4", gives=(_multipart(OCTET_STREAM), OCTET_STREAM), parameters=("accept",)
)
_RENDERED: Final = Transaction(
    "Retrieve rendered",
    "10.4",
    gives=(
        *("image/jpeg", "image/png", "image/gif", "video/mp4"),
        *(_multipart(each) for each in ("image/jpeg", "image/png", "image/gif", "video/mp4")),
        *("text/html", "text/plain", "application/pdf"),
    ),
    parameters=(
        *("accept", "quality", "viewport", "window", "iccprofile"),
        *("presentationUID", "presentationSeriesUID"),
    ),
    statuses=(200, 206, 304),
)
_THUMBNAIL: Final = Transaction(
    "Retrieve thumbnail",
    "10.4",
    gives=("image/jpeg", "image/png", "image/gif"),
    parameters=("accept", "viewport"),
    statuses=(200, 304),
)
_STORE: Final = Transaction(
    "Store",
    "10.5",
    takes=(_multipart(DICOM), _multipart(DICOM_JSON), _multipart(DICOM_XML), DICOM),
    gives=(DICOM_JSON, DICOM_XML),
    parameters=("accept",),
    statuses=(200, 202, 409, 503, 507),
)
_WADO_URI: Final = Transaction(
    "Retrieve by parameters (WADO-URI)",
    "9.4",
    gives=(DICOM, "image/jpeg", "image/png", "image/gif", "video/mp4"),
    parameters=(
        "requestType",
        "studyUID",
        "seriesUID",
        "objectUID",
        "contentType",
        "transferSyntax",
        "frameNumber",
        "rows",
        "columns",
        "region",
        "windowCenter",
        "windowWidth",
        "imageQuality",
        "presentationUID",
        "presentationSeriesUID",
    ),
)
_REJECT: Final = Transaction("Reject", "own", takes=(JSON,), gives=(JSON,), parameters=("reason",))
_DELETE: Final = Transaction("Delete (rejects)", "own", gives=(JSON,), parameters=("reason",))
_REVOKE: Final = Transaction(
    "Revoke a rejection", "own", takes=(JSON,), gives=(JSON,), parameters=("reason",)
)
_ORIGINAL: Final = Transaction("Retrieve as received", "own", gives=(DICOM,), parameters=("accept", "reason"))
_CAPABILITIES: Final = Transaction("Retrieve capabilities", "8.9", gives=(WADL_XML, WADL_JSON))

_STUDY: Final = "/studies/{study}"
_SERIES: Final = _STUDY + "/series/{series}"
_INSTANCE: Final = _SERIES + "/instances/{instance}"
_FRAME: Final = _INSTANCE + "/frames/{frames}"
_LEVELS: Final = (_STUDY, _SERIES, _INSTANCE)


def _rows(method: str, paths: Iterable[str], transaction: Transaction) -> dict[tuple[str, str], Transaction]:
    return dict.fromkeys(((method, path) for path in paths), transaction)


#: (method, path) -> what it is; of everything under the root of DICOMweb
TABLE: Final[Mapping[tuple[str, str], Transaction]] = {
    **_rows("OPTIONS", ("/{path:path}",), _CAPABILITIES),
    **_rows("GET", ("/",), _CAPABILITIES),
    **_rows(
        "GET",
        (
            "/studies",
            "/series",
            "/instances",
            _STUDY + "/series",
            _STUDY + "/instances",
            _SERIES + "/instances",
        ),
        _SEARCH,
    ),
    **_rows("GET", _LEVELS, _RETRIEVE),
    **_rows("GET", (f"{path}/metadata" for path in _LEVELS), _METADATA),
    **_rows("GET", (_FRAME, _INSTANCE + "/pixeldata"), _FRAMES),
    **_rows("GET", (_INSTANCE + "/bulkdata/{path:path}",), _BULK),
    **_rows("GET", (f"{path}/rendered" for path in (*_LEVELS, _FRAME)), _RENDERED),
    **_rows("GET", (f"{path}/thumbnail" for path in (*_LEVELS, _FRAME)), _THUMBNAIL),
    **_rows("GET", ("/wado",), _WADO_URI),
    **_rows("POST", ("/studies", _STUDY), _STORE),
    **_rows("POST", (f"{path}/reject/{{code}}" for path in _LEVELS), _REJECT),
    **_rows("DELETE", _LEVELS, _DELETE),
    **_rows("POST", ("/rejections/{note}/revoke",), _REVOKE),
    **_rows("GET", (_INSTANCE + "/original",), _ORIGINAL),
}


def offered(routes: Sequence[BaseRoute]) -> list[tuple[str, str]]:
    """(method, path) of all routes, sorted by path. HEAD goes with each GET and is not named."""
    return sorted(
        (
            (method, route.path)
            for route in routes
            if isinstance(route, Route)
            for method in route.methods or ()
            if method != "HEAD"
        ),
        key=lambda one: (one[1], one[0]),
    )


def routes(context: ArchiveWeb, described: Sequence[BaseRoute]) -> list[BaseRoute]:
    """The routes that tell of the others."""
    web = _Capabilities(context, offered(described))
    return [
        Route("/", web.answer, methods=["GET"]),
        _AnyResource("/{path:path}", web.answer, methods=["OPTIONS"]),
    ]


class _AnyResource(Route):
    """Of OPTIONS alone: to all other methods, a path that only this one knows is not there (404, and not 405)."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope.get("method") != "OPTIONS":
            return Match.NONE, {}
        return super().matches(scope)


@dataclass(slots=True)
class _Resource:
    """A part of a path, with what can be done there and what is below it."""

    path: str
    #: (method, transaction, a name that nothing else in the tree has)
    methods: list[tuple[str, Transaction, str]] = field(default_factory=list)
    below: dict[str, "_Resource"] = field(default_factory=dict)


class _Capabilities:
    def __init__(self, context: ArchiveWeb, described: Sequence[tuple[str, str]]) -> None:
        self._context = context
        self._root = _Resource("")
        for method, path in described:
            here = self._root
            for part in path.strip("/").split("/"):
                here = here.below.setdefault(part, _Resource(part))
            transaction = TABLE.get((method, path), Transaction(path, "own"))
            words = f"{transaction.name} {path.replace('/', ' ')}".title()
            here.methods.append((method, transaction, "".join(filter(str.isalnum, words))))

    async def answer(self, request: Request) -> Response:
        """The tree from the resource that is asked for."""
        principal_of(request)
        wishes = accept.wishes_of(request.headers.get("accept"), request.url.query)
        wanted = accept.document(wishes, _OFFERED)
        if wanted is None:
            raise accept.not_acceptable(f"{WADL_XML} or {WADL_JSON}")
        root = base_url(request, self._context.http) + request.scope.get("root_path", "")
        found = self._find(request.path_params.get("path", ""))
        allow = ", ".join(sorted({*(method for method, _, _ in found[-1].methods), "OPTIONS"}))
        headers = {"Allow": allow, "Cache-Control": "no-store"}
        if wanted[0] == WADL_XML:
            return Response("".join(_xml(root, found)), headers=headers, media_type=WADL_XML)
        media_type = JSON if wanted[0] == DICOM_JSON else wanted[0]
        return JSONResponse(_json(root, found), headers=headers, media_type=media_type)

    def _find(self, path: str) -> list[_Resource]:
        """The resources on the way to what is asked for, which is the last."""
        found = [self._root]
        for part in path.strip("/").split("/"):
            if not part:
                continue
            below = found[-1].below
            inner = below.get(part) or next((one for name, one in below.items() if name[0] == "{"), None)
            if inner is None:
                raise Refused("There is nothing at this address.", code="not-found")
            found.append(inner)
        return found


def _children(found: list[_Resource]) -> list[_Resource]:
    """At the top, what is below the root; else the chain of what leads to the resource, which has all below it."""
    if len(found) == 1:
        return list(found[0].below.values())
    inner = found[-1]
    for outer in reversed(found[1:-1]):
        inner = _Resource(outer.path, [], {inner.path: inner})
    return [inner]


def _xml(root: str, found: list[_Resource]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<application xmlns="http://wadl.dev.java.net/2009/02">'
    yield f"<resources base={quoteattr(root)}>"
    for resource in _children(found):
        yield from _resource_xml(resource)
    yield "</resources></application>\n"


def _resource_xml(resource: _Resource) -> Iterator[str]:
    yield f"<resource path={quoteattr(resource.path)}>"
    if resource.path.startswith("{"):
        name = quoteattr(resource.path.strip("{}"))
        yield f'<param name={name} style="template" required="true"/>'
    for method, transaction, name in resource.methods:
        yield f'<method name="{method}" id="{name}">'
        yield f"<doc>{escape(_described(transaction))}</doc><request>"
        if transaction.gives:
            yield '<param name="Accept" style="header">'
            yield from (f"<option value={quoteattr(each)}/>" for each in transaction.gives)
            yield "</param>"
        yield from (f'<param name={quoteattr(each)} style="query"/>' for each in transaction.parameters)
        yield from (f"<representation mediaType={quoteattr(each)}/>" for each in transaction.takes)
        yield f'</request><response status="{" ".join(map(str, transaction.statuses))}">'
        yield from (f"<representation mediaType={quoteattr(each)}/>" for each in transaction.gives)
        yield "</response></method>"
    for below in resource.below.values():
        yield from _resource_xml(below)
    yield "</resource>"


def _json(root: str, found: list[_Resource]) -> dict[str, Any]:
    return {
        "application": {
            "resources": {"base": root, "resource": [_resource_json(one) for one in _children(found)]}
        }
    }


def _resource_json(resource: _Resource) -> dict[str, Any]:
    return {
        "path": resource.path,
        "method": [
            {
                "name": method,
                "id": name,
                "doc": _described(transaction),
                "request": {
                    "accept": list(transaction.gives),
                    "query": list(transaction.parameters),
                    "representation": list(transaction.takes),
                },
                "response": {"status": list(transaction.statuses), "representation": list(transaction.gives)},
            }
            for method, transaction, name in resource.methods
        ],
        "resource": [_resource_json(below) for below in resource.below.values()],
    }


def _described(transaction: Transaction) -> str:
    if transaction.section == "own":
        return f"{transaction.name} (not in the standard)"
    return f"{transaction.name} (PS3.18 {transaction.section})"
