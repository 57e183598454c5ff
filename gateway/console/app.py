"""The console as an ASGI application: routes, and what each request passes before one is called."""

import hmac
import json
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount
from starlette.routing import Route as Path_
from starlette.staticfiles import StaticFiles

from gateway.console import openapi
from gateway.console.audit import Audit, Entry
from gateway.console.guard import Guard
from gateway.console.house import House
from gateway.console.live import Heart, Listeners, events
from gateway.console.openapi import Error, Why
from gateway.console.pages import admission, alarms, enterprise, fleet, gaps, quarantine, sinks
from gateway.console.rates import LOGIN, REQUEST, Limiter
from gateway.console.route import BODY_BYTES_MAX, Call, RefusedError, Route
from gateway.console.sessions import COOKIE, Session, Sessions
from gateway.console.sign_on import Names, Offered, SignOn
from gateway.console.users import PASSWORD_CHARS_MAX, User, Users
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.journal.blocks import DamagedError
from gateway.journal.rows import OlderSchemaError
from protocol.host import program
from protocol.host.strict import ConfigError
from protocol.host.tables import Name

ROUTES: Sequence[Route] = (
    *fleet.ROUTES,
    *enterprise.ROUTES,
    *gaps.ROUTES,
    *alarms.ROUTES,
    *quarantine.ROUTES,
    *sinks.ROUTES,
    *admission.ROUTES,
)
_STORE = (StoreUnavailableError, NewerSchemaError, sqlite3.Error, OlderSchemaError, ConfigError, DamagedError)
REFUSALS = (RefusedError, msgspec.ValidationError, *_STORE)  # no bugs of ours: answers
STATIC = Path(__file__).parent / "static"
_VERSION = "1"  # of the API
GZIP_LEVEL = 4  # a month's curves (168 KiB) are 67 KiB, 6 % more than by 9, for a fifth of its time


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name and its password."""

    name: Name
    password: str


class Me(msgspec.Struct, frozen=True):
    """Who is logged in, and into which program. csrf: to be sent as X-CSRF-Token with each change.

    now_s: by the gateway's clock; utc_offset_h: of the times shown.
    """

    name: str
    role: str
    csrf: str
    now_s: int
    utc_offset_h: int
    program: str


class Console:
    """The application of a gateway's folder. steady_s, random_bytes: of sessions and rates.

    provider: by whom one may log in beside by password; None: by nobody.
    """

    def __init__(
        self,
        house: House,
        users: Users,
        steady_s: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        routes: Sequence[Route] = ROUTES,
        provider: Names | None = None,
    ) -> None:
        self._house, self._users = house, users
        self._sessions = Sessions(house.config.console.session_h * 3600, steady_s, random_bytes)
        self._logins, self._requests = Limiter(LOGIN, steady_s), Limiter(REQUEST, steady_s)
        self._audit_lock, self._heart, self._listeners = threading.Lock(), Heart(house, steady_s), Listeners()
        self._document = json.dumps(openapi.document(routes, _VERSION)).encode()
        self.app = Starlette(
            routes=[
                Path_("/api/login", self._answered(self._login), methods=["POST"]),
                Path_("/api/logout", self._answered(self._logout), methods=["POST"]),
                Path_("/api/me", self._answered(self._me), methods=["GET"]),
                Path_("/api/live", self._answered(self._live), methods=["GET"]),
                Path_("/api/openapi.json", self._answered(self._openapi), methods=["GET"]),
                Path_("/api/oidc", self._answered(self._offered), methods=["GET"]),
                *(self._sign_on(provider, steady_s, random_bytes).routes(self._answered) if provider else ()),
                *(Path_(one.path, self._answered(self._endpoint(one)), methods=[one.method]) for one in routes),
                Mount("/", StaticFiles(directory=STATIC, html=True)),
            ],
            middleware=[
                Middleware(Guard, hosts=house.config.console.hosts),
                Middleware(GZipMiddleware, compresslevel=GZIP_LEVEL),
            ],
        )

    def _endpoint(self, route: Route) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            session, asked, status = self._session(request), b"", 500
            try:
                _check_role(session, route)
                if route.is_change:
                    _check_token(request, session)
                    asked = await _body(request, route.body_bytes_max)
                call = Call(self._house, session.user, request.path_params, _asked(request, route, asked))
                given = await run_in_threadpool(route.answer, call)
                response = _json(given)
                status = response.status_code
            except REFUSALS as error:
                response = _refusal(error)
                status = response.status_code
            finally:
                if route.is_change:
                    await self._note(request, session.user.name, asked, status)
            return response

        return endpoint

    async def _login(self, request: Request) -> Response:
        data = await _body(request, BODY_BYTES_MAX)
        login = _decoded(data, Login)
        keys = [f"name {login.name}", f"address {_address(request)}"]
        if not all(self._logins.is_free(key) for key in keys):
            if self._logins.take(f"note {_address(request)}"):  # nobody fills the disk by asking
                await self._note(request, login.name, b"", 429)
            raise RefusedError(429, "logins", "too many wrong passwords; wait a minute", "密码错误次数过多，请稍后再试")
        for key in keys:
            self._logins.take(key)  # before it is known: many that ask at once are no way around
        password = login.password[:PASSWORD_CHARS_MAX]
        user = await run_in_threadpool(self._users.login, login.name, password)
        await self._note(request, login.name, b"", 200 if user else 401)
        if user is None:
            raise RefusedError(401, "login", "wrong name or password", "用户名或密码错误")
        for key in keys:
            self._logins.give_back(key)
        token, session = self._sessions.begin(user)
        response = _json(self._who(session))
        self._set_cookie(response, token)
        return response

    async def _offered(self, _request: Request) -> Response:
        """Asked by the page on which one logs in."""
        oidc = self._house.config.console.oidc
        return _json(Offered(oidc.name if oidc else ""))

    def _sign_on(self, provider: Names, steady_s: Callable[[], float], random_bytes: Callable[[int], bytes]) -> SignOn:
        def enter(answer: Response, user: User) -> None:
            self._set_cookie(answer, self._sessions.begin(user)[0])

        async def note(request: Request, who: str, status: int) -> None:
            await self._note(request, who, b"", status)

        https = self._house.config.console.https
        return SignOn(provider, steady_s, random_bytes, https=https, enter=enter, note=note)

    def _set_cookie(self, answer: Response, token: str) -> None:
        answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=self._house.config.console.https)

    async def _logout(self, request: Request) -> Response:
        session = self._session(request)
        _check_token(request, session)
        self._sessions.end(request.cookies.get(COOKIE))
        await self._note(request, session.user.name, b"", 200)
        response = _json({"done": True})
        response.delete_cookie(COOKIE)
        return response

    async def _me(self, request: Request) -> Response:
        return _json(self._who(self._session(request)))

    async def _live(self, request: Request) -> Response:
        session, token = self._session(request), request.cookies.get(COOKIE, "")
        if not self._listeners.is_room(token, session.user.name):
            raise RefusedError(429, "listeners", "too many pages are open; close some", "打开的页面过多，请关闭一些")
        return StreamingResponse(self._events(token, session.user.name), media_type="text/event-stream")

    async def _events(self, token: str, user: str) -> AsyncGenerator[str]:
        with self._listeners.one(token, user) as is_room:
            async for event in events(self._heart, lambda: is_room and self._sessions.find(token) is not None):
                yield event

    async def _openapi(self, request: Request) -> Response:
        self._session(request)
        return Response(self._document, media_type="application/json")

    def _who(self, session: Session) -> Me:
        user, house = session.user, self._house
        offset_h = house.config.console.utc_offset_h
        return Me(user.name, user.role.name.lower(), session.csrf, house.now_s, offset_h, program.this().text())

    def _session(self, request: Request) -> Session:
        if not self._requests.take(_address(request)):
            raise RefusedError(429, "requests", "too many requests; wait a second", "请求过于频繁，请稍后再试")
        session = self._sessions.find(request.cookies.get(COOKIE))
        if session is None:
            raise RefusedError(401, "session", "nobody is logged in", "未登录")
        return session

    async def _note(self, request: Request, who: str, asked: bytes, status: int) -> None:
        action = f"{request.method} {request.url.path}"
        text = asked.decode("utf-8", "backslashreplace")
        entry = Entry(self._house.clock.now_ms(), who, _address(request), action, text, status)
        await run_in_threadpool(self._add, entry)

    def _add(self, entry: Entry) -> None:
        with self._audit_lock, closing(Audit(self._house.folder)) as audit:
            audit.add(entry)

    def _answered(self, endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
        """What is refused, answered; a store that can't be used is not our bug."""

        async def answered(request: Request) -> Response:
            try:
                response: Response = await endpoint(request)
            except REFUSALS as error:
                return _refusal(error)
            return response

        return answered


def _refusal(error: Exception) -> Response:
    """The answer that one of REFUSALS is."""
    if isinstance(error, RefusedError):
        return _json(Error(Why(error.code, error.en, error.zh)), error.status)
    if isinstance(error, msgspec.ValidationError):
        text, _, field = str(error).partition(" - at ")
        return _json(Error(Why("asked", text, f"请求内容有误：{text}", field.strip("`"))), 400)
    return _json(Error(Why("store", str(error), f"存储暂不可用：{error}")), 503)


def _asked(request: Request, route: Route, data: bytes) -> Any:
    """The query, or the body, as the route takes it. Raises msgspec.ValidationError, RefusedError."""
    if route.is_change:
        return _decoded(data or b"{}", route.asks)
    pairs = request.query_params.multi_items()
    if len(dict(pairs)) != len(pairs):
        raise RefusedError(400, "asked", "a name stands twice in the query", "查询参数重复")
    return msgspec.convert(dict(pairs), route.asks, strict=False)


def _decoded(data: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, "json", f"not JSON: {error}", "不是 JSON") from error


async def _body(request: Request, bytes_max: int) -> bytes:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > bytes_max:
            raise RefusedError(413, "body", f"longer than {bytes_max} bytes", "请求过长")
    return data


def _check_role(session: Session, route: Route) -> None:
    if session.user.role < route.role:
        name = route.role.name.lower()
        raise RefusedError(403, "role", f"needs the role {name}", f"需要 {name} 权限")


def _check_token(request: Request, session: Session) -> None:
    if not hmac.compare_digest(request.headers.get("x-csrf-token", "").encode(), session.csrf.encode()):
        raise RefusedError(403, "csrf", "X-CSRF-Token is not this session's: load the page again", "页面已失效，请刷新")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _json(given: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(given), status, media_type="application/json")
