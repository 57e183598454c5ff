"""The rules of rollouts, without any store: who is a canary, when a rollout goes on, how much is under way."""

import random

from hypothesis import given
from hypothesis import strategies as st

from gateway.updates import stages
from gateway.updates.pacing import AGAIN_MS, BYTES_MAX, HELD_MS, WINDOW_BYTES, Pacing
from gateway.updates.selection import staged
from gateway.updates.stages import Rule, Standing, next_step, silent
from protocol.limits import CHUNK_BYTES_MAX

RULE = Rule(3, 1, 1000)


@given(st.sets(st.text("ABC", min_size=1, max_size=5), min_size=1, max_size=40), st.randoms())
def test_each_terminal_is_in_one_stage_and_canaries_were_heard(names: set[str], chance: random.Random) -> None:
    """P-271"""
    heard = {name for name in names if chance.random() < 0.5}
    percents = sorted(chance.sample(range(1, 101), chance.randint(1, 4)))
    placed = staged(names, heard, percents, str(chance.random()))
    assert len({one.terminal for one in placed}) == len(placed)
    for stage, percent in enumerate(percents):
        count = sum(one.stage <= stage for one in placed)
        assert count == max(1, -(-len(names) * percent // 100))
    canaries = {one.terminal for one in placed if one.stage == 0}
    assert canaries <= heard or heard <= canaries


def test_not_the_same_are_canaries_each_time() -> None:
    names = {f"T{number}" for number in range(100)}
    some = [{one.terminal for one in staged(names, names, [5], str(salt)) if one.stage == 0} for salt in range(5)]
    assert len(set.union(*some)) > 10


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(stages.STATES), st.integers(0, 5000), st.booleans())))
def test_a_rollout_goes_on_when_all_are_settled_and_halts_when_too_many_failed(
    found: list[tuple[int, str, int, bool]],
) -> None:
    """P-271 P-272"""
    standings = [Standing(f"T{at}", *one) for at, one in enumerate(found)]
    step = next_step(standings, 1, 0, RULE, 900)
    failed = [one for one in standings if one.state in stages.FAILED and not one.excused]
    if len(failed) > RULE.may_fail:
        assert (step.state, step.stage) == (stages.HALTED, 1)
        assert failed[0].terminal in step.why
    elif all(
        one.state in {stages.GOOD, *stages.FAILED} or one == (one.terminal, 0, "waiting", *one[3:]) for one in standings
    ):
        assert step == (stages.RUNNING, 2, "")
    else:
        assert step == (stages.RUNNING, 1, "")


def test_silence_is_what_follows_a_word_and_for_canaries_no_word_at_all() -> None:
    """P-272"""
    some = [Standing(state, 0, state, 0, excused=False) for state in stages.STATES]
    assert silent(some, 0, 0, RULE, 1000) == []
    assert silent(some, 0, 0, RULE, 1001) == [stages.WAITING, *stages.UNDER_WAY]
    assert silent(some, 0, 500, RULE, 1001) == list(stages.UNDER_WAY)  # its turn came later
    later = [one._replace(stage=1) for one in some]
    assert silent(later, 1, 0, RULE, 1001) == list(stages.UNDER_WAY)


@given(st.randoms(use_true_random=False))
def test_what_is_under_way_is_bounded_and_everybody_has_a_turn(chance: random.Random) -> None:
    """P-273"""
    bound = chance.randint(1, 4) * WINDOW_BYTES
    pacing, now_ms = Pacing(bound), 0
    end = chance.randint(1, 200_000)
    stored = {f"T{number}": 0 for number in range(chance.randint(1, 12))}
    for name in stored:
        pacing.ask(name, 0, end)
    for _ in range(2000):
        for name, window in pacing.grants(now_ms).items():
            assert window.begin == stored[name]
            assert window.chunks[-1][1] == window.end <= end
            assert all(0 < to - begin <= CHUNK_BYTES_MAX for begin, to in window.chunks)
            if chance.random() < 0.8:  # else it is lost
                stored[name] = window.end
            if chance.random() < 0.8:  # it says so, also that it lacks something
                pacing.says(name, stored[name])
        assert pacing.under_way(now_ms) <= bound
        now_ms += chance.choice([100, AGAIN_MS, HELD_MS])
        for name in [name for name in stored if pacing.may_ask(name, now_ms)]:
            pacing.ask(name, stored[name], end)
        if set(stored.values()) == {end}:
            break
    assert set(stored.values()) == {end}


def test_whatever_a_terminal_says_it_gets_no_more_than_an_honest_one() -> None:
    """P-354: ten thousand words in 100 s: the payload once a round, and a window more each ten seconds."""
    chance, pacing, payload = random.Random(354), Pacing(), 160_000
    for says in (lambda _: 0, lambda _: chance.randrange(payload + 1), lambda end: end % payload):
        given, end = 0, 0
        pacing.end("T1")
        for now_ms in range(0, 100_000, 10):
            pacing.says("T1", says(end))
            if pacing.may_ask("T1", now_ms):
                pacing.ask("T1", says(end), payload)
            for window in pacing.grants(now_ms).values():
                end, given = window.end, given + window.end - window.begin
        rounds = 100_000 // AGAIN_MS
        assert given <= rounds * (payload + WINDOW_BYTES), given


def test_the_bound_is_of_all_terminals_together() -> None:
    """P-273"""
    pacing = Pacing()
    for number in range(500):
        pacing.ask(f"T{number}", 0, 10**6)
    assert len(pacing.grants(0)) == BYTES_MAX // WINDOW_BYTES
    assert pacing.grants(1) == {}
    assert len(pacing.grants(HELD_MS)) == BYTES_MAX // WINDOW_BYTES  # whoever got nothing yet
