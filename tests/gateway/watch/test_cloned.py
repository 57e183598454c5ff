"""A terminal and its copy: in whichever way the copy speaks, it is told within two quarters of an hour."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.registry import Registry
from gateway.watch import service
from gateway.watch.came import Came
from gateway.watch.rules import Rules
from gateway.watch.slots import SLOT_S
from gateway.watch.store import Store
from gateway.watch.watcher import LOOK_EVERY_S, Watched, Watcher
from tests.gateway.support import CONFLICT, NOW_S, Sender, StillClock, accept, commit, reading, terminal_of, window
from tests.gateway.watch.plant import POINTS

SENDER = Sender()
WAKES_S = NOW_S + 4 * SLOT_S + 400  # the copy
INTERVALS = 2


class World:
    """A gateway's journal and a watch, which looks every half minute."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.journal, self.store = StillClock(NOW_S), Journal(folder, VerifyConfig()), Store(folder)
        watched = Watched(Registry([terminal_of(SENDER, POINTS)]), [], Rules(), 86_400)
        self.watcher = Watcher(folder, self.store, self.clock, watched, _off)

    def says(self, seq: int, slot: int, power_w: int, epoch: int) -> str:
        """A window is sent; what became of it."""
        shown = [reading(p_mean_w=power_w + one, p_min_w=1, p_max_w=9999, e_import_wh=10**6 + seq) for one in (0, 7)]
        sealed = SENDER.frame([window(seq, NOW_S + slot * SLOT_S, shown)], epoch)
        ((outcome,),) = commit(self.journal, [accept(SENDER, sealed, POINTS, self.clock.now_s)])
        return outcome

    def passes(self, until_s: int) -> None:
        while self.clock.now_s < until_s:
            self.clock.now_s += int(LOOK_EVERY_S)
            self.watcher.look()

    def close(self) -> None:
        for each in (self.watcher, self.store, self.journal):
            each.close()


def _off(rule: str, error: Exception) -> None:
    raise AssertionError(rule) from error


@pytest.mark.parametrize("epoch", [SENDER.epoch, SENDER.epoch + 1])
def test_a_copy_is_told_within_two_intervals(tmp_path: Path, epoch: int) -> None:
    """S-07: under the log that it copied it is refused, as its alarm says; under a made-up one the watch tells."""
    world, told_s = World(tmp_path), list[int]()
    for slot in range(8):
        ends_s = NOW_S + (slot + 1) * SLOT_S
        world.passes(ends_s)
        assert world.says(slot, slot, 4000 + slot, SENDER.epoch) == "new"
        if ends_s > WAKES_S and world.says(slot, slot, 5000 + slot, epoch) == CONFLICT:
            told_s.append(world.clock.now_s)
    world.passes(NOW_S + 10 * SLOT_S)
    found = [row for row in world.store.rows() if row.kind == service.CLONED]
    told_s += [row.found_ms // 1000 for row in found]
    assert len(found) == (epoch != SENDER.epoch)
    assert all(row.from_s == WAKES_S // SLOT_S * SLOT_S and row.subject == SENDER.name for row in found)
    assert WAKES_S < min(told_s) <= WAKES_S + INTERVALS * SLOT_S
    world.close()


def windows(starts: Sequence[int], epoch: int) -> list[Came]:
    return [Came("T1", one * SLOT_S, one * SLOT_S, (one + 1) * SLOT_S, 1, epoch=epoch) for one in dict.fromkeys(starts)]


slots = st.lists(st.integers(1, 20), max_size=12)


@given(slots, slots, st.randoms(use_true_random=False))
def test_times_of_which_two_logs_tell_are_found_and_no_others(mine: list[int], others: list[int], rnd: object) -> None:
    """P-362: in whatever order they came."""
    came = [*windows(mine, 7), *windows(others, 8)]
    rnd.shuffle(came)  # type: ignore[attr-defined]
    told = {at for one in service.cloned(came) for at in range(one.from_s, one.to_s, SLOT_S)}
    assert told == {SLOT_S * one for one in {*mine} & {*others}}


def test_a_log_that_goes_on_under_another_epoch_is_no_copy() -> None:
    """P-362: a flash image that was put back, a log that was formatted."""
    ends_early = windows([6], 7)[0]._replace(to_s=6 * SLOT_S + 300)
    goes_on = windows([6], 9)[0]._replace(from_s=6 * SLOT_S + 310)
    assert list(service.cloned([*windows(range(6), 7), ends_early, goes_on, *windows(range(7, 12), 9)])) == []
