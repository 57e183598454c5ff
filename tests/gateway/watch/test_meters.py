"""A meter that a terminal learns is held against what was told of it before, over erased flashes and other hardware."""

from pathlib import Path

import pytest

from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.registry import Point, Registry
from gateway.watch import service
from gateway.watch.rules import Rules
from gateway.watch.screen import SETTLE_S
from gateway.watch.store import Store
from gateway.watch.watcher import Watched, Watcher
from protocol import record
from tests.gateway.support import NOW_S, Sender, StillClock, accept, commit, event, terminal_of

SENDER = Sender()
POINTS = {1: Point(number=1, name="furnace", kind="production"), 2: Point(number=2, name="fan", kind="treatment")}
HOUR_S = 3600
SWAPPED, RATIO = ("T0001/1", service.METER_SWAPPED), ("T0001/1", service.RATIO_CHANGED)
LEARNT = record.METER_LEARNT

Said = tuple[int, int, list[int]]  # epoch, code, values


def alarms(folder: Path, said: list[Said], *, has_time: bool, steps: bool) -> list[tuple[str, str]]:
    """What is found where point 1's events come an hour apart; steps: with a watch that is begun anew after each."""
    clock, journal = StillClock(NOW_S), Journal(folder, VerifyConfig())
    watched = Watched(Registry([terminal_of(SENDER, POINTS)]), [], Rules(), 86_400)
    for seq, (epoch, code, values) in enumerate(said):
        time_s = clock.now_s if has_time else None
        told = [event(2 * seq, time_s, code=code, point=1, values=values)]
        told += [event(2 * seq + 1, time_s, code=LEARNT, point=2, values=[5, 5, 5])]  # another meter, the same one
        commit(journal, [accept(SENDER, SENDER.frame(told, epoch), POINTS, clock.now_s)])
        clock.now_s += HOUR_S
        if steps:
            look(folder, clock, watched)
    look(folder, clock, watched)
    journal.close()
    store = Store(folder)
    found = sorted((one.subject, one.kind) for one in store.rows() if one.kind in {SWAPPED[1], RATIO[1]})
    store.close()
    return found


def look(folder: Path, clock: StillClock, watched: Watched) -> None:
    clock.now_s += SETTLE_S
    store = Store(folder)
    watcher = Watcher(folder, store, clock, watched, _off)
    watcher.look()
    watcher.close()
    store.close()


def _off(rule: str, error: Exception) -> None:
    raise AssertionError(rule) from error


@pytest.mark.parametrize("has_time", [True, False], ids=["with a time", "before the time is known"])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([(7, LEARNT, [7001, 80_000, 1000])], []),
        ([(7, LEARNT, [7001, 80_000, 1000]), (8, LEARNT, [7001, 80_000, 1000])], []),
        ([(7, LEARNT, [7001, 80_000, 1000]), (8, LEARNT, [7002, 80_000, 1000])], [SWAPPED]),
        ([(7, LEARNT, [7001, 80_000, 1000]), (8, LEARNT, [7002, 8000, 0])], [SWAPPED, RATIO]),
        ([(7, LEARNT, [7001, 80_000, 1000]), (8, LEARNT, [0, 0, 0]), (9, LEARNT, [7002, 0, 0])], [SWAPPED]),
        ([(7, record.METER_SWAPPED, [7001, 7002]), (8, LEARNT, [7002, 0, 0])], [SWAPPED]),  # the first one alone
        ([(7, record.RATIO_CHANGED, [1, 40, 1, 1]), (8, LEARNT, [0, 20, 1])], [RATIO, RATIO]),
    ],
)
def test_a_meter_that_was_swapped_while_the_flash_was_erased_is_an_alarm(
    tmp_path: Path, said: list[Said], expected: list[tuple[str, str]], *, has_time: bool
) -> None:
    """P-340: whatever the log's epoch, whether the terminal knew the time, however often the watch began anew."""
    for name, steps in (("once", False), ("steps", True)):
        folder = tmp_path / name
        folder.mkdir()
        assert alarms(folder, said, has_time=has_time, steps=steps) == expected, name
