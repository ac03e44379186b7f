"""Where a request came from: proxies are believed only where they are trusted."""

import pytest
from starlette.requests import Request

from filmless.net.http.model import HttpSettings
from filmless.net.http.origin import base_url, client_host, is_secure

PROXY = HttpSettings(trusted_proxies=("10.0.0.0/8", "::1"))


def request(peer: str = "10.0.0.9", scheme: str = "http", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/",
            "scheme": scheme,
            "headers": raw,
            "client": (peer, 4711),
            "server": ("127.0.0.1", 8104),
        }
    )


@pytest.mark.parametrize(
    ("headers", "url", "client"),
    [
        ({"host": "inner:8104"}, "http://inner:8104", "10.0.0.9"),
        (
            {"host": "inner", "forwarded": 'for=192.0.2.7;proto=https;host="images.example:8443"'},
            "https://images.example:8443",
            "192.0.2.7",
        ),
        (
            {"host": "inner", "forwarded": 'For="[2001:db8::17]:4711";Proto=HTTPS, for=10.1.1.1'},
            "https://inner",
            "2001:db8::17",
        ),
        (
            {
                "host": "inner",
                "x_forwarded_for": "6.6.6.6, 192.0.2.8, 10.2.2.2",
                "x_forwarded_proto": "https",
                "x_forwarded_host": "images.example",
            },
            "https://images.example",
            "192.0.2.8",
        ),
        ({"host": "inner", "forwarded": "for=unknown"}, "http://inner", "10.0.0.9"),
        (
            {"host": "inner", "forwarded": "for=_hidden;host=evil.example/x"},
            "http://127.0.0.1:8104",
            "10.0.0.9",
        ),
        ({"host": "a\\b"}, "http://127.0.0.1:8104", "10.0.0.9"),
        ({"host": "inner", "x_forwarded_proto": "javascript"}, "http://inner", "10.0.0.9"),
        ({}, "http://127.0.0.1:8104", "10.0.0.9"),
        # a proxy that writes the one header passes on the other: the client made that up
        (
            {"host": "inner", "forwarded": "for=6.6.6.6;host=evil.example", "x_forwarded_for": "192.0.2.8"},
            "http://inner",
            "10.0.0.9",
        ),
        (
            {
                "host": "inner",
                "forwarded": "for=192.0.2.8;proto=https",
                "x_forwarded_for": "192.0.2.8",
                "x_forwarded_proto": "https",
            },
            "https://inner",
            "192.0.2.8",
        ),
        # what stands before the client's own address, the client wrote
        (
            {"host": "inner", "forwarded": "for=10.7.7.7;host=evil.example, for=192.0.2.9;host=ours"},
            "http://ours",
            "192.0.2.9",
        ),
    ],
)
def test_behind_a_trusted_proxy(headers: dict[str, str], url: str, client: str) -> None:
    asked = request(**headers)
    assert base_url(asked, PROXY) == url
    assert client_host(asked, PROXY) == client
    assert is_secure(asked, PROXY) is url.startswith("https")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("x-forwarded-for", ("6.6.6.6", "192.0.2.8")),
        ("forwarded", ("for=6.6.6.6", "for=192.0.2.8")),
    ],
)
def test_a_proxy_may_add_a_line_of_its_own(name: str, lines: tuple[str, str]) -> None:
    asked = request(host="inner")
    asked.scope["headers"] += [(name.encode(), line.encode()) for line in lines]
    assert client_host(Request(asked.scope), PROXY) == "192.0.2.8"


def test_a_stranger_cannot_say_where_it_comes_from() -> None:
    asked = request(
        "203.0.113.5",
        host="ours",
        forwarded="for=10.0.0.1;host=evil.example;proto=https",
        x_forwarded_for="10.0.0.1",
    )
    assert base_url(asked, PROXY) == "http://ours"
    assert client_host(asked, PROXY) == "203.0.113.5"


def test_a_public_address_that_is_set_is_always_ours() -> None:
    settings = HttpSettings(public_url="https://images.example/")
    assert base_url(request(host="10.0.0.1:8104"), settings) == "https://images.example"


@pytest.mark.parametrize("wrong", [{"public_url": "images.example"}, {"trusted_proxies": ("proxy",)}])
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        HttpSettings(**wrong)  # type: ignore[arg-type]
