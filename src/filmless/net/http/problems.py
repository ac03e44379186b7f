"""Errors as HTTP says them: one table from our families and codes to statuses, RFC 9457 bodies."""

import json
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response

from filmless.kit.errors import Conflict, Defect, FilmlessError, Refused, Unavailable

MEDIA_TYPE: Final = "application/problem+json"

#: codes that have a status of their own
STATUS_OF_CODE: Final[dict[str, int]] = {
    "not-signed-in": 401,
    "wrong-credentials": 401,
    "code-needed": 401,
    "wrong-code": 401,
    "not-permitted": 403,
    "csrf": 403,
    "no-sessions": 403,
    "change-password": 403,
    "add-second-factor": 403,
    "not-found": 404,
    "not-allowed-method": 405,
    "not-acceptable": 406,
    "stalled": 408,
    "precondition-failed": 412,
    "too-large": 413,
    "unsupported-media-type": 415,
    "range": 416,
    "too-many": 429,
    "disk-full": 507,
}
#: all others by their family
STATUS_OF_FAMILY: Final[dict[type[FilmlessError], int]] = {
    Refused: 400,
    Conflict: 409,
    Unavailable: 503,
    Defect: 500,
}
#: seconds after which a client may try again
_RETRY_AFTER = 5


def status_of(error: FilmlessError) -> int:
    """The HTTP status of an error."""
    if error.code in STATUS_OF_CODE:
        return STATUS_OF_CODE[error.code]
    return next((status for family, status in STATUS_OF_FAMILY.items() if isinstance(error, family)), 500)


def problem(status: int, title: str = "", detail: str = "", code: str = "", **more: Any) -> Response:
    """A problem answer. `code`: our short stable word; `more`: further members of the body."""
    body = {
        "type": "about:blank",
        "title": title or _phrase(status),
        "status": status,
        **({"detail": detail} if detail else {}),
        **({"code": code} if code else {}),
        **more,
    }
    headers = {"Cache-Control": "no-store"}
    if status == 503:
        headers["Retry-After"] = str(_RETRY_AFTER)
    if status == 401:
        # no challenge: a browser would open its own window above our sign-in
        headers["WWW-Authenticate"] = 'Bearer realm="Filmless"'
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, status, headers, MEDIA_TYPE)


def of_error(error: FilmlessError) -> Response:
    """The problem answer of one of our errors."""
    return problem(status_of(error), detail=error.message, code=error.code)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
