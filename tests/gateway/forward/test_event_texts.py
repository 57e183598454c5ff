"""Log texts of events (CN 3020): however many wait, readings pass, each is told, and each has a second of its own."""

import random
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.forward import held, outbox, refeeds, text_packets, text_seconds
from gateway.forward.log_texts import LogText
from gateway.forward.outbox import Outbox, Taken
from gateway.forward.text_packets import TOO_MANY
from gateway.hj212.times import data_time
from protocol import record
from tests.gateway.forward.platform_double import PlatformDouble
from tests.gateway.forward.stations import MN, Station
from tests.gateway.forward.texts import SINK, pass_time, station_of, tell, windows_at
from tests.gateway.support import NOW_S, event, window


def silent(seq: int, time_s: int) -> bytes:
    return event(seq, time_s, code=record.METER_SILENT, point=1, values=[seq])


def shown(station: Station, name: str) -> float | None:
    station.forwarder.observe()
    return station.metrics.registry.get_sample_value(f"wattline_sink_{name}", {"sink": "s"})


def test_events_that_wait_are_bounded_readings_pass_and_retention_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-443: what is over is held in the journal, over a restart too, and told when the platform takes texts."""
    monkeypatch.setattr(text_packets, "EVENTS_MAX", 3)
    platform = PlatformDouble()
    platform.deaf_to = "3020"
    station = station_of(tmp_path, platform)
    for first in (0, 4):
        station.commit([silent(seq, NOW_S - 890 - seq) for seq in range(first, first + 4)])
        station.steps(2)
    assert len(station.outbox.held(9)) == 5
    station.commit([window(8, NOW_S - 900)])
    pass_time(station, 80_000)
    station.restart()
    state = outbox.status(tmp_path, "s")
    assert (windows_at(platform), state["dead"]) == (1, {})
    assert (state["log_texts"], station.outbox.text_packets.room()) == ({"waiting": 8, "tried": 1, "refused": 0}, 0)
    assert (outbox.settled(tmp_path, "s")[0], state["confirmed"]) == (9, 9)
    station.forwarder.observe()
    now_ms = station.clock.now_ms()
    assert refeeds.order_refeed(tmp_path, "s", now_ms, 9).records == 0  # not all since the oldest text
    platform.deaf_to = ""
    pass_time(station, 1_000_000)
    state = outbox.status(tmp_path, "s")
    assert (len(platform.ledger.log_texts), state["dead"]) == (8, {})
    assert "log_texts" not in state
    station.close()


def test_an_event_that_the_journal_retired_meanwhile_is_a_dead_letter(tmp_path: Path) -> None:
    """P-443: nothing is lost without a word, and the others go on."""
    platform = PlatformDouble()
    station = station_of(tmp_path, platform)
    station.commit([silent(1, NOW_S - 890)])
    station.outbox.take(Taken(held=[1, 9], cursors={outbox.LIVE: 1, outbox.BACKLOG: 1}))
    station.steps(3)
    state = outbox.status(tmp_path, "s")
    assert (state["dead"], len(platform.ledger.log_texts), station.outbox.held(9)) == ({TOO_MANY: 1}, 1, [])
    station.close()


def test_readings_that_are_delivered_are_no_lag_though_texts_wait(tmp_path: Path) -> None:
    """P-491: in the metric, and in what `status` and the console read; texts have a count of their own."""
    platform = PlatformDouble()
    platform.is_there, platform.deaf_to = False, "3020"
    station = station_of(tmp_path, platform)
    station.commit([silent(0, NOW_S - 890), silent(1, NOW_S - 880), window(2, NOW_S - 900)])
    tell(station, LogText("change.1", None, NOW_S, "x"))
    station.steps(1)
    platform.is_there = True
    assert (shown(station, "lag_records"), shown(station, "log_texts_waiting")) == (1, 3)
    pass_time(station, 80_000)
    assert windows_at(platform) == 1
    assert (shown(station, "lag_records"), shown(station, "log_texts_waiting")) == (0, 3)
    state = outbox.status(tmp_path, "s")
    assert (state["settled"], state["under_way"], state["confirmed"]) == (3, 0, 3)
    station.close()


def test_an_event_with_its_start_under_way_is_lag_until_the_start_is_confirmed(tmp_path: Path) -> None:
    """P-491: CN 2081 is no text."""
    platform = PlatformDouble()
    platform.is_there = False
    station = station_of(tmp_path, platform, SINK.replace("restarts = false", "restarts = true"))
    station.commit([silent(0, NOW_S - 890), silent(1, NOW_S - 880)])
    station.steps(1)
    assert (shown(station, "lag_records"), shown(station, "log_texts_waiting")) == (1, 2)
    platform.is_there, platform.deaf_to = True, "3020"
    pass_time(station, 80_000)
    assert (shown(station, "lag_records"), shown(station, "log_texts_waiting")) == (0, 2)
    station.close()


def test_events_and_texts_of_one_second_and_station_have_a_second_each(tmp_path: Path) -> None:
    """P-492: in one batch, over a kill, beside what people have told; one that is told again has its second still."""
    platform = PlatformDouble()
    station = station_of(tmp_path, platform)
    station.commit([silent(seq, NOW_S - 890) for seq in range(3)])
    station.steps(4)
    station.restart()
    tell(station, LogText("change.1", None, NOW_S - 890, "x"))
    station.steps(4)
    station.commit([silent(3, NOW_S - 890), silent(4, NOW_S - 889), silent(5, NOW_S - 891)])
    station.steps(6)
    times = [one["DataTime"] for one in station.told("3020")]
    assert times == [data_time(NOW_S - 890 + later) for later in (0, 1, 2, 3, 4, 5, -1)]
    before = Counter(platform.ledger.log_texts)
    refeeds.order_refeed(tmp_path, "s", 0, station.reader.last_id())
    station.steps(20)
    assert Counter(platform.ledger.log_texts) - before == Counter(one for one in before.elements() if "电表" in one[2])
    station.close()


def test_the_last_second_that_an_earlier_version_gave_is_not_given_again(tmp_path: Path) -> None:
    """P-492."""
    with closing(sqlite3.connect(outbox.file_of(tmp_path, "s"))) as connection:
        for number in range(1, 7):
            connection.executescript((outbox.SCHEMA / f"{number:04}.sql").read_text())
        connection.execute("INSERT INTO texts (name, value) VALUES (?, ?)", (f"text_s.{MN}", str(NOW_S)))
        connection.execute("PRAGMA user_version = 6")
        connection.commit()
    with closing(Outbox(tmp_path, "s")) as store:
        assert (store.text_seconds.of(MN, NOW_S, 1), store.texts()) == (NOW_S + 1, {})


def test_the_seconds_that_are_remembered_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-492: the newest; and where a span is full, a text has its own time rather than one far off."""
    monkeypatch.setattr(text_seconds, "KEPT", 5)
    monkeypatch.setattr(text_seconds, "SPAN_S", 4)
    with closing(Outbox(tmp_path, "s")) as store:
        given = [store.text_seconds.of(MN, NOW_S, number) for number in range(1, 6)]
        assert given == [NOW_S, NOW_S + 1, NOW_S + 2, NOW_S + 3, NOW_S]
        store.take(Taken())
        assert store.text_seconds.of(MN, NOW_S, 9) == NOW_S
        for number in range(10, 15):
            store.text_seconds.of(MN, NOW_S + 10 * number, number)
            store.take(Taken())
        query = "SELECT record FROM text_seconds ORDER BY number"
        assert [row[0] for row in store._connection.execute(query)] == [10, 11, 12, 13, 14]


@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.integers(0, 2**32))
def test_a_platform_that_takes_texts_gets_each_event_once_however_many_come(seed: int) -> None:
    """P-443, P-492: drawn silence, kills, storms far over the bound; no dead letter, no reading later for it."""
    chance = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
        patch.setattr(text_packets, "EVENTS_MAX", 4)
        folder, platform = Path(name), PlatformDouble()
        station = station_of(folder, platform)
        windows = events = 0
        for _ in range(8):
            for _ in range(chance.randrange(12)):
                station.commit([silent(events, NOW_S - chance.choice([0, 1, 90_000]))])
                events += 1
            station.commit([window(1000 + windows, NOW_S - 900 * (1 + windows))])
            windows += 1
            platform.answers, platform.is_there = chance.random() < 0.7, chance.random() < 0.8
            pass_time(station, chance.choice([0, 40_000, 900_000]), 20_000)
            if chance.random() < 0.2:
                station.restart()
        platform.answers = platform.is_there = True
        pass_time(station, 2_400_000, 60_000)
        found, state = platform.ledger.log_texts, outbox.status(folder, "s")
        assert (windows_at(platform), len(found)) == (windows, events), f"seed {seed}"
        assert len({(mn, time) for mn, time, _ in found}) == len({text for _, _, text in found}) == events, (
            f"seed {seed}"
        )
        assert (state["dead"], state["confirmed"]) == ({}, windows + events), f"seed {seed}"
        assert held.first(station.outbox._connection, 9) == [], f"seed {seed}"
        assert platform.descended == [], f"seed {seed}"
        station.close()
