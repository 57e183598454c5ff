"""A run's gateway shown in the product's own console, as an operator would see it when the run ended."""

import secrets
import sqlite3
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from gateway import config as configuration
from gateway import registry
from gateway.console import server, users
from gateway.console.house import House
from gateway.console.users import UserEntry
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.journal.rows import OlderSchemaError
from gateway.watch import enterprises
from gateway.watch.rules import Rules
from gateway.watch.screen import SETTLE_S
from gateway.watch.store import Row, Store
from gateway.watch.watcher import Watched, Watcher
from hil.process import BenchError
from hil.scenario import Point, Scenario

USER = "demo"
SETTLED_MS = SETTLE_S * 1000 + 1
ANSWER_S = 20.0  # a busy machine loads the page slowly
ALARMS_MAX = 1_000  # a run has some ten
_IDLE_PERCENT = 10  # of rated power: below it production stands, and treatment is off


class Ended:
    """A clock that stands where the run ended: an operator looks then."""

    def __init__(self, at_ms: int) -> None:
        self._at_ms = at_ms

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return self._at_ms


def show(scenario: Scenario, folder: Path, told: Callable[[str, str], None], *, hold: bool) -> None:
    """Watch the journal of a run's gateway, and serve the console on it until Ctrl-C, or else until it has answered.

    folder: the gateway's. told: called with the address and the password of USER. Raises BenchError where it can't be.
    """
    clock, password = Ended(scenario.end_ms + SETTLED_MS), secrets.token_urlsafe(9)
    try:
        config = _configured(scenario, folder, password)
        look(config, clock, folder / "enterprises.toml")
        house = House(config, folder / "gateway.toml", clock)

        def ready(address: str, stop: Callable[[], None]) -> None:
            told(address, password)
            if not hold:
                threading.Thread(target=_answered, args=(address, stop), daemon=True).start()

        with suppress(KeyboardInterrupt):  # the server has ended by then
            server.serve(house, users.load(folder / "users.toml"), ready)
    except (OSError, sqlite3.Error, OlderSchemaError, NewerSchemaError, StoreUnavailableError) as error:
        raise BenchError(f"console: {type(error).__name__}: {error}") from error


def look(config: configuration.GatewayConfig, clock: Ended, linkages: Path | None = None) -> list[Row]:
    """Alarms, the newest first, after the watch has looked at all that the journal has. linkages: enterprises.toml."""
    known, data = registry.load(Path(config.terminals)), Path(config.data_dir)
    watched = [] if linkages is None else enterprises.load(linkages, known)
    with closing(Store(data)) as store:
        settings = Watched(known, watched, Rules(), config.verify.future_refuse_s)
        with closing(Watcher(data, store, clock, settings, _failed)) as watcher:
            while watcher.look()[1]:
                pass
        return list(store.rows(None, None, ALARMS_MAX))


def _configured(scenario: Scenario, folder: Path, password: str) -> configuration.GatewayConfig:
    """The gateway's files, with what the watch and the console need beside."""
    (folder / "enterprises.toml").write_text(_enterprises(scenario), encoding="utf-8")
    (folder / "users.toml").unlink(missing_ok=True)
    entry = UserEntry(name=USER, role="admin", password=users.hashed(password))
    users.put(folder / "users.toml", entry)
    file = folder / "gateway.toml"
    text = file.read_text(encoding="utf-8")
    if "[console]" not in text:
        text = f'enterprises = "enterprises.toml"\n{text}\n[console]\nusers = "users.toml"\nport = 0\n'
        file.write_text(text, encoding="utf-8")
    return configuration.load(file)


def _enterprises(scenario: Scenario) -> str:
    """One enterprise, with a linkage for each treatment that follows a production point."""
    names = {point.name: point for point in scenario.points}
    linkages = [_linkage(scenario, names[one.follows], one) for one in scenario.points if one.follows]
    head = f'[[enterprise]]\nid = "{scenario.name}"\nname = "{scenario.title_zh}"\n'
    return head + ("".join(linkages) or "linkage = []\n")


def _linkage(scenario: Scenario, production: Point, treatment: Point) -> str:
    return (
        f'[[enterprise.linkage]]\nname = "{production.name} / {treatment.name}"\n'
        f'production = ["{_named(scenario, production)}"]\ntreatment = ["{_named(scenario, treatment)}"]\n'
        f"production_on_w = {production.rated_w * _IDLE_PERCENT // 100}\n"
        f"treatment_on_w = {treatment.rated_w * _IDLE_PERCENT // 100}\n"
    )


def _named(scenario: Scenario, point: Point) -> str:
    """TERMINAL/NUMBER, as the gateway's files have it."""
    for terminal in scenario.terminals:
        measured = scenario.points_of(terminal)
        if point in measured:
            return f"{terminal.id}/{measured.index(point) + 1}"
    raise BenchError(f"{point.name}: on no terminal's bus")


def _answered(address: str, stop: Callable[[], None]) -> None:
    with suppress(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=ANSWER_S).close()  # noqa: S310  our own, on loopback
    stop()


def _failed(rule: str, error: Exception) -> None:
    raise BenchError(f"the rule {rule} threw") from error
