"""Who gets into the console, and what nobody gets past: over every route that it declares."""

import asyncio
import json
import os
import re
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import msgspec
import pytest
from starlette.routing import Route as Path_

from gateway import config as configuration
from gateway.console import users
from gateway.console.app import ROUTES, Console
from gateway.console.audit import Audit
from gateway.console.house import House
from gateway.console.route import BODY_BYTES_MAX, Route
from gateway.console.server import serve
from gateway.console.sessions import COOKIE
from gateway.console.users import Role
from protocol.host.strict import ConfigError
from tests.gateway.console.support import HASH, NAMES, PASSWORD, Browser, Steady, console_of, folder_of, name_of
from tests.gateway.support import Sender, StillClock

SENDER = Sender()
BELOW = {Role.VIEWER: None, Role.OPERATOR: "vera", Role.ADMIN: "olga"}


@pytest.fixture
def steady() -> Steady:
    return Steady()


@pytest.fixture
def console(tmp_path: Path, steady: Steady) -> Console:
    return console_of(folder_of(tmp_path, SENDER), tmp_path, steady, StillClock())


def path_of(route: Route) -> str:
    return re.sub(r"{\w+}", "1", route.path)


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_no_route_answers_somebody_who_is_not_logged_in(console: Console, route: Route) -> None:
    """P-310: nor one whose session ended, nor a made-up one."""

    async def play() -> None:
        for cookie in ("", "0" * 64):
            browser = Browser(console)
            browser.cookies = {COOKIE: cookie} if cookie else {}
            answer = await browser.ask(route.method, path_of(route), {} if route.is_change else None)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "session")

    asyncio.run(play())


@pytest.mark.parametrize("path", ["/api/me", "/api/live", "/api/openapi.json"])
def test_nor_do_the_others_that_tell_something(console: Console, path: str) -> None:
    """P-310."""
    answer = asyncio.run(Browser(console).ask("GET", path))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "session")


@pytest.mark.parametrize(
    "route", [one for one in ROUTES if BELOW[one.role]], ids=lambda one: f"{one.method} {one.path}"
)
def test_no_route_answers_a_role_below_its_own(console: Console, route: Route) -> None:
    """P-310: and no change without the token of the session's page."""

    async def play() -> None:
        lower, fitting = Browser(console), Browser(console)
        lower.enter(BELOW[route.role] or "")
        answer = await lower.ask(route.method, path_of(route), {})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "role")
        if not route.is_change:
            return
        fitting.enter(next(name for name, role in NAMES.items() if role == route.role.name.lower()))
        answer = await fitting.ask(route.method, path_of(route), {}, **{"x-csrf-token": lower.csrf})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf")

    asyncio.run(play())


def test_wrong_passwords_become_slow_and_are_written_down(console: Console, steady: Steady, tmp_path: Path) -> None:
    """P-311: five at once, then one a minute; the right one has to wait too. No password stands in the audit log."""

    async def play() -> None:
        browser = Browser(console)
        for _ in range(5):
            assert (await browser.login("ada", "wrong password")).status_code == 401
        assert (await browser.login("ada")).status_code == 429
        steady.now_s += 61
        answer = await browser.login("ada")
        assert (answer.status_code, answer.json()["role"]) == (200, "admin")
        assert (await Browser(console).login("nobody")).status_code == 401

    asyncio.run(play())
    with closing(Audit(tmp_path / "data")) as audit:
        entries = audit.newest(100)
    assert [one.status for one in entries] == [401, 200, 429, 401, 401, 401, 401, 401]
    assert PASSWORD not in repr(entries)
    assert "wrong" not in repr(entries)


def test_passwords_tried_all_at_once_are_no_more_than_one_after_the_other(console: Console, tmp_path: Path) -> None:
    """P-311: and who asks on and on does not fill the log of changes."""

    async def play() -> list[int]:
        tries = [Browser(console).login("ada", "wrong password") for _ in range(20)]
        return sorted(answer.status_code for answer in await asyncio.gather(*tries))

    assert asyncio.run(play()) == [401] * 5 + [429] * 15
    with closing(Audit(tmp_path / "data")) as audit:
        assert sorted(one.status for one in audit.newest(100)) == [401] * 5 + [429] * 5


def test_the_log_of_changes_has_the_status_that_was_answered(console: Console, tmp_path: Path) -> None:
    """P-311: of what was asked wrongly too."""

    async def play() -> list[int]:
        browser = Browser(console)
        browser.enter("olga")
        bodies: list[object] = [{"state": 1}, {"state": "closed"}]
        return [(await browser.ask("POST", "/api/alarms/1/steps", body)).status_code for body in bodies]

    answered = asyncio.run(play())
    assert answered == [400, 404]
    with closing(Audit(tmp_path / "data")) as audit:
        assert [one.status for one in reversed(audit.newest(100))] == answered


def changes_of(console: Console) -> list[tuple[str, str]]:
    """(method, path) of all that the application answers and that is no question."""
    routes = [one for one in console.app.routes if isinstance(one, Path_)]
    return [
        (method, one.path) for one in routes for method in sorted(one.methods or ()) if method not in {"GET", "HEAD"}
    ]


def test_every_change_is_written_down_whoever_asks_and_whatever_becomes_of_it(console: Console, tmp_path: Path) -> None:
    """S-27: each route of the application that is no question; who may and who may not, with and without the token."""
    asked: list[tuple[str, str, int]] = []

    async def play() -> None:
        for method, path in changes_of(console):
            for name in ("ada", "vera"):
                for token in (None, "0" * 64):
                    browser = Browser(console)
                    browser.enter(name)
                    more = {} if token is None else {"x-csrf-token": token}
                    body = {"name": name, "password": PASSWORD} if path == "/api/login" else {}
                    path_ = re.sub(r"{\w+}", "1", path)
                    answer = await browser.ask(method, path_, body, **more)
                    if not (path == "/api/logout" and token):  # not done: nothing changed, and nobody was let in
                        asked.append((f"{method} {path_}", name, answer.status_code))

    asyncio.run(play())
    assert {route.method for route in ROUTES if not route.is_change} == {"GET"}
    assert {(route.method, route.path) for route in ROUTES if route.is_change} < set(changes_of(console))
    with closing(Audit(tmp_path / "data")) as audit:
        assert [(one.action, one.who, one.status) for one in reversed(audit.newest(1000))] == asked


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "", "10.0.0.1", "127.0.0.2", "localhost", "a.example", "::ffff:127.0.0.1", "fe80::1", "::1%lo"],
)
def test_another_address_than_loopback_is_refused(tmp_path: Path, host: str) -> None:
    """S-27: by the configuration, before anything listens."""
    folder_of(tmp_path, SENDER)
    config = tmp_path / "gateway.toml"
    config.write_text(config.read_text().replace("[console]\n", f'[console]\nhost = "{host}"\n'))
    with pytest.raises(ConfigError, match=r"console\.host.*127\.0\.0\.1"):
        configuration.load(config)


def test_it_listens_on_loopback_and_nowhere_else(tmp_path: Path) -> None:
    """S-27: the server itself."""
    seen: list[str] = []

    def ready(address: str, end: Callable[[], None]) -> None:
        port = urlsplit(address).port or 0
        socket.create_connection(("127.0.0.1", port), 20).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), 20)
        seen.append(address)
        end()

    config = folder_of(tmp_path, SENDER)
    config = msgspec.structs.replace(config, console=msgspec.structs.replace(config.console, port=0))
    serve(House(config, tmp_path / "gateway.toml", StillClock()), users.load(tmp_path / "users.toml"), ready)
    assert len(seen) == 1


@pytest.mark.parametrize("path", ["/%00", "/..%2f..%2fapp.py", "/" + "a" * 5000, "/pages/../../app.py", "/%ff"])
def test_no_path_leads_out_of_the_pages(console: Console, path: str) -> None:
    """P-312."""
    assert asyncio.run(Browser(console).ask("GET", path)).status_code == 404


def test_a_session_ends_by_time_and_by_logging_out(console: Console, steady: Steady) -> None:
    """P-311."""

    async def play() -> None:
        browser = Browser(console)
        await browser.login("vera")
        assert (await browser.ask("GET", "/api/me")).json()["name"] == "vera"
        assert (await browser.ask("POST", "/api/logout")).status_code == 200
        browser.cookies = {COOKIE: "0" * 64}
        assert (await browser.ask("GET", "/api/me")).status_code == 401
        await browser.login("vera")
        steady.now_s += 12 * 3600
        assert (await browser.ask("GET", "/api/me")).status_code == 401

    asyncio.run(play())


def test_every_answer_carries_the_policy_and_unknown_hosts_get_none(console: Console) -> None:
    """P-312: scripts from here alone; a page that points its own name at us is not answered."""

    async def play() -> None:
        browser = Browser(console)
        for path in ("/", "/api/me", "/nothing"):
            answer = await browser.ask("GET", path)
            assert "script-src 'self';" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
        cookie = (await browser.login("vera")).headers["set-cookie"].lower()
        assert {"httponly", "samesite=strict"} <= {one.strip() for one in cookie.split(";")}
        for host in (
            "evil.example",
            "evil.example:80",
            "[::2]",
            "::1",
            "[::1",
            "127.0.0.1:80:80",
            "127.0.0.1:evil",
            "",
        ):
            assert (await browser.ask("GET", "/api/me", host=host)).status_code == 400, host
        for host in ("127.0.0.1", "localhost:9213", "[::1]", "[::1]:9213"):
            assert (await browser.ask("GET", "/api/me", host=host)).status_code == 200, host

    asyncio.run(play())


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "json"),
        (b"\xff", 400, "json"),
        (b'{"name": 1, "password": ""}', 400, "asked"),
        (b'{"name": "a", "password": "b", "more": 1}', 400, "asked"),
        (b"[" * 30_000, 400, "asked"),
        (b" " * (BODY_BYTES_MAX + 1), 413, "body"),
    ],
)
def test_what_is_not_a_question_is_told_so(console: Console, body: bytes, status: int, code: str) -> None:
    """P-312."""

    async def play() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=console.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post("/api/login", content=body)

    answer = asyncio.run(play())
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_users_that_others_may_read_are_refused(tmp_path: Path) -> None:
    """P-311, S-20."""
    folder_of(tmp_path, SENDER)
    (tmp_path / "users.toml").chmod(0o644)
    with pytest.raises(ConfigError, match="others can read it"):
        users.load(tmp_path / "users.toml")


def test_a_file_of_users_stays_the_consoles_whoever_names_one(tmp_path: Path) -> None:
    """P-455: it alone may read it, also after root has."""
    folder_of(tmp_path, SENDER)
    file = tmp_path / "users.toml"
    if os.geteuid() == 0:
        os.chown(file, 12_345, 12_346)
    before = file.stat()
    users.put(file, users.UserEntry(name="wang", role="viewer", password=HASH))
    after = file.stat()
    assert after.st_ino != before.st_ino, "another file"
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    if os.geteuid() == 0:
        os.chown(tmp_path, 12_345, 12_346)
    file.unlink()
    users.put(file, users.UserEntry(name="wang", role="viewer", password=HASH))
    assert (file.stat().st_uid, file.stat().st_gid) == (before.st_uid, before.st_gid), "the first user's"


def test_the_document_has_every_route(console: Console) -> None:
    """P-313."""

    async def play() -> dict[str, object]:
        browser = Browser(console)
        browser.enter("vera")
        found: dict[str, object] = json.loads((await browser.ask("GET", "/api/openapi.json")).content)
        return found

    paths = asyncio.run(play())["paths"]
    assert isinstance(paths, dict)
    assert {(one.method.lower(), one.path) for one in ROUTES} == {
        (method, path) for path, operations in paths.items() for method in operations
    }
