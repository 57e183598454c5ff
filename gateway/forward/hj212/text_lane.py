"""Log texts of a sink: what people have a platform told becomes packets; what it refuses is given up, and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from gateway.forward.hj212.events import encode_text
from gateway.forward.hj212.mapping import Mapping
from gateway.forward.log_texts import LogText
from gateway.forward.outbox import Outbox
from gateway.forward.text_packets import NO_LOG_ID, UNANSWERED
from gateway.forward.text_seconds import TOLD
from gateway.hj212.packet import Packet, PacketError
from gateway.metrics import Metrics

TAKEN_AT_A_TIME = 16  # texts that get a packet between two looks at the sockets


class TextLane:
    """Of one sink. Without a `log_id`, what is under way is given up at once: it holds up nothing, and is kept."""

    def __init__(
        self, sink: str, mapping: Mapping, outbox: Outbox, next_qn: Callable[[], str], metrics: Metrics
    ) -> None:
        self._sink, self._mapping, self._outbox, self._next_qn = sink, mapping, outbox, next_qn
        self._dead, self._told_refused = metrics.sink_dead, metrics.sink_log_texts_refused
        if mapping.log_id is None:
            self._give_up(outbox.text_packets.all(), NO_LOG_ID)

    def take(self) -> Iterator[Packet]:
        """Packets, durable by now, for what people are to be told; what can't be told is refused with the reason."""
        for text in self._outbox.log_texts.waiting(TAKEN_AT_A_TIME):
            stations = self._mapping.stations
            names = stations if text.terminals is None else text.terminals
            station = next((stations[name] for name in names if name in stations), None)
            if station is None or self._mapping.log_id is None:
                reason = "none of its terminals is a station" if station is None else "the mapping has no log_id"
                self._refuse(text, reason)
                continue
            try:
                second = self._outbox.text_seconds.of(station.mn, text.time_s, TOLD)
                packet = encode_text(self._mapping, station, second, text.text, self._next_qn)
            except PacketError as error:
                self._refuse(text, str(error))
                continue
            self._outbox.log_texts.take(text, packet)
            yield packet

    def refused(self, qn: str) -> bool:
        """The platform answers other packets and not this text; whether it is given up by that."""
        is_last = self._outbox.text_packets.refused(qn)
        if is_last:
            self._give_up([qn], UNANSWERED)
        return is_last

    def _refuse(self, text: LogText, reason: str) -> None:
        self._outbox.log_texts.refuse(text, reason)
        self._told_refused.labels(self._sink).inc()

    def _give_up(self, qns: Sequence[str], reason: str) -> None:
        events, texts = self._outbox.text_packets.give_up(qns, reason)
        self._dead.labels(self._sink, reason).inc(events)
        self._told_refused.labels(self._sink).inc(texts)
