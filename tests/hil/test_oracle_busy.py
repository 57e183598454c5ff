"""The oracle beside a terminal on a busy machine: the firmware's own windows of polls and stamps that come late."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from terminal import window

import firmware  # noqa: F401  (puts the terminal's modules on the path)
from hil.oracle import judge
from hil.oracle.evidence import Kept, Poll, Truth
from protocol import record
from tests.hil import oracle_world as world

WINDOWS = 4
TOLERANCE_MS = 3_600  # what a second's sixteenth is at x60, as the bench has it
LAG_MS = 30_000
INTERVAL_MS = 1_000 * world.INTERVAL_S
THRESHOLD_W = 500
POINTS = (1, 2)
NO_ROLL = (0, 0, 0, 0)
# ms between an instant and the question, and between an answer and its stamp: mostly none, at times the machine's worst
STALLS = (0, 0, 0, 0, 200, 200, 1_500, 8_000, 14_000, 24_000)
CALM = (0, 200)
CLOCK_OFF_MS = (-2_500, -40, 0, 40, 2_500)  # of the terminal: within the tolerance, less the second that is cut off


def played(seed: int, stalls: Sequence[int] = STALLS, stamped_late_ms: int = 0) -> tuple[Truth, list[Kept]]:
    """What the meters showed, and what the terminal's own code makes of it; stamped_late_ms: a fault of its own."""
    draw = random.Random(seed)
    off_ms = draw.choice(CLOCK_OFF_MS)
    specs = [window.Point(point, THRESHOLD_W, 10**6, 10**6, NO_ROLL) for point in POINTS]
    begin_ms = world.START_MS - 120_000
    uptime_ms = 0
    aggregator = window.Aggregator(specs, world.INTERVAL_S, 1, _instant(uptime_ms, begin_ms))
    windows: list[record.Window] = []
    polls: dict[int, list[Poll]] = {point: [] for point in POINTS}
    while len(windows) < WINDOWS + 1:
        uptime_ms = aggregator.next_slot_ms(uptime_ms)
        windows += aggregator.tick(_instant(uptime_ms, begin_ms))
        for point in POINTS:
            uptime_ms += draw.choice(stalls)
            values = {
                "p_w": draw.choice((0, 400, 600, 900)),
                "e_import_wh": uptime_ms // 100 + 7 * point,
            }
            polls[point].append(Poll(begin_ms + uptime_ms + off_ms, values))
            uptime_ms += draw.choice(stalls)
            windows += aggregator.tick(_instant(uptime_ms, begin_ms))
            aggregator.sample(point, uptime_ms + stamped_late_ms, {**values})
    told = world.truth(WINDOWS)
    truth = replace(
        told, polls=polls, unanswered={}, tolerance_ms=TOLERANCE_MS, lag_ms=LAG_MS, busy_ms=300_000,
        thresholds_w=dict.fromkeys(POINTS, THRESHOLD_W),
    )  # fmt: skip
    return truth, [world.kept(one, number) for number, one in enumerate(windows[: WINDOWS + 1])]


def _instant(uptime_ms: int, begin_ms: int) -> window.Instant:
    return window.Instant(uptime_ms, begin_ms + uptime_ms, record.CLOCK_SNTP, 0)


@given(st.integers(0, 2**32))
def test_a_terminal_on_a_busy_machine_is_believed(seed: int) -> None:
    """P-483: rounds and stamps as late as a busy bench makes them, at a window's edge too."""
    truth, records = played(seed)
    assert [one.text for one in judge(truth, world.journal(records), {}).findings] == []


@given(st.integers(0, 2**32), st.integers(1, WINDOWS), st.sampled_from(POINTS))
def test_the_register_of_an_earlier_sample_is_stale_on_a_busy_machine_too(seed: int, number: int, point: int) -> None:
    """P-483"""
    truth, records = played(seed)
    shown = [poll for poll in truth.polls[point] if poll.t_ms < world.START_MS + number * 1_000 * world.WINDOW_S]
    lie = {"e_import_wh": shown[-4].values["e_import_wh"]}
    found = judge(truth, world.journal(_with(records, number, point, lie)), {}).findings
    assert [one.code for one in found] == ["reading_stale"]


@given(st.integers(0, 2**32), st.integers(15_000, 25_000))
def test_a_terminal_that_stamps_each_sample_late_is_not_taken_for_a_busy_machine(seed: int, late_ms: int) -> None:
    """P-483: no machine is so busy at each."""
    truth, records = played(seed, CALM, late_ms)
    codes = {one.code for one in judge(truth, world.journal(records), {}).findings}
    assert "reading_stale" in codes, (seed, late_ms)


@given(st.integers(0, 2**32), st.integers(1, WINDOWS), st.sampled_from(POINTS), st.sampled_from((-1, 1)))
def test_on_a_calm_machine_a_small_lie_is_found(seed: int, number: int, point: int, sign: int) -> None:
    """P-483: what is allowed on a busy machine is not on a calm one."""
    truth, records = played(seed, CALM)
    reading = world.body(records[number]).readings[point - 1]
    assert isinstance(reading, record.Reading)
    assert reading.p_mean_w is not None
    for lie in ({"p_mean_w": reading.p_mean_w + sign * 60}, {"run_s": abs(reading.run_s + sign * 30)}):
        assert judge(truth, world.journal(_with(records, number, point, lie)), {}).findings, lie


def _with(records: list[Kept], number: int, point: int, lie: Mapping[str, int]) -> list[Kept]:
    return [world.altered(one, point, **lie) if at == number else one for at, one in enumerate(records)]
