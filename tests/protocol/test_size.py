"""What a window costs on the wire, and whether everything at its bounds still fits."""

import random
import statistics

from hil.benchmarks import realistic
from protocol import frame, limits, mac, record

KEY = mac.Key(bytes(range(32)), 1)
FIRST_BYTES_MAX = 560
NEXT_BYTES_MAX = 430


def sealed(records: list[bytes]) -> bytes:
    return frame.seal_frame(KEY, "T0001", 0xDEADBEEF, 12, 400_000_123, records)


def test_nine_three_phase_points_cost_what_was_promised() -> None:
    """FR-45: the worst of 1,000 windows of 9 three-phase points, everything in them."""
    rnd = random.Random(20260101)
    ones, nexts = [], []
    for number in range(1000):
        records = [record.encode_window(20_000 + n, realistic.window(rnd, 9, n)) for n in (number, number + 1)]
        ones.append(len(sealed(records[:1])))
        nexts.append(len(sealed(records)) - ones[-1])
    print(f"frame of one window: {statistics.mean(ones):.0f} bytes, at most {max(ones)} (bound {FIRST_BYTES_MAX})")
    print(f"each further window: {statistics.mean(nexts):.0f} bytes, at most {max(nexts)} (bound {NEXT_BYTES_MAX})")
    assert max(ones) <= FIRST_BYTES_MAX
    assert max(nexts) <= NEXT_BYTES_MAX


def test_the_most_points_at_their_bounds_fit_a_frame() -> None:
    """FR-42"""
    top = limits.POWER_W_MAX
    values = [
        899, 1, 899, top, -top, top, *[limits.ENERGY_WH_MAX] * 4, limits.VOLTAGE_DV_MAX, 0, 0, top, -top, -top, -1000,
        limits.FLAGS_MAX, limits.SAMPLES_DUE_MAX, top,
    ]  # fmt: skip
    wide = record.Reading(*values)
    most = limits.UINT32_MAX
    window = record.Window(most, 900, most, most, 3, 0xFFFF, limits.SAMPLES_DUE_MAX, [wide] * limits.POINTS_MAX)
    data = frame.seal_frame(KEY, "T0001", most, most, limits.UPTIME_MS_MAX, [record.encode_window(most, window)])
    assert len(data) <= limits.FRAME_BYTES_MAX
    assert frame.open_frame(data, "T0001", {1: KEY}).records[0].body == window


def test_the_most_records_fit_a_frame() -> None:
    """FR-43: the shortest records that say something."""
    most = limits.UINT32_MAX
    event = record.Event(most, most, most, 3, 0xFFFF, record.BOOT, None, [1])
    records = [record.encode_event(most - n, event) for n in range(limits.RECORDS_MAX)]
    assert len(sealed(records)) <= limits.FRAME_BYTES_MAX
