"""A sink that fails for long is an alarm of the gateway itself."""

from pathlib import Path

from gateway.config import VerifyConfig
from gateway.forward.outbox import Outbox, file_of
from gateway.journal.journal import Journal
from gateway.registry import Registry
from gateway.watch.rules import FailingSink, Rules
from gateway.watch.store import Store
from gateway.watch.watcher import Watched, Watcher
from tests.gateway.support import NOW_S, StillClock


class World:
    """A watch over two sinks' files, one of which is not there yet; after_min is 15."""

    def __init__(self, folder: Path, rules: Rules | None = None) -> None:
        Journal(folder, VerifyConfig()).close()
        self.outbox, self.store, self.clock = Outbox(folder, "up"), Store(folder), StillClock(NOW_S)
        watched = Watched(Registry(), [], rules or Rules(), 86_400, ["up", "never"])
        self.watcher = Watcher(folder, self.store, self.clock, watched, lambda *_: None)

    def health(self, reason: str, at_s: int) -> None:
        self.outbox.set_health(reason, "", at_s * 1000)

    def alarms_at(self, now_s: int) -> list[tuple[str, str, int, int]]:
        self.clock.now_s = now_s
        self.watcher.look()
        return [(one.subject, one.kind, one.from_s - NOW_S, one.to_s - NOW_S) for one in self.store.rows()]

    def close(self) -> None:
        for one in (self.watcher, self.store, self.outbox):
            one.close()


def test_a_sink_that_fails_for_long_is_an_alarm_until_it_is_well(tmp_path: Path) -> None:
    """P-259: whatever its reasons turn into; what is short is none; a second failure is another alarm."""
    world = World(tmp_path)
    world.health("unreachable", NOW_S)
    world.health("denied", NOW_S + 600)
    assert world.alarms_at(NOW_S + 900) == []
    assert world.alarms_at(NOW_S + 901) == [("sink up", "sink_failing", 0, 901)]
    assert world.alarms_at(NOW_S + 2000) == [("sink up", "sink_failing", 0, 2000)]
    world.health("", NOW_S + 1990)
    assert world.alarms_at(NOW_S + 2030) == [("sink up", "sink_failing", 0, 1990)]
    world.health("silent", NOW_S + 3000)
    assert world.alarms_at(NOW_S + 3500) == [("sink up", "sink_failing", 0, 1990)]
    assert world.alarms_at(NOW_S + 4000) == [
        ("sink up", "sink_failing", 3000, 4000),
        ("sink up", "sink_failing", 0, 1990),
    ]
    world.close()


def test_a_sink_that_took_readings_and_no_log_texts_fails_since_it_takes_nothing(tmp_path: Path) -> None:
    """P-259: a short outage of such a platform is none, however long its texts have waited."""
    world = World(tmp_path)
    world.health("log_texts", NOW_S)
    assert world.alarms_at(NOW_S + 9000) == []
    world.health("silent", NOW_S + 9000)
    assert world.alarms_at(NOW_S + 9060) == []
    assert world.alarms_at(NOW_S + 9901) == [("sink up", "sink_failing", 9000, 9901)]
    world.health("log_texts", NOW_S + 9950)
    assert world.alarms_at(NOW_S + 10_000) == [("sink up", "sink_failing", 9000, 9901)]
    world.close()


def test_a_sinks_file_that_is_broken_or_a_rule_that_is_off_makes_no_alarm(tmp_path: Path) -> None:
    """P-259."""
    world = World(tmp_path / "off", Rules(sink=FailingSink(enabled=False)))
    world.health("unreachable", NOW_S)
    assert world.alarms_at(NOW_S + 9000) == []
    world.close()
    world = World(tmp_path / "broken")
    world.outbox.close()
    file_of(tmp_path / "broken", "up").write_bytes(b"no database" * 1000)
    assert world.alarms_at(NOW_S + 9000) == []
    world.close()
