"""What became of each change at each channel, as an operator sees it."""

from pathlib import Path

import pytest

from gateway.watch.dispatch import post as posts
from gateway.watch.dispatch.post import FAILING, GIVEN_UP, REFUSED_MAX, TOLD, WAITING, Fate
from gateway.watch.store import Step
from tests.gateway.support import NOW_S
from tests.gateway.watch.dispatch.world import NOW_MS, World, channel

LATER_MS = NOW_MS + 5000


def fates(world: World, alarm: int = 1) -> list[Fate]:
    return world.post.fates([world.entry, channel("absent")], alarm)


def test_a_change_waits_fails_is_told_or_given_up_and_says_which(tmp_path: Path) -> None:
    """P-377: of each change by itself; over kills; nothing of a channel that was not there or does not want it."""
    world = World(tmp_path, channel(changes=["begun", "closed"]))
    world.alarms.begin("line 1", "line 2")
    world.post.note([], NOW_MS)
    assert fates(world) == [Fate("begun", "duty", WAITING)]
    message = world.next()
    assert message is not None
    world.killed()
    assert fates(world) == [Fate("begun", "duty", WAITING)]
    world.post.failed("duty", message, "unreachable", "no route", NOW_MS)
    assert fates(world) == [Fate("begun", "duty", FAILING, None, "unreachable", "no route")]
    assert fates(world, 2) == [Fate("begun", "duty", WAITING)]
    world.post.confirmed("duty", message, LATER_MS)
    assert fates(world) == [Fate("begun", "duty", TOLD, LATER_MS)]
    refused = world.next()
    assert refused is not None
    for _ in range(REFUSED_MAX):
        world.post.failed("duty", refused, "refused", "too long", LATER_MS)
    assert fates(world, 2) == [Fate("begun", "duty", GIVEN_UP, LATER_MS, "refused", "too long")]
    world.alarms.look("line 1", "started_late", NOW_S - 900, NOW_S)
    world.post.note([], NOW_MS)
    world.alarms.store.step(1, Step(NOW_MS, "closed", "wang", ""))
    world.post.note([], NOW_MS)
    assert fates(world) == [Fate("begun", "duty", TOLD, LATER_MS), Fate("closed", "duty", WAITING)]
    world.told()
    assert fates(world)[1:] == [Fate("closed", "duty", TOLD, NOW_MS)]
    world.close()


def test_what_a_channel_refuses_of_a_digest_is_given_up_and_the_rest_is_told(tmp_path: Path) -> None:
    """P-377, P-440: also where the message was begun by another process."""
    world = World(tmp_path)
    world.alarms.begin("line 1", "line 2", "line 3")
    world.post.note([], NOW_MS)
    message = world.next(room=1)
    assert message is not None
    world.killed()
    world.post.confirmed("duty", message, LATER_MS, {message.told[1]["id"]: "no station"})
    found = [(one.state, one.detail) for alarm in (1, 2, 3) for one in fates(world, alarm)]
    assert found == [(TOLD, ""), (GIVEN_UP, "no station"), (TOLD, "")]
    standing = world.post.standing(world.entry)
    assert (standing.told, standing.given_up, standing.waiting) == (2, 1, 0)
    world.close()


def test_a_digest_is_told_for_each_of_its_changes_and_what_is_kept_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-377: with a change goes what became of it."""
    monkeypatch.setattr(posts, "CHANGES_MAX", 5)
    world = World(tmp_path)
    world.alarms.begin(*(f"line {number}" for number in range(4)))
    world.post.note([], NOW_MS)
    world.told(room=1)
    assert [fates(world, alarm) for alarm in (1, 4)] == [[Fate("begun", "duty", TOLD, NOW_MS)]] * 2
    world.alarms.begin(*(f"line {number}" for number in range(4, 8)))
    world.post.note([], NOW_MS)
    assert (fates(world, 1), fates(world, 4)) == ([], [Fate("begun", "duty", TOLD, NOW_MS)])
    assert world.post._connection.execute("SELECT count(*) FROM fates").fetchone() == (1,)
    world.close()
