"""How much the terminal's flash holds and how long it lives: a real LittleFS of 8 MiB, windows of real size."""

import json
from pathlib import Path

import pytest

from hil import flash_life, micropython
from hil.flash_life import BLOCKS, DAY_WINDOWS, ENDURANCE, FULL_WINDOWS, Life, live, write_records

HALF_A_YEAR = 182 * DAY_WINDOWS
SEGMENTS = 252


@pytest.mark.slow
def test_an_8_mib_flash_holds_six_months_of_windows_of_9_points(tmp_path: Path) -> None:
    """R-04: nothing is dropped, and each window can be read again after a restart, with not one acknowledged."""
    records = write_records(tmp_path / "records", seed=4)
    assert sum(map(len, records)) / len(records) > 410, "as SPEC.md has them"
    live(tmp_path, "log", HALF_A_YEAR, 0, seed=4)
    status, said = micropython.run("log_dump", tmp_path / "log.img", SEGMENTS, blocks=BLOCKS, timeout_s=300)
    assert status == 0, said[-2000:]
    head, start, *found = [json.loads(line) for line in said.splitlines()]
    assert (head["next"], start["event"]) == (HALF_A_YEAR + 2, 1)
    assert [one["seq"] for one in found] == list(range(2, HALF_A_YEAR + 2))
    sizes = [len(one) for one in records]
    assert all(abs(one["bytes"] - sizes[n % len(sizes)]) <= 2 for n, one in enumerate(found)), "the number is shorter"


@pytest.mark.slow
def test_ten_years_of_a_full_log_leave_the_worst_block_far_from_worn(tmp_path: Path) -> None:
    """R-22: counted over four simulated weeks of a log that is full: appends, acks, counters, a restart a day."""
    life = live(tmp_path, "log", FULL_WINDOWS, 28 * DAY_WINDOWS)
    assert life.worst_in_ten_years < ENDURANCE // 4, life.worst_in_ten_years
    assert life.erases / life.windows < 1.5
    assert max(life.counters_erases) > 0, "counted too"


def test_what_a_week_costs_is_carried_on_to_ten_years() -> None:
    """R-22: by the block that is erased most, of either flash."""
    week = Life(7 * DAY_WINDOWS, 1, 90, 1, 100, [3, 5, 2], [40, 40], [1, 2000], [0, 1], [2, 10])
    assert week.worst_in_ten_years == 20875
    assert Life(7 * DAY_WINDOWS, 1, 9, 1, 1, [3, 50, 2], [40, 40], [1], [0], [1]).worst_in_ten_years == 26093
    assert round(week.flash_ms_per_window * week.windows) == 90 * flash_life.ERASE_MS + 40
    assert week.append_ms == [pytest.approx(0.801), pytest.approx(51)]
