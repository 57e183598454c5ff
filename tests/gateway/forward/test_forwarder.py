"""The feed of a sink of any kind: what it takes counts once, whatever happens between."""

import random
import tempfile
import threading
import time
from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import Hj212Config, VerifyConfig
from gateway.forward import outbox as store
from gateway.forward import refeeds
from gateway.forward.runner import SinkRunner
from gateway.forward.sink import REASONS, Batch, Receipt, SinkError
from gateway.journal.journal import Journal
from gateway.metrics import Metrics
from tests.gateway.forward.world import FakeSink, World
from tests.gateway.support import NOW_S, Sender, StillClock, accept, commit, event, window, write_config

DAY_S = 86400


def old(seq: int) -> bytes:
    return window(seq, NOW_S - DAY_S + 900 * (seq % 90))


def names(world: World) -> set[int]:
    return {seq for _, _, seq in world.sink.kept}


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_every_record_reaches_the_sink_once_in_effect_over_failures_and_restarts(seed: int) -> None:
    """P-140: it fails, it is killed before its cursor moved, it refuses some for good."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name), FakeSink(chance.randrange(1, 40)))
        world.sink.refuses = {seq for seq in range(40) if chance.random() < 0.1}
        for seq in range(40):
            world.commit([event(seq) if chance.random() < 0.2 else old(seq) if chance.random() < 0.5 else window(seq)])
            world.sink.failing = SinkError("unreachable", "it is off") if chance.random() < 0.3 else None
            try:
                if chance.random() < 0.5:
                    world.forwarder.feed()
            except SinkError as error:
                world.forwarder.failed(error)
            if chance.random() < 0.2:
                world.restart()
        world.sink.failing = None
        world.run()
        state = store.status(world.folder, "s")
        assert names(world) == set(range(40)) - world.sink.refuses, f"seed {seed}"
        assert len(world.sink.order) == len(set(world.sink.order)) == 40 - len(world.sink.refuses)
        assert state["dead"] == ({"refused": len(world.sink.refuses)} if world.sink.refuses else {})
        assert state["confirmed"] == 40
        world.close()


def test_what_was_taken_before_a_kill_comes_again_and_nothing_is_passed_over(tmp_path: Path) -> None:
    """P-140: the sink has it, and the process ends before its cursor moves."""
    world = World(tmp_path, FakeSink(10))
    world.commit([old(seq) for seq in range(30)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.Outbox, "take", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            world.forwarder.feed()
    world.restart()
    world.run()
    assert world.sink.order == [*range(10), *range(30)]
    assert len(world.sink.kept) == 30
    world.close()


def test_a_sink_put_back_is_fed_again_from_the_record_that_was_safe_then(tmp_path: Path) -> None:
    """R-08: everything that it lost comes again, also what was received before and forwarded after that time."""
    world = World(tmp_path, FakeSink(10))
    for hour in range(6):
        world.clock.now_s = NOW_S + 3600 * hour
        world.commit([window(seq, world.clock.now_s - 900) for seq in range(10 * hour, 10 * hour + 10)])
        if hour != 2:  # it was away: what was received then is forwarded an hour later
            world.run()
        world.forwarder.observe()
    snapshot = {name: b"" for name in world.sink.kept if name[2] < 20}
    world.sink.kept = dict(snapshot)  # as it was at 02:30
    ordered = refeeds.order_refeed(tmp_path, "s", (NOW_S + 2 * 3600 + 1800) * 1000, world.reader.last_id())
    assert ordered.records == 40
    assert store.settled(tmp_path, "s")[0] == 20  # the journal must keep the rest until it is handed over again
    world.run()
    assert names(world) == set(range(60))
    assert store.status(tmp_path, "s")["refeed"] == 0
    world.close()


def test_a_refeed_goes_after_what_is_new_survives_a_restart_and_ends(tmp_path: Path) -> None:
    world = World(tmp_path, FakeSink(10))
    world.commit([old(seq) for seq in range(40)])
    world.run()
    world.sink.order.clear()
    refeeds.order_refeed(tmp_path, "s", 0, world.reader.last_id())
    assert world.forwarder.feed()
    world.commit([window(100)])
    assert world.forwarder.feed()
    world.restart()
    world.run()
    assert world.sink.order == [*range(10), 100, *range(10, 40)]
    assert not world.forwarder.feed()
    world.close()


def test_windows_placed_later_are_refed_too(tmp_path: Path) -> None:
    world = World(tmp_path, FakeSink(10))
    world.commit([window(1, None, end_uptime_s=900)])
    world.run()
    assert world.sink.order == []
    world.commit([window(2, end_uptime_s=1800)])
    world.run()
    assert sorted(world.sink.order) == [1, 2]
    world.sink.kept.clear()
    assert refeeds.order_refeed(tmp_path, "s", 0, world.reader.last_id()) == (2, 1)
    world.run()
    assert names(world) == {1, 2}
    world.close()


def test_dead_letters_are_handed_over_again_when_the_sink_takes_them(tmp_path: Path) -> None:
    world = World(tmp_path, FakeSink(10))
    world.sink.refuses = {3, 7}
    world.commit([old(seq) for seq in range(10)])
    world.run()
    assert store.status(tmp_path, "s")["dead"] == {"refused": 2}
    world.sink.refuses = {7}
    assert refeeds.order_dead(tmp_path, "s").records == 2
    world.run()
    assert names(world) == set(range(10)) - {7}
    assert store.status(tmp_path, "s")["dead"] == {"refused": 1}
    world.close()


def test_fresh_readings_are_found_at_once_however_long_the_backlog(tmp_path: Path) -> None:
    world = World(tmp_path, FakeSink(10))
    world.clock.now_s = NOW_S - 7200
    for part in range(40):
        world.commit([window(64 * part + seq, NOW_S - DAY_S + 900 * seq) for seq in range(64)])
    world.clock.now_s = NOW_S
    world.commit([window(9000)])
    assert world.forwarder.feed()
    assert world.sink.order == [9000]
    world.close()


def test_health_is_said_once_and_shown_with_what_to_do(tmp_path: Path) -> None:
    """P-141."""
    world = World(tmp_path, FakeSink())
    assert store.status(tmp_path, "s")["state"] == "not started"
    with structlog.testing.capture_logs() as said:
        for _ in range(5):
            world.forwarder.failed(SinkError("full", "disk"))
        shown = store.status(tmp_path, "s")
        world.forwarder.is_well(None)
    assert (shown["state"], shown["reason"], shown["detail"], shown["next"]) == (
        "failing", "full", "disk", REASONS["full"],
    )  # fmt: skip
    assert [one["event"] for one in said] == ["sink_failing", "sink_well"]
    assert store.status(tmp_path, "s")["state"] == "ok"
    assert world.metrics.registry.get_sample_value("wattline_sink_failures_total", {"sink": "s", "reason": "full"}) == 5
    world.close()


def test_pauses_between_tries_grow_to_a_bound_and_end_with_a_success(tmp_path: Path) -> None:
    world = World(tmp_path, FakeSink())
    pauses = [world.forwarder.failed(SinkError("silent", "")) for _ in range(10)]
    assert pauses[:3] == [375, 750, 1500]
    assert max(pauses) == pauses[-1] == 45_000
    world.forwarder.is_well(None)
    assert world.forwarder.failed(SinkError("silent", "")) == 375
    world.close()


class Blocking(FakeSink):
    """Blocks in `take` until it is let go, as a server does that answers nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.let_go = threading.Event(), threading.Event()

    def take(self, batch: Batch) -> Receipt:
        self.entered.set()
        self.let_go.wait(30)
        return super().take(batch)


def test_a_slow_and_a_dead_sink_delay_no_other(tmp_path: Path) -> None:
    """P-141: one hangs, one fails, one crashes; the fourth has everything while they do."""
    clock, metrics, journal = StillClock(), Metrics(), Journal(tmp_path, VerifyConfig())
    sender = Sender()
    commit(journal, [accept(sender, sender.frame([old(seq) for seq in range(50)]))])
    hanging, failing, crashing, good = Blocking(), FakeSink(), FakeSink(), FakeSink(10)
    failing.failing = SinkError("unreachable", "nobody is there")
    crashing.wants = None  # type: ignore[assignment]
    runners = [
        SinkRunner(
            Hj212Config(name=name, host="-", port=1, mapping="-"), lambda *_, one=one: one, tmp_path, clock, metrics,
            structlog.get_logger(),
        )
        for name, one in {"hanging": hanging, "failing": failing, "crashing": crashing, "good": good}.items()
    ]  # fmt: skip
    with structlog.testing.capture_logs():
        for runner in runners:
            runner.start()
        assert hanging.entered.wait(20)
        deadline = time.monotonic() + 60
        while store.settled(tmp_path, "good")[0] < 50 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(good.kept) == 50
        assert not hanging.kept
        hanging.let_go.set()
        for runner in runners:
            runner.stop()
    journal.close()


def test_refeed_is_a_command_and_names_what_it_does_not_know(tmp_path: Path) -> None:
    """R-08."""
    sinks = '[[sink]]\nname = "province"\nkind = "hj212"\nhost = "127.0.0.1"\nport = 9\nmapping = "platform.toml"\n'
    config = write_config(tmp_path, 1883, [Sender()], sinks)
    (tmp_path / "platform.toml").write_text("station = []\n")
    (tmp_path / "data").mkdir()
    world = World(tmp_path / "data", FakeSink(), "province")
    world.commit([old(seq) for seq in range(10)])
    world.run()
    invoke = CliRunner().invoke
    answer = invoke(app, ["refeed", "--config", str(config), "province", "--from", "2026-01-01", "--json"])
    assert answer.stdout == '{"sink": "province", "records": 10, "placements": 0}\n'
    world.run()
    assert world.sink.order == [*range(10), *range(10)]
    wrong = invoke(app, ["refeed", "--config", str(config), "provinz", "--from", "2026-01-01"])
    assert (wrong.exit_code, "province" in wrong.stderr) == (1, True)
    nothing = invoke(app, ["refeed", "--config", str(config), "province"])
    assert nothing.exit_code == 2
    world.close()
