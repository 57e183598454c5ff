"""The gauges of the last day: what they say is what the ledger says, and they say it soon."""

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.gaps import watch
from gateway.gaps.cells import Cell
from gateway.gaps.source import Source
from gateway.gaps.watch import CELLS, DAY_S, DayCells, count, take
from gateway.gaps.words import CAUSES, CELL_S, LINK_DOWN, METER_SILENT, TERMINAL_OFF
from gateway.registry import Terminal
from hil.broker import Broker
from tests.gateway.gaps.world import BEGIN_S, TERMINAL, World, seen, stores_of
from tests.gateway.support import (
    NOW_S,
    POINT,
    Device,
    Running,
    Sender,
    StillClock,
    event,
    reading,
    window,
    write_config,
)

SENDER = Sender()


@given(st.lists(st.tuples(st.integers(0, 3 * CELLS), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))))
def test_a_days_cells_are_kept_and_no_older_one_takes_a_newer_ones_place(
    added: list[tuple[int, int, int]],
) -> None:
    cells = DayCells()
    model: dict[int, Cell] = {}
    for number, received, silent in added:
        cells.add((10_000 + number) * CELL_S, received, silent)
        one = model.get(number, Cell())
        model[number] = Cell(one.in_time | received, 0, one.silent | silent)
    newest = max(model, default=0)
    for number in range(newest - CELLS + 1, newest + 1):
        expected = (model[number].in_time, model[number].silent) if number in model else None
        assert cells.get((10_000 + number) * CELL_S) in {expected, None}
        if list(model) == sorted(model):
            assert cells.get((10_000 + number) * CELL_S) == expected


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_the_gauges_say_what_the_ledger_says(seed: int, commissioned: bool) -> None:
    world, chance = World(seed, cells=150), random.Random(seed)
    terminal = TERMINAL if commissioned else Terminal("T0001", {}, {1: POINT})
    with tempfile.TemporaryDirectory(), stores_of(world) as (folder, stores):
        source, cells, last = Source(folder, CELL_S), {"T0001": DayCells()}, 0
        for _ in range(4):
            now_s = BEGIN_S + chance.randrange(150) * CELL_S + 400
            stores.advance(now_s)
            while (newest := take(source, cells, last)) > last:
                last = newest
            found = count(source, terminal, source.terminals().get("T0001"), cells["T0001"], now_s)
            begin_s = now_s // CELL_S * CELL_S - DAY_S
            if commissioned:
                states = Counter(state for state, _ in seen(folder, max(begin_s, BEGIN_S), now_s).values())
                assert found["due"] == states.total()
                assert found["received"] == states["present"] + states["late"]
                assert {cause: found[cause] for cause in CAUSES} == {cause: states[cause] for cause in CAUSES}
            assert found["due"] == found["received"] + sum(found[cause] for cause in CAUSES)
        source.close()


def test_a_silent_terminal_is_seen_within_35_minutes_and_afterwards_power_and_link_are_told_apart(
    tmp_path: Path,
    broker: Broker,
    start: Callable[[Path], Running],
    device: Callable[..., Device],
    clock: StillClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S-10"""
    monkeypatch.setattr(watch, "COUNT_EVERY_S", 0.1)
    monkeypatch.setattr(watch, "IDLE_S", 0.1)
    config = write_config(tmp_path, broker.port, [SENDER])
    running, terminal = start(config), device()

    def shows(**expected: int) -> None:
        """Wait until the gauges show these causes, and no other."""
        until_s, found = time.monotonic() + 60, None
        while found != expected or not running.metric("wattline_windows_received"):
            assert time.monotonic() < until_s, found
            time.sleep(0.05)
            shown = {cause: running.metric("wattline_windows_missing", cause=cause) for cause in CAUSES}
            found = {cause: int(value) for cause, value in shown.items() if value}

    def send(*records: bytes) -> None:
        terminal.publish("T0001", SENDER.frame(list(records)))

    send(*(window(cell, NOW_S - 900 * (5 - cell), boot=1, end_uptime_s=900 * cell) for cell in (1, 2, 3)))
    shows()  # the window before NOW_S has only just ended
    assert running.metric("wattline_windows_due") == 3
    send(window(4, NOW_S - 900, [1], boot=1, end_uptime_s=3600))
    clock.now_s += 35 * 60
    shows(**{METER_SILENT: 1, LINK_DOWN: 2})
    # it was the power: the number that follows is of the next start
    send(event(5, clock.now_s, boot=2, uptime_s=5))
    shows(**{METER_SILENT: 1, TERMINAL_OFF: 2})
    # it was the link: there are numbers between
    clock.now_s += 65 * 60
    send(window(10, NOW_S + 4500, [reading()], boot=2, end_uptime_s=3300))
    shows(**{METER_SILENT: 1, TERMINAL_OFF: 2, LINK_DOWN: 3})
