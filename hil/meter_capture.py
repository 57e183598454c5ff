"""What went over a meters' bus, as it was recorded, and what it means: the proof that no meter was ever written to.

A capture is a file of JSON lines `{"t_ms", "real_ms", "to", "baud", "hex"}`: t_ms is virtual, real_ms counts from the
recorder's start, to is "meters" or "terminal". Lines of plain hexadecimal digits are taken too, as requests or answers.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from firmware.field import explain_dlt645, explain_modbus
from hil.meter_frames import take_request

BYTES_MAX = 256 * 1024 * 1024  # of a capture; a month of nine meters at a sample a minute
_JOIN_MS = 50  # bytes of one direction that follow so closely are one line: no master pauses within a frame
_ANYBODY = "?"

Direction = Literal["meters", "terminal", "?"]


class Recorder:
    """Writes a capture; past BYTES_MAX only one row more, which says so."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._began = time.monotonic()
        self._size = 0

    def heard(self, to: Direction, data: bytes, now_ms: int, baud: int) -> None:
        """Bytes that were on the bus at a virtual instant."""
        if self._size > BYTES_MAX:
            return
        real_ms = int((time.monotonic() - self._began) * 1000)
        row = {"t_ms": now_ms, "real_ms": real_ms, "to": to, "baud": baud, "hex": data.hex()}
        line = json.dumps(row) + "\n"
        self._size += len(line)
        if self._size > BYTES_MAX:
            line = json.dumps({"t_ms": now_ms, "ended": "the capture is full"}) + "\n"
        self._file.write(line)


class Told(NamedTuple):
    """One stretch of bytes in one direction, and what it means."""

    t_ms: int | None
    to: Direction
    data: bytes
    protocol: str
    finding: dict[str, Any]
    problem: str  # "" for what may be on a meters' bus: reads, and whatever meters say


class CaptureError(ValueError):
    """A capture that can't be read; the text names the line."""


def told(file: Path, *, technician: bool = False) -> Iterator[Told]:
    """What a capture means, in order; technician: see problem_with. Raises CaptureError, OSError."""
    asked = b""
    for row in _joined(file):
        data = row["data"]
        protocol = "dlt645" if _is_dlt645(data) else "modbus-rtu"
        finding = explain_dlt645.explain(data) if protocol == "dlt645" else _modbus(asked, data)
        problem = problem_with(data, technician=technician) if row["to"] == "meters" else _write_in(finding)
        yield Told(row["t_ms"], row["to"], data, protocol, finding, problem)
        asked = data if row["to"] == "meters" else b""


def _modbus(asked: bytes, data: bytes) -> dict[str, Any]:
    """What Modbus bytes mean; an answer with the registers of its request, if it stands right before it."""
    both = explain_modbus.explain_rtu(asked + data)
    frames = both["fields"].get("frames", [])
    if asked and len(frames) == 2 and all(frame["verdict"] == "ok" for frame in frames):
        second: dict[str, Any] = frames[1]
        return second
    return explain_modbus.explain_rtu(data)


def problem_with(data: bytes, *, technician: bool = False) -> str:
    """Why bytes that a terminal sent should not have been sent to meters; "" if they are reads and nothing else.

    technician: they are of a technician's tool, which may also ask the one DL/T 645 meter on a line for its address.
    """
    heard = bytearray(data)
    while heard:
        request = take_request(heard)
        if request is None:
            return "" if not heard.strip(b"\xfe") else f"no request: {bytes(heard).hex()} 不是请求"
        if request.asks_who_is_there:
            if not technician:
                return "asks any meter for its address: a technician's question 读通信地址"
        elif not request.reads:
            return f"WRITE COMMAND to meter {request.address}: function {request.function:02X} 写命令"
    return ""


def _write_in(finding: dict[str, Any]) -> str:
    frames = finding["fields"].get("frames", [finding])
    return next((frame["fields"]["write"] for frame in frames if "write" in frame["fields"]), "")


def _is_dlt645(data: bytes) -> bool:
    rest = data.lstrip(b"\xfe")
    return len(rest) > 7 and rest[0] == 0x68 and rest[7] == 0x68


def _joined(file: Path) -> Iterator[dict[str, Any]]:
    """The rows, those of one direction that follow each other closely as one."""
    last: dict[str, Any] | None = None
    for row in _rows(file):
        if last and row["to"] == last["to"] != _ANYBODY and row["real_ms"] - last["real_ms"] <= _JOIN_MS:
            last = {**last, "data": last["data"] + row["data"], "real_ms": row["real_ms"]}
            continue
        if last:
            yield last
        last = row
    if last:
        yield last


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8", errors="replace") as lines:  # of other bytes no row is made
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield _row(line)
            except (ValueError, KeyError, TypeError) as error:
                raise CaptureError(f"{file}:{number}: {error!r}; a row of a capture, or hexadecimal digits") from error


def _row(line: str) -> dict[str, Any]:
    if not line.lstrip().startswith("{"):
        data = bytes.fromhex(line.replace(":", " "))
        return {"t_ms": None, "real_ms": 0, "to": _ANYBODY, "data": data}
    row = json.loads(line)
    if "ended" in row:
        raise ValueError(row["ended"])
    return {"t_ms": row["t_ms"], "real_ms": row["real_ms"], "to": row["to"], "data": bytes.fromhex(row["hex"])}
