"""Sign-in at an OpenID provider: discovery, authorization code with PKCE, and the check of its ID token.

OpenID Connect Core 1.0 (3.1), Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (issuer in the answer). Here is what is said to
the provider and believed of it; whose account it is, is in linking.py.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_plus, urlsplit

from filmless.access.keys import new_secret
from filmless.access.settings import AccessSettings
from filmless.kit.errors import FilmlessError, Refused, Unavailable

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

#: signatures that are believed where the provider says that it makes them: none with a shared or no secret
_ALGORITHMS: Final = (
    "RS256",
    "PS256",
    "ES256",
    "RS384",
    "PS384",
    "ES384",
    "RS512",
    "PS512",
    "ES512",
    "EdDSA",
)
#: seconds for which what the provider says of itself is kept, and between looks for keys that are not known yet
_KEPT: Final = 600.0
_KEYS_AT_MOST_EVERY: Final = 10.0
#: seconds by which its clock may be wrong
_LEEWAY: Final = 60


@dataclass(frozen=True, slots=True)
class Beginning:
    """A sign-in that was begun: the address for the browser, and what to keep for its return."""

    url: str
    state: str
    nonce: str
    verifier: str


class Provider:
    """The provider that the settings name. One for a process."""

    def __init__(self, settings: AccessSettings) -> None:
        self._settings = settings
        self._issuer = settings.oidc_issuer
        self._lock = asyncio.Lock()
        self._metadata: dict[str, Any] = {}
        self._metadata_until = 0.0
        self._keys: dict[str, Any] = {}
        self._keys_at = -_KEPT

    async def begin(self, redirect_uri: str) -> Beginning:
        """Where to send the browser. Raises Unavailable (code "provider") where the provider does not answer."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        async with self._client() as client:
            metadata = await self._about(client)
        begun = Beginning("", new_secret(), new_secret(), new_secret())
        url = prepare_grant_uri(
            metadata["authorization_endpoint"],
            client_id=self._settings.oidc_client_id,
            response_type="code",
            redirect_uri=redirect_uri,
            scope=" ".join(("openid", *self._settings.oidc_scopes)),
            state=begun.state,
            nonce=begun.nonce,
            code_challenge=create_s256_code_challenge(begun.verifier),
            code_challenge_method="S256",
        )
        return Beginning(url, begun.state, begun.nonce, begun.verifier)

    async def claims(
        self, code: str, *, issuer: str | None, redirect_uri: str, nonce: str, verifier: str
    ) -> dict[str, Any]:
        """What the provider says of the person who came back with `code`; checked.

        `issuer`: the parameter `iss` of the answer, where it has one. Raises Refused (code "sign-in-refused") and
        Unavailable (code "provider").
        """
        async with self._client() as client:
            metadata = await self._about(client)
            told = bool(metadata.get("authorization_response_iss_parameter_supported"))
            if issuer != self._issuer and (told or issuer is not None):
                raise _refused("the answer is another provider's")
            answer = await self._redeem(client, metadata, code, redirect_uri, verifier)
            claims = await self._checked(client, metadata, answer, nonce)
            wanted = self._settings.oidc_roles_claim
            if wanted not in claims and "userinfo_endpoint" in metadata and answer.get("access_token"):
                more = await self._get(
                    client,
                    metadata["userinfo_endpoint"],
                    {"Authorization": f"Bearer {answer['access_token']}"},
                )
                # OpenID Connect Core 5.3.2
                if more.get("sub") != claims["sub"]:
                    raise _refused("userinfo is about somebody else")
                claims = {**more, **claims}
        return claims

    def _client(self) -> "httpx.AsyncClient":
        import httpx

        return httpx.AsyncClient(timeout=self._settings.oidc_timeout, follow_redirects=False)

    async def _about(self, client: "httpx.AsyncClient") -> dict[str, Any]:
        """What the provider says of itself (Discovery 4)."""
        async with self._lock:
            if time.monotonic() < self._metadata_until:
                return self._metadata
            found = await self._get(client, self._issuer.rstrip("/") + "/.well-known/openid-configuration")
            if found.get("issuer") != self._issuer:
                raise Unavailable(
                    f"The OpenID provider calls itself {str(found.get('issuer'))[:200]!r}, and the settings "
                    f"(oidc_issuer) {self._issuer!r}.",
                    code="provider",
                )
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                self._check_address(found.get(name), name)
            if "userinfo_endpoint" in found:
                self._check_address(found["userinfo_endpoint"], "userinfo_endpoint")
            self._metadata, self._metadata_until = found, time.monotonic() + _KEPT
            return found

    def _check_address(self, url: Any, name: str) -> None:
        # plain HTTP only where the issuer is allowed to have it (settings: on this same machine)
        schemes = ("https", urlsplit(self._issuer).scheme)
        if not isinstance(url, str) or urlsplit(url).scheme not in schemes:
            raise Unavailable(f"The OpenID provider has no usable {name}.", code="provider")

    async def _redeem(
        self,
        client: "httpx.AsyncClient",
        metadata: dict[str, Any],
        code: str,
        redirect_uri: str,
        verifier: str,
    ) -> dict[str, Any]:
        """The token answer for a code (Core 3.1.3)."""
        import httpx
        from authlib.oauth2.auth import ClientAuth
        from authlib.oauth2.rfc6749.parameters import prepare_token_request

        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        secret = self._settings.oidc_client_secret
        method = "none"
        if secret:
            method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        body = prepare_token_request(
            "authorization_code", "", redirect_uri, code=code, code_verifier=verifier
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        client_id = self._settings.oidc_client_id
        if method == "client_secret_basic":
            # RFC 6749 2.3.1 wants both encoded as in a form; Authlib leaves that to its caller
            client_id, secret = quote_plus(client_id), quote_plus(secret)
        auth = ClientAuth(client_id, secret, method)
        url, headers, body = auth.prepare("POST", metadata["token_endpoint"], headers, body)
        try:
            response = await client.post(url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise _silent(error) from None
        answer = _json(response)
        if response.status_code >= 500:
            raise Unavailable("The OpenID provider has a defect at this moment.", code="provider")
        if response.status_code != 200 or not isinstance(answer.get("id_token"), str):
            raise _refused(
                f"the provider takes the code not: {str(answer.get('error', 'no ID token'))[:100]}"
            )
        return answer

    async def _checked(
        self, client: "httpx.AsyncClient", metadata: dict[str, Any], answer: dict[str, Any], nonce: str
    ) -> dict[str, Any]:
        """The claims of the ID token (Core 3.1.3.7)."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        supported = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        algorithms = [one for one in _ALGORITHMS if one in supported]
        for fresh in (False, True):
            keys = await self._key_set(client, metadata, fresh=fresh)
            try:
                token = jwt.decode(answer["id_token"], KeySet.import_key_set(keys), algorithms=algorithms)  # type: ignore[arg-type]
                break
            except (JoseError, ValueError) as error:
                # signed with a key that it has only just made?
                if fresh:
                    raise _refused(f"the ID token is not the provider's: {type(error).__name__}") from None
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": self._issuer},
                "aud": {"essential": True, "value": self._settings.oidc_client_id},
            },
            {
                "nonce": nonce,
                "client_id": self._settings.oidc_client_id,
                "access_token": answer.get("access_token"),
            },
        )
        try:
            claims.validate(leeway=_LEEWAY)
        except (JoseError, ValueError, TypeError) as error:
            raise _refused(f"the ID token is not for this sign-in: {error}") from None
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise _refused("the ID token names nobody")
        return dict(claims)

    async def _key_set(
        self, client: "httpx.AsyncClient", metadata: dict[str, Any], *, fresh: bool
    ) -> dict[str, Any]:
        async with self._lock:
            age = time.monotonic() - self._keys_at
            if age > (_KEYS_AT_MOST_EVERY if fresh else _KEPT):
                self._keys = await self._get(client, metadata["jwks_uri"])
                self._keys_at = time.monotonic()
            return self._keys

    async def _get(
        self, client: "httpx.AsyncClient", url: str, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        import httpx

        try:
            response = await client.get(url, headers=headers)
        except httpx.HTTPError as error:
            raise _silent(error) from None
        if response.status_code != 200:
            raise Unavailable(f"The OpenID provider answers {response.status_code}.", code="provider")
        return _json(response)


def _json(response: "httpx.Response") -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable("The OpenID provider answers what is not understood.", code="provider")
    return found


def _silent(error: Exception) -> FilmlessError:
    log.warning("the OpenID provider does not answer: %s", type(error).__name__)
    return Unavailable("The OpenID provider does not answer. Try again later.", code="provider")


def _refused(why: str) -> FilmlessError:
    return Refused(f"The sign-in did not succeed: {why}.", code="sign-in-refused")
