"""What a record's numbers say, check by check."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cext import decoder
from gateway.config import VerifyConfig
from gateway.registry import Point
from gateway.verify import CHECKS, MARK, REFUSE, Finding, Registers, check_energy, check_record, registers_of
from protocol import record
from tests.gateway.support import NOW_S, POINT, Sender, accept, event, reading, window

CONFIG = VerifyConfig()
DAY_S = 86400
STOPPED = reading(run_s=0)


def opened(raw: bytes) -> decoder.Record:
    sender = Sender()
    return accept(sender, sender.frame([raw])).frame.records[0]


def found(raw: bytes) -> list[Finding]:
    return check_record(opened(raw), {1: POINT}, NOW_S, CONFIG)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (window(1), []),
        (event(1), []),
        (window(1, NOW_S), [Finding("time_in_future", None)]),
        (window(1, NOW_S + DAY_S), [Finding("time_far_in_future", None)]),
        (event(1, NOW_S + 2 * DAY_S), [Finding("time_far_in_future", None)]),
        (window(1, 1_577_836_800 - 1800), [Finding("time_before_2020", None)]),
        (event(1, 0), [Finding("time_before_2020", None)]),
        (window(1, NOW_S - 899), [Finding("window_not_aligned", None)]),
        (window(1, NOW_S - 700, [STOPPED], length_s=700), []),
        (window(1, NOW_S - 700, [STOPPED], length_s=600), [Finding("window_not_aligned", None)]),
        (window(1, None), []),
        (window(1, clock_error_s=65535), [Finding("clock_uncertain", None)]),
        (window(1, readings=[reading(), reading()]), [Finding("point_unknown", 2)]),
        (window(1, readings=[]), [Finding("point_missing", 1)]),
        (window(1, readings=[record.NONE_SILENT]), []),
        (window(1, readings=[reading(flags=record.FLAG_ENERGY_STEP)]), [Finding("energy_step", 1)]),
        (window(1, readings=[reading(flags=record.FLAG_FEW_SAMPLES, missed=90)]), [Finding("few_samples", 1)]),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str([each.check for each in value]),
)
def test_each_check_finds_what_it_names(raw: bytes, expected: list[Finding]) -> None:
    assert found(raw) == expected
    assert all(finding.check in CHECKS for finding in expected)


def test_only_what_cannot_be_true_is_refused() -> None:
    assert {name for name, severity in CHECKS.items() if severity == REFUSE} == {
        "time_before_2020",
        "time_far_in_future",
    }


def registers(**values: Any) -> Registers:
    fields: dict[str, Any] = {"seq": 1, "boot": 1, "uptime_s": 900, "time_s": NOW_S, "import_wh": 0, "export_wh": None}
    return Registers(**{**fields, **values})


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 86400), st.integers(0, 10**7))
def test_a_step_is_marked_exactly_if_rated_power_cannot_explain_it(
    before_wh: int, rated_w: int, span_s: int, step_wh: int
) -> None:
    """S-17."""
    point = Point(number=1, name="p", kind="other", rated_power_w=rated_w)
    before = registers(import_wh=before_wh)
    after = registers(import_wh=before_wh + step_wh, uptime_s=900 + span_s)
    possible = rated_w * span_s // 3600 * 120 // 100 + point.register_step_wh
    assert check_energy(before, after, point, CONFIG) == ("energy_jumped" if step_wh > possible else None)


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.booleans(), st.booleans())
def test_a_register_that_falls_is_marked_whatever_is_known_of_time(
    a: int, b: int, of_export: bool, rebooted: bool
) -> None:
    """S-17."""
    high, low = max(a, b) + 1, min(a, b)
    name = "export_wh" if of_export else "import_wh"
    before = registers(**{name: high})
    after = registers(**{name: low}, boot=2 if rebooted else 1, time_s=None, uptime_s=1800)
    assert check_energy(before, after, POINT, CONFIG) == "energy_fell"


def test_over_a_restart_the_time_of_day_counts_and_without_it_nothing_is_claimed() -> None:
    before, after = registers(), registers(import_wh=9000, boot=2, uptime_s=60, time_s=NOW_S + 3600)
    assert check_energy(before, after, POINT, CONFIG) is None
    assert check_energy(before, after._replace(time_s=NOW_S + 60), POINT, CONFIG) == "energy_jumped"
    assert check_energy(before, after._replace(time_s=None), POINT, CONFIG) is None


def test_without_a_rated_power_only_a_fall_is_found() -> None:
    point = Point(number=1, name="p", kind="other")
    assert check_energy(registers(), registers(import_wh=10**9, uptime_s=901), point, CONFIG) is None


def test_registers_are_those_of_the_last_sample_and_absent_ones_are_left_out() -> None:
    readings = [reading(last_s=60), None, 3, reading(e_import_wh=None), reading(e_import_wh=None, e_export_wh=4)]
    body = opened(window(9, NOW_S - 900, readings, end_uptime_s=5000)).body
    assert isinstance(body, decoder.Window)
    assert registers_of(9, body) == {
        1: Registers(9, 1, 4940, NOW_S - 60, 1_000_000, None),
        5: Registers(9, 1, 4997, NOW_S - 3, None, 4),
    }


def test_marks_are_what_goes_on_as_marked() -> None:
    assert CHECKS["energy_fell"] == CHECKS["energy_jumped"] == MARK
