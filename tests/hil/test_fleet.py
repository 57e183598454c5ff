"""A province at once: each terminal with its own key and frames, and a verdict that sees what is wrong."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from hil import cli
from hil.benchmarks.ingest.load import EPOCH
from hil.fleet import player
from hil.fleet.plan import Prepared, Province, load, prepare, provinces
from hil.fleet.verdict import Verdict, judge
from protocol import mac
from protocol.frame import open_frame

NOW_S = 1_772_409_600
SMALL = Province("small", "", "", terminals=7, points=60, backlog="5h", seed=5)


def records(one: Prepared) -> dict[int, bytes]:
    """What a terminal's frames hold, by number, authenticated by its key."""
    found: dict[int, bytes] = {}
    for numbers, data in one.frames.items():
        frame = open_frame(data, one.name, {1: mac.Key(one.secret, 1)})
        assert frame.epoch == EPOCH
        assert tuple(record.seq for record in frame.records) == numbers
        found |= {record.seq: record.raw for record in frame.records}
    return found


def test_each_terminal_has_a_key_frames_and_registers_of_its_own() -> None:
    """P-204"""
    fleet = list(prepare(SMALL, NOW_S))
    assert len({one.secret for one in fleet}) == len(fleet) == 7
    assert sum(one.points for one in fleet) == 60
    raws: set[bytes] = set()
    for one in fleet:
        found = records(one)
        assert sorted(found) == list(range(20))
        assert next(iter(one.frames)) == (19,), "the newest goes first, alone"
        raws |= set(found.values())
        for numbers, data in one.frames.items():
            windows = [record.body for record in open_frame(data, one.name, {1: mac.Key(one.secret, 1)}).records]
            assert [window.start_s for window in windows] == [NOW_S - 900 * (20 - number) for number in numbers]
            assert {len(window.readings) for window in windows} == {one.points}
    assert len(raws) == 7 * 20, "no two records of the province are alike"


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 40), st.data())
def test_the_points_of_a_province_are_shared_out(terminals: int, data: st.DataObject) -> None:
    points = data.draw(st.integers(terminals, 32 * terminals))
    province = Province("any", "", "", terminals, points)
    shares = [province.points_of(number) for number in range(terminals)]
    assert sum(shares) == points
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize(
    ("change", "lost", "twice", "invented"),
    [
        (lambda rows: rows, 0, 0, 0),
        (lambda rows: rows[1:], 1, 0, 0),
        (lambda rows: [*rows, rows[0]], 0, 1, 0),
        (lambda rows: [(rows[0][0], "T00001", rows[0][2]), *rows[1:]], 1, 0, 1),  # under another's name
        (lambda rows: [(rows[0][0], rows[0][1], rows[0][2][:-1] + b"\0"), *rows[1:]], 1, 0, 1),
        (lambda rows: [*rows[:-1], (rows[-1][0] >> 1, *rows[-1][1:])], 1, 0, 0),  # one of its records was there before
    ],
)
def test_the_verdict_sees_what_is_lost_there_twice_or_invented(
    change: object, lost: int, twice: int, invented: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-204"""
    fleet = list(prepare(SMALL, NOW_S))
    rows = [(2 ** len(numbers) - 1, one.name, data) for one in fleet for numbers, data in one.frames.items()]
    monkeypatch.setattr("hil.fleet.verdict.stored_frames", lambda _file: iter(change(rows)))  # type: ignore[operator]
    assert judge(Path("unused"), fleet) == Verdict(140, 140 - lost, lost, twice, invented)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--backlog", "1 day"), "backlog: '1 day'"),
        (("--backlog", "745h"), "backlog: '745h'"),
        (("--terminals", "0"), "an integer 1 to 20000"),
        (("thousand_returns",), "there are / 可用: province, thousand_return"),
        (("--terminals", "10", "--points", "9"), "each terminal has 1 to 32"),
        (("--terminals", "10", "--points", "321"), "each terminal has 1 to 32"),
    ],
)
def test_a_province_that_cannot_be_is_refused(words: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(cli.app, ["fleet", *words])
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.slow
@pytest.mark.e2e
def test_a_small_province_comes_back_after_six_hours_through_a_real_broker_and_gateway(tmp_path: Path) -> None:
    """P-204"""
    words = ["fleet", "--terminals", "25", "--points", "214", "--backlog", "6h", "--out", str(tmp_path), "--json"]
    result = CliRunner().invoke(cli.app, words)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert json.loads(result.stdout) == report
    assert report["windows_found"] == {"expected": 600, "journalled": 600, "lost": 0, "twice": 0, "invented": 0}
    assert (report["terminals"], report["points"], report["windows"], report["verdict"]) == (25, 214, 600, "pass")
    assert 0 < report["newest_ack_s"]["p50"] <= report["ack_s"]["max"] < player.LIMIT_S
    assert report["gateway_rss_mib"] > 10


def test_every_province_of_the_bench_can_be_played() -> None:
    for name in provinces():
        one = load(name, {})
        assert one.name == name
        assert one.windows >= 1
        assert one.title
        assert one.title_zh
