"""One connection to a platform: its session, its stations, and which packets of the outbox are put in line next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.forward.hj212.numbers import LAST_QN
from gateway.forward.hj212.session import Hj212Session
from gateway.forward.outbox import Outbox
from gateway.hj212.packet import Packet, is_text, with_rf

LINE_PACKETS = 16  # in line at a session: a fresh window waits for no more than these
LINE_TEXTS = 4  # likewise, of log texts


class Channel:
    """How far the packets of its stations have been read out of the outbox. renumbered: a packet under a later QN.

    What is not sent yet has greater QNs than all that was: a kill at any point leaves an order in which QNs ascend.
    """

    def __init__(
        self, session: Hj212Session, mns: Sequence[str], outbox: Outbox, renumbered: Callable[[Packet], Packet]
    ) -> None:
        self.session = session
        self.mns = mns
        self._outbox, self._renumbered = outbox, renumbered
        packets, texts = outbox.stations(), outbox.text_packets.stations()
        self.under_way = sum(packets.get(mn, 0) for mn in mns)
        self.texts = sum(texts.get(mn, 0) for mn in mns)
        self._given = outbox.text(LAST_QN) or ""  # no earlier process gave a QN beyond
        self._old = outbox.last_id()  # up to here perhaps sent before
        self._old_after: str | None = ""  # of those, the last QN that is in line; None: all of them are
        self._after = {False: self._old, True: self._old}  # the last place that is in line, by backlog or not

    def fill(self) -> None:
        """Put the next packets in line: those that may have been sent before, log texts, urgent ones, the backlog."""
        self._fill_texts()
        room = LINE_PACKETS - self.session.pending
        if self.under_way <= self.session.pending or room < LINE_PACKETS // 2:
            return
        room -= self._submit_old(room)
        for backlog in (False, True):
            waiting = self._outbox.under_way(self.mns, backlog=backlog, after=self._after[backlog], limit=room)
            if waiting:
                self._after[backlog] = waiting[-1].id
                self.session.submit([one.packet for one in waiting])
                room -= len(waiting)
            if waiting and not backlog:
                after = {True: self._after[True]}
                self._outbox.overtaken(self.mns, after, waiting[-1].packet.qn, self._renumbered)

    def count(self, packet: Packet, number: int) -> None:
        """So many more of its kind are under way."""
        if is_text(packet):
            self.texts += number
        else:
            self.under_way += number

    def take_confirmed(self) -> list[str]:
        """QNs confirmed since the last call, those of texts too."""
        packets, texts = self.session.take_confirmed(), self.session.take_answered_texts()
        self.under_way -= len(packets)
        self.texts -= len(texts)
        return packets + texts

    def give_up_text(self, qn: str) -> None:
        """This one is sent no more."""
        self.session.give_up_text(qn)
        self.texts -= 1

    def _submit_old(self, room: int) -> int:
        """Packets that may have been sent before, by QN; how many."""
        if self._old_after is None:
            return 0
        found = self._outbox.sent_before(self.mns, self._old, self._old_after, room)
        self._old_after = found[-1].qn if found else None
        if found:
            self.session.submit([with_rf(one) for one in found], sent_before=True)
        return len(found)

    def _fill_texts(self) -> None:
        """One that was sent before goes first, under its QN; the others behind all old packets, which keep theirs."""
        session = self.session
        if not session.takes_texts or len(session.texts) >= min(self.texts, LINE_TEXTS // 2):
            return
        in_line = [one.qn for one in session.texts]
        found = self._outbox.text_packets.first(self.mns, LINE_TEXTS)
        if len(found) < LINE_TEXTS:  # that is all: the watch may have withdrawn others
            self.texts = len({*in_line, *(one.packet.qn for one in found)})
        for packet, was_sent in found:
            if packet.qn in in_line:
                continue
            if was_sent:
                session.submit([with_rf(packet)], sent_before=True)
                in_line.append(packet.qn)
            elif self._old_after is None or not self.under_way:
                in_line.append(self._submit_text(packet, max([self._given, session.last_qn, *in_line])))

    def _submit_text(self, packet: Packet, behind: str) -> str:
        """One that was never sent, its QN above that of what goes before it; returns its QN."""
        if packet.qn <= behind:
            packet, before = self._renumbered(packet), packet.qn
            self._outbox.renumber(before, packet)
        self.session.submit([packet])
        self._outbox.overtaken(self.mns, self._after, packet.qn, self._renumbered)
        return packet.qn
