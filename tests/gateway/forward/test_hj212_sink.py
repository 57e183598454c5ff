"""An HJ 212 platform as a sink: both editions, commands, keys, what fails and comes again. Nothing here waits."""

import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.forward import outbox as store
from gateway.forward.sink import RestartingError, SinkError
from gateway.hj212.packet import EDITION_2017, EDITION_2025
from gateway.hj212.times import data_time
from hil.platform_rules import Rules
from protocol import record
from tests.gateway.forward.platform_double import PlatformDouble
from tests.gateway.forward.stations import (
    DAY_S,
    HEAD_2017,
    ITEMS_2017,
    ITEMS_2025,
    KEY,
    MN,
    OTHER_MN,
    PW,
    Station,
    mapping,
    mapping_2025,
)
from tests.gateway.support import NOW_S, event, reading, window


@pytest.fixture
def of_2017(tmp_path: Path) -> Station:
    rules = Rules(strict=True, edition=EDITION_2017, passwords={MN: PW})
    top = 'log_id = "i21001"\n'
    return Station(tmp_path, mapping(tmp_path, top + HEAD_2017 + ITEMS_2017), PlatformDouble(rules))


@pytest.fixture
def of_2025(tmp_path: Path) -> Station:
    rules = Rules(strict=True, edition=EDITION_2025, passwords={MN: PW}, must_encrypt=True)
    platform = PlatformDouble(rules, lambda _: [KEY.encode(), b"new-key-16-bytes"])
    return Station(tmp_path, mapping_2025(tmp_path, "raw"), platform)


def test_edition_2017_reports_periods_instants_states_starts_and_events(of_2017: Station) -> None:
    """P-144: 2051 with the period's start, 2011 and 2021 with the instant, 2081 once a start, 3020 for events."""
    station = of_2017
    station.commit([event(1, NOW_S - 890, code=record.METER_SILENT, point=1, values=[1]), window(2, NOW_S - 900)])
    station.steps()
    assert station.platform.broken == []
    start, instant = data_time(NOW_S - 900), data_time(NOW_S - 3)
    assert station.told("2051") == [
        {
            "DataTime": start, "i33200-Min": "3.50", "i33200-Avg": "4.00", "i33200-Max": "4.50", "i33200-Flag": "N",
            "i33201-Cou": "1000.00", "i33201-Flag": "N",
        }
    ]  # fmt: skip
    assert station.told("2011") == [{"DataTime": instant, "i33200-Rtd": "4.00", "i33200-Flag": "N"}]
    assert station.told("2021") == [{"DataTime": instant, "SB1-RS": "1"}]
    assert station.told("3020") == [{"DataTime": data_time(NOW_S - 890), "i21001-Info": "//电表通讯中断 测点1 (1)//"}]
    # the event, seen at NOW - 890, was 1800 s after the start
    assert station.told("2081") == [{"DataTime": data_time(NOW_S - 890), "RestartTime": data_time(NOW_S - 890 - 1800)}]
    station.commit([window(3), window(4, boot=2, end_uptime_s=60)])
    station.steps()
    assert [one["RestartTime"] for one in station.told("2081")][1:] == [data_time(NOW_S - 60)]
    assert len(station.told("2051")) == 3
    station.close()


def test_edition_2025_reports_instants_encrypted_under_their_system_codes(of_2025: Station) -> None:
    """P-145: ST=44 and 45, CN=2011 with the instant, CP encrypted; what is late or sent again says RF=1."""
    station = of_2025
    station.commit([window(1, NOW_S - DAY_S, [reading(ua_dv=2201)]), window(2, NOW_S - 900, [reading(ua_dv=2203)])])
    station.steps()
    assert station.platform.broken == []
    uploads = [one for one in station.platform.told if one.cn == "2011"]
    assert [(one.st, one.flag, one.rf, dict(one.cp[0])["DataTime"]) for one in uploads] == [
        ("44", 9, None, data_time(NOW_S - 3)),
        ("45", 9, None, data_time(NOW_S - 3)),
        ("44", 9, 1, data_time(NOW_S - DAY_S + 897)),
        ("45", 9, 1, data_time(NOW_S - DAY_S + 897)),
    ]
    assert dict(uploads[0].cp[1])["d20105-Rtd"] == "220.3"
    assert station.platform.ledger.counts.encrypted == 5  # with the start-up time
    station.close()


def test_commands_are_answered_as_the_standard_says(of_2017: Station) -> None:
    """P-146."""
    station, platform = of_2017, of_2017.platform
    station.steps(2)
    now = data_time(NOW_S)
    done, condition = [("9011", "1"), ("9012", "1")], [("9011", "1"), ("9012", "3")]
    for cn, cp, answers in (
        ("1000", [("OverTime", "7"), ("ReCount", "2")], done),
        ("1000", [("OverTime", "0"), ("ReCount", "2")], condition),
        ("1012", [("SystemTime", now)], done),
        ("1012", [("SystemTime", data_time(NOW_S + 900))], condition),
        ("1012", [("SystemTime", "soon")], condition),
        ("1062", [("RtdInterval", "900")], done),
        ("1062", [("RtdInterval", "30")], condition),
        ("1064", [("MinInterval", "15")], done),
        ("1064", [("MinInterval", "10")], condition),
        ("1011", [], done),
        ("1061", [], done),
        ("1063", [], done),
        ("1014", [], [("9011", "2")]),
        ("1001", [], [("9011", "2")]),
        ("2031", [("BeginTime", now), ("EndTime", now)], [("9011", "1"), ("9012", "100")]),
        ("2061", [], condition),
        ("3011", [], [("9011", "2")]),
        ("7777", [], [("9011", "8")]),
        ("2012", [], [("9013", "")]),
        ("2011", [], done),
        ("2051", [("BeginTime", now), ("EndTime", now)], [("9011", "1"), ("9012", "100")]),
        ("2051", [("BeginTime", now), ("EndTime", data_time(NOW_S - 1))], condition),
    ):
        platform.send(cn, MN, PW, *cp)
        station.steps(2)
        assert station.answers() == answers, (cn, cp)
    assert station.told("1011") == [{"SystemTime": now}]
    assert (station.told("1061"), station.told("1063")) == ([{"RtdInterval": "900"}], [{"MinInterval": "15"}])
    assert station.hj212.sessions[0].settings.answer_timeout_ms == 7000
    assert station.hj212.sessions[0].settings.resends == 2
    platform.send("1011", OTHER_MN, PW)
    platform.send("1011", MN, "654321")
    platform.send("1011", MN, "654321", flag=4)
    station.steps(2)
    assert station.answers() == [("9011", "4"), ("9011", "3")]
    station.restart()
    assert station.hj212.sessions[0].settings.answer_timeout_ms == 7000
    station.close()


def test_a_clock_is_never_a_platforms_to_set_and_its_difference_is_shown(of_2017: Station) -> None:
    of_2017.platform.send("1012", MN, PW, ("SystemTime", data_time(NOW_S + 3600)))
    of_2017.steps(2)
    assert of_2017.metrics.registry.get_sample_value("wattline_sink_clock_off_seconds", {"sink": "s"}) == 3600
    of_2017.close()


def test_a_new_password_is_used_from_then_on_and_never_shown(of_2017: Station) -> None:
    station = of_2017
    station.steps(2)
    station.platform.send("1072", MN, PW, ("NewPW", "qX7-2z"))
    station.steps(2)
    assert station.answers() == [("9011", "1"), ("9012", "1")]
    station.restart()
    station.commit([window(1)])
    station.steps()
    assert {one.pw for one in station.platform.told} == {"qX7-2z"}
    station.platform.send("1011", MN, PW)
    station.platform.send("1011", MN, "qX7-2z")
    station.steps(2)
    assert station.answers() == [("9011", "3"), ("9011", "1"), ("9012", "1")]
    station.close()


def test_a_key_is_changed_between_two_packets_and_survives_a_restart(of_2025: Station) -> None:
    """P-145: CN 1014, itself encrypted both ways."""
    station = of_2025
    station.platform.send("1014", MN, PW, ("SKCreateTime", "20260301000000"), ("NewSK", "new-key-16-bytes"), flag=9)
    station.steps(2)
    assert station.answers() == [("9011", "1"), ("9012", "1")]
    assert station.hj212._memory.keys(MN) == [b"new-key-16-bytes", KEY.encode()]
    station.restart()
    station.platform.send("1014", MN, PW, flag=9)
    station.steps(2)
    assert station.told("1014") == [{"SKCreateTime": "20260301000000", "NewSK": "new-key-16-bytes"}]
    assert KEY not in repr(vars(station.hj212)) + repr(station.mapping)
    for wrong in ("short", "new-key-16-byteß"):
        station.platform.send("1014", MN, PW, ("NewSK", f"//{wrong}//"), flag=9)
        station.steps(2)
        assert station.answers()[-1] == ("9012", "3")
    station.close()


def test_a_platform_gives_a_station_its_mn(of_2025: Station) -> None:
    station = of_2025
    station.steps(2)
    station.platform.send("1002", MN, PW, ("i23005-Info", OTHER_MN), flag=9)
    with pytest.raises(RestartingError):
        station.steps(2)
    station.restart()
    station.commit([window(1)])
    station.platform._rules = Rules()
    station.steps()
    assert {one.mn for one in station.platform.told if one.cn == "2011"} == {OTHER_MN}
    station.close()


def test_what_a_platform_stopped_is_skipped_counted_and_begins_again_when_told(of_2025: Station) -> None:
    station = of_2025
    station.platform.send("2012", MN, PW, flag=9)
    station.steps(2)
    station.commit([event(1), window(2)])
    station.steps()
    assert station.told("2011") == []
    assert store.status(station.folder, "s")["counts"]["skipped_stopped"] == 1  # type: ignore[index]
    station.platform.send("2011", MN, PW, flag=9)
    station.steps(2)
    station.commit([window(3)])
    station.steps()
    assert len(station.told("2011")) == 1
    station.close()


@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.integers(0, 2**32), st.sampled_from([1, 3, 8]))
def test_whatever_a_platform_does_each_packet_counts_once(seed: int, connections: int) -> None:
    """P-147: silent, away, restarted, on one connection or one a station; QNs strictly increasing at each station."""
    chance = random.Random(seed)
    names = [f"T{number:04d}" for number in range(1, 4)]
    text = "".join(
        f'[[station]]\nterminal = "{name}"\nmn = "{MN[:-1]}{number}"\nst = "44"\npw = "{PW}"\n{ITEMS_2025}'
        for number, name in enumerate(names)
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rules = Rules(strict=True, edition=EDITION_2025)
        station = Station(folder, mapping(folder, "edition = 2025\n" + text), PlatformDouble(rules), connections)
        expected, order = 0, chance.sample(range(30), 30)
        for seq in range(30):
            station.sender.name = chance.choice(names)
            station.sender.key = type(station.sender.key)(station.sender.secret, 1)
            station.commit([window(seq, NOW_S - 900 * (1 + order[seq]), [reading(ua_dv=2200 + seq)])])
            expected += 1
            station.platform.answers, station.platform.is_there = chance.random() < 0.7, chance.random() < 0.8
            station.steps(chance.randrange(1, 4))
            station.platform.now_ms += chance.choice([0, 5000, 60_000])
            if chance.random() < 0.2:
                station.restart()
        station.platform.answers = station.platform.is_there = True
        for _ in range(40):
            station.platform.now_ms += 60_000
            station.steps(4)
        counts, state = station.platform.ledger.counts, store.status(folder, "s")
        assert (state["confirmed"], state["under_way"], state["dead"]) == (30, 0, {}), f"seed {seed}"
        assert (counts.conflicts, counts.duplicates, counts.qn_reused) == (0, 0, 0), f"seed {seed}"
        assert station.platform.broken == [], f"seed {seed}"
        complete = {key for key in station.platform.ledger.complete if key[1] == "2011"}
        assert len(complete) >= len({(key[0], key[2]) for key in complete}) > 0
        delivered = state["counts"]
        assert isinstance(delivered, dict)
        assert delivered["delivered"] == expected
        station.close()


def test_one_station_whose_connection_fails_holds_up_no_other(tmp_path: Path) -> None:
    two = HEAD_2017.replace("T0001", "T0002").replace(MN, OTHER_MN)
    platform = PlatformDouble()
    both = "restarts = false\n" + HEAD_2017 + ITEMS_2017 + two + ITEMS_2017
    station = Station(tmp_path, mapping(tmp_path, both), platform, connections=2)
    silent = station.hj212.sessions[0]
    hear: Callable[..., None] = silent.on_bytes
    silent.on_bytes = lambda data: None  # type: ignore[method-assign]  # noqa: ARG005
    for seq in range(60):
        station.sender.name = "T0001"
        station.commit([window(seq, NOW_S - DAY_S + 900 * seq)])
        station.sender.name = "T0002"
        station.commit([window(seq, NOW_S - DAY_S + 900 * seq)])
        station.steps(3)
        platform.now_ms += 1000
    assert len({one["DataTime"] for one in station.told("2051")}) == 60
    assert sum(one.mn == OTHER_MN for one in platform.told if one.cn == "2051") == 60
    trouble = station.hj212.work(100)
    assert isinstance(trouble, SinkError)
    assert trouble.reason == "silent"
    silent.on_bytes = hear  # type: ignore[method-assign]
    for _ in range(20):
        platform.now_ms += 60_000
        station.steps(20)
    assert store.settled(tmp_path, "s")[0] == 120
    station.close()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("edition = 2017\nheartbeat_s = 60\n" + HEAD_2017 + ITEMS_2017, "heartbeat_s"),
        ('edition = 2017\nsm4 = "raw"\n' + HEAD_2017 + ITEMS_2017, "sm4"),
        ('edition = 2025\nsm4 = "raw"\n' + HEAD_2017 + ITEMS_2025, "station[0].key_file"),
        ("edition = 2025\n" + HEAD_2017.replace("32", "44", 1) + ITEMS_2017, "station[0].item[0].attributes"),
        ('[flags]\nenergy_fel = "D"\n' + HEAD_2017 + ITEMS_2017, "flags.energy_fel"),
        ('[flags]\nenergy_fell = "X"\n' + HEAD_2017 + ITEMS_2017, "flags.energy_fell"),
        (HEAD_2017 + 'hardware = {i23001 = "x"}\n' + ITEMS_2017, "station[0].hardware"),
        (HEAD_2017 + ITEMS_2017.replace('"i33201"', '"i33200"'), "station[0].item[1].code"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused_by_name(tmp_path: Path, text: str, wrong: str) -> None:
    with pytest.raises(Exception, match=re.escape(wrong)):
        mapping(tmp_path, text)


def test_letters_units_and_rounding_are_the_platforms(tmp_path: Path) -> None:
    top = 'restarts = false\nrounding = "half_up"\n[flags]\nstopped = "F"\nenergy_fell = "M"\nnone_silent = "C"\n'
    items = ITEMS_2017.replace('quantity = "e_import"', 'quantity = "e_import"\nexponent = 0\ndecimals = 0')
    station = Station(tmp_path, mapping(tmp_path, top + HEAD_2017 + items), PlatformDouble())
    station.commit([window(1, NOW_S - 2700, [reading(p_mean_w=4005, run_s=0)])])
    station.commit([window(2, NOW_S - 1800, [reading(e_import_wh=1)])])
    station.commit([window(3, NOW_S - 900, [record.NONE_SILENT])])
    station.steps()
    told = station.told("2051")
    assert [one["i33200-Flag"] for one in told] == ["F", "M", "C"]
    assert (told[0]["i33200-Avg"], told[0]["i33201-Cou"]) == ("4.01", "1000000")
    station.close()
