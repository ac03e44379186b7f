"""What a request for objects asks, before anything is looked up: who, which, in what form."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, Principal, permit
from filmless.archive.query.instances import StoredInstance
from filmless.archive.web.context import ArchiveWeb, principal_of
from filmless.dicom.web.accept import Wish, wishes_of
from filmless.kit.errors import Refused, Unavailable
from filmless.net.http.origin import base_url, client_host

log = logging.getLogger(__name__)

#: what a UID of an address looks like
UID: Final = re.compile(r"[0-9.]{1,64}")
_KINDS: Final = {Action.VIEW: Kind.VIEW, Action.EXPORT: Kind.EXPORT}
#: what is sent is asked for again each time (rights may have changed), and not by others' caches
CACHE: Final = "private, no-cache"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. UIDs are "" where the resource has none."""

    #: narrowed to what allows the action
    principal: Principal
    host: str
    wishes: Sequence[Wish]
    study: str = ""
    series: str = ""
    instance: str = ""


def asked(request: Request, context: ArchiveWeb, action: Action = Action.VIEW) -> Asked:
    """Raises Refused: not signed in, not permitted, no such resource, an Accept that cannot be read."""
    principal = permitted(request, context, action)
    found = {
        name: uid_of(request.path_params, name)
        for name in ("study", "series", "instance")
        if name in request.path_params
    }
    wishes = wishes_of(request.headers.get("accept"), request.scope["query_string"].decode("latin-1"))
    return Asked(principal, host_of(request, context), wishes, **found)


def demand_taking(request: Request, context: ArchiveWeb) -> None:
    """Before whole objects are given: of whom a share link lets look only, they are a copy to be taken along.

    Raises Refused. People and programs with an account need them to look: viewers read objects.
    """
    if principal_of(request).kind == "share":
        permitted(request, context, Action.EXPORT, "objects")


def permitted(request: Request, context: ArchiveWeb, action: Action, what: str = "") -> Principal:
    """Whoever asks, narrowed to what allows the action; a refusal goes into the audit trail (`what`: the route)."""
    principal = principal_of(request)
    try:
        return permit(principal, action)
    except Refused as why:
        study = request.path_params.get("study") or request.query_params.get("studyUID", "")
        context.trail.record_late(
            Entry(
                _KINDS.get(action, Kind.REFUSAL),
                principal,
                "refused",
                host=host_of(request, context),
                studies=(study,) if UID.fullmatch(study) else (),
                what=what or ("ZIP" if action is Action.EXPORT else ""),
                reason=why.message,
            )
        )
        raise


def uid_of(parameters: Mapping[str, str], name: str) -> str:
    """A UID of the address; what cannot be one names nothing that is here."""
    value = parameters[name]
    if not UID.fullmatch(value):
        raise not_found()
    return value


def not_found() -> Refused:
    """The error for 404: there is nothing, or nothing that this principal may see."""
    return Refused("There is nothing here that you may see.", code="not-found")


def unreadable(why: OSError | EOFError) -> Unavailable:
    """The error for 503: a stored file is gone or cannot be read. The engineer reads which in the log."""
    log.error("a stored object cannot be read: %s", why)
    return Unavailable("This object cannot be read at the moment.", code="unreadable")


def host_of(request: Request, context: ArchiveWeb) -> str:
    """The client's address."""
    host = request.scope.get("state", {}).get("host")
    return host if isinstance(host, str) else client_host(request, context.http)


def address_of(request: Request, context: ArchiveWeb) -> str:
    """Where DICOMweb is for this client: "https://images.example/dicom-web"."""
    root: str = request.scope.get("root_path", "")
    return base_url(request, context.http) + root.rstrip("/")


def unchanged(request: Request, etag: str) -> Response | None:
    """304 where the client has it already (RFC 9110 13.1.2, compared weakly)."""
    given = request.headers.get("if-none-match")
    if given is None:
        return None
    known = {one.strip().removeprefix("W/") for one in given.split(",")}
    if given.strip() != "*" and etag.removeprefix("W/") not in known:
        return None
    return Response(status_code=304, headers={"ETag": etag, "Cache-Control": CACHE, "Vary": "Accept"})


def etag_of(stored: StoredInstance, *more: object) -> str:
    """The ETag of what depends on an object's bytes, its corrections, and `more`."""
    return '"' + "-".join(map(str, (stored.sha256[:32], stored.correction, *more))) + '"'


def takes_gzip(request: Request) -> bool:
    """Whether the client takes gzip (RFC 9110 12.5.3)."""
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() in ("gzip", "x-gzip", "*"):
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", parameters)
    return False
