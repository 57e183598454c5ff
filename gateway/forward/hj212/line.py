"""What waits on a connection of HJ 212, and which of it is sent next. Without I/O.

Log texts (CN 3020) have a lane of their own, for some platforms never answer them. One that found no answer over its
resends steps aside, and what else waits is sent. Where that is answered, the platform refuses the text: a round is
over, and after a pause the text is first on another connection, under its QN: sent once, when nothing else waits, for
readings wait while it does. Where nothing is answered, the platform is away, and the text was not refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from gateway.hj212.packet import Packet, is_text, with_rf

TEXT_RETRY_MS = 900_000  # a window's length, so that readings are answered in between


class Lane(Enum):
    """Whether texts are sent."""

    OPEN = "open"
    TRIED = "tried"  # one found no answer; no other packet was answered since
    SHUT = "shut"  # nor did it, while another packet was answered


@dataclass(slots=True)
class Line:
    """Packets of the outbox, log texts, and those of the question that is being answered."""

    packets: deque[Packet] = field(default_factory=deque)
    texts: deque[Packet] = field(default_factory=deque)
    history: Iterator[Packet] | None = None
    last: Callable[[], Packet] | None = None
    current: Packet | None = None  # the one under way, or to be sent next
    current_is_history: bool = False
    sent_before: set[str] = field(default_factory=set)  # QNs of those that an earlier process may have sent
    sent: set[str] = field(default_factory=set)  # of those that were sent since, and are not confirmed
    lane: Lane = Lane.OPEN
    refuses_texts: bool = False  # a text stepped aside, and other packets were answered; until a text is
    _text_sends: int = 0  # of the text first in line, over connections
    _retry_at_ms: int = 0

    def submit(self, packets: list[Packet]) -> None:
        """Puts them at the end of their lines."""
        for packet in packets:
            (self.texts if is_text(packet) else self.packets).append(packet)

    def replace_current(self, packet: Packet) -> None:
        """The packet that is to be sent next is this now."""
        if not self.current_is_history:
            self._own_line()[0] = packet
        self.current = packet

    def choose(self) -> Packet | None:
        """The packet to be sent next, if none is under way: a question's and the outbox's take turns."""
        texts = self.texts if self.lane is Lane.OPEN else ()
        heads = [line[0] for line in (texts, self.packets) if line]
        if self.current is None and (not self.current_is_history or not heads) and self.history is not None:
            self.current = next(self.history, None)
            self.current_is_history = self.current is not None
            if self.current is None:
                self.history = None
        if self.current is None and heads:
            self.current, self.current_is_history = min(heads, key=lambda one: one.qn), False
        return self.current

    def note_sent(self) -> bool:
        """The current packet goes out; whether it did before, in this process."""
        assert self.current is not None
        before = self.current.qn in self.sent
        self.sent.add(self.current.qn)
        self._text_sends += self._is_text_current()
        return before

    def is_sent(self, packet: Packet) -> bool:
        """Whether it may be known to the platform under its QN."""
        return packet.qn in self.sent or packet.qn in self.sent_before

    def sends(self, on_connection: int) -> int:
        """How often the current packet was sent in vain; a text over connections: some platforms end them at it."""
        return self._text_sends if self._is_text_current() else on_connection

    def resends(self, most: int) -> int:
        """How often the current packet is sent again: a text of a platform that refuses texts is not."""
        return 0 if self.refuses_texts and self._is_text_current() else most

    def answered(self, qn: str) -> Packet | None:
        """The packet that an answer to this QN is to: the current one, or a text that stepped aside."""
        heads = [one for one in (self.current, self.texts[0] if self.texts else None) if one and one.qn == qn]
        return heads[0] if heads and qn in self.sent else None

    def remove(self, packet: Packet) -> None:
        """It is confirmed, or given up."""
        if packet is self.current:
            if not self.current_is_history:
                self._own_line().popleft()
            self.current = None
        elif self.texts and self.texts[0] is packet:
            self.texts.popleft()
        self.sent.discard(packet.qn)
        self.sent_before.discard(packet.qn)

    def text_works(self) -> None:
        """A text was answered."""
        self.lane, self.refuses_texts, self._text_sends = Lane.OPEN, False, 0

    def other_works(self) -> str | None:
        """Something else was answered: the QN of the text that is refused by that."""
        if self.lane is not Lane.TRIED:
            return None
        self.lane, self.refuses_texts = Lane.SHUT, True
        return self.texts[0].qn if self.texts else None

    def step_aside(self, now_ms: int) -> bool:
        """A text that found no answer lets others pass; what followed it comes from the outbox again. Where no other
        waits, and none showed that the platform works, it does not: what else would find out that the platform is away?
        """
        if not self._is_text_current():
            return False
        self._text_sends, self.current = 0, None
        if not (self.packets or self.history or self.refuses_texts):
            return False
        self.lane, self._retry_at_ms = Lane.TRIED, now_ms + TEXT_RETRY_MS
        while len(self.texts) > 1:
            self.texts.pop()
        return True

    def wants_retry(self, now_ms: int) -> bool:
        """Whether nothing is under way, and a text is to be tried again: first on another connection. Where something
        always waits, twice as late.
        """
        is_late = self.lane is Lane.SHUT and now_ms >= self._retry_at_ms + TEXT_RETRY_MS
        is_busy = self.current or self.history or self.last or (self.packets and not is_late)
        if self.lane is Lane.OPEN or now_ms < self._retry_at_ms or is_busy:
            return False
        if not self.texts:  # it was given up; the next perhaps goes on this one
            self.lane = Lane.OPEN
        return bool(self.texts)

    def disconnected(self, now_ms: int, resends: int, *, was_connected: bool) -> bool:
        """Its connection ended, or none came about: what was sent is said to come again (2025). Whether a text stepped
        aside by that.
        """
        steps_aside = self._text_sends > self.resends(resends) and self.step_aside(now_ms)
        is_over = was_connected if self.lane is Lane.TRIED else now_ms >= self._retry_at_ms
        if is_over and not steps_aside:
            self.lane = Lane.OPEN
        for line in (self.packets, self.texts):
            if line and line[0].qn in self.sent:
                line[0] = with_rf(line[0])
        self.current = None
        return steps_aside

    def drop_history(self) -> None:
        """Who asked asks again."""
        self.history = self.last = None
        if self.current_is_history:
            if self.current:
                self.sent.discard(self.current.qn)
            self.current, self.current_is_history = None, False

    def _is_text_current(self) -> bool:
        return self.current is not None and not self.current_is_history and is_text(self.current)

    def _own_line(self) -> deque[Packet]:
        return self.texts if self._is_text_current() else self.packets
