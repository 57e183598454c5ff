# Asks meters one question at a time and tells every byte that came. Runs on the laptop, and as text on a terminal
# (through_terminal.py): so it uses the terminal's own bus, which has no encoder for a command that changes a meter.
from collections import namedtuple

from terminal import bus, profile

from protocol import record

# heard: all bytes since the request; late: what came between the last answer and this request
Heard = namedtuple("Heard", ("said", "data", "heard", "late"))  # noqa: PYI024  no typing.NamedTuple on the terminal

GOT, REFUSED, GARBLED, SILENT = "got", "refused", "garbled", "silent"
NO_LINE = "no_line"  # the port cannot be set to this speed or parity

_SAID = {record.NONE_SILENT: SILENT, record.NONE_EXCEPTION: REFUSED, record.NONE_GARBLED: GARBLED}
_SWITCH_MS = 20  # of quiet after a switch of the line, as the terminal keeps it
_KEPT_BYTES = 2048  # of what a babbling bus says between two questions


class Asker:
    """One UART of a board (boards/README.md): set to a line, then asked. more_protocols: beside terminal.profile's."""

    def __init__(self, board, uart, more_protocols=None) -> None:  # type: ignore[no-untyped-def]
        self._board = board
        self._uart = _Listening(uart)
        self._protocols = dict(profile.PROTOCOLS)
        self._protocols.update(more_protocols or {})
        self._line: bus.Line | None = None
        self._bus: bus.Bus | None = None

    async def ask(self, line, protocol: str, address, read, timeout_ms: int) -> Heard:  # type: ignore[no-untyped-def]
        # The answer to one bus_protocol.Read. Raises ValueError for what is no plain read; OSError of the port.
        if self._bus is None or line != self._line:
            self._uart.set_line(*line)
            await self._board.pause_ms(_SWITCH_MS)
            self._line = line
            self._bus = bus.Bus(self._board, self._uart, line, [])
        one = _OneRead(self._protocols[protocol], read)
        meter = bus.Meter(address, 0, one, (1, 1), timeout_ms, line)  # type: ignore[arg-type]  # as much as it wants
        answer = await self._bus.read(meter)
        late, heard = self._uart.taken()
        if isinstance(answer, int):
            return Heard(_SAID[answer], b"", heard, late)
        return Heard(GOT, answer[0], heard, late)


class _OneRead:
    """As much of a profile and its plan as the bus wants of one read."""

    def __init__(self, protocol, read) -> None:  # type: ignore[no-untyped-def]
        self.protocol = protocol
        self.reads = [read]

    def plan(self, what: int, circuit: int) -> "_OneRead":  # noqa: ARG002  there is one
        return self

    def is_needed(self, read: int) -> bool:  # noqa: ARG002  likewise
        return True


class _Listening:
    """The UART, keeping what came: before the request, and after it."""

    def __init__(self, uart) -> None:  # type: ignore[no-untyped-def]
        self._uart = uart
        self._late = self._heard = b""

    def set_line(self, baud: int, parity: str, stop: int) -> None:
        self._uart.set_line(baud, parity, stop)

    def read(self, count: int) -> "bytes | None":
        data: bytes | None = self._uart.read(count)
        if data:
            self._heard = (self._heard + data)[-_KEPT_BYTES:]
        return data

    def write(self, data: bytes) -> "int | None":
        self._late, self._heard = self._late + self._heard, b""
        sent: int | None = self._uart.write(data)
        return sent

    def taken(self) -> "tuple[bytes, bytes]":
        late, heard = self._late, self._heard
        self._late = self._heard = b""
        return late, heard
