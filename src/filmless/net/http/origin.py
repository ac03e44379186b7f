"""Where a request came from and what we are called there, right behind a reverse proxy (RFC 7239).

What a proxy says counts only where the proxy's own address is trusted: others could say anything.
"""

import ipaddress
import re
from functools import lru_cache
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from filmless.net.http.model import HttpSettings

#: a host name or address with an optional port, and nothing that could leave a URL or a header
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_PAIR: Final = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^";,\s]*))\s*')


@lru_cache(16)
def _networks(proxies: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(proxy, strict=False) for proxy in proxies)


def _trusted(host: str, settings: HttpSettings) -> bool:
    if not settings.trusted_proxies:
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _networks(settings.trusted_proxies))


def _standard(headers: Headers) -> list[dict[str, str]]:
    """The hops of Forwarded, nearest to the client first; a proxy may add a line of its own."""
    hops = []
    for element in ",".join(headers.getlist("forwarded")).split(","):
        found = (_PAIR.fullmatch(part) for part in element.split(";"))
        hops.append({pair[1].lower(): pair[2] or pair[3] or "" for pair in found if pair})
    return hops if any(hops) else []


def _customary(headers: Headers) -> list[dict[str, str]]:
    """The hops of X-Forwarded-*; what is said of scheme and host is the outermost proxy's."""
    clients = ",".join(headers.getlist("x-forwarded-for")).split(",")
    hops = [{"for": one.strip()} for one in clients if one.strip()] or [{}]
    for word, name in (("proto", "x-forwarded-proto"), ("host", "x-forwarded-host")):
        if value := headers.get(name, "").split(",")[0].strip():
            hops = [{**hop, word: value} for hop in hops]
    return hops if any(hops) else []


def _outermost(peer: str, hops: list[dict[str, str]], settings: HttpSettings) -> tuple[str, dict[str, str]]:
    """(the client: the last hop that no trusted proxy made up, what the outermost trusted proxy says)."""
    said: dict[str, str] = {}
    for hop in reversed(hops):
        said = hop
        address = _without_port(hop.get("for", ""))
        try:
            ipaddress.ip_address(address)
        except ValueError:
            break
        peer = address
        if not _trusted(address, settings):
            break
    return peer, said


def _told(request: HTTPConnection, settings: HttpSettings) -> tuple[str, dict[str, str]]:
    """(address of the client, what a trusted proxy says of scheme and host).

    A proxy writes one of the two kinds of header and passes on the other as the client wrote it: where they do not
    name the same client, neither is believed.
    """
    peer = request.client.host if request.client else ""
    if not _trusted(peer, settings):
        return peer, {}
    headers = request.headers
    kinds = [hops for hops in (_standard(headers), _customary(headers)) if hops]
    found = [_outermost(peer, hops, settings) for hops in kinds]
    if not found or any(client != found[0][0] for client, _ in found):
        return peer, {}
    return found[0]


def client_host(request: HTTPConnection, settings: HttpSettings) -> str:
    """The address of the client: the last hop that no trusted proxy made up."""
    return _told(request, settings)[0]


def _without_port(node: str) -> str:
    if node.startswith("["):
        return node[1 : node.find("]")]
    return node.rsplit(":", 1)[0] if node.count(":") == 1 else node


def base_url(request: HTTPConnection, settings: HttpSettings) -> str:
    """Scheme, host and port as the client sees them, without a slash at the end: "https://images.example"."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    scheme: str = request.scope.get("scheme", "http")
    host: str = request.headers.get("host", "")
    _, said = _told(request, settings)
    scheme = (said.get("proto") or scheme).lower()
    host = said.get("host") or host
    if scheme not in ("http", "https"):
        scheme = "http"
    if not _HOST.fullmatch(host):
        server = request.scope.get("server") or ("localhost", None)
        host = f"{server[0]}:{server[1]}" if server[1] else str(server[0])
    return f"{scheme}://{host}"


def is_secure(request: HTTPConnection, settings: HttpSettings) -> bool:
    """Whether the client speaks HTTPS, to us or to a trusted proxy."""
    return base_url(request, settings).startswith("https://")
