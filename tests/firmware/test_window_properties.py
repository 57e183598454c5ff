"""Windows against a naive model, over random samples, silences and clocks that are set and stepped."""

from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from terminal import window

import firmware  # noqa: F401  (puts the terminal's modules on the path)
from protocol import limits, record

START_S = 1772380800
INTERVAL_S = 30
INTERVAL_MS = 1000 * INTERVAL_S


class Moment(NamedTuple):
    """One tick, and what followed it: a sample (power in W), a reason, or nothing."""

    wait_ms: int
    step_ms: int | None  # the clock is set to Unix START_S + uptime + this much; None: left alone
    power_w: int | None
    reason: int | None


moments = st.lists(
    st.builds(
        Moment,
        st.one_of(st.integers(1, 90_000), st.integers(1, 2_000_000)),
        st.one_of(st.none(), st.none(), st.none(), st.integers(-4_000_000, 4_000_000), st.integers(-12_000, 12_000)),
        st.one_of(st.none(), st.integers(-5_000, 5_000)),
        st.one_of(st.none(), st.integers(1, 4)),
    ),
    max_size=120,
)


def played(story: list[Moment], offset_ms: int | None) -> tuple[list[record.Window], list[tuple[int, int]]]:
    """The windows closed by the story's end, and its samples as (uptime ms, W)."""
    uptime_ms = 1234
    now = instant(uptime_ms, offset_ms)
    aggregator = window.Aggregator([window.Point(1, 500, 60_000, 1000, (0, 0, 0, 0))], INTERVAL_S, 1, now)
    windows: list[record.Window] = []
    samples: list[tuple[int, int]] = []
    for moment in story:
        uptime_ms += moment.wait_ms
        if moment.step_ms is not None:
            offset_ms = 1000 * START_S + moment.step_ms
        windows += aggregator.tick(instant(uptime_ms, offset_ms))
        if moment.power_w is not None:
            aggregator.sample(1, uptime_ms, {"p_w": moment.power_w, "e_import_wh": len(samples)})
            samples.append((uptime_ms, moment.power_w))
        elif moment.reason is not None:
            aggregator.miss(1, moment.reason)
    return windows, samples


def instant(uptime_ms: int, offset_ms: int | None) -> window.Instant:
    if offset_ms is None:
        return window.Instant(uptime_ms, None, record.CLOCK_NONE, 65535)
    return window.Instant(uptime_ms, uptime_ms + offset_ms, record.CLOCK_RTC, 1)


def spoken(samples: list[tuple[int, int]], start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """(W, ms) for each sample of one window, by the rule's words."""
    lead_ms = samples[0][0] - start_ms
    found = [(samples[0][1], lead_ms if 0 < lead_ms <= INTERVAL_MS else 0)]
    for (at_ms, power_w), (next_ms, _) in pairwise([*samples, (end_ms, 0)]):
        gap_ms = next_ms - at_ms
        found.append((power_w, max(gap_ms if gap_ms <= 1.5 * INTERVAL_MS else INTERVAL_MS, 1)))
    return found


def nearest(value: Fraction) -> int:
    """Half away from zero."""
    whole = int(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


@given(moments, st.one_of(st.none(), st.integers(1000 * START_S, 1000 * START_S + 900_000)))
def test_every_closed_window_is_valid_on_the_wire(story: list[Moment], offset_ms: int | None) -> None:
    windows, _ = played(story, offset_ms)
    for found in windows:
        assert record.decode_record(record.encode_window(1, found)).body == found


@given(moments, st.one_of(st.none(), st.integers(1000 * START_S, 1000 * START_S + 900_000)))
def test_windows_follow_each_other_and_no_time_is_made_up(story: list[Moment], offset_ms: int | None) -> None:
    windows, _ = played(story, offset_ms)
    for before, after in pairwise(windows):
        gap_s = after.end_uptime_s - after.length_s - before.end_uptime_s
        # whole seconds of instants in ms; small corrections of the clock, which move ends and not lengths; and a
        # beginning that was cut before anything was due in it
        assert abs(gap_s) <= window.STEP_MS // 1000 * 2 + 2 + INTERVAL_S
        assert after.end_uptime_s >= before.end_uptime_s
        if before.length_s == after.length_s == 900 and None not in (before.start_s, after.start_s):
            assert after.start_s % 900 == 0
    for found in windows:
        assert (found.start_s is None) == (found.clock_source == record.CLOCK_NONE)
        if found.start_s is not None and found.length_s == 900:
            assert found.start_s % 900 == 0
    if offset_ms is not None and all(moment.step_ms is None for moment in story):
        for before, after in pairwise(windows):
            assert after.start_s == before.start_s + 900
            assert after.end_uptime_s == before.end_uptime_s + 900


@given(moments)
def test_readings_are_those_of_the_naive_model(story: list[Moment]) -> None:
    """R-09: what stands in a window comes from samples of that window, or is a reason."""
    steady = [moment._replace(step_ms=None) for moment in story]
    windows, samples = played(steady, 1000 * START_S)
    for found in windows:
        start_ms, end_ms = 1000 * (found.start_s - START_S), 1000 * (found.start_s - START_S + 900)
        inside = [sample for sample in samples if start_ms <= sample[0] < end_ms]
        reading = found.readings[0]
        if not inside:
            assert isinstance(reading, int)
            continue
        weights = spoken(inside, start_ms, end_ms)
        total = sum(span_ms for _, span_ms in weights)
        assert reading.p_mean_w == nearest(Fraction(sum(w * span_ms for w, span_ms in weights), total))
        assert (reading.p_min_w, reading.p_max_w) == (min(w for _, w in inside), max(w for _, w in inside))
        assert reading.e_import_wh == samples.index(inside[-1])
        assert reading.first_s == (inside[0][0] - start_ms) // 1000
        assert reading.last_s == min((end_ms - inside[-1][0]) // 1000, 900 - reading.first_s)
        run_ms = sum(span_ms for w, span_ms in weights if w > 500)
        assert reading.run_s == min((run_ms + 500) // 1000, 900)
        assert reading.missed == max(30 - len(inside), 0)
        assert bool(reading.flags & record.FLAG_FEW_SAMPLES) == (len(inside) < 22.5)


@given(moments, st.one_of(st.none(), st.integers(1000 * START_S, 1000 * START_S + 900_000)))
def test_no_sample_counts_in_two_windows_and_none_is_lost(story: list[Moment], offset_ms: int | None) -> None:
    windows, samples = played(story, offset_ms)
    taken = [found.readings[0] for found in windows if not isinstance(found.readings[0], int)]
    energies = [reading.e_import_wh for reading in taken]
    assert energies == sorted(set(energies))
    assert all(0 <= energy < len(samples) for energy in energies)
    assert all(found.samples_due <= limits.SAMPLES_DUE_MAX for found in windows)
