"""Alarms: the same for whatever steps the journal was looked at in, and what people do about them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.watch import alarms
from gateway.watch.alarms import ACKNOWLEDGED, ANSWERED, CLOSED, DISPATCHED, OPEN, STEPS, WITHDRAWN, Alarm, settled
from gateway.watch.finding import Finding
from gateway.watch.honesty import PHASE_LOST, REVERSED
from gateway.watch.linkage import ORDER_BROKEN, STARTED_LATE, TREATMENT_OFF
from gateway.watch.store import FILE, SCHEMA, Known, Look, Progress, Step, StepRefusedError, Store

SLOT_S = 900


def finding(first: int, length: int, kind: str = TREATMENT_OFF) -> Finding:
    return Finding(kind, SLOT_S * first, SLOT_S * (first + length), {"production_w": 5000, "treatment_w": 10})


def spans_of(bits: list[bool]) -> list[tuple[int, int]]:
    """(first, length) of each run of wrong slots."""
    found: list[tuple[int, int]] = []
    for at, is_wrong in enumerate(bits):
        if is_wrong and found and sum(found[-1]) == at:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        elif is_wrong:
            found.append((at, 1))
    return found


truths = st.lists(st.booleans(), min_size=1, max_size=40)


@given(truths, st.data())
def test_looks_in_any_steps_end_with_the_same_alarms(truth: list[bool], data: st.DataObject) -> None:
    """P-248: each look sees its span as it is then: what was there before it may have been wrong."""
    ids, now = iter(range(1, 10_000)), [False] * len(truth)
    some: list[Alarm] = []
    looks = data.draw(st.lists(st.tuples(st.integers(0, 39), st.integers(1, 40)), max_size=12))
    for number, (first, length) in enumerate([*looks, (0, len(truth))]):
        span = range(min(first, len(truth)), min(first + length, len(truth)))
        is_last = number == len(looks)
        changed = dict(enumerate(truth)) if is_last else {at: data.draw(st.booleans()) for at in span}
        now = [changed.get(at, was) if at in span else was for at, was in enumerate(now)]
        from_s, to_s = SLOT_S * span.start, SLOT_S * span.stop
        met = [one for one in some if one.to_s >= from_s and one.from_s <= to_s]
        seen = [finding(*one) for one in spans_of([is_wrong and at in span for at, is_wrong in enumerate(now)])]
        after, gone = settled(met, [], seen, from_s, to_s)
        assert {one.id for one in met} == {one.id for one in after if one.id} | set(gone)
        some = [one for one in some if one not in met] + [one._replace(id=one.id or next(ids)) for one in after]
        some.sort(key=lambda one: one.from_s)
        held = [(one.from_s // SLOT_S, (one.to_s - one.from_s) // SLOT_S) for one in some]
        assert held == spans_of(now)
        assert len({one.id for one in some}) == len(some)
    assert settled(some, [], [finding(*one) for one in spans_of(truth)], 0, SLOT_S * len(truth)) == (some, [])


def test_an_alarm_that_grows_keeps_its_id_and_takes_its_new_name() -> None:
    """P-248."""
    (off,), _ = settled([], [], [finding(4, 2)], 0, 6 * SLOT_S)
    off = off._replace(id=7)
    (late,), gone = settled([off], [], [finding(4, 3, STARTED_LATE)], 0, 9 * SLOT_S)
    assert (late.id, late.kind, late.from_s, late.to_s, gone) == (7, STARTED_LATE, 4 * SLOT_S, 7 * SLOT_S, [])
    assert settled([late], [], [], 0, 9 * SLOT_S) == ([], [7])


def test_a_finding_that_reaches_beyond_its_look_takes_in_what_was_there_before() -> None:
    """P-248: a late window in its midst joins a run, and tells that it began earlier."""
    before = Alarm(7, TREATMENT_OFF, 4 * SLOT_S, 8 * SLOT_S, {})
    (after,), gone = settled([before], [], [finding(3, 5)], 5 * SLOT_S, 7 * SLOT_S)
    assert (after.id, after.from_s, after.to_s, gone) == (7, 3 * SLOT_S, 8 * SLOT_S, [])


def test_what_goes_on_after_somebody_closed_it_is_another_alarm() -> None:
    """P-248."""
    closed = Alarm(7, TREATMENT_OFF, 4 * SLOT_S, 6 * SLOT_S, {})
    (after,), gone = settled([], [closed], [finding(4, 5)], 0, 9 * SLOT_S)
    assert (after.id, after.from_s, after.to_s, gone) == (0, 6 * SLOT_S, 9 * SLOT_S, [])
    assert settled([], [closed], [finding(4, 2)], 0, 9 * SLOT_S) == ([], [])


def test_findings_of_a_point_that_overlap_are_alarms_of_their_own(tmp_path: Path) -> None:
    """P-248: in whatever steps they were looked at."""
    families = (REVERSED, PHASE_LOST)
    found = [Finding(REVERSED, 0, 4 * SLOT_S), Finding(PHASE_LOST, 2 * SLOT_S, 6 * SLOT_S)]
    steps = [(0, 3), (3, 6), (0, 6)]
    for number, spans in enumerate(([(0, 6)], steps, steps[::-1])):
        (tmp_path / str(number)).mkdir()
        store = Store(tmp_path / str(number))
        for at, (first, end) in enumerate(spans):
            seen = [one for one in found if one.to_s > first * SLOT_S and one.from_s < end * SLOT_S]
            store.take([Look("E1", "T1/1", families, seen, first * SLOT_S, end * SLOT_S)], Known(Progress(at, 0)), at)
        assert {(one.kind, one.from_s, one.to_s) for one in store.rows()} == {each[:3] for each in found}
        store.close()


def look(*found: Finding, to: int = 40) -> Look:
    return Look("E1", "line", ["treatment", "order"], found, 0, SLOT_S * to)


def test_a_store_keeps_alarms_and_what_was_done_over_a_restart(tmp_path: Path) -> None:
    """P-249: findings of another family are alarms of their own."""
    store = Store(tmp_path)
    assert store.take([look(finding(3, 4), finding(3, 4, ORDER_BROKEN))], Known(Progress(9, 2)), 1000) == 2
    assert store.take([look(finding(3, 5))], Known(Progress(11, 2)), 2000) == 0
    number = store.rows(OPEN)[0].id
    store.step(number, Step(3000, DISPATCHED, "wang", "督办单 031"))
    store.close()
    store = Store(tmp_path)
    assert store.progress() == Progress(11, 2)
    row = store.row(number)
    assert row is not None
    assert (row.state, row.kind, row.to_s, row.found_ms, row.changed_ms) == (
        DISPATCHED,
        TREATMENT_OFF,
        8 * SLOT_S,
        1000,
        3000,
    )
    assert store.steps(number) == [Step(3000, DISPATCHED, "wang", "督办单 031")]
    assert [(one.kind, one.state) for one in store.rows(WITHDRAWN)] == [(ORDER_BROKEN, WITHDRAWN)]
    store.close()


def test_alarms_of_an_older_version_are_kept(tmp_path: Path) -> None:
    """P-249."""
    with closing(sqlite3.connect(tmp_path / FILE)) as old:
        old.executescript((SCHEMA / "0001.sql").read_text())
        old.execute(
            "INSERT INTO alarms (enterprise, linkage, family, kind, from_s, to_s, production_w, treatment_w, state,"
            " found_ms, changed_ms) VALUES ('E1', 'line', 'treatment', 'treatment_off', 0, 900, 5000, 10, 'open', 1, 1)"
        )
        old.execute("PRAGMA user_version = 1")
        old.commit()
    store = Store(tmp_path)
    (row,) = store.rows()
    assert (row.subject, row.facts) == ("line", {"production_w": 5000, "treatment_w": 10})
    store.close()


@pytest.mark.parametrize("state", alarms.STATES)
def test_only_what_can_follow_can_be_done(tmp_path: Path, state: str) -> None:
    """P-249."""
    ways = {
        ACKNOWLEDGED: [ACKNOWLEDGED],
        DISPATCHED: [DISPATCHED],
        ANSWERED: [DISPATCHED, ANSWERED],
        CLOSED: [CLOSED],
    }
    for other in alarms.STATES:
        folder = tmp_path / other
        folder.mkdir()
        store = Store(folder)
        store.take([look(finding(3, 4))], Known(Progress(1, 0)), 0)
        for each in ways.get(state, []):
            store.step(1, Step(1, each, "li", ""))
        if state == WITHDRAWN:
            store.take([look()], Known(Progress(2, 0)), 1)
        if other in STEPS[state]:
            store.step(1, Step(2, other, "li", ""))
            assert store.rows()[0].state == other
        else:
            with pytest.raises(StepRefusedError, match="1: is"):
                store.step(1, Step(2, other, "li", ""))
        with pytest.raises(StepRefusedError, match="no such alarm"):
            store.step(2, Step(2, other, "li", ""))
        store.close()
