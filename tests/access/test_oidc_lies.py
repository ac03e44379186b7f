"""What is not believed of an ID token: a provider that lies, and somebody between us and the provider."""

import hmac
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from filmless.access.oidc import Provider
from filmless.access.settings import AccessSettings
from filmless.kit.errors import FilmlessError, Refused, Unavailable

NONCE = "the nonce of this sign-in"


class Liar:
    """Answers discovery, keys and tokens; what it answers is the tests' to change."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.keys = [self.key]
        self.metadata: dict[str, Any] = {}
        self.answer: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.status = 200
        self.delay = threading.Event()
        self.slow = False
        liar = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if liar.slow:
                    liar.delay.wait(10)
                if self.path.endswith("openid-configuration"):
                    self.say(liar.about())
                elif self.path == "/keys":
                    self.say(KeySet(liar.keys).as_dict(private=False))
                else:
                    self.say(liar.userinfo)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.say(liar.answer, liar.status)

            def say(self, body: Any, status: int = 200) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def about(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
            **self.metadata,
        }

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        made = {
            "iss": self.issuer,
            "aud": "filmless",
            "sub": "u1",
            "nonce": NONCE,
            "iat": now,
            "exp": now + 300,
            "groups": ["radiology"],
        } | changed
        return {name: value for name, value in made.items() if value is not None}

    def say(self, key: Any = None, header: dict[str, Any] | None = None, **changed: Any) -> None:
        """From now on the token answer is an ID token with these claims."""
        made = header or {"alg": "RS256", "kid": "one"}
        token = jwt.encode(made, self.claims(**changed), key or self.key, algorithms=[made["alg"]])
        self.answer = {"access_token": "at", "token_type": "Bearer", "id_token": token}


@pytest.fixture(scope="module")
def server() -> Iterator[Liar]:
    liar = Liar()
    yield liar
    liar.server.shutdown()
    liar.server.server_close()


@pytest.fixture
def liar(server: Liar) -> Liar:
    server.keys, server.metadata, server.userinfo = [server.key], {}, {}
    server.status, server.slow = 200, False
    server.say()
    return server


async def ask(liar: Liar, *, issuer: str | None = None, timeout: float = 10.0) -> dict[str, Any]:
    provider = Provider(
        AccessSettings(oidc_issuer=liar.issuer, oidc_client_id="filmless", oidc_timeout=timeout)
    )
    return await provider.claims(
        "code", issuer=issuer, redirect_uri="http://filmless.example/cb", nonce=NONCE, verifier="v" * 43
    )


async def refused(liar: Liar, **more: Any) -> FilmlessError:
    with pytest.raises((Refused, Unavailable)) as error:
        await ask(liar, **more)
    return error.value


async def test_what_is_right_is_believed(liar: Liar) -> None:
    assert (await ask(liar))["sub"] == "u1"
    assert (await ask(liar, issuer=liar.issuer))["groups"] == ["radiology"]


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": ["another-client"]},
        {"aud": ["filmless", "another-client"], "azp": "another-client"},
        {"aud": None},
        {"exp": 1000},
        {"exp": None},
        {"iat": None},
        {"iat": 33_000_000_000},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": 7},
        {"at_hash": "of another token"},
    ],
    ids=lambda changed: "-".join(f"{name}={str(value)[:20]}" for name, value in changed.items()),
)
async def test_claims_for_another_sign_in_are_not(liar: Liar, changed: dict[str, Any]) -> None:
    liar.say(**changed)
    assert (await refused(liar)).code == "sign-in-refused"


async def test_another_key_is_not_believed(liar: Liar) -> None:
    liar.say(key=RSAKey.generate_key(2048, {"kid": "one"}))
    assert (await refused(liar)).code == "sign-in-refused"
    liar.say(key=ECKey.generate_key("P-256", {"kid": "two"}), header={"alg": "ES256", "kid": "two"})
    assert (await refused(liar)).code == "sign-in-refused"


async def test_no_signature_and_a_shared_secret_are_not(liar: Liar) -> None:
    def part(value: Any) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    liar.answer["id_token"] = f"{part({'alg': 'none'})}.{part(liar.claims())}."
    assert (await refused(liar)).code == "sign-in-refused"
    # the classic: the public key, which everybody has, as the secret of an HMAC
    signed = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(liar.claims())}"
    mac = hmac.digest(liar.key.as_pem(private=False), signed.encode(), "sha256")
    liar.answer["id_token"] = f"{signed}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert (await refused(liar)).code == "sign-in-refused"


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "..", None, 7, "\u0000"])
async def test_what_is_no_token_is_not(liar: Liar, token: Any) -> None:
    liar.answer["id_token"] = token
    assert (await refused(liar)).code == "sign-in-refused"


async def test_another_issuer_in_the_answer_is_not(liar: Liar) -> None:
    assert (await refused(liar, issuer="https://other.example")).code == "sign-in-refused"
    # one that says that it always names itself, and does not here (RFC 9207 2.4)
    liar.metadata = {"authorization_response_iss_parameter_supported": True}
    assert (await refused(liar)).code == "sign-in-refused"


async def test_userinfo_about_somebody_else_is_not(liar: Liar) -> None:
    liar.metadata = {"userinfo_endpoint": f"{liar.issuer}/userinfo"}
    liar.say(groups=None)
    liar.userinfo = {"sub": "u2", "groups": ["administrators"]}
    assert (await refused(liar)).code == "sign-in-refused"
    liar.userinfo = {"sub": "u1", "groups": ["radiology"], "iss": "https://other.example"}
    claims = await ask(liar)
    assert claims["groups"] == ["radiology"] and claims["iss"] == liar.issuer


async def test_a_new_key_is_fetched_once_it_is_used(liar: Liar) -> None:
    provider = Provider(AccessSettings(oidc_issuer=liar.issuer, oidc_client_id="filmless"))

    async def claims() -> dict[str, Any]:
        return await provider.claims("c", issuer=None, redirect_uri="x", nonce=NONCE, verifier="v" * 43)

    await claims()
    new = RSAKey.generate_key(2048, {"kid": "new"})
    liar.keys = [liar.key, new]
    liar.say(key=new, header={"alg": "RS256", "kid": "new"})
    # not at once: a liar could have us ask without end
    with pytest.raises(Refused):
        await claims()
    provider._keys_at -= 11
    assert (await claims())["sub"] == "u1"


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": None},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": 7},
    ],
)
async def test_a_provider_that_is_another_or_incomplete_is_not_used(
    liar: Liar, metadata: dict[str, Any]
) -> None:
    liar.metadata = metadata
    assert (await refused(liar)).code == "provider"


async def test_waiting_has_an_end(liar: Liar) -> None:
    liar.slow = True
    liar.delay.clear()
    try:
        assert (await refused(liar, timeout=0.2)).code == "provider"
    finally:
        liar.delay.set()


async def test_its_defects_are_not_the_persons_fault(liar: Liar) -> None:
    liar.status = 500
    assert (await refused(liar)).code == "provider"
    liar.status = 400
    liar.answer = {"error": "invalid_grant"}
    assert (await refused(liar)).code == "sign-in-refused"
    liar.answer = []  # type: ignore[assignment]
    assert (await refused(liar)).code == "provider"
