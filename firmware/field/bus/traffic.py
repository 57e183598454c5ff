"""What went over the bus while the tool asked: in words for a screen, and in a file that `wattline hil bus` takes."""

from __future__ import annotations

import json
import time
from typing import IO, NamedTuple

from terminal import profile

from firmware.field import explain_dlt645, explain_modbus
from firmware.field.bus import who
from firmware.field.bus.asking import Heard
from firmware.field.bus.reach import WHO, Question
from firmware.field.finding import Finding

_PROTOCOLS = {**profile.PROTOCOLS, WHO: who}


class Exchange(NamedTuple):
    """A question and what came, as bytes."""

    unix_s: float
    question: Question
    sent: bytes
    heard: Heard


def exchange(question: Question, heard: Heard) -> Exchange:
    """What just went over the bus."""
    raw: bytes = _PROTOCOLS[question.protocol].request(question.address, question.read).raw
    return Exchange(time.time(), question, raw, heard)


def explained(one: Exchange) -> Finding:
    """What came, in words: frames found behind noise, registers with their addresses (firmware/field/explain_*.py)."""
    if one.question.protocol != "modbus-rtu":
        return explain_dlt645.explain(one.heard.heard)
    both = explain_modbus.explain_rtu(one.sent + one.heard.heard)
    frames = both["fields"].get("frames", [])
    if len(frames) == 2 and all(frame["verdict"] == "ok" for frame in frames):
        answer: Finding = frames[1]
        return answer
    return explain_modbus.explain_rtu(one.heard.heard)


class Capture:
    """Writes every exchange as JSON lines: `wattline hil bus --explain FILE` shows that nothing was written."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._began = time.monotonic()

    def heard(self, question: Question, heard: Heard) -> None:
        """For reach.Watched."""
        one = exchange(question, heard)
        self._row("terminal", one.heard.late, question)
        self._row("meters", one.sent, question)
        self._row("terminal", one.heard.heard, question)

    def _row(self, to: str, data: bytes, question: Question) -> None:
        if data:
            real_ms = int((time.monotonic() - self._began) * 1000)
            row = {"t_ms": int(time.time() * 1000), "real_ms": real_ms, "to": to, "baud": question.line.baud}
            self._file.write(json.dumps({**row, "hex": data.hex()}) + "\n")
