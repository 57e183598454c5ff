"""A plant's terminal that is watched: what it shows, how it is sent, and the watch over it."""

from pathlib import Path
from typing import Any

from gateway.journal.journal import Journal
from gateway.registry import Registry
from gateway.watch import enterprises
from gateway.watch.rules import Rules
from gateway.watch.store import Store
from gateway.watch.watcher import Watched, Watcher
from tests.gateway.support import NOW_S, Sender, StillClock, accept, commit, reading, terminal_of, window
from tests.gateway.watch.plant import POINTS

SENDER = Sender()
COUNT = 60  # windows
FROM_S = NOW_S - COUNT * 900


def powers_w(number: int) -> tuple[int, int]:
    """Production all the time, as a live meter shows it; treatment off for two hours, and again for one."""
    off = 20 <= number < 28 or 40 <= number < 44
    return 5000 + number * 37 % 101, (20 if off else 900) + number * 41 % 97


def readings_of(powers: tuple[int, int], number: int) -> list[Any]:
    return [
        reading(p_mean_w=one, p_min_w=one, p_max_w=one, e_import_wh=10**6 + 1000 * number, ia_ma=one, pf_milli=900)
        for one in powers
    ]


def send(journal: Journal, seq: int, number: int, readings: list[Any], at_s: int) -> None:
    sealed = SENDER.frame([window(seq, FROM_S + 900 * number, readings)])
    commit(journal, [accept(SENDER, sealed, POINTS, at_s)])


def watching(folder: Path, store: Store, clock: StillClock) -> Watcher:
    registry = Registry([terminal_of(SENDER, POINTS)])
    known = enterprises.load(folder / "enterprises.toml", registry)
    return Watcher(folder / "data", store, clock, Watched(registry, known, Rules(), 86_400), _off)


def _off(rule: str, error: Exception) -> None:
    raise AssertionError(rule) from error
