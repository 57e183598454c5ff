"""Logs as terminals write them, drawn."""

from typing import Any

from hypothesis import strategies as st

from tests.gateway.support import NOW_S, event, reading, window

# one record of a terminal's log: (is a window, knows the time, boots before it, energy step in Wh, clock's step in s)
entries = st.tuples(
    st.integers(0, 9).map(lambda n: n > 1),
    st.booleans(),
    st.integers(0, 7).map(lambda n: n == 0),
    st.sampled_from([0, 100, 2000, 2500, 50_000, -7]),
    st.sampled_from([0, 0, 0, 3600, -900]),
)


def log_of(steps: list[tuple[bool, bool, bool, int, int]]) -> list[bytes]:
    """A log as a terminal would have written it: time, uptime and registers run on from record to record."""
    records, boot, boot_s, energy_wh, now_s = [], 1, NOW_S - 10**6, 10**6, NOW_S - 10**6
    for seq, (is_window, timed, boots, step_wh, clock_step_s) in enumerate(steps, start=1):
        now_s += 900
        if boots:
            boot, boot_s = boot + 1, now_s - 900
        energy_wh += step_wh
        time: dict[str, Any] = {"boot": boot, "clock_error_s": 5 if clock_step_s else 1}
        shown_s = now_s + clock_step_s if timed else None
        if is_window:
            start_s = None if shown_s is None else shown_s - 900
            values = [reading(e_import_wh=energy_wh)]
            records.append(window(seq, start_s, values, end_uptime_s=now_s - boot_s, **time))
        else:
            records.append(event(seq, shown_s, uptime_s=now_s - boot_s, **time))
    return records
