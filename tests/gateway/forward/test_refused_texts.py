"""A platform that answers readings and no log text (CN 3020): readings go on, and each text ends, with a reason."""

import random
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.forward import outbox
from gateway.forward.hj212.line import TEXT_RETRY_MS
from gateway.forward.log_texts import ANSWERED, REFUSED, UNDER_WAY, LogText, State
from gateway.forward.sink import SinkError
from gateway.forward.text_packets import NO_LOG_ID, REASONS, ROUNDS_MAX, UNANSWERED, TextPacket
from protocol import record
from tests.gateway.forward.packets import MN, packet, text
from tests.gateway.forward.platform_double import PlatformDouble
from tests.gateway.forward.stations import Station
from tests.gateway.forward.texts import GIVEN_UP, LOG, SINK, pass_time, states, station_of, tell, windows_at
from tests.gateway.support import NOW_S, event, window

FIRST_WITH_TOLD = 4  # the first version whose file has what people have told
ROUND_MS = 40_000  # four sends, ten seconds each


def kept(station: Station) -> list[bytes]:
    """Packets of what was given up."""
    query = "SELECT packet FROM dead UNION ALL SELECT data FROM log_texts WHERE state = 'refused' AND data IS NOT NULL"
    return [row[0] for row in station.outbox._connection.execute(query)]


def test_readings_go_on_and_the_text_is_given_up_with_a_reason(tmp_path: Path) -> None:
    """P-435: a round later readings are there; after ROUNDS_MAX rounds the text is refused and its packet kept."""
    platform = PlatformDouble()
    platform.deaf_to = "3020"
    station = station_of(tmp_path, platform)
    tell(station, LogText("change.1", ["T0001"], NOW_S, "报警开始"))
    station.steps(1)  # it is under way before anything else
    for seq in range(1, 8):
        station.commit([window(seq, NOW_S - 900 * seq)])
        pass_time(station, ROUND_MS + 10_000)
        assert windows_at(platform) == seq
        pass_time(station, TEXT_RETRY_MS - ROUND_MS)
        if seq < ROUNDS_MAX:
            assert states(station, "change.1") == [State("under_way", "")]
            assert isinstance(trouble := station.hj212.work(0), SinkError)
            assert trouble.reason == "log_texts"
    assert states(station, "change.1") == [GIVEN_UP]
    texts = [one for one in platform.told if one.cn == "3020"]
    assert (len({one.qn for one in texts}), platform.descended) == (1, [])
    assert 4 + ROUNDS_MAX - 1 <= len(texts) <= 4 + ROUNDS_MAX  # after the first round one a try
    assert [b"CN=3020" in data for data in kept(station)] == [True]
    assert station.hj212.work(0) is None
    station.close()


@pytest.mark.parametrize("is_there", [True, False])
def test_a_platform_that_answers_nothing_refuses_nothing(tmp_path: Path, is_there: bool) -> None:
    """P-435: silent or away for a day, with readings behind the text; then all of it arrives, once."""
    platform = PlatformDouble()
    station = station_of(tmp_path, platform)
    platform.answers, platform.is_there, platform.deaf_to = False, is_there, "3020"
    tell(station, LogText("change.1", ["T0001"], NOW_S, "报警开始"))
    station.commit([window(1, NOW_S - 900), event(2, NOW_S - 890, code=record.METER_SILENT, point=1)])
    pass_time(station, 86_400_000, 60_000)
    platform.answers, platform.is_there, platform.deaf_to = True, True, ""
    pass_time(station, 600_000, 60_000)
    assert states(station, "change.1") == [State(ANSWERED, "")]
    assert (windows_at(platform), len(platform.ledger.log_texts), platform.descended) == (1, 2, [])
    assert outbox.status(tmp_path, "s")["dead"] == {}
    station.close()


def test_a_platform_that_hangs_up_at_a_text_gets_the_readings(tmp_path: Path) -> None:
    """P-435: sends count over connections."""
    platform = PlatformDouble()
    platform.deaf_to, platform.hangs_up = "3020", True
    station = station_of(tmp_path, platform)
    tell(station, LogText("change.1", ["T0001"], NOW_S, "报警开始"))
    for seq in range(1, 9):
        station.commit([window(seq, NOW_S - 900 * seq)])
        pass_time(station, TEXT_RETRY_MS + 100_000)
        assert windows_at(platform) == seq
    assert states(station, "change.1") == [GIVEN_UP]
    assert station.hj212.sessions[0].counts.aside == ROUNDS_MAX
    station.close()


def test_an_answer_that_comes_late_is_one(tmp_path: Path) -> None:
    """P-435: after the text stepped aside; the texts behind it go on."""
    platform = PlatformDouble()
    station = station_of(tmp_path, platform)
    tell(station, *(LogText(f"change.{number}", ["T0001"], NOW_S, f"报警 {number}") for number in range(6)))
    station.commit([window(1, NOW_S - 900)])
    platform.delay_ms = 55_000
    pass_time(station, 600_000)
    assert set(states(station, *(f"change.{number}" for number in range(6)))) == {State(ANSWERED, "")}
    assert [text for _, _, text in platform.ledger.log_texts] == [f"//报警 {number}//" for number in range(6)]
    assert (windows_at(platform), platform.ledger.counts.qn_reused, platform.descended) == (1, 0, [])
    station.close()


def test_without_log_id_what_was_under_way_is_given_up_and_kept(tmp_path: Path) -> None:
    """P-436: an event's and a told text; the connection is free at once, also of what was never sent."""
    platform = PlatformDouble()
    platform.deaf_to = "3020"
    station = station_of(tmp_path, platform)
    tell(station, *(LogText(f"change.{number}", ["T0001"], NOW_S, "x") for number in range(2)))
    station.commit([event(1, NOW_S - 890, code=record.METER_SILENT, point=1), window(2, NOW_S - 900)])
    station.steps(1)
    station.close()
    told = len(platform.told)
    station = station_of(tmp_path, platform, SINK.removeprefix(LOG))
    station.steps(3)
    assert windows_at(platform) == 1
    assert [one.cn for one in platform.told[told:] if one.cn == "3020"] == []
    assert states(station, "change.0", "change.1") == [State(REFUSED, REASONS[NO_LOG_ID])] * 2
    assert (outbox.status(tmp_path, "s")["dead"], len(kept(station))) == ({NO_LOG_ID: 1}, 3)
    station.close()


@pytest.mark.parametrize("version", range(1, 5))
def test_texts_that_an_earlier_version_had_under_way_keep_their_qns(tmp_path: Path, version: int) -> None:
    """P-443: it may have sent them; a store of its is taken over as it is."""
    event_text, told_text = text(1), text(2)
    expected = [TextPacket(event_text, sent=True)]
    with closing(sqlite3.connect(outbox.file_of(tmp_path, "s"))) as connection:
        for number in range(1, version + 1):
            connection.executescript((outbox.SCHEMA / f"{number:04}.sql").read_text())
        connection.execute(f"PRAGMA user_version = {version}")
        put = "INSERT INTO outbox (record, mn, qn, data) VALUES (?, ?, ?, ?)"
        connection.executemany(put, [(1, MN, event_text.qn, event_text.data), (2, MN, packet(3).qn, packet(3).data)])
        if version >= FIRST_WITH_TOLD:
            put = "INSERT INTO log_texts (id, time_s, text, state, mn, qn, data) VALUES ('a', 0, 'x', ?, ?, ?, ?)"
            connection.execute(put, (UNDER_WAY, MN, told_text.qn, told_text.data))
            expected.append(TextPacket(told_text, sent=True))
        connection.commit()
    with closing(outbox.Outbox(tmp_path, "s")) as store:
        assert store.text_packets.first([MN], 9) == expected
        assert (store.stations(), store.text_packets.stations()) == ({MN: 1}, {MN: len(expected)})


def test_texts_that_were_sent_go_by_their_qns(tmp_path: Path) -> None:
    """P-437: after a kill between an answer and its note; not what people have told first, as else."""
    with closing(outbox.Outbox(tmp_path, "s")) as store:
        store.take(outbox.Taken(packets=[(1, [text(1)]), (2, [text(3)])]))
        put = "INSERT INTO log_texts (id, time_s, text, state, mn, qn, data) VALUES ('a', 0, 'x', 'under_way', ?, ?, ?)"
        store._connection.execute(put, (MN, text(2).qn, text(2).data))
        assert [one.packet for one in store.text_packets.first([MN], 9)] == [text(2), text(1), text(3)]
        for number in (2, 1):
            store.text_packets.note_sent(text(number).qn)
        assert [one.packet for one in store.text_packets.first([MN], 9)] == [text(1), text(2), text(3)]


def test_readings_get_later_qns_than_a_text_that_waited_for_long(tmp_path: Path) -> None:
    """P-437: where the clock went on beyond the numbers that are reserved."""
    platform = PlatformDouble()
    station = station_of(tmp_path, platform)
    platform.is_there = False
    station.commit([window(seq, NOW_S - 9 * 86_400 - 900 * seq) for seq in range(16)])  # more than are in line
    for number in range(10):
        station.clock.now_s += 3
        tell(station, LogText(f"change.{number}", None, NOW_S, "x"))
        station.steps(1)
    station.clock.now_s += 60
    platform.is_there = True
    pass_time(station, 600_000, 60_000)
    assert (windows_at(platform), len(platform.ledger.log_texts), platform.descended) == (16, 10, [])
    station.close()


@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.integers(0, 2**32))
def test_each_text_arrives_once_or_is_given_up_and_no_reading_is_touched(seed: int) -> None:
    """P-435, P-437: drawn silence, deafness, hanging up, answers twice, kills; QNs ascend on each connection."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder, platform = Path(name), PlatformDouble()
        station = station_of(folder, platform)
        count, events = 16, 0
        for seq in range(count):
            station.commit([window(count + seq, NOW_S - 900 * (1 + seq))])
            if chance.random() < 0.5:
                values = [events]
                station.commit([event(events, NOW_S - seq, code=record.METER_SILENT, point=1, values=values)])
                events += 1
            tell(station, LogText(f"change.{seq}", ["T0001"], NOW_S, f"报警 {seq}"))
            if seq % 8 == 0:  # long enough to give up
                platform.deaf_to = chance.choice(["", "3020", "3020"])
            platform.answers, platform.is_there = chance.random() < 0.8, chance.random() < 0.8
            platform.hangs_up, platform.copies = chance.random() < 0.3, chance.randrange(1, 3)
            pass_time(station, chance.choice([0, ROUND_MS, TEXT_RETRY_MS, 2 * TEXT_RETRY_MS]), 20_000)
            if chance.random() < 0.3:
                station.restart()
        platform.answers = platform.is_there = True
        platform.deaf_to, platform.hangs_up = "3020", False
        pass_time(station, 2 * ROUND_MS)
        assert windows_at(platform) == count, f"seed {seed}"
        platform.deaf_to = ""
        pass_time(station, 2 * TEXT_RETRY_MS, 60_000)
        _account(station, count, events, seed)
        station.close()


def _account(station: Station, count: int, events: int, seed: int) -> None:
    ledger, state = station.platform.ledger, outbox.status(station.folder, "s")
    found = Counter(text for _, _, text in ledger.log_texts)
    assert set(found.values()) <= {1}, f"seed {seed}"
    said = states(station, *(f"change.{seq}" for seq in range(count)))
    refused = [f"//报警 {number}//" for number, one in enumerate(said) if one == GIVEN_UP]
    assert {*said} <= {State(ANSWERED, ""), GIVEN_UP}, f"seed {seed}"
    assert {*refused, *found} >= {f"//报警 {number}//" for number in range(count)}, f"seed {seed}"
    dead: dict[str, int] = state["dead"]  # type: ignore[assignment]
    assert set(dead) <= {UNANSWERED}, f"seed {seed}"
    assert sum("电表" in text for text in found) + sum(dead.values()) >= events, f"seed {seed}"
    assert len(kept(station)) == len(refused) + sum(dead.values()), f"seed {seed}"
    counts = ledger.counts
    assert (state["under_way"], counts.conflicts, counts.duplicates, counts.qn_reused) == (0, 0, 0, 0), f"seed {seed}"
    assert station.platform.descended == [], f"seed {seed}"
