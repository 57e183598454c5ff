"""One connection of HJ 212 without I/O: what to send, what is confirmed, when to send again, when to reconnect.

Stop-and-wait: one packet is under way until its 9014 has come. Nothing submitted is ever dropped here: what is not
confirmed stays first in line, with its QN, over time-outs and connections; only log texts step aside (line.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.forward.backoff import Backoff
from gateway.forward.hj212.line import Lane, Line
from gateway.hj212 import answers
from gateway.hj212.packet import Packet, PacketError, Segment, is_text
from gateway.hj212.parse import Received
from gateway.hj212.stream import Keys, Splitter, no_keys

QUEUE_PACKETS_MAX = 256  # a few windows ahead of the answer are enough; the outbox keeps the rest on disk
REPLIES_MAX = 64  # answers not yet written: a platform that asks faster than it reads gets no more
_LATE_ANSWERS = 16  # so many confirmed QNs are known again when they are answered late or twice
_HEARTBEATS_MISSED = 3  # in a row without an answer: the connection is there on our side alone


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Times of a connection. HJ 212: 10 s and 3 resends over mobile networks; heartbeat_ms: 0 is none."""

    answer_timeout_ms: int = 10_000
    resends: int = 3
    reconnect_min_ms: int = 1_000
    reconnect_max_ms: int = 60_000
    heartbeat_ms: int = 0


@dataclass(slots=True)
class SessionCounts:
    """How often what happened.

    sent: packets written, resends included. late: answers to what was confirmed before. stray: answers to what was
    never sent. commands: answered by 9011; refused: of these, with a no. ignored: commands that got no answer.
    damaged: unreadable packets. gave_up: connections ended because a packet found no answer. aside: texts that found
    none and let others pass. history: packets that answered a question.
    """

    sent: int = 0
    resent: int = 0
    confirmed: int = 0
    late: int = 0
    stray: int = 0
    commands: int = 0
    refused: int = 0
    ignored: int = 0
    damaged: int = 0
    gave_up: int = 0
    aside: int = 0
    connects: int = 0
    heartbeats: int = 0
    history: int = 0


@dataclass(slots=True)
class Reaction:
    """What a command leads to: replies at once; packets that are each to be answered, then the last word (9012)."""

    replies: Sequence[Packet] = ()
    packets: Iterator[Packet] | None = None
    last: Callable[[], Packet] | None = None
    refused: bool = False
    trouble: str = ""  # what an operator should know of it


class Partner(NamedTuple):
    """What a session asks of its owner: what a command leads to, what a heartbeat is, how packets look on the wire."""

    on_command: Callable[[Segment], Reaction | None] = lambda _: None  # None: no answer
    heartbeats: Callable[[], Iterable[Packet]] = tuple
    wire: Callable[[Packet], bytes] = lambda packet: packet.data
    renumber: Callable[[Packet], Packet] = lambda packet: packet  # a later QN, durably, for what was never sent
    note_sent: Callable[[Packet], bool] = lambda _: True  # durably, of a text, before its first byte; False: withdrawn
    keys: Keys = no_keys


class Hj212Session:
    """One connection's logic. Every `now_ms` is from the same steady clock; `jitter` gives a number in [0, 1).

    The driver's loop: while `wants_connection(now)` connect and tell `on_connected` or `on_disconnected`; write what
    `next_outgoing` gives; wait for bytes at most `quiet_ms` and hand them in by `on_bytes`; call `on_tick`; close the
    socket and tell `on_disconnected` when `wants_close`; take the QNs of `take_confirmed` and persist them.
    counts: sessions may share them.
    """

    def __init__(
        self,
        settings: LinkSettings,
        jitter: Callable[[], float],
        partner: Partner = Partner(),
        counts: SessionCounts | None = None,
    ) -> None:
        self.counts = SessionCounts() if counts is None else counts
        self.troubles = 0  # what came and should not have: damaged packets, commands for strangers
        self.last_trouble = ""
        self.settings = settings
        self.connected = False
        self.wants_close = False
        self._partner = partner
        self._line = Line()
        self._confirmed: list[str] = []
        self._answered_texts: list[str] = []
        self._refused_texts: list[str] = []
        self._replies: deque[bytes] = deque()
        self._splitter = Splitter(partner.keys)
        self._answered_qns: deque[str] = deque(maxlen=_LATE_ANSWERS)
        self._sends = 0  # of the packet under way, on this connection
        self.last_qn = ""  # that was sent
        self._last_qn_here = ""  # likewise, on this connection; not to a question
        self._is_retrying = False  # the connection is to end for a text alone
        self._deadline_ms: int | None = None  # None: the packet first in line is to be sent now
        self._backoff = Backoff(settings.reconnect_min_ms, settings.reconnect_max_ms, jitter)
        self._connect_at_ms = 0
        self._heartbeats: Iterator[Packet] = iter(())  # one a station, not sent yet
        self._heartbeat_at_ms: int | None = None
        self._heartbeats_open = 0  # sent since the last byte came

    @property
    def pending(self) -> int:
        """Packets submitted and not confirmed, without texts."""
        return len(self._line.packets)

    @property
    def texts(self) -> Sequence[Packet]:
        """Log texts submitted and not confirmed."""
        return self._line.texts

    @property
    def takes_texts(self) -> bool:
        """Whether texts are sent: none has found no answer."""
        return self._line.lane is Lane.OPEN

    @property
    def refuses_texts(self) -> bool:
        """Whether the platform answers other packets, and answered no text since."""
        return self._line.refuses_texts

    @property
    def is_failing(self) -> bool:
        """Whether the platform is away, or has answered nothing over all resends; until it confirms something again."""
        return self._backoff.failures > 0

    def submit(self, packets: Iterable[Packet], *, sent_before: bool = False) -> None:
        """Puts packets at the end of the line; their QNs are persisted before. ValueError over QUEUE_PACKETS_MAX.

        sent_before: perhaps, by an earlier process.
        """
        added = list(packets)
        if self.pending + len(added) > QUEUE_PACKETS_MAX:
            raise ValueError(f"{self.pending} + {len(added)} packets; at most {QUEUE_PACKETS_MAX} in line")
        self._line.submit(added)
        if sent_before:
            self._line.sent_before.update(one.qn for one in added)

    def take_confirmed(self) -> list[str]:
        """The QNs confirmed since the last call, in their order; not those of texts."""
        confirmed, self._confirmed = self._confirmed, []
        return confirmed

    def take_answered_texts(self) -> list[str]:
        """Likewise, of texts."""
        answered, self._answered_texts = self._answered_texts, []
        return answered

    def take_refused_texts(self) -> list[str]:
        """QNs of texts that found no answer over their resends since the last call, while another packet found one, and
        of those that were withdrawn before they were sent.
        """
        refused, self._refused_texts = self._refused_texts, []
        return refused

    def give_up_text(self, qn: str) -> None:
        """This one is sent no more."""
        for packet in [one for one in self._line.texts if one.qn == qn]:
            self._line.remove(packet)

    def wants_connection(self, now_ms: int) -> bool:
        """Whether to connect now: the pause after the last failure is over."""
        return not self.connected and now_ms >= self._connect_at_ms

    def quiet_ms(self, now_ms: int) -> int | None:
        """How long nothing falls due: until the next try to connect, time-out or heartbeat. None: until a packet."""
        if not self.connected:
            return max(0, self._connect_at_ms - now_ms)
        due = [one for one in (self._deadline_ms, self._heartbeat_at_ms) if one is not None]
        return max(0, min(due) - now_ms) if due else None

    def on_connected(self) -> None:
        """A connection is open: the packet first in line is sent (again, with the same QN)."""
        self.connected, self.wants_close = True, False
        self.counts.connects += 1
        self._splitter = Splitter(self._partner.keys)
        self._sends, self._deadline_ms, self._last_qn_here = 0, None, ""
        self._heartbeat_at_ms, self._heartbeats_open = None, 0

    def on_disconnected(self, now_ms: int) -> None:
        """The connection failed or ended. The pause grows with every connection that confirmed nothing."""
        was_connected, is_retrying = self.connected, self._is_retrying
        self.connected = self.wants_close = self._is_retrying = False
        self._replies.clear()
        self._heartbeats = iter(())
        self._line.drop_history()
        self.counts.aside += self._line.disconnected(now_ms, self.settings.resends, was_connected=was_connected)
        self._connect_at_ms = now_ms + (0 if is_retrying else self._backoff.failed())

    def next_outgoing(self, now_ms: int) -> bytes | None:
        """The next bytes to write, or None for now. What it gives counts as sent."""
        if not self.connected or self.wants_close:
            return None
        if self._replies:
            return self._replies.popleft()
        if heartbeat := next(self._heartbeats, None):
            self.counts.heartbeats += 1
            return self._partner.wire(heartbeat)
        if self._deadline_ms is not None:
            return None
        packet = None if (is_retry := self._line.wants_retry(now_ms)) else self._line.choose()
        if is_retry or (packet is not None and self._is_too_late(packet)):
            self.wants_close = self._is_retrying = True
            return None
        word = self._last_word()  # before what else waits: the platform waits for it, and there may be a long backlog
        return word if word or packet is None else self._send(packet, now_ms)

    def _is_too_late(self, packet: Packet) -> bool:
        """Whether it is a text that keeps its QN, which is past on this connection: on another it is first."""
        return is_text(packet) and self._line.is_sent(packet) and packet.qn < self._last_qn_here

    def _send(self, packet: Packet, now_ms: int) -> bytes | None:
        if not self._line.is_sent(packet):
            if packet.qn <= self.last_qn:
                packet = self._partner.renumber(packet)  # overtaken: on a connection QNs ascend
                self._line.replace_current(packet)
            if is_text(packet) and not self._partner.note_sent(packet):
                self._line.remove(packet)
                self._refused_texts.append(packet.qn)
                return self.next_outgoing(now_ms)
        self.last_qn = max(self.last_qn, packet.qn)
        self._last_qn_here = self._last_qn_here if self._line.current_is_history else packet.qn
        self.counts.sent += 1
        self.counts.resent += self._line.note_sent()
        self._sends += 1
        self._deadline_ms = now_ms + self.settings.answer_timeout_ms
        return self._partner.wire(packet)

    def on_bytes(self, data: bytes) -> None:
        """What has come from the platform, cut anyhow."""
        self._heartbeats_open = 0
        self._take(self._splitter.feed(data))

    def on_tick(self, now_ms: int) -> None:
        """Lets time pass: a packet without answer is sent again. After the last resend a text steps aside; for another
        packet the connection is given up.
        """
        self._beat(now_ms)
        if self._overdue(now_ms):
            self._take(self._splitter.expire())  # the answer may be hidden behind a damaged length
        if not self._overdue(now_ms):
            return
        if self._line.sends(self._sends) <= self._line.resends(self.settings.resends):
            self._deadline_ms = None
        elif self._line.step_aside(now_ms):
            self.counts.aside += 1
            self._sends, self._deadline_ms = 0, None
        else:
            self.counts.gave_up += 1
            self.wants_close = True

    def _beat(self, now_ms: int) -> None:
        if not self.connected or not self.settings.heartbeat_ms:
            return
        if self._heartbeat_at_ms is None:
            self._heartbeat_at_ms = now_ms
        if now_ms < self._heartbeat_at_ms:
            return
        if self._heartbeats_open >= _HEARTBEATS_MISSED:
            self.counts.gave_up += 1
            self.wants_close = True
            return
        self._heartbeats = iter(self._partner.heartbeats())
        self._heartbeats_open += 1
        self._heartbeat_at_ms = now_ms + self.settings.heartbeat_ms

    def _overdue(self, now_ms: int) -> bool:
        return self.connected and self._deadline_ms is not None and now_ms >= self._deadline_ms

    def _take(self, received: Iterable[Received]) -> None:
        for packet in received:
            segment = packet.segment
            if segment is None:
                self.counts.damaged += 1
                self._note_trouble(packet.reason)
            elif segment.cn == answers.DATA_ANSWER:
                self._answered(segment)
            elif segment.cn.startswith("9"):
                self.counts.stray += segment.cn != answers.NOTICE_ANSWER  # 9013 is the heartbeats' answer
            else:
                self._obey(segment)

    def _answered(self, segment: Segment) -> None:
        line = self._line
        found = line.answered(segment.qn)
        if found and segment.mn.upper() in ("", found.mn):
            if found is line.current:
                self._sends, self._deadline_ms = 0, None
            self._confirm(found)
        elif segment.qn in self._answered_qns:
            self.counts.late += 1
        else:
            self.counts.stray += 1

    def _confirm(self, packet: Packet) -> None:
        line = self._line
        is_history = packet is line.current and line.current_is_history
        line.remove(packet)
        self.counts.history += is_history
        self.counts.confirmed += not is_history
        if not is_history and is_text(packet):
            line.text_works()
            self._answered_texts.append(packet.qn)
            if packet.qn in self._refused_texts:  # a moment ago
                self._refused_texts.remove(packet.qn)
        elif refused := line.other_works():
            self._refused_texts.append(refused)
        if not is_history and not is_text(packet):
            self._confirmed.append(packet.qn)
        self._answered_qns.append(packet.qn)
        self._backoff.worked()

    def _obey(self, command: Segment) -> None:
        """A platform's command. Saying what becomes of it (9011, 9012) spares the platform its time-outs."""
        if len(self._replies) >= REPLIES_MAX:
            self.counts.ignored += 1
            return
        try:
            reaction = self._partner.on_command(command)
            if reaction and reaction.packets is not None and self._line.history is not None:
                reaction = Reaction([*reaction.replies, answers.result(command, answers.EXE_BUSY)], refused=True)
        except PacketError:  # its header leaves no room for an answer
            reaction = None
        if reaction is None:
            self.counts.ignored += 1
            return
        self.counts.commands += 1
        self.counts.refused += reaction.refused
        if reaction.trouble:
            self._note_trouble(reaction.trouble)
        self._replies += [self._partner.wire(packet) for packet in reaction.replies]
        if reaction.packets is not None:
            self._line.history, self._line.last = reaction.packets, reaction.last

    def _note_trouble(self, text: str) -> None:
        self.troubles += 1
        self.last_trouble = text

    def _last_word(self) -> bytes | None:
        """The result of the question that is answered in full by now."""
        last = self._line.last if self._line.history is None else None
        if last is None:
            return None
        self._line.last = None
        return self._partner.wire(last())
