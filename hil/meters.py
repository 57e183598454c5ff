"""All meters of one RS-485 bus, on a pty: slaves that say in a log what they truly showed. Modbus RTU, DL/T 645-2007.

Run: `python -m hil.meters --config FILE`; the clock is handed over in the environment (hil/clock.py). The first line
on stdout is `{"pty": "/dev/pts/7"}`. Lines on stdin change a meter (hil.meter_slave.Control): `{"address": 3, "fault":
"silent"}`, and null ends it. SIGTERM ends the process with the log complete. FILE is checked by `Config`.

The log has one JSON line for each complete poll of a meter's circuit (all the quantities of its profile were read, in
one read or several): `{"t_ms": ..., "from_ms": ..., "address": ..., "values": {...}}`, with the virtual instants of the
last and the first read, and values in the terminal's units. A request that is no plain read is a line with
`"event": "refused"`: no meter of ours is ever to see one. All that goes over the bus is recorded in the capture
(hil/meter_capture.py), if there is to be one.
"""

import argparse
import contextlib
import json
import os
import selectors
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable
from io import RawIOBase
from pathlib import Path
from typing import IO, Any

import msgspec
import serial

from hil.clock import ScaledClock
from hil.meter_capture import Direction, Recorder
from hil.meter_slave import Control, MeterConfig
from hil.meter_wire import Wire

_IDLE_S = 0.05  # a request cut short is forgotten after so long: no master pauses within one
_LOOK_S = 0.1  # how soon SIGTERM is seen
_FLUSH_S = 0.2  # the log is at most so old when someone reads it
_SPEEDS = {getattr(termios, f"B{baud}"): baud for baud in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)}


class Config(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A bus. log, capture: relative to the configuration's folder."""

    meters: list[MeterConfig]
    log: str
    capture: str | None = None
    port: str | None = None  # of an RS-485 adapter; None: a pty is made
    baud: int = 9600  # of that adapter


class Line:
    """The bus: a pty whose slave is the terminal's UART, or an adapter. `run` serves until `stopped()`."""

    def __init__(self, config: Config, clock: ScaledClock, log: IO[str], capture: IO[str] | None = None) -> None:
        self._clock = clock
        self._log = log
        self._recorder = Recorder(capture) if capture else None
        self._wire = Wire(config.meters, clock.now_ms(), self._write_log)
        self._adapter: serial.Serial | None = None
        if config.port is None:
            self._master, self._held = os.openpty()  # holding the slave keeps the line alive while nobody else has it
            tty.setraw(self._held)
            self.pty = os.ttyname(self._held)
        else:
            self._adapter = serial.Serial(config.port, config.baud, timeout=0, exclusive=True)
            self._master = self._held = self._adapter.fileno()
            self.pty = config.port
        os.set_blocking(self._master, False)
        self._heard_at = 0.0
        self._to_send: list[tuple[float, bytes]] = []
        self._flushed_at = 0.0

    def run(self, stopped: Callable[[], bool], control: RawIOBase | None = None) -> None:
        """Serve requests, and obey control lines, until told to stop."""
        with selectors.PollSelector() as ready:
            ready.register(self._master, selectors.EVENT_READ)
            if control is not None:
                ready.register(control, selectors.EVENT_READ)
            while not stopped():
                for key, _ in ready.select(self._wait_s()):
                    if key.fileobj == self._master:
                        self._hear()
                    elif control is not None:
                        self._listen(control, ready)
                self._send_due()
                self._flush()
        self._log.flush()

    def _listen(self, control: RawIOBase, ready: selectors.BaseSelector) -> None:
        line = control.readline()
        if line:
            self.obey(line)
        else:
            ready.unregister(control)

    def obey(self, line: bytes) -> None:
        """Change a meter's fault. A line that makes no sense is said on stderr."""
        try:
            wanted = msgspec.json.decode(line, type=Control)
            self._wire.obey(wanted, self._clock.now_ms())
        except (msgspec.DecodeError, KeyError) as error:
            sys.stderr.write(f"control line ignored: {error!r}\n")

    def close(self) -> None:
        """Let go of the line."""
        if self._adapter is not None:
            self._adapter.close()
            return
        os.close(self._master)
        os.close(self._held)

    def _wait_s(self) -> float:
        due = min((at for at, _ in self._to_send), default=None)
        return _LOOK_S if due is None else min(max(due - time.monotonic(), 0.0), _LOOK_S)

    def _hear(self) -> None:
        now = time.monotonic()
        if now - self._heard_at > _IDLE_S:
            self._wire.forget()
        self._heard_at = now
        data = os.read(self._master, 4096)
        self._record("meters", data)
        answers = self._wire.hear(data, self._clock.now_ms(), self._baud())
        self._to_send += [(now + delay_s, piece) for delay_s, piece in answers]

    def _baud(self) -> int:
        """The speed that the terminal has set: all that a pty tells of the line. An adapter has its own."""
        return _SPEEDS.get(termios.tcgetattr(self._master)[5], 0)

    def _record(self, to: Direction, data: bytes) -> None:
        if self._recorder is not None:
            self._recorder.heard(to, data, self._clock.now_ms(), self._baud())

    def _send_due(self) -> None:
        now = time.monotonic()
        for _, piece in [entry for entry in self._to_send if entry[0] <= now]:
            with contextlib.suppress(BlockingIOError):  # nobody has read for kilobytes: then nobody hears this either
                os.write(self._master, piece)
                self._record("terminal", piece)
        self._to_send = [entry for entry in self._to_send if entry[0] > now]

    def _write_log(self, row: dict[str, Any]) -> None:
        self._log.write(json.dumps(row) + "\n")

    def _flush(self) -> None:
        if time.monotonic() - self._flushed_at > _FLUSH_S:
            self._log.flush()
            self._flushed_at = time.monotonic()


def main() -> int:
    """Serve one bus as a process."""
    parser = argparse.ArgumentParser(prog="python -m hil.meters", description="emulated meters of a bus on a pty")
    parser.add_argument("--config", type=Path, required=True, help="JSON file, see hil/meters.py")
    file: Path = parser.parse_args().config
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    try:
        config = msgspec.json.decode(file.read_bytes(), type=Config)
        with contextlib.ExitStack() as files:
            log = files.enter_context((file.parent / config.log).open("w", encoding="utf-8"))
            capture = None
            if config.capture is not None:
                capture = files.enter_context((file.parent / config.capture).open("w", encoding="utf-8"))
            line = Line(config, ScaledClock.from_env(os.environ), log, capture)
            sys.stdout.write(json.dumps({"pty": line.pty}) + "\n")
            sys.stdout.flush()
            # unbuffered: a line that waits in a buffer of ours would not wake the poll
            with open(0, "rb", buffering=0, closefd=False) as control:
                line.run(lambda: bool(stop), control)
    except (OSError, ValueError, msgspec.DecodeError) as error:  # pyserial's errors are OSErrors
        sys.stderr.write(f"{file}: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
