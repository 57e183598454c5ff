"""Login by an OpenID Connect provider: what is said to it and what it answers (OpenID Connect Core 1.0, RFC 7636).

The one place that knows Authlib (extra: oidc). The code flow with PKCE, state and nonce; nothing of it is kept.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.console.settings import OidcConfig, is_safe
from gateway.console.sign_on import DENIED, GROUP, PROVIDER, Begun, OidcError, plain
from gateway.console.users import Role, User
from gateway.files import read_password

T = TypeVar("T")
STEP_S = 15.0  # for all that a step asks, to the last byte: somebody waits in front of a browser
LEEWAY_S = 60  # between its clock and ours
SECRET_CHARS = 48  # of state, nonce and verifier: some 285 bits
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
NAME_CHARS_MAX = 64
SUBJECT_CHARS_MAX = 255  # OpenID Connect Core 1.0, 2
ANSWER_BYTES_MAX = 1 << 20  # a document has some 10 KiB, a token with hundreds of groups 100
SCOPE = "openid profile email groups"
CALLBACK = "api/oidc/callback"


class Provider:
    """The provider of a configuration. Its document and its keys are asked for at each login: they may be new.

    A step has a thread, and in it an event loop: a deadline over several requests is there for tasks alone.
    """

    def __init__(self, config: OidcConfig) -> None:
        """Raises OSError where a file can't be read."""
        self._config = config
        self._trusts = ssl.create_default_context(cafile=config.tls_ca_file)

    def begin(self) -> Begun:
        """A login begins. Raises OidcError."""
        with _faults_told():
            return asyncio.run(_in_time(self._begin()))

    def finish(self, begun: Begun, code: str) -> User:
        """Who it is, by the code that the provider sent. Raises OidcError."""
        with _faults_told():
            return asyncio.run(_in_time(self._finish(begun, code)))

    async def _begin(self) -> Begun:
        verifier, nonce, state = (generate_token(SECRET_CHARS) for _ in range(3))
        async with self._client() as client:
            endpoint = (await self._document(client))["authorization_endpoint"]
            url, _ = client.create_authorization_url(endpoint, state=state, code_verifier=verifier, nonce=nonce)
        return Begun(url, state, nonce, verifier)

    async def _finish(self, begun: Begun, code: str) -> User:
        async with self._client() as client:
            document = await self._document(client)
            token = await client.fetch_token(document["token_endpoint"], code=code, code_verifier=begun.verifier)
            return self._user(await self._claims(client, document, token, begun.nonce))

    async def _claims(
        self, client: AsyncOAuth2Client, document: Mapping[str, Any], token: Mapping[str, Any], nonce: str
    ) -> Mapping[str, Any]:
        """The ID token's, whose signature, issuer, audience, nonce and time are checked."""
        keys = KeySet.import_key_set(_json(await client.request("GET", document["jwks_uri"], withhold_token=True)))
        found = jwt.decode(token["id_token"], keys, algorithms=ALGORITHMS)
        options = {
            "iss": {"essential": True, "value": self._config.issuer},
            "aud": {"essential": True, "value": self._config.client_id},
            "nonce": {"essential": True, "value": nonce},
        }
        params = {"nonce": nonce, "client_id": self._config.client_id, "access_token": token["access_token"]}
        claims = CodeIDToken(found.claims, found.header, options, params)
        claims.validate(leeway=LEEWAY_S)
        return dict(claims)

    def _user(self, claims: Mapping[str, Any]) -> User:
        config = self._config
        groups = claims.get(config.groups_claim, [])
        named = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        roles = {config.viewers: Role.VIEWER, config.operators: Role.OPERATOR, config.admins: Role.ADMIN}
        role = max((role for group, role in roles.items() if group is not None and group in named), default=None)
        name = _name(str(claims.get(config.name_claim) or ""), str(claims["sub"]))
        if role is None:
            raise OidcError(GROUP, f"{name}: in no group that may use the console")
        return User(f"oidc:{name}", role)

    def _client(self) -> AsyncOAuth2Client:
        config = self._config
        return AsyncOAuth2Client(
            config.client_id,
            read_password(config.client_secret_file),  # anew: it may have been replaced
            scope=SCOPE,
            redirect_uri=config.address + CALLBACK,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic",  # noqa: S106  (a name of OpenID Connect Core 1.0, 9)
            transport=_Bounded(verify=self._trusts, trust_env=False),
            headers={"accept-encoding": "identity"},
            timeout=None,  # of a single read, which a byte would satisfy: see STEP_S
            trust_env=False,
        )

    async def _document(self, client: AsyncOAuth2Client) -> Mapping[str, Any]:
        """What the provider says of itself (Discovery 1.0), if it is the provider that was meant."""
        url = self._config.issuer.rstrip("/") + "/.well-known/openid-configuration"
        found = dict(_json(await client.request("GET", url, withhold_token=True)))
        wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if found.get("issuer") != self._config.issuer or not all(isinstance(found.get(one), str) for one in wanted):
            raise OidcError(PROVIDER, f"{url} is of {found.get('issuer')!r}, or lacks one of {', '.join(wanted)}")
        hosts = {urlsplit(self._config.issuer).hostname, *self._config.endpoint_hosts}
        for one in wanted:
            if not is_safe(found[one]):
                raise OidcError(PROVIDER, f"neither https nor on loopback: {one} {found[one]}")
            host = urlsplit(found[one]).hostname
            if host not in hosts:
                raise OidcError(PROVIDER, f"console.oidc.endpoint_hosts lacks {host}: {one} {found[one]}")
        return found


class _Bounded(httpx2.AsyncHTTPTransport):
    """Takes answers of up to ANSWER_BYTES_MAX, as they are: what is compressed has no bound. Else httpx2.ReadError."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Ask."""
        answer = await super().handle_async_request(request)
        data = b""
        try:
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise httpx2.ReadError("an answer that is compressed, though that was not asked for")
            async for chunk in answer.aiter_raw():
                data += chunk
                if len(data) > ANSWER_BYTES_MAX:
                    raise httpx2.ReadError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
        finally:
            await answer.aclose()
        return httpx2.Response(answer.status_code, headers=answer.headers, content=data)


def _name(shown: str, subject: str) -> str:
    """What somebody is called, and where that is another, who it is: names change hands, an issuer's `sub` never.

    Without "<" it is the `sub`; else that is what stands after the first, which no name has.
    """
    identity = plain(subject, SUBJECT_CHARS_MAX)
    name = plain(shown or subject, NAME_CHARS_MAX).replace("<", " ")
    return identity if name == identity else f"{name} <{identity}>"


async def _in_time(step: Awaitable[T]) -> T:
    """Raises TimeoutError."""
    async with asyncio.timeout(STEP_S):
        return await step


@contextmanager
def _faults_told() -> Iterator[None]:
    """What a provider says amiss, or that it says nothing, as OidcError: whatever it says is no bug of ours."""
    try:
        yield
    except OAuthError as error:
        raise OidcError(DENIED, str(error)) from error
    except TimeoutError as error:
        raise OidcError(PROVIDER, f"no whole answer in {STEP_S:g} s") from error
    except (OSError, httpx2.HTTPError, httpx2.InvalidURL, JoseError, KeyError, TypeError, ValueError) as error:
        raise OidcError(PROVIDER, f"{type(error).__name__}: {error}") from error


def _json(answer: httpx2.Response) -> Any:
    """Its content, of whatever shape: who reads it sees what is wrong. Raises httpx2.HTTPError, ValueError."""
    answer.raise_for_status()
    return answer.json()
