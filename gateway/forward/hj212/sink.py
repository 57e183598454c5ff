"""An HJ 212 platform as a sink: batches into packets, packets through sessions, confirmations into the outbox.

A packet stands in the outbox, under its QN, before a byte of it is sent. Without sockets: those are handed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.clock import Clock
from gateway.config import Hj212Config
from gateway.forward.hj212.encode import content_of, encode_window
from gateway.forward.hj212.mapping import Mapping
from gateway.forward.hj212.session import Hj212Session, LinkSettings
from gateway.forward.outbox import Outbox
from gateway.forward.sink import Batch, Receipt, SinkError
from gateway.hj212.packet import Packet, PacketError
from gateway.hj212.times import next_qn
from gateway.journal.reader import Stored
from gateway.metrics import Metrics
from protocol import limits
from protocol.record import WINDOW

LINE_PACKETS = 16  # in line at a session: a fresh window waits for no more than these
LAST_QN = "last_qn"


class Transport(Protocol):
    """Moves the bytes of all sessions."""

    last_error: str

    def step(self, wait_ms: int) -> None:
        """Does what is due; returns when something happened, at the latest after wait_ms."""

    def close(self) -> None:
        """Ends the connections."""


class _Channel:
    """One connection: its session, its stations, and how far their packets have been read out of the outbox."""

    def __init__(self, session: Hj212Session, mns: Sequence[str], under_way: int) -> None:
        self.session = session
        self.mns = mns
        self.under_way = under_way
        self._after = {False: 0, True: 0}  # by lane (backlog): the last id that is in line

    def fill(self, outbox: Outbox) -> None:
        """Put the next packets in line, urgent ones first."""
        room = LINE_PACKETS - self.session.pending
        if self.under_way <= self.session.pending or room < LINE_PACKETS // 2:
            return
        for backlog in (False, True):
            waiting = outbox.under_way(self.mns, backlog=backlog, after=self._after[backlog], limit=room)
            if waiting:
                self._after[backlog] = waiting[-1].id
                self.session.submit([one.packet for one in waiting])
                room -= len(waiting)


class Hj212Sink:
    """What the forwarder drives. jitter: numbers in [0, 1). transport: makes what moves the sessions' bytes."""

    def __init__(
        self,
        config: Hj212Config,
        mapping: Mapping,
        outbox: Outbox,
        clock: Clock,
        metrics: Metrics,
        jitter: Callable[[], float],
        transport: Callable[[Sequence[Hj212Session]], Transport],
    ) -> None:
        self._config = config
        self._mapping = mapping
        self._outbox = outbox
        self._clock = clock
        self._metrics = metrics
        self._last_qn = outbox.text(LAST_QN)
        settings = LinkSettings(
            config.answer_timeout_ms, config.resends, config.reconnect_min_ms, config.reconnect_max_ms
        )
        self._channels = [
            _Channel(Hj212Session(settings, jitter), mns, under_way)
            for mns, under_way in _spread(mapping, outbox.stations(), config.connections)
        ]
        self._channel_of = {mn: channel for channel in self._channels for mn in channel.mns}
        self.sessions = [channel.session for channel in self._channels]
        self._transport = transport(self.sessions)
        self._counted: Counter[str] = Counter()  # of the sessions' counts, what the metrics have already

    @property
    def wants(self) -> int:
        """As many as keep every connection busy; none while most of that is waiting."""
        most = LINE_PACKETS * len(self._channels)
        room = most - sum(min(channel.under_way, LINE_PACKETS) for channel in self._channels)
        return room if 2 * room >= most else 0

    def take(self, batch: Batch) -> Receipt:
        """Packets for the batch; they are safe once they stand in the outbox, which is the forwarder's next step."""
        receipt = Receipt()
        for one, row in zip(batch.records, batch.rows, strict=True):
            if one.type != WINDOW:
                receipt.skipped["event"] += 1
                continue
            content = content_of(batch.columns, row, one.start_s or 0)
            content["marked"] = marked_points(one)
            try:
                packets = encode_window(self._mapping, one.terminal, content, self._new_qn)
            except PacketError as error:
                receipt.dead.append((one.id, error.code, str(error)))
                continue
            if packets:
                receipt.packets.append((one.id, packets))
                self._expect(packets)
            else:
                receipt.skipped["nothing_mapped"] += 1
        if self._last_qn:
            receipt.texts[LAST_QN] = self._last_qn
        return receipt

    def work(self, wait_ms: int) -> SinkError | None:
        """Send, hear, confirm."""
        for channel in self._channels:
            channel.fill(self._outbox)
        self._transport.step(wait_ms)
        self.settle()
        failing = [session for session in self.sessions if session.is_failing]
        if not failing:
            return None
        reason = "silent" if any(session.connected for session in failing) else "unreachable"
        return SinkError(reason, f"{len(failing)} of {len(self.sessions)} connections: {self._transport.last_error}")

    def settle(self) -> None:
        """Make durable what the platform has confirmed."""
        confirmed = []
        for channel in self._channels:
            qns = channel.session.take_confirmed()
            channel.under_way -= len(qns)
            confirmed += qns
        if confirmed:
            # an error here ends the sink too: the packets are sent again under their QNs, which harms nobody
            delivered = self._outbox.confirm(confirmed)
            self._metrics.sink_delivered.labels(self._config.name).inc(len(delivered))
        for result in ("sent", "resent", "confirmed", "late", "stray", "damaged", "gave_up"):
            total = sum(getattr(session.counts, result) for session in self.sessions)
            self._metrics.sink_packets.labels(self._config.name, result).inc(total - self._counted[result])
            self._counted[result] = total

    def close(self) -> None:
        """End the connections; what is under way stays in the outbox."""
        self._transport.close()

    def _new_qn(self) -> str:
        self._last_qn = next_qn(self._last_qn, self._clock.now_ms())
        return self._last_qn

    def _expect(self, packets: Sequence[Packet]) -> None:
        for packet in packets:
            self._channel_of[packet.mn].under_way += 1


def _spread(mapping: Mapping, under_way: dict[str, int], connections: int) -> list[tuple[list[str], int]]:
    """(stations, packets under way) of each connection; those of stations that are no longer mapped go by the first."""
    mns = [station.mn for station in mapping.stations.values()]
    count = max(1, min(connections, len(mns)))
    spread = [mns[number::count] for number in range(count)]
    spread[0] += sorted(under_way.keys() - set(mns))
    return [(part, sum(under_way.get(mn, 0) for mn in part)) for part in spread]


def marked_points(one: Stored) -> frozenset[int]:
    """The points that a mark names; a mark of the whole record names all."""
    if any(point is None for _, point in one.marks):
        return frozenset(range(1, limits.POINTS_MAX + 1))
    return frozenset(point for _, point in one.marks if point is not None)
