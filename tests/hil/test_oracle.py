"""The oracle passes the truth and catches every lie: a bench that can't fail proves nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.oracle import judge, judge_all
from hil.oracle.evidence import Case, Journal, Life, Poll, Sink, Trouble, Truth, Upload, Verdict
from hil.oracle.namesakes import made_by
from hil.oracle.sources import polls_of
from protocol.record import NONE_SILENT
from tests.hil import oracle_world as world

WINDOWS = 8
NUMBER = st.integers(0, WINDOWS - 1)


def codes(truth: Truth, journal: Journal, sink: Sink | None = None) -> tuple[Verdict, set[str]]:
    verdict = judge(truth, journal, {"platform": sink} if sink else {})
    return verdict, {one.code for one in verdict.findings}


def test_the_truth_passes() -> None:
    truth = world.truth(silent=frozenset({3}))
    records = world.true_records(truth)
    verdict, found = codes(truth, world.journal(records), world.sink(records))
    assert found == set()
    assert verdict.passed
    assert (verdict.windows.closed, verdict.windows.journalled, verdict.windows.lost) == (WINDOWS, WINDOWS, 0)
    assert verdict.sinks["platform"].delivered == WINDOWS
    assert verdict.readings == 2 * WINDOWS - 1


def test_a_meter_that_was_never_read_proves_nothing() -> None:
    """P-51"""
    truth = world.truth(silent=frozenset(range(WINDOWS)))
    journal = world.journal(world.true_records(truth))
    assert codes(truth, journal)[1] == set()
    assert codes(replace(truth, unanswered={}), journal)[1] == {"meter_unread"}


def test_terminals_are_summed_up_and_a_finding_names_its_own() -> None:
    """P-170: a window that one of two terminals lost is that one's."""
    truth = world.truth()
    records = world.true_records(truth)
    cases = [
        Case("T0001", [], truth, world.journal(records), {"platform": world.sink(records)}),
        Case("T0002", [], truth, world.journal(records[1:]), {"platform": world.sink(records[1:])}),
    ]
    verdict = judge_all(cases)
    assert [finding.text.split(":")[0] for finding in verdict.findings] == ["T0002"]
    assert (verdict.windows.closed, verdict.windows.lost) == (2 * WINDOWS, 1)
    assert (verdict.terminals["T0001"].lost, verdict.terminals["T0002"].lost) == (0, 1)
    assert verdict.sinks["platform"].delivered == 2 * WINDOWS - 1


def test_a_sample_that_is_stamped_late_is_still_its_own_and_no_earlier_one() -> None:
    """P-51: on a busy machine; the last poll before the stamp, but not the one before that; not of each."""
    truth = replace(world.truth(), tolerance_ms=2_000)
    records = world.true_records(truth)

    def late(by_ms: int, *points: int) -> Truth:
        """What these meters showed so much earlier than the terminal says."""
        polls = {point: [replace(poll, t_ms=poll.t_ms - by_ms) for poll in truth.polls[point]] for point in points}
        return replace(truth, polls={**truth.polls, **polls}, lag_ms=45_000)

    assert codes(late(40_000, 1), world.journal(records))[1] == set()
    assert "reading_stale" in codes(late(50_000, 1), world.journal(records))[1]
    assert "reading_stale" in codes(replace(late(40_000, 1), lag_ms=0), world.journal(records))[1]
    assert "reading_stale" in codes(late(40_000, *truth.polls), world.journal(records))[1]


@given(NUMBER)
def test_a_dropped_window_is_lost(number: int) -> None:
    truth = world.truth()
    truth = replace(truth, troubles=[Trouble("broker_outage", truth.start_ms, truth.end_ms)])
    records = world.true_records(truth)
    del records[number]
    verdict, found = codes(truth, world.journal(records))
    assert found == {"window_lost"}
    assert (verdict.windows.lost, verdict.windows.closed) == (1, WINDOWS)
    assert verdict.findings[0].cause == "broker_outage"


@given(st.sets(NUMBER, min_size=1))
def test_every_dropped_window_is_counted(numbers: set[int]) -> None:
    # P-51
    truth = world.truth()
    records = [one for one in world.true_records(truth) if one.seq not in numbers]
    verdict, _ = codes(truth, world.journal(records))
    assert verdict.windows.lost == len(numbers)
    assert verdict.windows.journalled == WINDOWS - len(numbers)


@given(NUMBER)
def test_a_record_twice_in_the_table_is_doubled(number: int) -> None:
    # P-51
    truth = world.truth()
    journal = world.journal(world.true_records(truth))
    verdict, found = codes(truth, Journal(journal.kept, [*journal.rows, journal.rows[number]]))
    assert found == {"identity_twice"}
    assert verdict.windows.duplicated == 1


@given(NUMBER)
def test_a_window_under_two_numbers_is_doubled(number: int) -> None:
    truth = world.truth()
    records = world.true_records(truth)
    records.append(world.kept(world.window(truth, number), 99))
    verdict, found = codes(truth, world.journal(records))
    assert found == {"window_twice"}
    assert verdict.windows.duplicated == 1
    assert verdict.windows.journalled == WINDOWS


def test_a_window_while_the_terminal_had_no_power_is_invented() -> None:
    # P-51
    truth = world.truth()
    dead = [Life(truth.lives[0].from_ms, truth.start_ms + 4 * 900_000), Life(truth.end_ms, truth.end_ms + 1)]
    verdict, found = codes(replace(truth, lives=dead), world.journal(world.true_records(truth)))
    assert found == {"window_while_dead"}
    assert verdict.windows.invented == 4


def test_a_window_off_the_quarter_hour_is_invented() -> None:
    truth = world.truth()
    records = world.true_records(truth)
    body = world.body(records[2])
    records[2] = world.kept(body._replace(start_s=body.start_s + 7, end_uptime_s=body.end_uptime_s + 7), 2)
    _, found = codes(truth, world.journal(records))
    assert {"window_unaligned", "window_lost"} <= found


@given(NUMBER)
def test_a_record_without_an_authenticated_frame_is_forged(number: int) -> None:
    # P-51
    truth = world.truth()
    journal = world.journal(world.true_records(truth))
    kept = [one for one in journal.kept if one.seq != number]
    verdict, found = codes(truth, Journal(kept, journal.rows))
    assert "window_forged" in found
    assert verdict.windows.invented == 1


def test_a_record_in_a_frame_but_not_in_the_table_is_lost() -> None:
    truth = world.truth()
    journal = world.journal(world.true_records(truth))
    _, found = codes(truth, Journal(journal.kept, journal.rows[1:]))
    assert "record_lost" in found


@given(NUMBER, st.integers(1, 10**6))
def test_an_energy_that_was_never_shown_is_altered(number: int, by_wh: int) -> None:
    """P-51: One Wh is enough: energies are evidence."""
    truth = world.truth()
    records = world.true_records(truth)
    shown = {poll.values["e_import_wh"] for poll in truth.polls[1]}
    wrong = world.body(records[number]).readings[0].e_import_wh + by_wh
    records[number] = world.altered(records[number], 1, e_import_wh=wrong)
    _, found = codes(truth, world.journal(records))
    assert found == {"reading_stale" if wrong in shown else "energy_altered"}


@given(st.integers(1, WINDOWS - 1))
def test_the_window_before_again_with_a_fresh_stamp_is_stale(number: int) -> None:
    # P-51
    truth = world.truth()
    records = world.true_records(truth)
    old = world.body(records[number - 1])
    records[number] = world.kept(world.body(records[number])._replace(readings=old.readings), number)
    _, found = codes(truth, world.journal(records))
    assert "reading_stale" in found


@given(NUMBER)
def test_a_reading_of_a_silent_meter_is_caught(number: int) -> None:
    """An old value under a new stamp is the worst failure here."""
    truth = world.truth(silent=frozenset({number}))
    records = world.true_records(truth)
    told = world.window(world.truth(), number)
    records[number] = world.kept(told, number)
    _, found = codes(truth, world.journal(records))
    assert found & {"reading_while_silent", "reading_stale", "energy_altered"}


@given(NUMBER)
def test_a_reading_withheld_is_caught(number: int) -> None:
    truth = world.truth()
    records = world.true_records(truth)
    body = world.body(records[number])
    records[number] = world.kept(body._replace(readings=[body.readings[0], 1]), number)
    _, found = codes(truth, world.journal(records))
    assert found == {"reading_withheld"}


@pytest.mark.parametrize(
    "change", [{"p_mean_w": 1045}, {"p_min_w": 990}, {"p_max_w": 1500}, {"p_mean_w": 1020, "p_max_w": 1050}]
)
def test_powers_that_were_not_shown_are_caught(change: dict[str, int]) -> None:
    truth = world.truth()
    records = world.true_records(truth)
    records[1] = world.altered(records[1], 1, **change)
    _, found = codes(truth, world.journal(records))
    assert found == {"power_altered"}


def test_a_try_that_had_to_be_made_again_is_no_lie_but_a_power_never_shown_still_is() -> None:
    truth = world.truth()
    records = world.true_records(truth)
    begin_ms = world.START_MS + world.WINDOW_S * 1000
    # the meter showed 500 W once more than it was heard: its answer came too late, and it was asked again
    unheard = Poll(begin_ms + 300_500, {**truth.polls[1][20].values, "p_w": 500})
    truth = replace(truth, polls={**truth.polls, 1: sorted([*truth.polls[1], unheard], key=lambda poll: poll.t_ms)})
    assert codes(truth, world.journal(records))[1] == set()
    records[1] = world.altered(records[1], 1, p_min_w=499)
    assert codes(truth, world.journal(records))[1] == {"power_altered"}


def test_a_run_time_beyond_what_was_above_the_threshold_is_caught() -> None:
    truth = world.truth()
    records = world.true_records(truth)
    records[1] = world.altered(records[1], 1, run_s=300)
    verdict = judge(replace(truth, thresholds_w={1: 500, 2: 500}), world.journal(records), {})
    assert {one.code for one in verdict.findings} == {"run_altered"}


def test_windows_without_time_must_follow_each_other_without_a_hole() -> None:
    truth = replace(world.truth(), lives=[Life(world.START_MS, world.truth().end_ms, knows_time=False)])
    records = []
    for number in range(WINDOWS):
        body = world.window(truth, number)._replace(end_uptime_s=(number + 1) * 900)
        records.append(world.kept(body._replace(start_s=None) if number < 4 else body, number))
    assert codes(truth, world.journal(records))[1] == set()
    verdict, found = codes(truth, world.journal([one for one in records if one.seq not in {2, 5}]))
    assert found == {"window_lost"}
    assert verdict.windows.lost == 2


def sent(change: Callable[[list[Upload]], object]) -> tuple[Verdict, set[str]]:
    """The findings after `change(uploads)` of what the platform got."""
    truth = world.truth()
    records = world.true_records(truth)
    sink = world.sink(records)
    uploads = list(sink.uploads)
    change(uploads)
    return codes(truth, world.journal(records), Sink(uploads, sink.items))


def test_a_window_that_the_platform_never_got_is_lost_there() -> None:
    verdict, found = sent(lambda uploads: uploads.pop(3))
    assert found == {"forward_lost"}
    assert (verdict.sinks["platform"].lost, verdict.sinks["platform"].delivered) == (1, WINDOWS - 1)


def test_a_window_sent_again_under_a_new_number_counts_twice() -> None:
    # P-51
    verdict, found = sent(lambda uploads: uploads.append(replace(uploads[2], number="another")))
    assert found == {"forward_twice"}
    assert verdict.sinks["platform"].duplicated == 1


def test_a_value_changed_on_the_way_to_the_platform_is_caught() -> None:
    def change(uploads: list[Upload]) -> None:
        uploads[1] = Upload(uploads[1].number, uploads[1].start_ms, {**uploads[1].values, "i33202-Cou": "1.000"})

    assert sent(change)[1] == {"forward_altered"}


def test_a_value_for_a_silent_meter_at_the_platform_is_caught() -> None:
    truth = world.truth(silent=frozenset({2}))
    records = world.true_records(truth)
    sink = world.sink(records)
    uploads = list(sink.uploads)
    uploads[2] = Upload("qn2", uploads[2].start_ms, {**uploads[2].values, "i33301-Avg": "0.00"})
    assert codes(truth, world.journal(records), Sink(uploads, sink.items))[1] == {"forward_altered"}


def test_a_window_that_only_the_platform_has_is_invented() -> None:
    truth = world.truth()
    records = world.true_records(truth)
    _, found = codes(truth, world.journal(records[:-1]), world.sink(records))
    assert found == {"window_lost", "forward_invented"}


def test_a_clock_is_judged_by_the_error_that_it_owns_up_to() -> None:
    # P-51
    truth = world.truth()
    records = world.true_records(truth)
    late = {point: [Poll(poll.t_ms - 30_000, poll.values) for poll in polls] for point, polls in truth.polls.items()}
    off = replace(truth, polls=late)
    assert "reading_stale" in codes(off, world.journal(records))[1]
    honest = [world.kept(world.body(one)._replace(clock_error_s=40), one.seq) for one in records]
    assert "reading_stale" in codes(off, world.journal(honest))[1], "it says so, and its clock was right"
    assert codes(world.with_clock_off(off, 40_000), world.journal(honest))[1] == set()


def test_answers_that_were_held_back_need_not_have_been_taken() -> None:
    # P-51
    truth = world.truth()
    records = world.true_records(truth)
    silent = world.body(records[2])._replace(readings=[world.body(records[2]).readings[0], NONE_SILENT])
    records[2] = world.kept(silent, 2)
    assert codes(truth, world.journal(records))[1] == {"reading_withheld"}
    held = [Poll(poll.t_ms, poll.values, is_late=True) for poll in truth.polls[2]]
    assert codes(replace(truth, polls={**truth.polls, 2: held}), world.journal(records))[1] == set()


def test_of_two_terminals_of_one_name_each_has_what_it_made_itself() -> None:
    """P-205"""
    own, copy = [Life(0, 10, boot=1)], [Life(5, 10, boot=2)]
    truth = world.truth()
    kept = [world.kept(world.window(truth, seq)._replace(boot=boot), seq) for seq, boot in ((1, 1), (2, 2), (3, 3))]
    journal = world.journal(kept)
    assert [one.seq for one in made_by(journal, own, copy).kept] == [1, 3]
    assert [seq for _, seq, _ in made_by(journal, own, copy).rows] == [1, 3]
    assert [one.seq for one in made_by(journal, copy, own).kept] == [2, 3]
    assert made_by(journal, own, []) == journal
    assert made_by(journal, own, own) == journal, "what both may have made is both's"


def test_of_starts_that_two_terminals_of_one_name_count_the_same_each_has_what_it_sent() -> None:
    """P-205: both were started once after the flash was copied; a record that was refused in a kept frame is none."""
    own, copy = [Life(0, 10, boot=2, boot_id=77)], [Life(5, 10, boot=2, boot_id=88)]
    truth = world.truth()
    kept = [
        replace(world.kept(world.window(truth, seq)._replace(boot=2), seq), sent_boot_id=boot_id)
        for seq, boot_id in ((1, 77), (2, 88))
    ]
    journal = world.journal(kept)
    assert [one.seq for one in made_by(journal, own, copy).kept] == [1]
    assert [one.seq for one in made_by(journal, copy, own).kept] == [2]
    refused = replace(world.kept(world.window(truth, 3)._replace(boot=2), 1), sent_boot_id=77)
    assert made_by(replace(journal, kept=[*kept, refused]), own, copy).kept == kept[:1]


def test_a_meter_that_cannot_show_its_power_for_a_while_is_judged_by_what_it_showed() -> None:
    # P-51: more than its digits hold, in one sample of a window
    truth = world.truth()
    records = world.true_records(truth)
    hidden_ms = world.START_MS + (2 * world.WINDOW_S + world.INTERVAL_S) * 1000
    rows = [
        {
            "t_ms": poll.t_ms,
            "from_ms": 0,
            "address": 1,
            "values": {**poll.values, **({"p_w": None} if poll.t_ms == hidden_ms else {})},
        }
        for poll in truth.polls[1]
    ]
    partial = replace(truth, polls={**truth.polls, 1: polls_of(rows)[1, 1]})
    assert codes(partial, world.journal(records))[1] == set()
    most_w = world.body(records[2]).readings[0].p_max_w
    records[2] = world.altered(records[2], 1, p_max_w=most_w + 1)
    assert codes(partial, world.journal(records))[1] == {"power_altered"}
