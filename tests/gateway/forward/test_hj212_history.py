"""What an HJ 212 platform asks for again: windows, hours and days, out of the journal."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.forward.hj212.encode import WindowContent
from gateway.forward.hj212.mapping import FLAGS, Mapping
from gateway.forward.hj212.periods import period_of
from gateway.hj212.packet import EDITION_2017
from gateway.hj212.times import data_time, start_of
from hil.platform_rules import Rules
from protocol import record
from tests.gateway.forward.platform_double import PlatformDouble
from tests.gateway.forward.stations import DAY_S, HEAD_2017, ITEMS_2017, MN, PW, Station, mapping
from tests.gateway.support import NOW_S, reading, window

HOUR_S = 3600
DAY_BEGINS_S = NOW_S - 8 * HOUR_S  # 2026-03-01 00:00 at the platform: the last day is over, the next one is not
FLAGS_LINE = '[flags]\nstopped = "F"\n'


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    rules = Rules(strict=True, edition=EDITION_2017, passwords={MN: PW})
    text = "restarts = false\n" + FLAGS_LINE + HEAD_2017 + ITEMS_2017
    one = Station(tmp_path, mapping(tmp_path, text), PlatformDouble(rules))
    yield one
    one.close()


def ask(station: Station, cn: str, begin_s: int, end_s: int) -> list[dict[str, str]]:
    """What comes of a question; the answers stay to be seen."""
    before = len(station.told(cn))
    station.platform.send(cn, MN, PW, ("BeginTime", data_time(begin_s)), ("EndTime", data_time(end_s)))
    station.steps()
    return station.told(cn)[before:]


def test_history_comes_from_the_journal_while_new_readings_go_on(station: Station) -> None:
    """P-146: by BeginTime and EndTime, each packet under a QN of its own, the result last."""
    station.commit([window(seq, NOW_S - DAY_S + 900 * seq) for seq in range(40)])
    station.steps(60)
    before = len(station.told("2051"))
    assert before == 40
    begin, end = NOW_S - DAY_S + 900 * 10, NOW_S - DAY_S + 900 * 19
    station.platform.send("2051", MN, PW, ("BeginTime", data_time(begin)), ("EndTime", data_time(end)))
    station.commit([window(100)])
    station.steps()
    times = [one["DataTime"] for one in station.told("2051")[before:]]
    assert sorted(times) == sorted([data_time(begin + 900 * n) for n in range(10)] + [data_time(NOW_S - 900)])
    assert station.answers() == [("9011", "1"), ("9012", "1")]
    qns = [one.qn for one in station.platform.told]
    assert len(set(qns)) == len(qns)
    assert station.platform.broken == []


@pytest.mark.parametrize("told", [0, 64])
def test_where_the_journal_can_not_be_read_the_platform_is_told_of_a_fault(station: Station, told: int) -> None:
    """P-146: not that there is no data, nor that what it has is all. Windows are decoded 64 at a time."""
    for first in (0, 32, 64):
        station.commit([window(seq, NOW_S - DAY_S + 900 * seq) for seq in range(first, min(first + 32, 67))])
    station.steps(120)
    if told:  # the answer has begun
        station.platform.answers = False
        ask(station, "2051", NOW_S - DAY_S, NOW_S)
    cut = "UPDATE blocks SET frames = substr(frames, 1, length(frames) - 3) WHERE first = 65"
    with closing(sqlite3.connect(station.folder / "journal.sqlite3")) as connection, connection:
        assert connection.execute(cut).rowcount == 1
    if told:
        station.platform.answers = True
        station.platform.now_ms += 60_000
        station.steps(120)
    else:
        ask(station, "2051", NOW_S - DAY_S, NOW_S)
    assert station.answers() == [("9011", "1"), ("9012", "6")]
    assert len({one.qn for one in station.platform.told if one.cn == "2051"}) == 67 + told


def test_hours_and_days_come_from_the_windows_that_are_there(station: Station) -> None:
    """P-230: extremes of extremes, means of means, the last register; what is missing stays so."""
    hour = DAY_BEGINS_S - 6 * HOUR_S
    for at, mean in enumerate((4000, 4001, 4001)):  # the fourth window of the hour never came
        values = {"p_mean_w": mean, "p_min_w": 3000 + at, "p_max_w": 5000 + at, "e_import_wh": 1_000_000 + 1000 * at}
        station.commit([window(at, hour + 900 * at, [reading(**values)])])
    for at in range(4):  # of this hour the meter answered for a half
        slot = reading(e_import_wh=1_003_000) if at < 2 else record.NONE_SILENT
        station.commit([window(10 + at, hour + HOUR_S + 900 * at, [slot])])
    station.steps(60)
    found = ask(station, "2061", hour, hour + 5 * HOUR_S)
    assert found == [
        {
            "DataTime": data_time(hour), "i33200-Min": "3.00", "i33200-Avg": "4.00", "i33200-Max": "5.00",
            "i33200-Flag": "N", "i33201-Cou": "1002.00", "i33201-Flag": "N",
        },
        {
            "DataTime": data_time(hour + HOUR_S), "i33200-Min": "3.50", "i33200-Avg": "4.00", "i33200-Max": "4.50",
            "i33200-Flag": "B", "i33201-Cou": "1003.00", "i33201-Flag": "B",
        },
    ]  # fmt: skip
    assert station.answers() == [("9011", "1"), ("9012", "1")]
    (day,) = ask(station, "2031", DAY_BEGINS_S - DAY_S, DAY_BEGINS_S)
    assert day["DataTime"] == data_time(DAY_BEGINS_S - DAY_S)
    assert (day["i33200-Min"], day["i33200-Max"], day["i33201-Cou"]) == ("3.00", "5.00", "1003.00")
    assert day["i33200-Flag"] == "D"  # 7 of 96 windows
    assert station.platform.broken == []


def test_a_period_that_is_not_over_or_not_asked_for_does_not_come(station: Station) -> None:
    """P-230."""
    station.commit([window(at, NOW_S - 900 * (at + 1)) for at in range(6)])
    station.steps(40)
    assert [one["DataTime"] for one in ask(station, "2061", NOW_S - HOUR_S, NOW_S + HOUR_S)] == [
        data_time(NOW_S - HOUR_S)
    ]
    assert ask(station, "2061", NOW_S - HOUR_S + 1, NOW_S) == []
    station.answers()
    assert ask(station, "2031", DAY_BEGINS_S, NOW_S) == []
    assert station.answers() == [("9011", "1"), ("9012", "100")]


@given(
    st.lists(st.tuples(st.integers(0, 95), st.one_of(st.integers(0, 10**6), st.none())), unique_by=lambda one: one[0])
)
def test_a_period_is_within_its_windows_and_normal_where_three_quarters_are(of_windows: list[tuple[int, Any]]) -> None:
    """P-230."""
    rules = Mapping({}, flags={**FLAGS, "stopped": "F"})
    windows = []
    for at, mean_w in sorted(of_windows):
        one: Any = "none_silent"
        if mean_w is not None:
            values = {"p_mean_w": mean_w, "p_min_w": mean_w, "p_max_w": mean_w, "run_s": 900 if mean_w else 0}
            one = reading(**values)._asdict()
        windows.append(WindowContent(DAY_BEGINS_S + 900 * at, 900, {1: one}, {}))
    period = period_of(rules, windows, DAY_BEGINS_S, DAY_S)
    means = [mean_w for _, mean_w in of_windows if mean_w is not None]
    found = period.content.points.get(1)
    if not means:
        assert found == ("none_other" if of_windows else None)
        return
    assert isinstance(found, dict)
    assert (found["p_min_w"], found["p_max_w"]) == (min(means), max(means))
    assert found["run_s"] == 900 * sum(mean > 0 for mean in means)
    mean_w = found["p_mean_w"]
    assert mean_w is not None
    assert abs(mean_w * len(means) - sum(means)) * 2 <= len(means)
    assert (period.letters[1] == "N") == (sum(mean > 0 for mean in means) >= 72)


@given(st.integers(0, 2**32), st.sampled_from([900, HOUR_S, DAY_S]))
def test_periods_begin_by_the_platforms_clock(unix_s: int, length_s: int) -> None:
    start_s = start_of(unix_s, length_s)
    assert start_s <= unix_s < start_s + length_s
    seconds = int(data_time(start_s)[8:10]) * 3600 + int(data_time(start_s)[10:12]) * 60 + int(data_time(start_s)[12:])
    assert seconds % length_s == 0
