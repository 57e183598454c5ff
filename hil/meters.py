"""All meters of one RS-485 bus, on a pty: Modbus RTU slaves that say in a log what they truly showed.

Run: `python -m hil.meters --config FILE`; the clock is handed over in the environment (hil/clock.py). The first line
on stdout is `{"pty": "/dev/pts/7"}`. Lines on stdin change a meter's fault: `{"address": 3, "fault": "silent"}`, and
null ends it. SIGTERM ends the process with the log complete. FILE is checked by `Config`.

The log has one JSON line for each complete poll of a meter (all the quantities of its profile were read, in one read
or several): `{"t_ms": ..., "address": ..., "values": {...}}`, t_ms being the virtual instant of the last read, values
in the terminal's units. A request for anything but function 3 or 4 is a line with `"event": "refused"`: no meter of
ours is ever to see one.
"""

import argparse
import contextlib
import json
import os
import selectors
import signal
import sys
import time
import tty
from collections.abc import Callable
from io import RawIOBase
from pathlib import Path
from typing import IO, Annotated, Any, Literal

import msgspec

from hil import load
from hil.clock import ScaledClock
from hil.meter import Meter, read_profile

READS = (3, 4)
_REQUEST_BYTES = 8
_IDLE_S = 0.05  # a request cut short is forgotten after so long: no master pauses within one
_LOOK_S = 0.1  # how soon SIGTERM is seen
_FLUSH_S = 0.2  # the log is at most so old when someone reads it
_PIECES_GAP_MS = 100


class Fault(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is wrong with a meter. ms: of `delay` (real), code: of `exception`."""

    fault: Literal["silent", "garbled", "pieces", "delay", "exception"]
    ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 400
    code: Annotated[int, msgspec.Meta(ge=1, le=11)] = 4
    from_ms: int = 0  # virtual Unix ms
    to_ms: int = 2**53


class MeterConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One meter: its address, model, load (hil.load.from_config), and what its register shows at the start."""

    address: Annotated[int, msgspec.Meta(ge=1, le=247)]
    profile: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_-]+$")]
    load: dict[str, Any]
    start_import_wh: Annotated[int, msgspec.Meta(ge=0, le=10**12)] = 0
    ct_ratio: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    pt_ratio: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    faults: list[Fault] = []


class Config(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A bus."""

    meters: list[MeterConfig]
    log: str  # relative to the configuration's folder


class Control(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A line on stdin; the fault None ends what a line before it began."""

    address: int
    fault: Literal["silent", "garbled", "pieces", "delay", "exception"] | None
    ms: int = 400
    code: int = 4


class Wire:
    """The meters on a bus without I/O: what a master sends in, what they answer out."""

    def __init__(self, config: Config, start_ms: int, log: Callable[[dict[str, Any]], None]) -> None:
        self._log = log
        self._slaves = {entry.address: _Slave(entry, start_ms) for entry in config.meters}
        if len(self._slaves) != len(config.meters):
            raise ValueError("two meters with one address on one bus")
        self._heard = bytearray()

    def forget(self) -> None:
        """The line was idle: what was heard before is no part of what comes next."""
        self._heard.clear()

    def hear(self, data: bytes, now_ms: int) -> list[tuple[float, bytes]]:
        """What goes out after these bytes, as (seconds from now, bytes). Instants are virtual, and never go back."""
        self._heard += data
        answers: list[tuple[float, bytes]] = []
        while size := _request_bytes(self._heard):
            if len(self._heard) < size:
                break
            if crc16(self._heard[:size]):
                del self._heard[0]
                continue
            answers += self._answers(bytes(self._heard[:size]), now_ms)
            del self._heard[:size]
        return answers

    def set_fault(self, address: int, fault: Fault | None) -> None:
        """What is wrong with a meter from now on. Raises KeyError where there is none of this address."""
        self._slaves[address].told = fault

    def _answers(self, request: bytes, now_ms: int) -> list[tuple[float, bytes]]:
        address, function = request[0], request[1]
        if function not in READS:
            self._log({"t_ms": now_ms, "event": "refused", "address": address, "function": function})
            return []
        slave = self._slaves.get(address)
        return [] if slave is None else slave.answer(request, now_ms, self._log)


class Line:
    """The bus: a pty whose slave is the terminal's UART. `run` serves until `stopped()`."""

    def __init__(self, config: Config, clock: ScaledClock, log: IO[str]) -> None:
        self._clock = clock
        self._log = log
        self._wire = Wire(config, clock.now_ms(), self._write_log)
        self._master, self._held = os.openpty()  # holding the slave keeps the line alive while nobody else has it open
        tty.setraw(self._held)
        os.set_blocking(self._master, False)
        self.pty = os.ttyname(self._held)
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
            fault = None if wanted.fault is None else Fault(wanted.fault, wanted.ms, wanted.code)
            self._wire.set_fault(wanted.address, fault)
        except (msgspec.DecodeError, KeyError) as error:
            sys.stderr.write(f"control line ignored: {error!r}\n")

    def close(self) -> None:
        """Let go of the pty."""
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
        answers = self._wire.hear(os.read(self._master, 4096), self._clock.now_ms())
        self._to_send += [(now + delay_s, piece) for delay_s, piece in answers]

    def _send_due(self) -> None:
        now = time.monotonic()
        for _, piece in [entry for entry in self._to_send if entry[0] <= now]:
            with contextlib.suppress(BlockingIOError):  # nobody has read for kilobytes: then nobody hears this either
                os.write(self._master, piece)
        self._to_send = [entry for entry in self._to_send if entry[0] > now]

    def _write_log(self, row: dict[str, Any]) -> None:
        self._log.write(json.dumps(row) + "\n")

    def _flush(self) -> None:
        if time.monotonic() - self._flushed_at > _FLUSH_S:
            self._log.flush()
            self._flushed_at = time.monotonic()


class _Slave:
    """A meter's address on the bus, and what is wrong with it."""

    def __init__(self, config: MeterConfig, start_ms: int) -> None:
        self.told: Fault | None = None  # by a control line
        self._config = config
        profile = read_profile(config.profile)
        ratios = (config.ct_ratio, config.pt_ratio)
        self._meter = Meter(profile, load.from_config(config.load), start_ms, config.start_import_wh, ratios)
        self._seen: dict[str, int] = {}

    def answer(self, request: bytes, now_ms: int, log: Callable[[dict[str, Any]], None]) -> list[tuple[float, bytes]]:
        """What goes out, as (seconds from now, bytes); what it truly says goes to the log."""
        fault = self.told or self._planned(now_ms)
        kind = fault.fault if fault else ""
        first, count = int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big")
        served = self._meter.read(request[1], first, count, now_ms)
        if kind == "silent":
            return []
        code = fault.code if fault and kind == "exception" else served.exception
        if code:
            return [(0.0, framed(bytes((request[0], request[1] | 0x80, code))))]
        frame = framed(bytes((request[0], request[1], len(served.data))) + served.data)
        if kind == "garbled":
            return [(0.0, frame[:-1] + bytes((frame[-1] ^ 0x55,)))]
        self._note(served.values, kind, now_ms, log)
        if fault and kind == "delay":
            return [(fault.ms / 1000, frame)]
        if kind == "pieces":
            third = len(frame) // 3
            pieces = (frame[:third], frame[third : 2 * third], frame[2 * third :])
            return [(number * _PIECES_GAP_MS / 1000, piece) for number, piece in enumerate(pieces)]
        return [(0.0, frame)]

    def _planned(self, now_ms: int) -> Fault | None:
        return next((fault for fault in self._config.faults if fault.from_ms <= now_ms < fault.to_ms), None)

    def _note(self, values: dict[str, int], kind: str, now_ms: int, log: Callable[[dict[str, Any]], None]) -> None:
        self._seen |= values
        if len(self._seen) == len(self._meter.places):
            row: dict[str, Any] = {"t_ms": now_ms, "address": self._config.address, "values": self._seen}
            log({**row, "fault": kind} if kind else row)
            self._seen = {}


def crc16(data: bytes | bytearray) -> int:
    """CRC-16 of Modbus RTU; 0 over a whole intact frame. Bit by bit: the firmware's is by table."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def framed(body: bytes) -> bytes:
    """The body with its CRC, low byte first."""
    return body + crc16(body).to_bytes(2, "little")


def _request_bytes(heard: bytearray) -> int:
    """How long the request is that begins here; 0 while that cannot be known."""
    if len(heard) < _REQUEST_BYTES:
        return 0
    return _REQUEST_BYTES + 1 + heard[6] if heard[1] in (15, 16) else _REQUEST_BYTES


def main() -> int:
    """Serve one bus as a process."""
    parser = argparse.ArgumentParser(prog="python -m hil.meters", description="emulated Modbus RTU meters on a pty")
    parser.add_argument("--config", type=Path, required=True, help="JSON file, see hil/meters.py")
    file: Path = parser.parse_args().config
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    try:
        config = msgspec.json.decode(file.read_bytes(), type=Config)
        with (file.parent / config.log).open("w", encoding="utf-8") as log:
            line = Line(config, ScaledClock.from_env(os.environ), log)
            sys.stdout.write(json.dumps({"pty": line.pty}) + "\n")
            sys.stdout.flush()
            # unbuffered: a line that waits in a buffer of ours would not wake the poll
            with open(0, "rb", buffering=0, closefd=False) as control:
                line.run(lambda: bool(stop), control)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        sys.stderr.write(f"{file}: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
