"""An HJ 212 platform as a sink: batches into packets, packets through sessions, confirmations into the outbox.

A packet stands in the outbox, under its QN, before a byte of it is sent. Without sockets: those are handed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from gateway.clock import Clock
from gateway.config import Hj212Config
from gateway.forward.hj212.channel import LINE_PACKETS, Channel
from gateway.forward.hj212.commands import Commands
from gateway.forward.hj212.events import Boot, encode_event, encode_start, occurrence_of
from gateway.forward.hj212.history import History, Question
from gateway.forward.hj212.mapping import Mapping, Station
from gateway.forward.hj212.memory import OVER_TIME, RE_COUNT, Memory
from gateway.forward.hj212.numbers import Numbers
from gateway.forward.hj212.plan import Table, Windows, table_of
from gateway.forward.hj212.session import Hj212Session, LinkSettings, Partner, SessionCounts
from gateway.forward.hj212.text_lane import TextLane
from gateway.forward.outbox import Outbox
from gateway.forward.sink import Batch, Receipt, RestartingError, SinkError
from gateway.hj212 import sm4
from gateway.hj212.packet import Packet, PacketError, Segment, build, flag_of, with_qn
from gateway.journal.reader import Stored
from gateway.metrics import Metrics
from protocol.record import WINDOW

BATCH_RECORDS = 512  # at a time: what was taken is sent before the next ones are read
TROUBLE_SHOWN_MS = 300_000  # long enough to be seen by who looks every few minutes
HEARTBEAT, KEY = "9015", b"1014"
_COUNTS = (
    "sent",
    "resent",
    "confirmed",
    "late",
    "stray",
    "damaged",
    "gave_up",
    "aside",
    "commands",
    "refused",
    "heartbeats",
)


class Transport(Protocol):
    """Moves the bytes of all sessions."""

    last_error: str

    def step(self, wait_ms: int) -> None:
        """Does what is due; returns when something happened, at the latest after wait_ms."""

    def close(self) -> None:
        """Ends the connections."""


class Wiring(Protocol):
    """What connects sessions to a network: chance, and what moves their bytes."""

    def jitter(self) -> float:
        """A number in [0, 1)."""

    def transport(self, sessions: Sequence[Hj212Session]) -> Transport:
        """What moves the bytes of these sessions."""


class Hj212Sink:
    """What the forwarder drives. jitter: numbers in [0, 1). transport: makes what moves the sessions' bytes."""

    def __init__(
        self,
        config: Hj212Config,
        mapping: Mapping,
        outbox: Outbox,
        folder: Path,
        clock: Clock,
        metrics: Metrics,
        wiring: Wiring,
    ) -> None:
        self._config = config
        self._outbox = outbox
        self._folder = folder
        self._clock = clock
        self._metrics = metrics
        self._memory = Memory(outbox, mapping)
        self._mapping = self._memory.mapping
        self._numbers = Numbers(outbox, clock)
        self._windows = Windows(self._mapping)
        self._restart = False
        self._troubles = self._trouble_at_ms = 0
        self._boots = {
            one.mn: Boot(*map(int, text.split("/")))
            for one in self._mapping.stations.values()
            if (text := outbox.text(f"boot.{one.mn}"))
        }
        self.commands = Commands(
            self._memory, clock, self._numbers.next, self._history, self._configure, self._begin_anew
        )
        self._texts = TextLane(config.name, self._mapping, outbox, self._numbers.next, metrics)
        under_way = outbox.stations() | outbox.text_packets.stations()
        self.counts = SessionCounts()  # of all sessions: there may be thousands
        self._channels = [
            Channel(self._session(mns, wiring), mns, outbox, self._later)
            for mns in _spread(self._mapping, under_way, config.connections)
        ]
        self._channel_of = {mn: channel for channel in self._channels for mn in channel.mns}
        self.sessions = [channel.session for channel in self._channels]
        self._configure()
        self._transport = wiring.transport(self.sessions)
        self._counted: Counter[str] = Counter()  # of these, what the metrics have already

    @property
    def wants(self) -> int:
        """As many as keep every connection busy; none while most of that is waiting."""
        most = LINE_PACKETS * len(self._channels)
        room = most - sum(min(channel.under_way, LINE_PACKETS) for channel in self._channels)
        return min(room, BATCH_RECORDS) if 2 * room >= most else 0

    def take(self, batch: Batch) -> Receipt:
        """Packets for the batch; they are safe once they stand in the outbox, which is the forwarder's next step."""
        receipt = Receipt()
        table = table_of(batch.columns)
        room = self._outbox.text_packets.room()
        for one, row in zip(batch.records, batch.rows, strict=True):
            station = self._mapping.stations.get(one.terminal)
            if station is None:
                text = f"terminal {one.terminal} is no station in the platform's mapping"
                receipt.dead.append((one.id, "unmapped", text))
                continue
            if one.type != WINDOW and not room:
                receipt.held.append(one.id)
                continue
            try:
                started = self._start(batch, one, row, station, receipt)
                packets, otherwise = self._packets(batch, table, one, row, station)
                packets = started + packets
            except PacketError as error:
                receipt.dead.append((one.id, error.code, str(error)))
                continue
            if packets:
                room -= one.type != WINDOW
                receipt.packets.append((one.id, packets))
                for packet in packets:
                    self._channel_of[packet.mn].count(packet, 1)
            else:
                receipt.skipped.append((one.id, otherwise))
        return receipt

    def work(self, wait_ms: int) -> SinkError | None:
        """Send, hear, confirm."""
        for packet in self._texts.take():
            self._channel_of[packet.mn].count(packet, 1)
        for channel in self._channels:
            channel.fill()
        self._transport.step(wait_ms)
        self.settle()
        if self._restart:
            raise RestartingError
        failing = [session for session in self.sessions if session.is_failing]
        if not failing:
            return self._refused_texts() or self._trouble()
        reason = "silent" if any(session.connected for session in failing) else "unreachable"
        return SinkError(reason, f"{len(failing)} of {len(self.sessions)} connections: {self._transport.last_error}")

    def _refused_texts(self) -> SinkError | None:
        """Readings go on, texts do not."""
        refusing = sum(session.refuses_texts for session in self.sessions)
        waiting = sum(channel.texts for channel in self._channels) if refusing else 0
        if not waiting:
            return None
        return SinkError("log_texts", f"{refusing} of {len(self.sessions)} connections; {waiting} log texts wait")

    def _trouble(self) -> SinkError | None:
        """What a platform that works says beside that it should not: shown for a while after the last time."""
        now_ms, troubles = self._clock.now_ms(), sum(session.troubles for session in self.sessions)
        if troubles > self._troubles:
            self._troubles, self._trouble_at_ms = troubles, now_ms
        if not troubles or abs(now_ms - self._trouble_at_ms) >= TROUBLE_SHOWN_MS:
            return None
        last = next(session.last_trouble for session in reversed(self.sessions) if session.troubles)
        return SinkError("protocol", last)

    def settle(self) -> None:
        """Make durable what the platform has confirmed."""
        confirmed = []
        for channel in self._channels:
            confirmed += channel.take_confirmed()
        if confirmed:
            # an error here ends the sink too: the packets are sent again under their QNs, which harms nobody
            delivered = self._outbox.confirm(confirmed)
            self._metrics.sink_delivered.labels(self._config.name).inc(len(delivered))
        for channel in self._channels:
            for qn in channel.session.take_refused_texts():
                if self._texts.refused(qn):
                    channel.give_up_text(qn)
        for result in _COUNTS:
            total = getattr(self.counts, result)
            self._metrics.sink_packets.labels(self._config.name, result).inc(total - self._counted[result])
            self._counted[result] = total
        self._metrics.sink_clock_off.labels(self._config.name).set(self.commands.clock_off_s)

    def close(self) -> None:
        """End the connections; what is under way stays in the outbox."""
        self._transport.close()

    def _packets(self, batch: Batch, table: Table, one: Stored, row: int, station: Station) -> tuple[list[Packet], str]:
        """(packets of a record, why there are none)."""
        resent = batch.lane == "backlog"
        if one.type == WINDOW:
            first_ms = self._numbers.first_ms()
            found = self._windows.encode(table, row, one, first_ms, resent=resent)
            if found:
                self._numbers.give_to(first_ms + len(found) - 1)
            stopped = [b";CN=%s;" % cn.encode() for cn in self._memory.stopped(station.mn)]
            wanted = [packet for packet in found if not any(one in packet.data for one in stopped)]
            return wanted, "stopped" if found else "nothing_mapped"
        if one.start_s is None:
            return [], "no_time"
        if self._mapping.log_id is None:
            return [], "event"
        second = self._outbox.text_seconds.of(station.mn, one.start_s, one.id)
        event = occurrence_of(batch.columns, row, second)
        return [encode_event(self._mapping, station, event, self._numbers.next, resent=resent)], ""

    def _start(self, batch: Batch, one: Stored, row: int, station: Station, receipt: Receipt) -> list[Packet]:
        """CN 2081, before the first record of a start that tells the time."""
        records = batch.columns.records
        if not self._mapping.restarts or not records.has_time[row]:
            return []
        boot = Boot(one.epoch, records.boot[row])
        known = self._boots.get(station.mn)
        if known and known.epoch == boot.epoch and known.boot >= boot.boot:
            return []
        self._boots[station.mn] = boot
        receipt.texts[f"boot.{station.mn}"] = f"{boot.epoch}/{boot.boot}"
        seen_s = records.time_s[row] + records.length_s[row]
        started_s = seen_s - records.uptime_s[row]
        resent = batch.lane == "backlog"
        return [encode_start(self._mapping, station, seen_s, started_s, self._numbers.next, resent=resent)]

    def _session(self, mns: Sequence[str], wiring: Wiring) -> Hj212Session:
        partner = Partner(
            self.commands.answer,
            partial(self._heartbeats, mns),
            self._wire,
            self._renumber,
            lambda packet: self._outbox.text_packets.note_sent(packet.qn),
            self._memory.keys if self._mapping.sm4 else Partner().keys,
        )
        settings = LinkSettings(
            reconnect_min_ms=self._config.reconnect_min_ms, reconnect_max_ms=self._config.reconnect_max_ms
        )
        return Hj212Session(settings, wiring.jitter, partner, self.counts)

    def _configure(self) -> None:
        """The times of gateway.toml, or as the platform has set them since."""
        over_time, re_count = self._memory.number(OVER_TIME), self._memory.number(RE_COUNT)
        for session in self.sessions:
            session.settings = replace(
                session.settings,
                answer_timeout_ms=self._config.answer_timeout_ms if over_time is None else over_time * 1000,
                resends=self._config.resends if re_count is None else re_count,
                heartbeat_ms=(self._mapping.heartbeat_s or 0) * 1000,
            )

    def _begin_anew(self) -> None:
        self._restart = True

    def _history(self, question: Question) -> History:
        return History(self._folder, self._mapping, question, self._clock.now_ms() // 1000, self._numbers.next)

    def _heartbeats(self, mns: Sequence[str]) -> Iterator[Packet]:
        flag = flag_of(self._mapping.edition, wants_answer=True)
        stations = (station for mn in mns if (station := self._memory.station(mn)))
        return (build(Segment(self._numbers.next(), one.st, HEARTBEAT, one.pw, one.mn, flag)) for one in stations)

    def _renumber(self, packet: Packet) -> Packet:
        """A later QN, in the outbox before it is sent."""
        renumbered = self._later(packet)
        self._outbox.renumber(packet.qn, renumbered)
        return renumbered

    def _later(self, packet: Packet) -> Packet:
        return with_qn(packet, self._numbers.next())

    def _wire(self, packet: Packet) -> bytes:
        """The bytes that go out: encrypted where the 2025 edition has it so (6.4.4)."""
        keys = self._memory.keys(packet.mn) if self._mapping.sm4 else []
        if not keys or self._mapping.sm4 is None or not _is_encrypted(packet.data):
            return packet.data
        return sm4.seal(keys[0], packet.data, self._mapping.sm4)


def _is_encrypted(data: bytes) -> bool:
    """Uploads of CN 2000 to 2999, of 1014 and of 3020, where CP has a content."""
    cn = data[data.index(b";CN=") + 4 :][:4]
    return (cn.startswith(b"2") or cn in {KEY, b"3020"}) and b"CP=&&&&" not in data


def _spread(mapping: Mapping, under_way: Iterable[str], connections: int) -> list[list[str]]:
    """The stations of each connection; those that are no longer mapped and have packets under way go by the first."""
    mns = [station.mn for station in mapping.stations.values()]
    count = max(1, min(connections, len(mns)))
    spread = [mns[number::count] for number in range(count)]
    spread[0] += sorted(set(under_way) - set(mns))
    return spread
