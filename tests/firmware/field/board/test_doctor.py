"""What the doctor makes of a terminal's facts and newest records."""

from typing import Any

import pytest

from firmware.field.rescue.doctor import judge
from protocol import record
from tests.gateway.support import NOW_S, event, window

WELL: dict[str, Any] = {
    "terminal": "T0001",
    "boot": 3,
    "epoch": 7,
    "next": 4,
    "oldest": 1,
    "pending": 1,
    "damaged": 0,
    "rtc_s": NOW_S,
    "reset_cause": 1,
    "acknowledged": 2,
    "data_bytes": 8 << 20,
    "data_free": 4 << 20,
    "code_bytes": 1 << 20,
    "code_free": 1 << 19,
    "files": [],
    "slot": 0,
    "broker": ["broker.example", 8883, "broker.example"],
}


def records(*encoded: bytes) -> list[record.Record]:
    return [record.decode_record(one) for one in encoded]


def of_a_day() -> list[record.Record]:
    return records(event(1, code=record.BOOT, values=[1, 1000, 0]), window(2), window(3))


def test_a_terminal_that_is_well_has_no_advice() -> None:
    """P-285: and the step passes."""
    page = judge(WELL, of_a_day(), NOW_S)
    assert (page.state, [one.code for one in page.findings if one.advice_en]) == ("passed", [])
    assert all(one.en and one.zh for one in page.findings)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"refused": "terminal.json, points: ..."}, "refused"),
        ({"rtc_s": None}, "clock_unset"),
        ({"rtc_s": NOW_S - 7200}, "clock_off"),
        ({"pending": 500}, "backlog"),
        ({"damaged": 2}, "log_damaged"),
        ({"acknowledged": None}, "never_acknowledged"),
        ({"next": 200_000_000}, "wear"),
        ({"code_free": 1000}, "code_full"),
    ],
)
def test_each_thing_that_is_wrong_has_a_finding_with_an_advice(change: dict[str, Any], code: str) -> None:
    """P-285: in both languages; nothing else is found wrong."""
    page = judge({**WELL, **change}, of_a_day(), NOW_S)
    advised = [one for one in page.findings if one.advice_en]
    assert [one.code for one in advised] == [code]
    assert advised[0].advice_zh
    assert page.exit_status == 1


def test_what_the_newest_records_tell_is_found() -> None:
    """P-285: acks that stopped, meters that are silent, starts that were the watchdog's."""
    late = judge(WELL, of_a_day(), NOW_S + 7200)
    assert {"acks_late", "clock_off"} == {one.code for one in late.findings if one.advice_en}
    silent = judge(
        WELL, records(event(1, code=record.BOOT, values=[2, 1000, 0]), window(2), window(3, readings=[1])), NOW_S
    )
    assert {"restarts", "meters_silent"} == {one.code for one in silent.findings if one.advice_en}
