"""The browser application as files: built from web/ into app/static, compressed there, and never changed afterwards."""

import email.utils
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from filmless.net.http.problems import problem
from filmless.net.http.streams import FileSlice, Segments

STATIC: Final = Path(__file__).parent / "static"

#: what the application may do: everything from here, nothing from elsewhere, nothing that is written in a page.
#: wasm decodes pixels; styles are set by scripts; images come as data and blobs, too
POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'self' blob:",
        "frame-src 'self' blob:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)
_MISSING: Final = (
    "The browser application has not been built. In a checkout, `make web` does it; an installed one has it."
)
_TYPES: Final = {".js": "text/javascript", ".wasm": "application/wasm", ".svg": "image/svg+xml"}
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    media_type: str
    #: content coding -> file
    packed: dict[str, Path]
    tag: str
    modified: str


class Application:
    """ASGI: the application's files; every path that is no file is a page of the application (its own router)."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._files = {
            "/" + str(path.relative_to(folder)): _file(path)
            for path in folder.rglob("*")
            if path.is_file() and path.suffix not in (".br", ".gz")
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._answer(scope)
        await response(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            return problem(405)
        path: str = scope["path"]
        found = self._files.get(path)
        if found is None:
            # the UID at the end of a page's address has dots too
            suffix = path.rsplit("/", 1)[-1].rpartition(".")[1:]
            if path.startswith("/assets/") or (suffix[0] and not suffix[1].isdigit()):
                return problem(404)
            found = self._files.get("/index.html")
            if found is None:
                return problem(404, detail=_MISSING, code="no-application")
        headers = Headers(scope=scope)
        given = {
            "Content-Security-Policy": POLICY,
            # what has its content in its name is the same for ever; the page that names it is asked for each time
            "Cache-Control": "public, max-age=31536000, immutable"
            if path.startswith("/assets/")
            else "no-cache",
            "ETag": found.tag,
            "Last-Modified": found.modified,
            "Vary": "Accept-Encoding",
        }
        if headers.get("if-none-match") == found.tag:
            return Response(status_code=304, headers=given)
        path_sent = found.path
        taken = headers.get("accept-encoding", "")
        for coding, packed in found.packed.items():
            if coding in taken:
                path_sent = packed
                given["Content-Encoding"] = coding
                break
        size = path_sent.stat().st_size
        return Segments(
            [FileSlice(path_sent, 0, size)], length=size, media_type=found.media_type, headers=given
        )


def _file(path: Path) -> _File:
    state = path.stat()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    packed = {
        coding: path.with_name(path.name + ending)
        for coding, ending in _ENCODINGS
        if path.with_name(path.name + ending).exists()
    }
    tag = f'"{state.st_mtime_ns:x}-{state.st_size:x}"'
    return _File(path, kind, packed, tag, email.utils.formatdate(state.st_mtime, usegmt=True))
