"""Log texts beside records: what people have a platform told (CN 3020), over kills, silence and lost connections."""

import random
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from gateway.forward import log_texts, outbox
from gateway.forward.log_texts import ANSWERED, REFUSED, FullError, LogText, State
from gateway.hj212.packet import EDITION_2025
from gateway.hj212.times import data_time
from hil.platform_rules import Rules
from tests.gateway.forward.platform_double import PlatformDouble
from tests.gateway.forward.stations import HEAD_2017, ITEMS_2017, ITEMS_2025, KEY, MN, PW, Station, mapping
from tests.gateway.forward.stations import mapping_2025 as of_2025
from tests.gateway.forward.texts import LOG, states, tell
from tests.gateway.support import NOW_S, window


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.integers(0, 2**32), st.sampled_from([1, 3]))
@example(5, 3)  # readings overtake texts that were never sent, before a kill
def test_each_text_is_told_once_in_order_beside_data_whatever_happens(seed: int, connections: int) -> None:
    """P-370: a platform that is silent, away, or answers twice; a gateway that is killed; QNs ascend."""
    chance = random.Random(seed)
    names = [f"T{number:04d}" for number in range(1, 4)]
    stations = "".join(
        f'[[station]]\nterminal = "{name}"\nmn = "{MN[:-1]}{number}"\nst = "44"\npw = "{PW}"\n{ITEMS_2025}'
        for number, name in enumerate(names)
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        platform = PlatformDouble(Rules(strict=True, edition=EDITION_2025))
        station = Station(folder, mapping(folder, f"edition = 2025\n{LOG}{stations}"), platform, connections)
        told: dict[str, list[str]] = {name: [] for name in names}
        for seq in range(20):
            terminal = station.sender.name = chance.choice(names)
            station.sender.key = type(station.sender.key)(station.sender.secret, 1)
            station.commit([window(seq, NOW_S - 900 * (1 + seq))])
            whose = chance.choice(names)
            text = LogText(f"change.{seq}", [whose, terminal], NOW_S, f"报警 {seq}")
            for _ in range(chance.randrange(1, 3)):  # again, as after a kill of the watch
                tell(station, text)
            told[whose].append(f"//报警 {seq}//")
            platform.answers, platform.is_there = chance.random() < 0.7, chance.random() < 0.8
            platform.copies = chance.randrange(1, 3)
            station.steps(chance.randrange(3))
            platform.now_ms += chance.choice([0, 5000, 60_000])
            if chance.random() < 0.3:
                station.restart()
        platform.answers = platform.is_there = True
        for _ in range(40):
            platform.now_ms += 60_000
            station.steps(4)
        for number, terminal in enumerate(names):
            found = [text for mn, _, text in platform.ledger.log_texts if mn == f"{MN[:-1]}{number}"]
            assert found == told[terminal], f"seed {seed}"
        assert set(states(station, *(f"change.{seq}" for seq in range(20)))) == {State(ANSWERED, "")}, f"seed {seed}"
        assert (platform.broken, platform.ledger.counts.qn_reused) == ([], 0), f"seed {seed}"
        state = outbox.status(folder, "s")
        assert (state["confirmed"], state["under_way"], state["dead"]) == (20, 0, {}), f"seed {seed}"
        assert state["counts"] == {"delivered": 20, "log_texts": 20}, f"seed {seed}"
        station.close()


def test_a_text_comes_again_under_its_qn_and_says_so(tmp_path: Path) -> None:
    """P-370: 2025, encrypted, with RF=1 where it may have been sent before."""
    rules = Rules(strict=True, edition=EDITION_2025, passwords={MN: PW}, must_encrypt=True)
    platform = PlatformDouble(rules, lambda _: [KEY.encode()])
    station = Station(tmp_path, of_2025(tmp_path, "raw", LOG), platform)
    platform.answers = False
    tell(station, LogText("change.1", ["T0001"], NOW_S, "报警开始"))
    station.steps(3)
    station.restart()
    platform.answers = True
    station.steps(3)
    texts = [one for one in platform.told if one.cn == "3020"]
    assert len({one.qn for one in texts}) == 1
    assert [one.rf for one in texts] == [None, 1]
    assert [one.value("DataTime") for one in texts] == [data_time(NOW_S)] * 2
    assert platform.ledger.log_texts == [(MN, data_time(NOW_S), "//报警开始//")]
    assert (platform.broken, platform.ledger.counts.encrypted) == ([], 2)
    station.close()


@pytest.mark.parametrize(
    ("top", "text", "reason"),
    [
        (LOG, LogText("a", ["T0009"], NOW_S, "x"), "none of its terminals is a station"),
        ("", LogText("a", None, NOW_S, "x"), "the mapping has no log_id"),
        (LOG, LogText("a", None, NOW_S, "长" * 297), "too-long: a log text of 895 bytes; at most 890"),
        (LOG, LogText("a", None, NOW_S, "a//b"), "bad-value: "),
    ],
)
def test_a_text_that_cannot_be_told_is_refused_with_the_reason_and_holds_up_nothing(
    tmp_path: Path, top: str, text: LogText, reason: str
) -> None:
    """P-371."""
    station = Station(tmp_path, mapping(tmp_path, top + HEAD_2017 + ITEMS_2017), PlatformDouble())
    station.commit([window(1, NOW_S - 900)])
    tell(station, text)
    station.steps(5)
    (state,) = states(station, "a")
    assert (state.state, state.reason.startswith(reason)) == (REFUSED, True), state
    assert (len(station.told("2051")), station.told("3020")) == (1, [])
    station.close()


def test_what_waits_and_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-371: what is over is refused at once, and what was told long ago is forgotten."""
    monkeypatch.setattr(log_texts, "OPEN_MAX", 4)
    monkeypatch.setattr(log_texts, "KEPT", 3)
    station = Station(tmp_path, mapping(tmp_path, LOG + HEAD_2017 + ITEMS_2017), PlatformDouble())
    texts = [LogText(f"change.{number}", None, NOW_S, str(number)) for number in range(12)]
    tell(station, *texts[:4])
    with pytest.raises(FullError, match="4 texts wait already"):
        tell(station, texts[4])
    for first in (4, 8):
        station.steps(3)
        tell(station, *texts[first : first + 4])
    station.steps(3)
    assert [one["i21001-Info"] for one in station.told("3020")] == [f"//{number}//" for number in range(12)]
    tell(station)
    assert numbers(station) == [10, 11, 12]
    tell(station, LogText("change.12", None, NOW_S, "x"), channel="duty")
    station.steps(3)
    tell(station, channel="duty")
    assert numbers(station) == [11, 12]
    station.close()


def numbers(station: Station) -> list[int]:
    """Of the texts that are there."""
    return [row[0] for row in station.outbox._connection.execute("SELECT number FROM log_texts ORDER BY number")]


def test_a_text_that_is_asked_for_again_is_not_told_again_however_many_came_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-441: a channel that could not note an answer asks again; others have had thousands told meanwhile."""
    monkeypatch.setattr(log_texts, "KEPT", 3)
    station = Station(tmp_path, mapping(tmp_path, LOG + HEAD_2017 + ITEMS_2017), PlatformDouble())
    first = LogText("change.0", None, NOW_S, "0")
    tell(station, first, channel="duty")
    for number in range(1, 9):
        tell(station, LogText(f"change.{number}", None, NOW_S, "x"), channel="office")
        station.steps(2)
    tell(station, channel="office")
    tell(station, first, channel="duty")
    assert states(station, "change.0") == [State(ANSWERED, "")]
    station.steps(3)
    assert (len(station.told("3020")), numbers(station)) == (9, [1])
    station.close()


def test_a_text_that_waits_already_takes_no_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-371."""
    monkeypatch.setattr(log_texts, "OPEN_MAX", 2)
    station = Station(tmp_path, mapping(tmp_path, LOG + HEAD_2017 + ITEMS_2017), PlatformDouble())
    texts = [LogText(f"change.{number}", None, NOW_S, "x") for number in range(2)]
    tell(station, *texts)
    tell(station, *texts)
    assert numbers(station) == [1, 2]
    station.close()


def test_two_texts_of_one_second_and_station_have_a_second_each(tmp_path: Path) -> None:
    """P-441: over a kill too; a clock that was set back has its own time again."""
    station = Station(tmp_path, mapping(tmp_path, LOG + HEAD_2017 + ITEMS_2017), PlatformDouble())
    for number, time_s in enumerate([NOW_S, NOW_S, NOW_S + 1, NOW_S - 3600]):
        tell(station, LogText(f"change.{number}", None, time_s, "x"))
        station.steps(2)
        station.restart()
    told = [NOW_S, NOW_S + 1, NOW_S + 2, NOW_S - 3600]
    assert [one["DataTime"] for one in station.told("3020")] == [data_time(one) for one in told]
    station.close()


def test_of_what_is_withdrawn_the_platform_hears_at_most_the_one_that_was_sent(tmp_path: Path) -> None:
    """P-490: the others were in line already, or behind it; a reading waits for no one of them."""
    platform = PlatformDouble()
    station = Station(tmp_path, mapping(tmp_path, LOG + HEAD_2017 + ITEMS_2017), platform)
    platform.answers = False
    tell(station, *(LogText(f"change.{number}", None, NOW_S, str(number)) for number in range(7)), channel="duty")
    station.steps(1)
    with closing(outbox.writable(outbox.file_of(tmp_path, "s"))) as connection:
        assert log_texts.withdraw(connection, []) == 7
    station.commit([window(1, NOW_S - 900)])
    platform.answers = True
    platform.now_ms += 60_000
    station.steps(4)
    assert {one["i21001-Info"] for one in station.told("3020")} == {"//0//"}
    assert (len(station.told("2051")), station.hj212._channels[0].texts) == (1, 0)
    station.close()


def test_without_its_channel_a_text_is_told_no_more(tmp_path: Path) -> None:
    """P-436: under way too, while the sink is at work; another channel's is told."""
    platform = PlatformDouble()
    station = Station(tmp_path, mapping(tmp_path, LOG + HEAD_2017 + ITEMS_2017), platform)
    platform.deaf_to = "3020"
    tell(station, *(LogText(f"change.{number}", None, NOW_S, str(number)) for number in range(2)), channel="duty")
    station.steps(1)
    tell(station, LogText("change.2", None, NOW_S, "2"), channel="office")
    with closing(outbox.writable(outbox.file_of(tmp_path, "s"))) as connection:
        assert log_texts.withdraw(connection, ["office"]) == 2
    gone = State(REFUSED, log_texts.NO_CHANNEL)
    assert states(station, "change.0", "change.1", "change.2") == [gone, gone, State("waiting", "")]
    station.commit([window(1, NOW_S - 900)])
    platform.now_ms += 60_000
    station.steps(1)
    platform.deaf_to = ""
    for _ in range(40):
        platform.now_ms += 60_000
        station.steps(2)
    assert [text for _, _, text in platform.ledger.log_texts][-1:] == ["//2//"]
    assert states(station, "change.0", "change.1", "change.2") == [gone, gone, State(ANSWERED, "")]
    station.close()
