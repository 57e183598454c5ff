"""A watch that is started again goes on where it stopped: it does not look at days of every linkage and terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.registry import Registry
from gateway.watch.enterprises import Enterprise, Linkage, PointId
from gateway.watch.looks import Looks
from gateway.watch.rules import Rules
from gateway.watch.screen import SETTLE_S
from gateway.watch.slots import SLOT_S
from gateway.watch.store import Store
from gateway.watch.watcher import REPLAYS_A_LOOK, Watched, Watcher
from tests.gateway.support import NOW_S, Sender, StillClock, accept, commit, reading, terminal_of, window
from tests.gateway.watch.plant import POINTS

SENDER = Sender()
POINT_1, POINT_2 = PointId(SENDER.name, 1), PointId(SENDER.name, 2)
LINKAGE = Linkage("line", (POINT_1,), (POINT_2,), 1000, 300, 300, needs_all=True, start_slots=1, run_on_slots=0)
COUNT = 8


class World:
    """A gateway's journal, and a watch that is started anew at will. exact: the looks that it took."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.clock, self.exact = folder, StillClock(NOW_S), list[str]()
        self.journal, self.store = Journal(folder, VerifyConfig()), Store(folder)
        for name in ("linkages", "points"):
            monkeypatch.setattr(Looks, name, self._noted(name, getattr(Looks, name)))

    def _noted(self, name: str, look: Any) -> Any:
        def noted(*args: Any) -> Any:
            self.exact.append(name)
            return look(*args)

        return noted

    def started(self, linkages: Sequence[Linkage] = (LINKAGE,)) -> Watcher:
        watched = Watched(
            Registry([terminal_of(SENDER, POINTS)]), [Enterprise("E1", "E1", tuple(linkages), ())], Rules(), 86_400
        )
        return Watcher(self.folder, self.store, self.clock, watched, _off)

    def window(self, watcher: Watcher, number: int) -> list[str]:
        """A window comes, and is looked at: what was looked at exactly."""
        start_s = NOW_S + number * SLOT_S
        self.clock.now_s = start_s + SLOT_S + 5
        shown = [
            reading(p_mean_w=one + number, p_min_w=one, p_max_w=2 * one, e_import_wh=10**6 + 1000 * number, ia_ma=one)
            for one in (5000, 900)
        ]
        sealed = SENDER.frame([window(number, start_s, shown)])
        commit(self.journal, [accept(SENDER, sealed, POINTS, self.clock.now_s)])
        self.clock.now_s += SETTLE_S + 1
        self.exact.clear()
        watcher.look()
        return list(self.exact)

    def close(self) -> None:
        self.store.close()
        self.journal.close()


def _off(rule: str, error: Exception) -> None:
    raise AssertionError(rule) from error


def test_a_watch_that_is_started_again_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-360: and looks anew at what enterprises.toml has made another linkage of."""
    world = World(tmp_path, monkeypatch)
    watcher = world.started()
    assert world.window(watcher, 0) == ["linkages", "points"]
    assert [world.window(watcher, number) for number in range(1, COUNT)] == [[]] * (COUNT - 1)
    for number in range(COUNT, 2 * COUNT):
        watcher.close()
        watcher = world.started()
        assert world.window(watcher, number) == [], number
    watcher.close()
    watcher = world.started([LINKAGE._replace(production_on_w=2000)])
    assert world.window(watcher, 2 * COUNT) == ["linkages"]
    watcher.close()
    world.close()


def test_terminals_take_turns_at_being_held_against_their_history(tmp_path: Path) -> None:
    """P-361: those whose windows come a day late again and again are in nobody's way."""
    senders = [Sender(f"T{number}") for number in range(REPLAYS_A_LOOK + 2)]
    registry = Registry([terminal_of(one, POINTS) for one in senders])
    journal, store, clock = Journal(tmp_path, VerifyConfig()), Store(tmp_path), StillClock(NOW_S)
    watcher = Watcher(tmp_path, store, clock, Watched(registry, [], Rules(), 86_400), _off)
    shown = [reading(), reading(p_mean_w=4001)]
    for number in range(3):
        for one in senders[:REPLAYS_A_LOOK]:
            sealed = one.frame([window(number, NOW_S - (96 + 3 - number) * SLOT_S, shown)])
            commit(journal, [accept(one, sealed, POINTS, clock.now_s)])
        clock.now_s += SETTLE_S + 1
        watcher.look()
    assert set(store.replayed_s()) == {one.name for one in senders}
    for each in (watcher, store, journal):
        each.close()
