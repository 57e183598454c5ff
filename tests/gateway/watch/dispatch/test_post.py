"""What is told of alarms: each change once, under one id, in order, whatever is killed in between."""

import json
import random
from pathlib import Path

import msgspec
import pytest

from gateway.database import connect
from gateway.watch.changes import CHANGES, ENDS_AFTER_S
from gateway.watch.dispatch import post as posts
from gateway.watch.dispatch.channels import MaintenanceEntry
from gateway.watch.dispatch.dispatcher import Rate
from gateway.watch.dispatch.post import DIGEST_MAX, REFUSED_MAX
from gateway.watch.store import FILE, SCHEMA, Step
from tests.gateway.support import NOW_S
from tests.gateway.watch.dispatch.world import NOW_MS, World, channel

KINDS = ["treatment_off", "started_late", "treatment_idle", None]


def _something_happens(world: World, rnd: random.Random, now_s: int) -> None:
    linkage = f"line {rnd.randrange(3)}"
    rows = [one for one in world.alarms.store.rows() if one.state == "open"]
    if rows and rnd.random() < 0.2:
        world.alarms.store.step(rnd.choice(rows).id, Step(now_s * 1000, "closed", "wang", ""))
    else:
        from_s = NOW_S + 900 * rnd.randrange((now_s - NOW_S) // 900 + 1)
        world.alarms.look(linkage, rnd.choice(KINDS), from_s, from_s + 900 * rnd.randrange(1, 4))


@pytest.mark.parametrize("seed", range(4))
def test_each_change_is_told_once_under_one_id_and_in_order_over_kills(tmp_path: Path, seed: int) -> None:
    """P-254: told again only where it was not confirmed, and then under the same id."""
    rnd, world, kills = random.Random(seed), World(tmp_path), 0
    arrived: list[tuple[str, str]] = []  # (id, text), in order
    now_s = NOW_S
    for _ in range(60):
        now_s += rnd.choice([0, 900, 4000])
        _something_happens(world, rnd, now_s)
        world.post.note((), now_s * 1000)
        for _ in range(rnd.randrange(4)):
            message = world.next(rnd.randrange(4))
            if message is not None:
                arrived += [(one["id"], one["text"]) for one in message.told]
                if rnd.random() < 0.3:
                    world.killed()
                    kills += 1
                    assert world.next() == message, f"seed {seed}"
                else:
                    world.post.confirmed("duty", message, now_s * 1000)
    while message := world.next():
        arrived += [(one["id"], one["text"]) for one in message.told]
        world.post.confirmed("duty", message, now_s * 1000)
    noted = list(world.post._connection.execute("SELECT alarm, change FROM changes ORDER BY id"))
    first_told = list(dict.fromkeys(one for one, _ in arrived))
    assert [tuple(one.split(".", 3)[1::2]) for one in first_told] == [(str(a), c) for a, c in noted], f"seed {seed}"
    assert len(dict(arrived)) == len(set(arrived)), f"seed {seed}: an id that says two things"
    assert {one.split(".", 3)[3].partition(".")[0] for one in first_told} <= set(CHANGES)
    assert kills, f"seed {seed}"
    assert len(first_told) > 10, f"seed {seed}"
    assert world.post.standing(world.entry).told == len(first_told), f"seed {seed}"
    world.close()


def test_an_alarm_begins_becomes_ends_and_is_closed(tmp_path: Path) -> None:
    """P-254: an end is told when it is one; an end that late readings move is told anew."""
    world = World(tmp_path)
    alarms, post = world.alarms, world.post

    def told_at(now_s: int) -> list[tuple[str, str]]:
        post.note((), now_s * 1000)
        return world.told()

    alarms.begin("line")
    assert told_at(NOW_S) == [("line", "begun")]
    alarms.look("line", "started_late", NOW_S - 900, NOW_S)
    assert told_at(NOW_S) == [("line", "became")]
    assert told_at(NOW_S + ENDS_AFTER_S - 1) == []
    assert told_at(NOW_S + ENDS_AFTER_S) == [("line", "ended")]
    alarms.look("line", "started_late", NOW_S, NOW_S + 900)
    assert told_at(NOW_S + ENDS_AFTER_S) == []
    assert told_at(NOW_S + ENDS_AFTER_S + 900) == [("line", "ended")]
    alarms.store.step(1, Step(NOW_MS, "closed", "wang", ""))
    assert told_at(NOW_S + 9000) == [("line", "closed")]
    assert told_at(NOW_S + 99000) == []
    alarms.begin("other")
    assert told_at(NOW_S) == [("other", "begun")]
    alarms.look("other", None, NOW_S - 900, NOW_S)
    assert told_at(NOW_S) == [("other", "withdrawn")]
    world.close()


def test_maintenance_keeps_an_alarm_quiet_until_it_outlasts_it(tmp_path: Path) -> None:
    """P-257: it is kept, and marked; its end is as quiet; of another enterprise it is told."""
    world = World(tmp_path)
    text = json.dumps({"enterprise": "E1", "from": "2026-03-01T00:00:00Z", "to": "2026-03-01T01:00:00Z", "why": "bags"})
    window = _maintenance(text)
    for linkage, hours, enterprise in (("short", 1, "E1"), ("long", 1, "E1"), ("theirs", 1, "E2")):
        world.alarms.look(linkage, "treatment_off", NOW_S, NOW_S + 3600 * hours, enterprise)
    world.post.note([window], NOW_MS + 3_600_000)
    assert world.told() == [("theirs", "begun")]
    assert {one.subject: one.maintenance for one in world.alarms.store.rows()} == {
        "short": "bags",
        "long": "bags",
        "theirs": "",
    }
    world.alarms.look("long", "treatment_off", NOW_S, NOW_S + 4500)
    world.post.note([window], NOW_MS + 4_500_000)
    assert world.told() == [("long", "begun")]
    world.post.note([window], NOW_MS + 86_400_000)
    assert sorted(world.told()) == [("long", "ended"), ("theirs", "ended")]
    world.post.note([window], NOW_MS + 30 * 86_400_000)
    world.post.note((), NOW_MS + 30 * 86_400_000)  # somebody has tidied the file up
    assert world.told() == []
    assert [one.maintenance for one in world.alarms.store.rows() if one.subject == "short"] == ["bags"]
    world.close()


def _maintenance(text: str) -> MaintenanceEntry:
    return msgspec.json.decode(text, type=MaintenanceEntry)


def test_what_is_over_the_rate_becomes_one_digest(tmp_path: Path) -> None:
    """P-255: bounded, too; its parts have the ids that they have alone."""
    world = World(tmp_path)
    names = [f"line {number}" for number in range(DIGEST_MAX + 3)]
    world.alarms.begin(*names)
    world.post.note((), NOW_MS)
    assert world.next(0) is None
    message = world.next(3)
    assert message is not None
    assert (len(message.told), message.subject.endswith(f"(+{DIGEST_MAX - 1})")) == (DIGEST_MAX, True)
    whole = json.loads(message.body)
    assert (whole["change"], whole["count"], whole["told"][0]["alarm"]["subject"]) == ("digest", DIGEST_MAX, "line 0")
    world.post.confirmed("duty", message, NOW_MS)
    assert world.post.standing(world.entry)[:2] == (DIGEST_MAX, 1)
    left = [world.next(3)]
    assert [len(one.told) for one in left if one] == [1]
    assert len(world.told(3)) == 3
    world.close()


def test_a_rate_is_of_any_minute() -> None:
    """P-255."""
    now_s = 100.0
    rate = Rate(2, lambda: now_s)
    rate.sent()
    assert (rate.room(), rate.pause_s()) == (1, None)
    now_s = 130.0
    rate.sent()
    assert (rate.room(), rate.pause_s()) == (0, 30.0)
    now_s = 160.0
    assert (rate.room(), rate.pause_s()) == (1, None)


def test_a_channel_hears_what_it_wants_from_its_beginning_on(tmp_path: Path) -> None:
    """P-255: of these families, enterprises and changes, and nothing of before it was named."""
    world = World(tmp_path, channel(enterprises=["E1"], families=["treatment"], changes=["begun"]))
    late = channel("late")
    world.alarms.begin("mine")
    world.alarms.look("theirs", "treatment_off", NOW_S - 900, NOW_S, "E2")
    world.alarms.look("ordered", "order_broken", NOW_S - 900, NOW_S)
    world.post.note((), NOW_MS)
    world.post.begin(["late"], NOW_MS)
    world.post.note((), NOW_MS + 86_400_000)
    assert world.post.standing(world.entry).waiting == 1
    assert world.told() == [("mine", "begun")]
    assert world.post.standing(world.entry).waiting == 0
    message = world.post.next(late, {}, 100)
    assert message is not None
    assert message.told[0]["change"] == "ended"
    world.close()


def test_what_waits_is_bounded_and_what_was_lost_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-255: of a channel that is down for long."""
    monkeypatch.setattr(posts, "CHANGES_MAX", 5)
    world = World(tmp_path)
    world.alarms.begin(*(f"line {number}" for number in range(8)))
    world.post.note((), NOW_MS)
    assert world.told() == [(f"line {number}", "begun") for number in range(3, 8)]
    assert world.post.standing(world.entry)[:4] == (5, 0, 0, 3)
    world.close()


def test_a_message_that_is_refused_again_and_again_gives_way(tmp_path: Path) -> None:
    """P-255: one that only fails never does."""
    world = World(tmp_path)
    world.alarms.begin("bad", "good")
    world.post.note((), NOW_MS)
    for number in range(REFUSED_MAX + 20):
        message = world.next()
        assert message is not None
        assert message.told[0]["alarm"]["subject"] == "bad"
        reason = "failing" if number < 20 else "refused"
        assert world.post.failed("duty", message, reason, "why", NOW_MS + number) == (number in {0, 20})
    standing = world.post.standing(world.entry)
    assert (standing.given_up, standing.reason, standing.since_ms) == (1, "refused", NOW_MS)
    assert world.told() == [("good", "begun")]
    assert world.post.standing(world.entry).reason == ""
    world.close()


def test_alarms_of_before_there_were_channels_are_told_only_as_far_as_they_change(tmp_path: Path) -> None:
    """P-254: a file of the version before is brought up to date."""
    connection = connect(tmp_path / FILE)
    for step in sorted(SCHEMA.glob("*.sql"))[:4]:
        connection.executescript(step.read_text(encoding="utf-8"))
    connection.execute("PRAGMA user_version = 4")
    columns = "(enterprise, subject, family, kind, from_s, to_s, facts, state, found_ms, changed_ms)"
    for name in ("over", "goes on"):
        row = ("E1", name, "treatment", "treatment_off", NOW_S - 900, NOW_S, "{}", "open", 1, 1)
        connection.execute(f"INSERT INTO alarms {columns} VALUES ({', '.join('?' * len(row))})", row)
    connection.close()
    world = World(tmp_path)
    world.post.note((), NOW_MS + 86_400_000)
    assert world.told() == []
    world.alarms.look("goes on", "treatment_off", NOW_S, NOW_S + 900)
    world.post.note((), NOW_MS + 86_400_000)
    assert world.told() == [("goes on", "ended")]
    world.close()
