"""Where a request came from and what we are called there, right behind a reverse proxy (RFC 7239).

What a proxy says counts only where the proxy's own address is trusted: others could say anything.
"""

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

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


def _forwarded(headers: Mapping[str, str]) -> list[dict[str, str]]:
    """The hops that proxies tell of, nearest to the client first; of either kind of header."""
    if standard := headers.get("forwarded"):
        hops = []
        for element in standard.split(","):
            found = (_PAIR.fullmatch(part) for part in element.split(";"))
            hops.append({pair[1].lower(): pair[2] or pair[3] or "" for pair in found if pair})
        return hops
    clients = [one.strip() for one in headers.get("x-forwarded-for", "").split(",") if one.strip()]
    hops = [{"for": one} for one in clients] or [{}]
    for word, name in (("proto", "x-forwarded-proto"), ("host", "x-forwarded-host")):
        if value := headers.get(name, "").split(",")[0].strip():
            hops[0][word] = value
    return hops if any(hops) else []


def client_host(request: HTTPConnection, settings: HttpSettings) -> str:
    """The address of the client: the last hop that no trusted proxy made up."""
    peer = request.client.host if request.client else ""
    if not _trusted(peer, settings):
        return peer
    for hop in reversed(_forwarded(request.headers)):
        said = hop.get("for", "")
        said = _without_port(said)
        try:
            ipaddress.ip_address(said)
        except ValueError:
            return peer
        if not _trusted(said, settings):
            return said
        peer = said
    return peer


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
    if request.client and _trusted(request.client.host, settings):
        hops = _forwarded(request.headers)
        first = hops[0] if hops else {}
        scheme = (first.get("proto") or scheme).lower()
        host = first.get("host") or host
    if scheme not in ("http", "https"):
        scheme = "http"
    if not _HOST.fullmatch(host):
        server = request.scope.get("server") or ("localhost", None)
        host = f"{server[0]}:{server[1]}" if server[1] else str(server[0])
    return f"{scheme}://{host}"


def is_secure(request: HTTPConnection, settings: HttpSettings) -> bool:
    """Whether the client speaks HTTPS, to us or to a trusted proxy."""
    return base_url(request, settings).startswith("https://")
