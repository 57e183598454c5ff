"""A console over a real journal's folder, and a client that has logged in."""

import itertools
from pathlib import Path
from typing import Any

import httpx2

from gateway import config as configuration
from gateway.config import GatewayConfig, VerifyConfig
from gateway.console import users
from gateway.console.app import Console
from gateway.console.house import House
from gateway.console.route import Route
from gateway.console.sessions import COOKIE
from gateway.console.users import Role, RoleName, User, UserEntry, Users
from gateway.journal.journal import Journal
from gateway.watch.screen import SETTLE_S
from gateway.watch.store import Store
from tests.gateway.support import NOW_S, Sender, StillClock
from tests.gateway.watch.plant import configured
from tests.gateway.watch.running import COUNT, FROM_S, powers_w, readings_of, send, watching

MISSING = 30

PASSWORD = "correct horse battery"
HASH = users.hashed(PASSWORD)
NAMES: dict[str, RoleName] = {"vera": "viewer", "olga": "operator", "ada": "admin"}
BASE = "http://127.0.0.1"


class Steady:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def folder_of(folder: Path, sender: Sender) -> GatewayConfig:
    """A gateway's files, with users of each role."""
    path = configured(folder, sender)
    (folder / "data").mkdir(exist_ok=True)
    for name, role in NAMES.items():
        users.put(folder / "users.toml", UserEntry(name=name, role=role, password=HASH))
    path.write_text(path.read_text() + '[console]\nusers = "users.toml"\n')
    return configuration.load(path)


def console_of(config: GatewayConfig, folder: Path, steady: Steady, clock: StillClock) -> Console:
    known: Users = users.load(folder / "users.toml")
    counter = itertools.count()
    house = House(config, folder / "gateway.toml", clock)
    return Console(house, known, steady, lambda size: next(counter).to_bytes(size, "big"))


class Browser:
    """One browser, in this process: requests go through the whole application."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._transport = httpx2.ASGITransport(app=console.app, client=("127.0.0.1", 50_000))
        self.cookies: dict[str, str] = {}
        self.csrf = ""

    async def login(self, name: str, password: str = PASSWORD) -> httpx2.Response:
        answer = await self.ask("POST", "/api/login", {"name": name, "password": password})
        if answer.status_code == 200:
            self.csrf = answer.json()["csrf"]
        return answer

    def enter(self, name: str) -> None:
        """Be logged in, without the time that a password costs."""
        user = User(name, Role[NAMES[name].upper()])
        token, session = self._console._sessions.begin(user)
        self.cookies, self.csrf = {COOKIE: token}, session.csrf

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        async with httpx2.AsyncClient(transport=self._transport, base_url=BASE, cookies=self.cookies) as client:
            sent = {"x-csrf-token": self.csrf, **headers}
            answer = await client.request(method, path, json=body, headers=sent)
            self.cookies.update(answer.cookies)
            return answer


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def watched(folder: Path) -> StillClock:
    """A plant's journal with one window missing, and what the watch finds in it."""
    journal, clock = Journal(folder / "data", VerifyConfig()), StillClock(NOW_S)
    for number in range(COUNT):
        if number != MISSING:
            send(journal, number, number, readings_of(powers_w(number), number), FROM_S + 900 * (number + 1))
    journal.close()
    clock.now_s += SETTLE_S + 1
    store = Store(folder / "data")
    watcher = watching(folder, store, clock)
    watcher.look()
    watcher.close()
    store.close()
    return clock
