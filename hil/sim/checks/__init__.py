"""The cheap invariants, looked at in every moment that matters. The first that does not hold ends the run at once.

moment                              what must hold then
the terminal commits a record       its number names no other record
the terminal frees a record         the journal has it on its disk, or the terminal was told or tells why not
a frame reaches the broker          its records are those of the terminal's log, live ones first
the gateway commits                 each record once, and each made by the terminal that it names
the gateway acknowledges            what it names would be in the journal if the power went now
the gateway releases a frame        it is in the journal, or in the quarantine with its reason
the terminal sets its clock         to the gateway's time, to the accuracy of a round trip
the platform takes a packet         each value once, of a window that is safe in the journal

It looks at what the bench's own parts see (flash, disk, broker, board, platform), never into what it watches.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import NoReturn

from gateway.journal.journal import FILE as JOURNAL
from gateway.quarantine.quarantine import FILE as QUARANTINE
from hil.oracle.words import shown
from hil.platform_ledger import Ledger
from hil.sim.checks.flash_log import FlashLog
from hil.sim.checks.journal_file import JournalFile
from hil.sim.checks.quarantine_file import QuarantineFile
from hil.sim.checks.sending import Sending
from hil.sim.checks.uploads import WatchedLedger
from hil.sim.checks.violation import ViolationError
from hil.sim.disk import Connection
from hil.sim.loop import VirtualLoop
from hil.sim.trace import Trace
from protocol import limits, mac
from protocol.ack import Ack
from protocol.down import open_down
from protocol.errors import FrameError
from protocol.frame import open_frame

CLOCK_SLACK_MS = limits.ECHO_MS_MAX // 2 + 2000  # half a round trip, and what whole seconds lose
UP = "wattline/up/"
Keys = Mapping[int, mac.Key]
StartOf = Callable[[int], int | None]  # virtual Unix ms of the start that a terminal counts so

__all__ = ["Checks", "ViolationError"]


class Checks:
    """The observers of one run; `world.py` hands them to the parts. stations: the terminal of each MN. gateway_off_ms:
    (least, most) by which the gateway's own clock was off while an ack may have been on its way.

    Every method halts the loop with a ViolationError where something does not hold.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        trace: Trace,
        now_ms: Callable[[], int],
        terminals: Mapping[str, Keys],
        stations: Mapping[str, str],
        gateway_off_ms: Callable[[], tuple[int, int]],
    ) -> None:
        self._loop = loop
        self._trace = trace
        self._now_ms = now_ms
        self._keys = {name: dict(keys) for name, keys in terminals.items()}
        self._stations = stations
        self._gateway_off_ms = gateway_off_ms
        self._journal = JournalFile(self._keys, self._is_made)
        self._quarantine = QuarantineFile()
        self._logs = {name: FlashLog(now_ms, self._may_free_of(name)) for name in terminals}
        self._sending = {name: Sending(log, self._start_of(name)) for name, log in self._logs.items()}
        self._starts: dict[str, StartOf] = {}

    def watch_starts(self, terminal: str, start_ms: StartOf) -> None:
        """Know when each start of a terminal was."""
        self._starts[terminal] = start_ms

    def ledger(self) -> Ledger:
        """For the platform."""
        return WatchedLedger(
            lambda mn, start_s: (self._stations.get(mn, ""), start_s) in self._journal.starts, self._halt
        )

    def flash_committed(self, terminal: str, path: str, data: bytes) -> None:
        """A file of a terminal's flash has this content from now on."""
        self._look(lambda: self._logs[terminal].committed(path, data))

    def clock_set(self, terminal: str, unix_s: int) -> None:
        """A terminal believes that it is this late."""
        off_ms = 1000 * unix_s - self._now_ms()
        least_ms, most_ms = self._gateway_off_ms()
        if not least_ms - CLOCK_SLACK_MS <= off_ms <= most_ms + CLOCK_SLACK_MS:
            text = f"{terminal} sets its clock to {shown(1000 * unix_s)}, {off_ms // 1000} s off"
            self._halt(ViolationError(3, "clock_wrong", text))

    def connected(self, client: str) -> None:
        """A client's connection to the broker begins."""
        if client in self._sending:
            self._sending[client].connected()

    def published(self, client: str, topic: str, payload: bytes) -> None:
        """A client's message has come to the broker."""
        if client in self._sending and topic == UP + client:
            self._look(lambda: self._sending[client].sent(open_frame(payload, client, self._keys[client])))

    def committed(self, connection: sqlite3.Connection, file: str) -> None:
        """A commit of the gateway has ended."""
        if file == JOURNAL and isinstance(connection, Connection):
            self._look(lambda: self._journal.committed(connection, synced=connection.is_synced()))
        elif file == QUARANTINE:
            self._quarantine.committed(connection)

    def released(self, terminal: str, data: bytes) -> None:
        """The gateway is about to tell the broker that it has a frame."""
        if not self._quarantine.has_another(terminal, data):
            self._look(lambda: self._check_taken(terminal, data))

    def acknowledged(self, terminal: str, data: bytes) -> None:
        """The gateway is about to tell a terminal something."""
        self._look(lambda: self._check_ack(terminal, data))

    def _check_ack(self, terminal: str, data: bytes) -> None:
        found = open_down(data, terminal, self._keys[terminal])
        if not isinstance(found, Ack):
            return
        for first, last in found.durable:
            for seq in range(first, last + 1):
                if (terminal, found.epoch, seq) not in self._journal.durable:
                    text = f"record {seq} of epoch {found.epoch:#x} of {terminal} is acknowledged, and not on the disk"
                    raise ViolationError(1, "acknowledged_too_early", text)
        for first, last, _reason in found.refused:
            self._logs[terminal].refused.update((found.epoch, seq) for seq in range(first, last + 1))

    def _check_taken(self, terminal: str, data: bytes) -> None:
        try:
            frame = open_frame(data, terminal, self._keys.get(terminal, {}))
        except FrameError as error:
            text = f"a frame under the name {terminal!r} that is refused ({error.reason}) is in no quarantine"
            raise ViolationError(4, "evidence_lost", text) from error
        for one in frame.records:
            if (terminal, frame.epoch, one.seq) not in self._journal.durable:
                text = f"the frame with record {one.seq} of epoch {frame.epoch:#x} of {terminal} is on no disk"
                raise ViolationError(1, "released_too_early", text)

    def _look(self, check: Callable[[], None]) -> None:
        try:
            check()
        except ViolationError as error:
            self._halt(error)
        except FrameError as error:
            self._halt(ViolationError(4, "sealed_wrongly", f"bytes that their own maker can't have sealed: {error}"))

    def _halt(self, error: ViolationError) -> NoReturn:
        now_ms = self._now_ms()
        where = f"at {self._loop.now_us // 1000} ms ({shown(now_ms)}), trace line {self._trace.count}"
        self._trace.add("checks", f"{error.finding.code}: {error.finding.text}")
        self._loop.halt(error.at(where))

    def _is_made(self, terminal: str, epoch: int, seq: int, raw: bytes) -> bool:
        return terminal in self._logs and self._logs[terminal].has(epoch, seq, raw)

    def _may_free_of(self, terminal: str) -> Callable[[int, int, bytes], bool]:
        return lambda epoch, seq, raw: self._journal.has(terminal, epoch, seq, raw)

    def _start_of(self, terminal: str) -> StartOf:
        return lambda boot: self._starts[terminal](boot) if terminal in self._starts else None
