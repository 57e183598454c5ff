"""The sending side of HJ 212 without I/O: what to send, what is confirmed, when to send again, when to reconnect.

Stop-and-wait: one packet is under way until its 9014 has come. Nothing submitted is ever dropped here: what is not
confirmed stays first in line, with its QN and its bytes, over time-outs and connections.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.forward.backoff import Backoff
from gateway.hj212 import answers, words
from gateway.hj212.packet import Packet, PacketError, Segment
from gateway.hj212.parse import Received
from gateway.hj212.stream import Splitter

QUEUE_PACKETS_MAX = 256  # a few windows ahead of the answer are enough; the outbox keeps the rest on disk
_LATE_ANSWERS = 16  # so many confirmed QNs are known again when they are answered late or twice
REPLIES_MAX = 16  # answers to commands not yet written: a platform that asks faster than it reads gets no more


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Times of a connection. HJ 212-2017: 10 s and 3 resends over mobile networks."""

    answer_timeout_ms: int = 10_000
    resends: int = 3
    reconnect_min_ms: int = 1_000
    reconnect_max_ms: int = 60_000


@dataclass(slots=True)
class SessionCounts:
    """How often what happened.

    sent: packets written, resends included. late: answers to what was confirmed before. stray: answers to what was
    never sent. refused: commands refused by 9011. ignored: commands that got no answer. damaged: unreadable packets.
    gave_up: connections ended because a packet found no answer.
    """

    sent: int = 0
    resent: int = 0
    confirmed: int = 0
    late: int = 0
    stray: int = 0
    refused: int = 0
    ignored: int = 0
    damaged: int = 0
    gave_up: int = 0
    connects: int = 0


class Hj212Session:
    """One connection's logic. Every `now_ms` is from the same steady clock; `jitter` gives a number in [0, 1).

    The driver's loop: while `wants_connection(now)` connect and tell `on_connected` or `on_disconnected`; write what
    `next_outgoing` gives; wait for bytes at most `quiet_ms` and hand them in by `on_bytes`; call `on_tick`; close the
    socket and tell `on_disconnected` when `wants_close`; take the QNs of `take_confirmed` and persist them.
    """

    def __init__(self, settings: LinkSettings, jitter: Callable[[], float]) -> None:
        self.counts = SessionCounts()
        self.connected = False
        self.wants_close = False
        self._settings = settings
        self._queue: deque[Packet] = deque()
        self._confirmed: list[str] = []
        self._replies: deque[bytes] = deque()
        self._splitter = Splitter()
        self._answered_qns: deque[str] = deque(maxlen=_LATE_ANSWERS)
        self._sends = 0  # of the packet under way, on this connection
        self._was_sent = False  # the packet under way, on any connection
        self._deadline_ms: int | None = None  # None: the packet first in line is to be sent now
        self._backoff = Backoff(settings.reconnect_min_ms, settings.reconnect_max_ms, jitter)
        self._connect_at_ms = 0

    @property
    def pending(self) -> int:
        """Packets submitted and not confirmed."""
        return len(self._queue)

    @property
    def is_failing(self) -> bool:
        """Whether the platform is away, or has answered nothing over all resends; until it confirms something again."""
        return self._backoff.failures > 0

    def submit(self, packets: Iterable[Packet]) -> None:
        """Puts packets at the end of the line; their QNs are persisted before. ValueError over QUEUE_PACKETS_MAX."""
        added = list(packets)
        if len(self._queue) + len(added) > QUEUE_PACKETS_MAX:
            raise ValueError(f"{len(self._queue)} + {len(added)} packets; at most {QUEUE_PACKETS_MAX} in line")
        self._queue += added

    def take_confirmed(self) -> list[str]:
        """The QNs confirmed since the last call, in their order."""
        confirmed, self._confirmed = self._confirmed, []
        return confirmed

    def wants_connection(self, now_ms: int) -> bool:
        """Whether to connect now: the pause after the last failure is over."""
        return not self.connected and now_ms >= self._connect_at_ms

    def quiet_ms(self, now_ms: int) -> int | None:
        """How long nothing falls due: until the next try to connect or time-out. None: until there is a packet."""
        due_ms = self._deadline_ms if self.connected else self._connect_at_ms
        return None if due_ms is None else max(0, due_ms - now_ms)

    def on_connected(self) -> None:
        """A connection is open: the packet first in line is sent (again, with the same QN)."""
        self.connected, self.wants_close = True, False
        self.counts.connects += 1
        self._splitter = Splitter()
        self._sends, self._deadline_ms = 0, None

    def on_disconnected(self, now_ms: int) -> None:
        """The connection failed or ended. The pause grows with every connection that confirmed nothing."""
        self.connected, self.wants_close = False, False
        self._replies.clear()
        self._connect_at_ms = now_ms + self._backoff.failed()

    def next_outgoing(self, now_ms: int) -> bytes | None:
        """The next bytes to write, or None for now. What it gives counts as sent."""
        if not self.connected or self.wants_close:
            return None
        if self._replies:
            return self._replies.popleft()
        if not self._queue or self._deadline_ms is not None:
            return None
        self.counts.sent += 1
        self.counts.resent += self._was_sent
        self._sends += 1
        self._was_sent = True
        self._deadline_ms = now_ms + self._settings.answer_timeout_ms
        return self._queue[0].data

    def on_bytes(self, data: bytes) -> None:
        """What has come from the platform, cut anyhow."""
        self._take(self._splitter.feed(data))

    def on_tick(self, now_ms: int) -> None:
        """Lets time pass: a packet without answer is sent again; after the last resend the connection is given up."""
        if self._overdue(now_ms):
            self._take(self._splitter.expire())  # the answer may be hidden behind a damaged length
        if not self._overdue(now_ms):
            return
        if self._sends <= self._settings.resends:
            self._deadline_ms = None
        else:
            self.counts.gave_up += 1
            self.wants_close = True

    def _overdue(self, now_ms: int) -> bool:
        return self.connected and self._deadline_ms is not None and now_ms >= self._deadline_ms

    def _take(self, received: Iterable[Received]) -> None:
        for packet in received:
            segment = packet.segment
            if segment is None:
                self.counts.damaged += 1
            elif segment.cn == answers.DATA_ANSWER:
                self._answered(segment)
            elif segment.cn.startswith("9"):
                self.counts.stray += 1  # an answer to a command, and we never send one
            else:
                self._refuse(segment)

    def _answered(self, segment: Segment) -> None:
        first = self._queue[0] if self._queue else None
        if first and self._was_sent and segment.qn == first.qn and segment.mn.upper() in ("", first.mn):
            self._queue.popleft()
            self._confirmed.append(first.qn)
            self.counts.confirmed += 1
            self._answered_qns.append(first.qn)
            self._sends, self._was_sent, self._deadline_ms = 0, False, None
            self._backoff.worked()
        elif segment.qn in self._answered_qns:
            self.counts.late += 1
        else:
            self.counts.stray += 1

    def _refuse(self, command: Segment) -> None:
        """A platform's command: none is carried out yet. Saying so (9011) spares the platform its time-outs."""
        known = command.cn in words.COMMANDS
        if command.wants_answer and len(self._replies) < REPLIES_MAX:
            try:
                reply = answers.request_answer(command, answers.QN_REFUSED if known else answers.QN_CN_WRONG)
            except PacketError:  # its header leaves no room for an answer
                self.counts.ignored += 1
                return
            self._replies.append(reply.data)
            self.counts.refused += 1
        else:
            self.counts.ignored += 1
