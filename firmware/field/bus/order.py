"""In which order a bus is searched, and how long that takes at most: the likely first, everything in the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from terminal.bus import Line
from terminal.bus_protocol import Read

from firmware.field.bus.reach import ANYBODY, WHO, Address, Question

BAUDS = (9600, 2400, 19200, 4800, 1200, 38400, 57600, 115200)  # Modbus' and DL/T 645's factory settings first
PARITIES = ("N", "E", "O")
DLT645_BAUDS = (2400, 9600, 4800, 1200, 19200)  # the usual factory setting first
UNITS = range(1, 248)  # MODBUS over serial line 1.02, 2.2
LIKELY_UNITS = range(1, 17)  # a switchboard's meters are numbered from 1 on
ANSWER_MS = 150  # meters think for 20 to 100 ms; one that takes longer is noticed by its late answer, and asked again
SLOW_ANSWER_MS = 1000
DLT645_ANSWER_MS = 600  # Td: 500 ms (DL/T 645-2007, 5.3)
FOUND_MS = 15_000  # a meter that was found: 12 models of at most 4 reads, and whether it is one
_FIRST_LINES = (Line(9600, "N", 1), Line(2400, "E", 1), Line(9600, "E", 1), Line(19200, "E", 1), Line(4800, "N", 1))
_BITS = 11  # of a character, with its parity or second stop bit
_EXCHANGE_BYTES = {"modbus-rtu": 8 + 7, "dlt645": 20 + 40, WHO: 16 + 22}
_PROBE = Read(3, 0, 1)  # any answer will do, and a meter that has no such register says so
_OVERHEAD_MS = 25  # the quiet between frames, an adapter's and a system's delays


class Step(NamedTuple):
    """Addresses to be asked at one setting of the line."""

    line: Line
    protocol: str
    addresses: tuple[Address, ...]
    answer_ms: int = 0  # that a meter may think; 0: the protocol's usual time

    def questions(self) -> list[Question]:
        """Whether anybody is there."""
        return [probe(self.line, self.protocol, address, self.answer_ms) for address in self.addresses]

    @property
    def longest_ms(self) -> int:
        """If nobody answers."""
        return sum([question.timeout_ms + _OVERHEAD_MS for question in self.questions()])


def probe(line: Line, protocol: str, address: Address, answer_ms: int = 0) -> Question:
    """The question whether a meter is there; answer_ms: 0 for the protocol's usual time."""
    read = {WHO: ANYBODY, "modbus-rtu": _PROBE}.get(protocol, Read(0x11, 0x04000401, 0))
    usual_ms = ANSWER_MS if protocol == "modbus-rtu" else DLT645_ANSWER_MS
    return Question(line, protocol, address, read, (answer_ms or usual_ms) + wire_ms(line, protocol))


def wire_ms(line: Line, protocol: str) -> int:
    """How long a short request and its answer take on the wire."""
    baud: int = line.baud
    return _EXCHANGE_BYTES[protocol] * _BITS * 1000 // baud + 1


def steps(
    expected: Sequence[tuple[Line, str, Address]] = (),
    bauds: Sequence[int] = BAUDS,
    parities: Sequence[str] = PARITIES,
    units: Sequence[int] = UNITS,
    answer_ms: int = ANSWER_MS,
) -> list[Step]:
    """The whole search: what is expected, the one DL/T 645 meter and likely units on every line, then all units.

    answer_ms: how long a Modbus unit may think.
    """
    lines = [line for line in _lines() if line.baud in bauds and line.parity in parities]
    likely = tuple(unit for unit in units if unit in LIKELY_UNITS)
    others = tuple(unit for unit in units if unit not in LIKELY_UNITS)
    found = [Step(line, protocol, (address,), SLOW_ANSWER_MS) for line, protocol, address in expected]
    for line in lines:
        found += [Step(line, WHO, ("",)), Step(line, "modbus-rtu", likely, answer_ms)]
    found += [Step(line, "modbus-rtu", others, answer_ms) for line in lines]
    return [step for step in found if step.addresses]


def who_steps(parity: str) -> list[Step]:
    """The search for DL/T 645 meters alone, the usual factory settings first."""
    return [Step(Line(baud, parity, 1), WHO, ("",)) for baud in DLT645_BAUDS]


def longest_s(search: Sequence[Step]) -> int:
    """How long a search takes at most, but for FOUND_MS a meter that is found."""
    return sum(step.longest_ms for step in search) // 1000 + 1


def _lines() -> list[Line]:
    usual = [Line(baud, parity, 1) for parity in PARITIES for baud in BAUDS]
    return [*_FIRST_LINES, *(line for line in usual if line not in _FIRST_LINES)]
