# Windows: what is closed, when, and what stands in it. Runs on both interpreters.
from terminal import window

from protocol import record

START_S = 1772380800  # 2026-03-01T16:00:00Z, a quarter of an hour
NEVER = (0, 0, 0, 0)  # no register rolls over
POINT = window.Point(1, 500, 60000, 1000, NEVER)


def aggregator(uptime_ms: int = 0, unix_ms: "int | None" = 1000 * START_S, interval_s: int = 5) -> window.Aggregator:
    return window.Aggregator([POINT], interval_s, 3, now(uptime_ms, unix_ms))


def now(uptime_ms: int, unix_ms: "int | None", source: int = record.CLOCK_RTC) -> window.Instant:
    if unix_ms is None:
        return window.Instant(uptime_ms, None, record.CLOCK_NONE, 65535)
    return window.Instant(uptime_ms, unix_ms, source, 2)


def values(power_w: "int | None", energy_wh: int = 0) -> "dict[str, int | None]":
    return {"p_w": power_w, "e_import_wh": energy_wh, "ua_dv": 2300, "pf_milli": 950}


def run(open_windows: window.Aggregator, first_ms: int, last_ms: int, offset_ms: int, power_w: int = 1000) -> list:  # type: ignore[type-arg]
    # Samples every 5 s from first_ms up to, but without, last_ms; the windows that end by last_ms.
    closed = []
    for at_ms in range(first_ms, last_ms, 5000):
        closed += open_windows.tick(now(at_ms, at_ms + offset_ms))
        open_windows.sample(1, at_ms, values(power_w, at_ms // 1000))
    return closed + open_windows.tick(now(last_ms, last_ms + offset_ms))


def test_a_whole_window() -> None:
    closed = run(aggregator(), 0, 900000, 1000 * START_S)
    assert len(closed) == 1
    found = closed[0]
    assert found[:7] == (START_S, 900, 3, 900, record.CLOCK_RTC, 2, 180)
    assert len(found.readings) == 1
    reading = found.readings[0]
    assert (reading.first_s, reading.last_s, reading.run_s) == (0, 5, 900)
    assert (reading.p_mean_w, reading.p_min_w, reading.p_max_w) == (1000, 1000, 1000)
    assert reading.e_import_wh == 895
    assert reading.e_export_wh is None
    assert (reading.ua_dv, reading.ub_dv, reading.pf_milli) == (2300, None, 950)
    assert (reading.flags, reading.missed, reading.q_mean_var) == (0, 0, None)
    assert record.decode_record(record.encode_window(7, found)).body == found


def test_the_second_window_starts_where_the_first_ended() -> None:
    closed = run(aggregator(), 0, 1800000, 1000 * START_S)
    assert [(w.start_s, w.end_uptime_s) for w in closed] == [(START_S, 900), (START_S + 900, 1800)]


def test_an_old_value_never_stands_in_a_new_window() -> None:
    #
    open_windows = aggregator()
    closed = run(open_windows, 0, 900000, 1000 * START_S)
    for end_ms in (1800000, 2700000, 3600000):
        open_windows.miss(1, record.NONE_SILENT)
        closed += open_windows.tick(now(end_ms, end_ms + 1000 * START_S))
    assert [w.readings[0] for w in closed[1:]] == [record.NONE_SILENT] * 3


def test_a_window_that_was_not_sampled_says_so() -> None:
    closed = aggregator().tick(now(2700000, 1000 * START_S + 2700000))
    assert [w.readings for w in closed] == [[record.NONE_NOT_SAMPLED]] * 3
    assert [w.start_s for w in closed] == [START_S, START_S + 900, START_S + 1800]


def test_points_without_a_number_are_null() -> None:
    open_windows = window.Aggregator([window.Point(3, 500, 60000, 1000, NEVER)], 5, 1, now(0, 1000 * START_S))
    found = open_windows.tick(now(900000, 1000 * START_S + 900000))[0]
    assert found.readings == [None, None, record.NONE_NOT_SAMPLED]


def test_the_first_window_after_a_start_in_mid_quarter() -> None:
    closed = run(aggregator(2000, 1000 * START_S + 600000), 2000, 302000, 1000 * START_S + 598000)
    assert len(closed) == 1
    found = closed[0]
    assert (found.start_s, found.length_s, found.end_uptime_s, found.samples_due) == (START_S, 900, 302, 180)
    reading = found.readings[0]
    assert (reading.first_s, reading.last_s, reading.run_s) == (600, 5, 300)
    assert reading.missed == 120
    assert reading.flags == record.FLAG_FEW_SAMPLES


def test_without_a_clock_windows_go_by_uptime_and_have_no_start() -> None:
    open_windows = aggregator(2000, None)
    closed = []
    for at_ms in range(5000, 1000000, 5000):
        closed += open_windows.tick(now(at_ms, None))
        open_windows.sample(1, at_ms, values(1000))
    assert [(w.start_s, w.length_s, w.end_uptime_s) for w in closed] == [(None, 900, 900)]
    assert closed[0].clock_source == record.CLOCK_NONE
    assert closed[0].clock_error_s == 65535


def test_the_first_set_closes_the_open_window_early() -> None:
    open_windows = aggregator(0, None)
    for at_ms in range(0, 300000, 5000):
        open_windows.tick(now(at_ms, None))
        open_windows.sample(1, at_ms, values(1000))
    unix_ms = 1000 * START_S + 443210
    closed = open_windows.tick(now(300000, unix_ms, record.CLOCK_GATEWAY))
    assert [(w.start_s, w.length_s, w.end_uptime_s, w.samples_due) for w in closed] == [(None, 300, 300, 60)]
    assert closed[0].clock_source == record.CLOCK_NONE
    assert closed[0].readings[0].run_s == 300
    closed = run(open_windows, 300000, 756790 + 1, unix_ms - 300000)
    assert [(w.start_s, w.length_s, w.end_uptime_s) for w in closed] == [(START_S + 444, 456, 756)]
    assert closed[0].readings[0].first_s == 0
    assert open_windows.next_slot_ms(756791) == 756790 + 5000


def test_a_clock_that_is_set_before_anything_was_due_leaves_no_empty_window() -> None:
    open_windows = aggregator(1500, None)
    assert open_windows.tick(now(2500, 1000 * START_S + 600000)) == []
    closed = run(open_windows, 5000, 302500, 1000 * START_S + 597500)
    assert [(w.start_s, w.length_s) for w in closed] == [(START_S + 600, 300)]


def test_a_step_closes_the_open_window_by_the_clock_it_began_with() -> None:
    for step_ms in (3600000, -3600000, 11000, -11000, 86400000, -86400000, 568024668000):
        open_windows = aggregator()
        run(open_windows, 0, 400000, 1000 * START_S)
        unix_ms = 1000 * START_S + 400000 + step_ms
        closed = open_windows.tick(now(400000, unix_ms, record.CLOCK_GATEWAY))
        assert [(w.start_s, w.length_s, w.end_uptime_s) for w in closed] == [(START_S, 400, 400)]
        assert closed[0].clock_source == record.CLOCK_RTC
        closed = open_windows.tick(now(400000 + 900000, unix_ms + 900000, record.CLOCK_GATEWAY))
        assert closed[0].start_s == unix_ms // 1000
        assert (closed[0].start_s + closed[0].length_s) % 900 == 0
        assert closed[0].end_uptime_s == 400 + closed[0].length_s


def test_a_small_correction_moves_the_end_only() -> None:
    for step_ms in (9000, -9000):
        open_windows = aggregator()
        assert run(open_windows, 0, 400000, 1000 * START_S) == []
        closed = run(open_windows, 400000, 900000 - step_ms, 1000 * START_S + step_ms)
        assert [(w.start_s, w.length_s, w.end_uptime_s) for w in closed] == [(START_S, 900, (900000 - step_ms) // 1000)]
        reading = closed[0].readings[0]
        assert reading.first_s + reading.last_s <= 900
        assert reading.run_s <= 900


def test_a_step_after_a_long_stall_closes_the_windows_in_between_first() -> None:
    open_windows = aggregator()
    run(open_windows, 0, 400000, 1000 * START_S)
    closed = open_windows.tick(now(2000000, 1000 * START_S + 2000000 - 7200000, record.CLOCK_GATEWAY))
    assert [(w.start_s, w.length_s) for w in closed] == [(START_S, 900), (START_S + 900, 900), (START_S + 1800, 200)]


def test_means_are_weighted_by_time_and_holes_are_not_filled() -> None:
    open_windows = aggregator(interval_s=100)
    for at_ms, power_w in ((0, 100), (100000, 200), (150000, 400), (700000, 1000)):
        open_windows.tick(now(at_ms, 1000 * START_S + at_ms))
        open_windows.sample(1, at_ms, values(power_w))
    reading = open_windows.tick(now(900000, 1000 * START_S + 900000))[0].readings[0]
    assert not isinstance(reading, int)
    # 100 s of 100 W, 50 s of 200 W, then a hole: 100 s of 400 W, then one of 200 s: 100 s of 1000 W
    assert reading.p_mean_w == (100 * 100 + 50 * 200 + 100 * 400 + 100 * 1000) // 350  # 457.1
    assert reading.run_s == 100
    assert (reading.p_min_w, reading.p_max_w) == (100, 1000)
    assert (reading.missed, reading.flags) == (5, record.FLAG_FEW_SAMPLES)


def test_run_seconds_count_what_is_above_the_threshold() -> None:
    open_windows = aggregator()
    run(open_windows, 0, 300000, 1000 * START_S, 500)
    run(open_windows, 300000, 500000, 1000 * START_S, 501)
    closed = run(open_windows, 500000, 900000, 1000 * START_S, -501)
    assert closed[0].readings[0].run_s == 200


def test_what_is_absent_in_some_samples_is_the_mean_of_the_others() -> None:
    open_windows = aggregator()
    for at_ms in range(0, 900000, 5000):
        open_windows.tick(now(at_ms, 1000 * START_S + at_ms))
        open_windows.sample(1, at_ms, values(1000 if at_ms % 10000 else None))
    reading = open_windows.tick(now(900000, 1000 * START_S + 900000))[0].readings[0]
    assert not isinstance(reading, int)
    assert (reading.p_mean_w, reading.run_s, reading.missed) == (1000, 450, 0)


def test_an_energy_register_that_falls_or_jumps_is_flagged() -> None:
    for energies, expected in (
        ((10, 11, 12), 0),
        ((10, 9, 12), record.FLAG_ENERGY_STEP),
        ((10, 10 + 1083, 1094), 0),  # 60 kW for 5 s, and one step of the register
        ((10, 10 + 1084, 1095), record.FLAG_ENERGY_STEP),
    ):
        open_windows = aggregator()
        for number, energy_wh in enumerate(energies):
            open_windows.tick(now(5000 * number, 1000 * START_S + 5000 * number))
            open_windows.sample(1, 5000 * number, values(1000, energy_wh))
        reading = open_windows.tick(now(900000, 1000 * START_S + 900000))[0].readings[0]
        assert not isinstance(reading, int)
        assert reading.flags & record.FLAG_ENERGY_STEP == expected, energies


def test_an_energy_step_over_a_silence_is_seen_in_the_window_after_it() -> None:
    open_windows = aggregator()
    run(open_windows, 0, 900000, 1000 * START_S)
    open_windows.tick(now(1800000, 1000 * START_S + 1800000))
    open_windows.sample(1, 1800000, values(1000, 5))
    reading = open_windows.tick(now(2700000, 1000 * START_S + 2700000))[0].readings[0]
    assert not isinstance(reading, int)
    assert reading.flags == record.FLAG_ENERGY_STEP | record.FLAG_FEW_SAMPLES


def test_the_grid_of_samples_begins_with_the_window() -> None:
    open_windows = aggregator(2000, 1000 * START_S + 600123, 7)
    start_ms = 2000 - 600123
    assert open_windows.next_slot_ms(2000) == start_ms + 7000 * 86
    assert open_windows.next_slot_ms(start_ms + 7000 * 86) == start_ms + 7000 * 87
    assert open_windows.next_slot_ms(start_ms + 899000) == start_ms + 900000


def rolling(rolls_at_wh: int) -> window.Aggregator:
    point = window.Point(1, 500, 60000, 1000, (rolls_at_wh, 0, 0, 0))
    return window.Aggregator([point], 5, 3, now(0, 1000 * START_S))


def test_an_energy_register_that_begins_again_is_told_and_flagged() -> None:
    # S-16
    one = rolling(1000000000)
    assert one.sample(1, 5000, {"p_w": 1, "e_import_wh": 999999980}) == []
    assert one.sample(1, 10000, {"p_w": 1, "e_import_wh": 30}) == [[0, 999999980, 30, 1000000000]]
    assert one.sample(1, 15000, {"p_w": 1, "e_import_wh": 60}) == []
    reading = one.tick(now(900000, 1000 * START_S + 900000))[0].readings[0]
    assert reading.e_import_wh == 60
    assert reading.flags & record.FLAG_ENERGY_STEP


def test_a_register_that_falls_otherwise_is_flagged_alone() -> None:
    # S-16: another meter, or one that was cleared, is no roll-over
    for before, after, rolls_at_wh in (
        (999999980, 30, 0),  # it never rolls over
        (500000000, 30, 1000000000),  # from the middle
        (999999980, 5000, 1000000000),  # further than 60 kW can go in 5 s, and one step
    ):
        one = rolling(rolls_at_wh)
        one.sample(1, 5000, {"p_w": 1, "e_import_wh": before})
        assert one.sample(1, 10000, {"p_w": 1, "e_import_wh": after}) == []
        reading = one.tick(now(900000, 1000 * START_S + 900000))[0].readings[0]
        assert reading.flags & record.FLAG_ENERGY_STEP
