"""The console's side of a login by an OpenID Connect provider: the way there, the way back, and what is under way."""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.console.rates import Limiter, Rate
from gateway.console.users import User

Endpoint = Callable[[Request], Any]
P = ParamSpec("P")
T = TypeVar("T")

COOKIE = "wattline_oidc"
UNDER_WAY_MAX = 1_000  # logins; the oldest goes
LASTS_S = 600.0  # somebody looks for a token in a drawer
BEGIN = Rate(10, 1 / 6)  # of one address
ASKING_MAX = 8  # steps at once, of the 40 threads that all requests have: a silent provider holds up nobody else
WHY_CHARS_MAX = 200  # of the audit log's: what a provider says is text from outside
# Why a login failed. STATE: it was not begun here, or too long ago.
DENIED, PROVIDER, GROUP, STATE, OFTEN = "denied", "provider", "group", "state", "often"


class OidcError(Exception):
    """Nobody is logged in; reason: DENIED, PROVIDER, GROUP or OFTEN."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Begun(NamedTuple):
    """A login under way. url: where the browser goes; what follows comes back with it, or goes with its code."""

    url: str
    state: str
    nonce: str
    verifier: str


class Names(Protocol):
    """A provider as oidc.py has it."""

    def begin(self) -> Begun:
        """A login begins. Raises OidcError."""

    def finish(self, begun: Begun, code: str) -> User:
        """Who it is. Raises OidcError."""


class Offered(msgspec.Struct, frozen=True):
    """How one may log in beside by password. name: of the provider; "": there is none."""

    name: str


class _UnderWay(NamedTuple):
    begun: Begun
    until_s: float


class SignOn:
    """Logins by a provider. enter: makes an answer that of one who is logged in; note: notes who, and a status."""

    def __init__(
        self,
        provider: Names,
        steady_s: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        *,
        https: bool,
        enter: Callable[[Response, User], None],
        note: Callable[[Request, str, int], Awaitable[None]],
    ) -> None:
        self._provider, self._steady_s, self._random_bytes, self._https = provider, steady_s, random_bytes, https
        self._enter, self._note = enter, note
        self._begins = Limiter(BEGIN, steady_s)
        self._under_way: dict[str, _UnderWay] = {}
        self._asking = 0

    def routes(self, answered: Callable[[Endpoint], Endpoint]) -> Sequence[Route]:
        """Both are opened by the browser itself, by nobody who is logged in. answered: answers what is refused."""
        return [
            Route("/api/oidc/begin", answered(self._begin), methods=["GET"]),
            Route("/api/oidc/callback", answered(self._finish), methods=["GET"]),
        ]

    async def _begin(self, request: Request) -> Response:
        if not self._begins.take(request.client.host if request.client else ""):
            return _back(OFTEN)
        try:
            begun = await self._asked(self._provider.begin)
        except OidcError as error:
            await self._note(request, plain(str(error), WHY_CHARS_MAX), 502)
            return _back(error.reason)
        while len(self._under_way) >= UNDER_WAY_MAX:
            del self._under_way[next(iter(self._under_way))]
        token = self._random_bytes(32).hex()
        self._under_way[token] = _UnderWay(begun, self._steady_s() + LASTS_S)
        answer = RedirectResponse(begun.url, 303)
        # "lax": the provider's answer comes from another site, as an address that the browser opens
        answer.set_cookie(COOKIE, token, max_age=int(LASTS_S), httponly=True, samesite="lax", secure=self._https)
        return answer

    async def _finish(self, request: Request) -> Response:
        found = self._under_way.pop(request.cookies.get(COOKIE, ""), None)  # once: a code can't be tried again
        state, code = request.query_params.get("state", ""), request.query_params.get("code", "")
        if found is None or found.until_s <= self._steady_s():
            answer: Response = _back(STATE)
        elif not code:  # the provider says no; some say it without the state, and nobody is logged in by it
            await self._note(request, "", 401)
            answer = _back(DENIED)
        elif not _is_same(state, found.begun.state):
            answer = _back(STATE)
        else:
            answer = await self._entered(request, found.begun, code)
        answer.delete_cookie(COOKIE)
        return answer

    async def _entered(self, request: Request, begun: Begun, code: str) -> Response:
        try:
            user = await self._asked(self._provider.finish, begun, code)
        except OidcError as error:
            await self._note(request, plain(str(error), WHY_CHARS_MAX), 401)
            return _back(error.reason)
        await self._note(request, user.name, 200)
        answer = RedirectResponse("/", 303)
        self._enter(answer, user)
        return answer

    async def _asked(self, ask: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """What the provider answers. Raises OidcError, also where too many ask."""
        if self._asking >= ASKING_MAX:
            raise OidcError(OFTEN, f"{ASKING_MAX} ask the provider already")
        self._asking += 1
        try:
            return await run_in_threadpool(ask, *args, **named)
        finally:
            self._asking -= 1


def plain(text: str, chars_max: int) -> str:
    """Text from outside, as it may stand in a log and on a page."""
    return "".join(one if one.isprintable() else " " for one in text[:chars_max])


def _back(why: str) -> RedirectResponse:
    """To the login, which says why."""
    return RedirectResponse(f"/#/login?why={why}", 303)


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
