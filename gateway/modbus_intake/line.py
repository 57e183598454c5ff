"""The terminals of one Modbus line, asked in turn: which one next, what its mailbox says, when again after a failure.

A terminal that had a live frame last goes first, then those whose poll is due, then backlogs, the one left longest
first; but no one is passed over for more than two rounds. A visit takes at most one frame, so no backlog delays another
terminal's live frame by more than one. A terminal that fails is left alone for 1, 2, 4 ... times
back_off_min_ms, 50 to 100 % of it, up to back_off_max_ms; on a line with others its silence costs them one time-out
each of these times.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import structlog

from gateway.config import ModbusConfig, ModbusTerminal
from gateway.modbus_intake.link import LinkError
from gateway.modbus_intake.metrics import ModbusMetrics
from protocol import mailbox

READS_MAX = 3 * mailbox.BLOCKS  # of one visit: a frame that is torn twice is for the next visit
PATIENCE = 2  # rounds: whoever has live frames without end gets half of the line, not all of it
STALE_S = 10.0  # an uptime counts seconds: it does not stand still so long
MISPLACED = frozenset({"mark", "count", "late", "function", "unit"})  # what another request's answer looks like


@dataclass
class Member:
    """A terminal of the line, and what is known of it. Times are steady seconds."""

    id: str
    unit: int
    fetcher: mailbox.Fetcher
    due_s: float
    visited_s: float = 0.0
    passed: int = 0  # how often others were preferred while it was due
    failures: int = 0
    reason: str = ""  # of the last failure; "" while it answers
    lane: int = mailbox.NOTHING  # of the frame that was offered last
    uptime: tuple[int, float] = (-1, 0.0)  # its uptime, and when it was seen to change
    answered: tuple[int, int] = (-1, 0)  # number and CRC of the frame acknowledged last
    declined: tuple[int, int] = (-1, 0)  # of the frame of which nothing is durable: it is not fetched again
    waiting: tuple[int, int] = (0, 0)


class Master(Protocol):
    """What a line asks its terminals by: link.Link. All of it raises LinkError."""

    async def read(self, unit: int, address: int, count: int) -> bytes: ...
    async def write(self, unit: int, address: int, data: bytes) -> None: ...
    async def settle(self) -> None: ...


# deliver(terminal, where it came from, frame) -> acks to write, once the frame's fate is durable
Deliver = Callable[[str, str, bytes], Awaitable[list[bytes]]]


@dataclass
class Line:
    """`run` asks for ever. undelivered(terminal): what else is to go down to it."""

    config: ModbusConfig
    link: Master
    deliver: Deliver
    undelivered: Callable[[str], list[bytes]]
    metrics: ModbusMetrics
    log: structlog.typing.FilteringBoundLogger
    steady_s: Callable[[], float]
    random: Random
    members: list[Member] = field(init=False)

    def __post_init__(self) -> None:
        now_s, spread_s = self.steady_s(), self.config.poll_ms / 1000
        self.members = [self._member(one, now_s + self.random.uniform(0, spread_s)) for one in self.config.terminals]

    def _member(self, one: ModbusTerminal, due_s: float) -> Member:
        return Member(one.id, one.unit, self._fetcher(one.id), due_s)

    def _fetcher(self, terminal: str) -> mailbox.Fetcher:
        return mailbox.Fetcher(terminal, whole=self.config.serial is None)

    async def run(self) -> None:
        """Visit the terminals, until cancelled."""
        while True:
            now_s = self.steady_s()
            member = self.next(now_s)
            if member is None:
                await asyncio.sleep(max(0.0, min(one.due_s for one in self.members) - now_s))
                continue
            await self.visit(member)
            member.visited_s = self.steady_s()

    def next(self, now_s: float) -> Member | None:
        """The terminal to visit now; None: it is nobody's time."""
        due = [one for one in self.members if one.due_s <= now_s]
        if not due:
            return None
        found = max(due, key=lambda one: one.passed)
        if found.passed < PATIENCE * len(self.members):
            found = min(due, key=lambda one: (_RANK[one.lane], one.visited_s))
        for one in due:
            one.passed += 1
        found.passed = 0
        return found

    async def visit(self, member: Member) -> None:
        """Fetch a frame if it has one; hand it over; write its acks, and what else is to go down."""
        try:
            found = await self._fetch(member)
            if found == mailbox.FRAME:
                await self._settle(member)
                return
            for data in self.undelivered(member.id):
                await self._bring_down(member, data)
        except (LinkError, mailbox.FetchError) as error:
            await self._fail(member, error.reason)
        else:
            self._end(member, "empty", self._poll_s())

    async def _fetch(self, member: Member) -> int:
        """FRAME; or EMPTY, also where only a frame is offered that was declined. Raises LinkError, FetchError."""
        began_s = self.steady_s()
        for _ in range(READS_MAX):
            address, count = member.fetcher.request()
            data = await self.link.read(member.unit, address, count)
            try:
                found = member.fetcher.feed(data)
            except mailbox.FetchError as error:
                if error.reason != "torn":
                    raise
                self.metrics.refused.labels("torn").inc()
                continue
            if address == mailbox.BASE and self._note(member) == member.declined:
                member.fetcher = self._fetcher(member.id)
                return mailbox.EMPTY
            if found == mailbox.FRAME:
                self.metrics.fetch_seconds.observe(self.steady_s() - began_s)
            if found != mailbox.MORE:
                return found
        raise mailbox.FetchError("torn")

    def _note(self, member: Member) -> tuple[int, int]:
        """Take over what block 0 says; returns what names the frame offered. Raises LinkError `stale`."""
        status = member.fetcher.status
        assert status is not None  # block 0 was read
        now_s = self.steady_s()
        if status.uptime_s != member.uptime[0]:
            member.uptime = (status.uptime_s, now_s)
        elif now_s - member.uptime[1] >= STALE_S:
            raise LinkError("stale")
        self._note_waiting(member, (status.live, status.backlog))
        member.lane = status.lane
        return status.number, status.crc

    def _note_waiting(self, member: Member, waiting: tuple[int, int]) -> None:
        for lane, now, before in zip(("live", "backlog"), waiting, member.waiting, strict=True):
            self.metrics.waiting.labels(lane).inc(now - before)
        member.waiting = waiting

    async def _settle(self, member: Member) -> None:
        """Hand the frame over, write the acks; decide when to come again. Raises LinkError."""
        status = member.fetcher.status
        assert status is not None  # a frame has one
        name = (status.number, status.crc)
        answers = await self.deliver(member.id, f"modbus/{self.config.name}/{member.unit}", member.fetcher.frame)
        for data in answers:
            await self._bring_down(member, data)
        if not answers:
            self.metrics.acks.labels("none").inc()
            member.declined = name  # the terminal offers another one within a minute
            self._end(member, "frame", self._poll_s())
        elif name == member.answered:
            self.metrics.acks.labels("not_taken").inc()
            self._turn_away(member, "not_taken")
        else:
            member.answered = name
            self._end(member, "frame", 0.0)

    async def _bring_down(self, member: Member, data: bytes) -> None:
        try:
            for address, part in mailbox.answer_writes(data):
                await self.link.write(member.unit, address, part)
        except LinkError:
            self.metrics.acks.labels("lost").inc()  # the terminal offers the frame again, and we say it again
            raise
        self.metrics.acks.labels("written").inc()

    def _end(self, member: Member, result: str, wait_s: float) -> None:
        if member.reason:
            self.metrics.silent.dec()
            self.log.info("modbus_back", terminal=member.id, line=self.config.name, failures=member.failures)
        member.failures, member.reason = 0, ""
        member.due_s = self.steady_s() + wait_s
        self.metrics.visits.labels(result).inc()

    async def _fail(self, member: Member, reason: str) -> None:
        self.metrics.refused.labels(reason).inc()
        who = await self._who(member) if reason in {"terminal", "version"} else None
        self._turn_away(member, reason, who)
        if reason in MISPLACED:
            await self.link.settle()

    def _turn_away(self, member: Member, reason: str, who: mailbox.Identity | None = None) -> None:
        """Leave it alone for a while. The first failure of a series is logged, and each change of its reason."""
        if reason != member.reason:
            self.log.warning(
                "modbus_failed",
                terminal=member.id,
                line=self.config.name,
                unit=member.unit,
                reason=reason,
                **({} if who is None else {"answers_as": who.terminal, "map_version": who.version}),
            )
        if not member.reason:
            self.metrics.silent.inc()
        member.failures, member.reason = member.failures + 1, reason
        bound_s = min(self.config.back_off_min_ms << min(member.failures - 1, 20), self.config.back_off_max_ms) / 1000
        member.due_s = self.steady_s() + self.random.uniform(bound_s / 2, bound_s)
        self.metrics.visits.labels("failed").inc()

    async def _who(self, member: Member) -> mailbox.Identity | None:
        """Who answers at this unit, as far as he says: for the person who wired it."""
        try:
            data = await self.link.read(member.unit, mailbox.IDENTITY, mailbox.IDENTITY_COUNT)
        except LinkError:
            return None
        return mailbox.read_identity(data)

    def forget(self) -> None:
        """Take back what the gauges were told, before another line takes this one's place."""
        for member in self.members:
            self._note_waiting(member, (0, 0))
            if member.reason:
                self.metrics.silent.dec()

    def _poll_s(self) -> float:
        """The next poll, 90 to 100 % of the interval from now: lines do not fall into step."""
        interval_s = self.config.poll_ms / 1000
        return self.random.uniform(0.9 * interval_s, interval_s)


_RANK = {mailbox.LIVE: 0, mailbox.NOTHING: 1, mailbox.BACKLOG: 2}
