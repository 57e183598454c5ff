"""Whose turn it is on a line, and when again: on a clock that the test moves, with mailboxes at the other end."""

import asyncio
import io
from collections import Counter
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from gateway.config import ModbusConfig, ModbusTerminal
from gateway.logs import make_logger
from gateway.modbus_intake.line import Line
from gateway.modbus_intake.link import LinkError
from gateway.modbus_intake.metrics import ModbusMetrics
from protocol import ack, frame
from tests.gateway.modbus_intake.site import MailboxTerminal
from tests.gateway.support import NOW_S, Sender, StillClock, event, window

COST_S = 0.05  # of a read or write; a silent terminal costs a time-out
TIMEOUT_S = 1.0


class World:
    """A line of terminals 1 ... n, whose time passes as it is used. A frame handed over is acknowledged at once."""

    def __init__(self, count: int, poll_ms: int = 10_000) -> None:
        self.now_s = 1000.0
        self.terminals = {
            unit: MailboxTerminal(Sender(f"T{unit}", bytes([unit]) * 32), unit) for unit in range(1, count + 1)
        }
        self.delivered: list[tuple[float, str]] = []
        self.asked: list[tuple[float, int]] = []
        self.refuse = False
        self.metrics = ModbusMetrics(CollectorRegistry())
        self.log = io.StringIO()
        entries = [ModbusTerminal(id=one.sender.name, unit=unit) for unit, one in self.terminals.items()]
        config = ModbusConfig(name="line", terminals=entries, serial="/dev/none", poll_ms=poll_ms)
        self.line = Line(
            config,
            self,
            self.deliver,
            lambda _terminal: [],
            self.metrics,
            make_logger(StillClock(), self.log),
            lambda: self.now_s,
            Random(1),
        )
        for one in self.terminals.values():
            one._uptime_ms = lambda: int(self.now_s * 1000)  # type: ignore[method-assign]
            one.restart()

    # --- the link

    async def read(self, unit: int, address: int, count: int) -> bytes:
        self.use(unit)
        return self.terminals[unit].read(address, count)

    async def write(self, unit: int, address: int, data: bytes) -> None:
        self.use(unit)
        self.terminals[unit].write(address, data)

    async def settle(self) -> None:
        self.now_s += TIMEOUT_S

    def use(self, unit: int) -> None:
        self.asked.append((self.now_s, unit))
        if self.terminals[unit].dead:
            self.now_s += TIMEOUT_S
            raise LinkError("silent")
        self.now_s += COST_S

    async def deliver(self, terminal: str, _where: str, data: bytes) -> list[bytes]:
        self.delivered.append((self.now_s, terminal))
        if self.refuse:
            return []
        sender = self.terminals[int(terminal[1:])].sender
        opened = frame.open_frame(data, terminal, {1: sender.key})
        ranges = [(one.seq, one.seq) for one in opened.records]
        return [
            ack.seal_ack(sender.key, terminal, opened.epoch, ranges, [], NOW_S * 1000, (opened.boot_id, opened.sent_ms))
        ]

    # --- what passes

    def until(self, end_s: float) -> None:
        async def pass_time() -> None:
            while self.now_s < end_s:
                member = self.line.next(self.now_s)
                if member is None:
                    self.now_s = min(one.due_s for one in self.line.members)
                    continue
                await self.line.visit(member)
                member.visited_s = self.now_s

        asyncio.run(pass_time())

    def fill(self, unit: int, frames: int) -> None:
        for seq in range(8 * frames):
            self.terminals[unit].append(seq, window(seq))


def test_a_live_frame_waits_for_one_frame_of_any_backlog_at_most() -> None:
    """P-60."""
    world = World(5)
    for unit in (1, 2, 3):
        world.fill(unit, 100)
    world.until(1020)
    began_s = world.now_s
    world.terminals[4].append(0, event(0), live=True)
    world.until(1032)
    (live_s,) = [at_s for at_s, terminal in world.delivered if terminal == "T4"]
    # found at its next poll, which is at most an interval and one visit away
    assert live_s - began_s < 10 + 12 * COST_S
    later = [terminal for at_s, terminal in world.delivered if at_s > live_s]
    assert set(later) == {"T1", "T2", "T3"}
    counts = Counter(terminal for at_s, terminal in world.delivered if at_s > began_s and terminal != "T4")
    assert max(counts.values()) - min(counts.values()) <= 3


def test_backlogs_are_served_though_polls_never_end() -> None:
    """P-60: more polls than the line has time for."""
    world = World(20, poll_ms=500)
    world.fill(7, 20)
    world.until(1200)
    assert world.terminals[7].backlog == {}


def test_live_frames_without_end_leave_the_others_half_of_the_line() -> None:
    """P-60."""
    world = World(4, poll_ms=500)
    world.fill(2, 20)
    flood = world.terminals[1]
    take, seq = flood._answer, [0]

    def take_and_have_more(data: bytes, read_ms: int | None) -> bool:
        seq[0] += 1
        flood.live[seq[0]] = event(seq[0])
        return take(data, read_ms)

    flood._answer = take_and_have_more  # type: ignore[method-assign, assignment]
    flood.restart()
    flood.append(0, event(0), live=True)
    world.until(1100)
    assert world.terminals[2].backlog == {}
    assert {unit for at_s, unit in world.asked if at_s > 1090} == {1, 2, 3, 4}
    assert sum(terminal == "T1" for _, terminal in world.delivered) > 100


@given(st.integers(1, 6), st.integers(1, 4000))
def test_every_terminal_is_polled_within_its_interval_when_nothing_waits(count: int, seconds: int) -> None:
    world = World(count)
    world.until(1000 + min(seconds, 300) + 30)
    for unit in world.terminals:
        times = [at_s for at_s, asked in world.asked if asked == unit]
        assert max(after - before for before, after in zip([1000.0, *times], [*times, world.now_s], strict=True)) < 11


def test_a_silent_terminal_is_asked_less_and_less_and_within_a_minute_when_it_is_back() -> None:
    """P-61."""
    world = World(2)
    world.terminals[1].dead = True
    world.terminals[1].append(0, event(0), live=True)
    world.until(2000)
    times = [at_s for at_s, unit in world.asked if unit == 1]
    waits = [after - before - TIMEOUT_S for before, after in pairwise(times)]
    for number, wait_s in enumerate(waits):
        bound_s = min(2**number, 60)
        assert bound_s / 2 <= wait_s <= bound_s + 0.2
    assert sum(unit == 2 for _, unit in world.asked) > 90  # the other one was polled all the time
    assert world.log.getvalue().count("modbus_failed") == 1
    world.terminals[1].dead = False
    world.until(2062)
    assert "T1" in [terminal for _, terminal in world.delivered]


def test_a_frame_that_is_declined_is_not_fetched_again() -> None:
    world = World(1)
    world.fill(1, 1)
    world.refuse = True
    world.until(1200)
    assert len(world.delivered) == 1
    reads = [at_s for at_s, _ in world.asked]
    assert len(reads) < 50
    world.refuse = False
    world.terminals[1].restart()
    world.until(1230)
    assert world.terminals[1].backlog == {}
