"""What a run measures: each limit that is declared can be missed, by just more than it allows."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from hil.oracle.evidence import Poll, Trouble, Truth
from hil.report import measures
from hil.report.stories import Story
from tests.hil import oracle_world as world

END_MS = world.START_MS + 900_000
LIMIT_MS = {one.name: round(1000 * one.at_most) for one in measures.DECLARED}
AWAY = Trouble("link_down", world.START_MS, END_MS + 600_000)


def story(journalled_ms: int, at_platform_ms: int, troubles: Sequence[Trouble] = ()) -> Story:
    """Of the first window."""
    at_sinks = {"platform": at_platform_ms}
    return Story(world.START_MS, END_MS, "well", None, journalled_ms, at_sinks, [], troubles, [], 120_000)


def observed(name: str, ms: int) -> tuple[Truth, Sequence[Story]]:
    """A run in which what is measured under this name took so long, and nothing else did."""
    truth = world.truth()
    if name == "live_journal_s":
        return truth, [story(END_MS + ms, END_MS)]
    if name == "live_platform_s":
        return truth, [story(END_MS, END_MS + ms)]
    if name == "catch_up_s":
        return replace(truth, troubles=[AWAY]), [story(AWAY.to_ms + ms, END_MS, [AWAY])]
    polls = [Poll(END_MS, {}), Poll(END_MS + truth.sample_interval_ms + ms, {})]
    return replace(truth, polls={1: polls}), []


@pytest.mark.parametrize("name", LIMIT_MS)
def test_each_limit_is_held_to_the_millisecond_and_missed_by_one(name: str) -> None:
    """P-213"""
    for more_ms, held in ((0, True), (1, False)):
        taken = {one.name: one for one in measures.take_all([observed(name, LIMIT_MS[name] + more_ms)], 0)}
        assert taken[name].value == (LIMIT_MS[name] + more_ms) / 1000
        assert {one.name for one in taken.values() if not one.held} == (set() if held else {name})


@pytest.mark.parametrize("name", [one.name for one in measures.DECLARED if one.io_s is not None])
def test_where_time_is_scaled_a_limit_is_wider_by_io_alone(name: str) -> None:
    """P-213: it can be missed there, too, long before a run has waited for the backlog in vain."""
    (declared,) = [one for one in measures.DECLARED if one.name == name]
    limit_ms = round(1000 * declared.limit(900))
    assert limit_ms == LIMIT_MS[name] + round(1000 * (declared.io_s or 0)) * 900
    taken = {one.name: one for one in measures.take_all([observed(name, limit_ms + 1)], 900)}
    assert not taken[name].held
