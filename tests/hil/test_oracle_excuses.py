"""What a terminal or a scenario says excuses no more than what was really made to go wrong."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from hil import faults, runner, scenario, wiring
from hil.oracle import judge
from hil.oracle.evidence import Journal, Life, Poll, Sink, Truth, Upload
from hil.oracle.matching import match
from hil.oracle.namesakes import told_of
from hil.oracle.nobody import check_nobody, check_refused
from hil.oracle.sources import frames_of_others, read_journal, unanswered_of, uploads_of_others
from hil.oracle.windows import place
from hil.scenario import Fault
from protocol import mac
from protocol.record import NONE_NOT_SAMPLED, Window
from tests.hil import oracle_world as world

WINDOWS = 8
KEYS = {1: mac.Key(bytes(32), 1)}


def codes(truth: Truth, journal: Journal, sink: Sink | None = None) -> list[str]:
    return [one.code for one in judge(truth, journal, {"platform": sink} if sink else {}).findings]


@pytest.mark.parametrize("claimed_s", [0, 400, 900, 60_000])
def test_a_claimed_clock_error_excuses_no_end_of_a_life(claimed_s: int) -> None:
    """P-183: the last window before a power cut is lost, however bad the terminal says that its clock is."""
    truth = world.truth()
    cut = replace(truth, lives=[Life(truth.lives[0].from_ms, truth.end_ms + 10_000)])
    records = [
        world.kept(world.body(one)._replace(clock_error_s=claimed_s), one.seq) for one in world.true_records(truth)
    ]
    assert codes(cut, world.journal(records)) == []
    assert codes(cut, world.journal(records[:-1])) == ["window_lost"]
    tampered = world.with_clock_off(cut, 1000 * claimed_s)
    assert codes(tampered, world.journal(records[:-1])) == (["window_lost"] if claimed_s < 10 else [])


def test_a_claimed_clock_error_excuses_no_window_that_was_made_without_power() -> None:
    """P-183"""
    truth = world.truth()
    lives = [Life(truth.lives[0].from_ms, truth.end_ms - 600_000)]
    claimed = [world.kept(world.body(one)._replace(clock_error_s=900), one.seq) for one in world.true_records(truth)]
    assert codes(replace(truth, lives=lives), world.journal(claimed)) == ["window_while_dead"]


def untimed(truth: Truth, number: int) -> Window:
    return world.window(truth, number)._replace(start_s=None)


def test_two_windows_without_a_time_are_not_both_there_by_one_message() -> None:
    """P-184: with clocks off by up to half an hour either could be the one that came; the other one is lost."""
    truth = world.with_clock_off(world.truth(), 1_800_000)
    records = [
        world.kept((untimed(truth, number) if number in {3, 4} else world.window(truth, number)), number)
        for number in range(WINDOWS)
    ]
    records = [world.kept(world.body(one)._replace(clock_error_s=1_700), one.seq) for one in records]
    uploads = world.sink(world.true_records(truth)).uploads
    journal = world.journal(records)
    assert set(codes(truth, journal, Sink(uploads, world.ITEMS))) == {"window_unaligned"}
    assert "forward_lost" in codes(truth, journal, Sink([*uploads[:3], *uploads[4:]], world.ITEMS))


def test_windows_without_a_time_go_with_the_nearest_and_leave_those_that_have_one() -> None:
    """P-184"""
    truth = world.with_clock_off(world.truth(), 1_800_000)
    records = [world.kept(untimed(truth, number)._replace(clock_error_s=1_700), number) for number in (2, 3)]
    records.append(world.kept(world.window(truth, 4), 4))
    placed = place(world.journal(records), truth)
    begins = [one.from_ms for one in placed]
    assert match(placed, begins) == begins
    assert match(placed, [begins[1] - 1_000, begins[2]]) == [None, begins[1] - 1_000, begins[2]]
    assert match(placed, [begins[2]]) == [None, None, begins[2]]
    assert match(placed, [begins[1] + 1, begins[0] - 1]) == [begins[0] - 1, begins[1] + 1, None]


def test_a_meter_that_was_not_asked_in_a_window_is_found_though_it_was_in_others() -> None:
    """P-187: an honest "not sampled" is no excuse for a terminal that lived; a meter that was made silent is one."""
    truth = world.truth(silent=frozenset({3}))
    records = world.true_records(truth)
    body = world.body(records[3])
    skipped = [*records]
    skipped[3] = world.kept(body._replace(readings=[body.readings[0], NONE_NOT_SAMPLED]), 3)
    for told in (records, skipped):
        assert codes(replace(truth, unanswered={}), world.journal(told)) == ["meter_unread"]
        in_it = replace(truth, unanswered={2: [truth.start_ms + 3 * 900_000 + 60_000]})
        assert codes(in_it, world.journal(told)) == []
        before = replace(truth, unanswered={2: [truth.start_ms + 2 * 900_000]})
        assert codes(before, world.journal(told)) == ["meter_unread"]


def test_a_terminal_that_had_no_time_to_ask_is_not_blamed() -> None:
    """P-187"""
    truth = replace(world.truth(silent=frozenset({3})), unanswered={})
    began = Life(truth.start_ms + 4 * 900_000 - 2 * truth.sample_interval_ms, truth.lives[0].to_ms)
    late = replace(truth, lives=[replace(truth.lives[0], to_ms=truth.start_ms + 3 * 900_000 + 1_000), began])
    assert "meter_unread" not in codes(late, world.journal(world.true_records(truth)))


def test_on_a_busy_machine_a_meter_is_unread_after_so_long_without_a_question() -> None:
    """P-187: where time is scaled a window is over in a second, and the terminal may not have come to it."""
    truth = replace(world.truth(silent=frozenset({2, 3, 4})), unanswered={}, busy_ms=1_800_000)
    verdict = judge(truth, world.journal(world.true_records(truth)), {})
    assert [(one.code, one.from_ms) for one in verdict.findings] == [
        ("meter_unread", truth.start_ms + number * 900_000) for number in (4,)
    ]


@pytest.mark.parametrize(
    ("asked_after_ms", "busy_ms", "lost"),
    [
        (2 * world.BOOT_MS, 5 * world.BOOT_MS, 0),
        (2 * world.BOOT_MS, 0, 1),
        (0, 5 * world.BOOT_MS, 1),
        (4 * world.BOOT_MS, 2 * world.BOOT_MS - 1_000, 1),
    ],
)
def test_a_terminal_that_came_up_late_has_lost_no_window_in_which_it_asked_no_meter(
    asked_after_ms: int, busy_ms: int, lost: int
) -> None:
    """P-483: its process began shortly before the end of window 3; on a busy machine its program came after that, by no
    more than such a machine is allowed, as the meters' log says.
    """
    truth = world.truth()
    began_ms = world.START_MS + 4 * world.WINDOW_S * 1000 - 2 * world.BOOT_MS
    lives = [replace(truth.lives[0], from_ms=began_ms)]
    polls = {
        point: [one for one in asked if one.t_ms >= began_ms + asked_after_ms] for point, asked in truth.polls.items()
    }
    late = replace(truth, lives=lives, polls=polls, busy_ms=busy_ms)
    records = [world.kept(world.window(late, number), number) for number in range(4, WINDOWS)]
    assert judge(late, world.journal(records), {}).windows.lost == lost


def test_the_meters_log_says_when_it_was_asked_and_gave_nothing() -> None:
    """P-187"""
    rows = [{"t_ms": 5, "address": 1, "unanswered": "silent"}, {"t_ms": 6, "address": 2, "values": {}}]
    assert unanswered_of(rows) == {1: [5]}


JOURNAL = "journal.sqlite3"


def made(tmp_path: Path) -> tuple[scenario.Scenario, Path]:
    """A short run in the simulation, and its folder."""
    one = msgspec.structs.replace(scenario.load("platform_silent"), target="sim", faults=[], hours=1)
    runner.run(one, tmp_path / "run", lambda _share, _text: None)
    return one, tmp_path / "run" / "gateway" / "data" / JOURNAL


def changed(file: Path, change: Callable[[bytes], bytes]) -> None:
    connection = sqlite3.connect(file)
    with connection:
        first, packed = connection.execute("SELECT first, frames FROM blocks ORDER BY first LIMIT 1").fetchone()
        connection.execute("DROP TRIGGER IF EXISTS blocks_stay")
        connection.execute("UPDATE blocks SET frames = ? WHERE first = ?", (change(packed), first))
    connection.close()


def test_a_journal_with_a_forged_frame_or_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    """P-193: no traceback; all else that is in it is still judged."""
    _, file = made(tmp_path)
    keys = wiring.keys(1)
    whole = read_journal(file, "T0001", keys)
    assert (whole.forged, whole.unreadable) == ([], "")
    assert read_journal(file, "T0001", KEYS).kept == []
    changed(file, lambda packed: packed[:-1] + bytes((packed[-1] ^ 1,)))
    forged = read_journal(file, "T0001", keys)
    assert len(forged.forged) == 1
    assert 0 < len(forged.kept) < len(whole.kept)
    assert "frame_forged" in codes(world.truth(), forged)
    changed(file, lambda packed: packed[:-1])
    assert "ends 1 bytes early" in read_journal(file, "T0001", keys).unreadable
    file.write_bytes(b"no database " * 400)
    damaged = read_journal(file, "T0001", keys)
    assert "can't be read" in damaged.unreadable
    assert "journal_unreadable" in codes(world.truth(), damaged)
    assert frames_of_others(file, ()).total() == 0


def test_what_is_under_names_that_nobody_has_is_invented(tmp_path: Path) -> None:
    """P-194"""
    played, file = made(tmp_path)
    frames = frames_of_others(file, {"T0002"})
    assert set(frames) == {"T0001"}
    assert frames_of_others(file, {"T0001"}).total() == 0
    received = file.parents[2] / "received.jsonl"
    (mn,) = {json.loads(line)["mn"] for line in received.read_text("utf-8").splitlines() if '"upload"' in line}
    assert uploads_of_others(received, {mn}).total() == 0
    uploads = uploads_of_others(received, {"another"})
    assert uploads.total() >= 4 * played.hours - 1
    found = list(check_nobody(frames, uploads))
    assert [(one.invariant, one.code, one.count) for one in found] == [
        (3, "frame_of_nobody", frames.total()),
        (3, "upload_of_nobody", uploads.total()),
    ]


def test_a_refused_frame_is_a_finding_unless_somebody_forges() -> None:
    """P-194"""
    assert [one.code for one in check_refused({"conflict": 1}, set())] == ["refused_of_own"]
    assert list(check_refused({"conflict": 1}, {"conflict"})) == []
    assert list(check_refused({"conflict": 1}, None)) == []
    quiet = scenario.load("platform_silent")
    assert faults.refusals(quiet) == set()
    assert faults.refusals(scenario.load("replayed_capture")) is None
    assert faults.refusals(scenario.load("cloned_terminal")) is None
    forged = Fault("forged_frames", "09:00", "1 h", every="10 min")
    assert faults.refusals(msgspec.structs.replace(quiet, faults=[forged])) is None


def test_a_message_that_the_journal_does_not_have_is_invented_and_says_when() -> None:
    """P-184: so that an excuse for it can be bounded by time."""
    truth = world.truth()
    records = world.true_records(truth)
    sink = world.sink(records)
    more = Upload("more", truth.start_ms + 60_000, {})
    (finding,) = judge(truth, world.journal(records), {"platform": Sink([*sink.uploads, more], sink.items)}).findings
    assert (finding.code, finding.from_ms) == ("forward_invented", more.start_ms)


def test_what_a_namesake_told_a_platform_is_its_own_and_excuses_nothing_else() -> None:
    """P-205: a message counts for the copy only where it says what a window of the copy says, to the last value."""
    truth = world.truth()
    own = world.true_records(truth)
    theirs = [world.altered(one, 1, p_mean_w=7_000, p_max_w=8_000) for one in own[:4]]
    places = [place(world.journal(records), truth) for records in (own, theirs)]
    uploads = [*world.sink(own).uploads, *world.sink(theirs).uploads]
    left = told_of(Sink(uploads, world.ITEMS), *places)
    assert left.uploads == uploads[:WINDOWS]
    assert told_of(Sink(uploads, world.ITEMS), *places[::-1]).uploads == uploads[WINDOWS:]
    again = [*uploads, replace(uploads[-1], number="again")]
    assert told_of(Sink(again, world.ITEMS), *places).uploads == [*uploads[:WINDOWS], again[-1]], "each explains one"
    wrong = [*uploads[:-1], replace(uploads[-1], values={**uploads[-1].values, "i33201-Avg": "7.01"})]
    assert told_of(Sink(wrong, world.ITEMS), *places).uploads == [*uploads[:WINDOWS], wrong[-1]]
    assert codes(truth, world.journal(own), told_of(Sink(uploads, world.ITEMS), *places)) == []


def test_a_gateway_that_told_a_wrong_time_explains_so_much_of_a_clocks_error_and_no_more() -> None:
    """P-183: what no terminal can know excuses what its clock was really off by, and no lost window."""
    truth = replace(world.with_clock_off(world.truth(), 45_000), is_misled=True)
    records = world.true_records(truth)
    for by_ms, found in ((40_000, set()), (120_000, {"reading_stale", "power_altered"})):
        polls = {point: [Poll(one.t_ms - by_ms, one.values) for one in of] for point, of in truth.polls.items()}
        assert set(codes(replace(truth, polls=polls), world.journal(records))) == found
    assert codes(truth, world.journal([*records[:3], *records[4:]])) == ["window_lost"]
