"""Who is on a bus: every speed and parity, Modbus 1 to 247, the DL/T 645 meter that is asked for its address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from terminal.bus import Line
from terminal.modbus import crc16

from firmware.field.bus import order, recognise, who
from firmware.field.bus.asking import GARBLED, GOT, NO_LINE, REFUSED, SILENT, Heard
from firmware.field.bus.order import Step
from firmware.field.bus.reach import WHO, Address, Question, Reach, line_text

NOISY = 4  # addresses of one step that answer nothing but rubbish: that is the line, or another master on it
ASK_AGAIN = 4  # times that a found address is asked: two meters at one address do not answer alike each time
_FRAME_BYTES_MIN = 5

Trouble = Literal["", "two_meters", "several_dlt645", "noise"]


@dataclass
class Found:
    """A meter, or what stands in one's way. models: profiles that fit, the best first."""

    line: Line
    protocol: str
    address: Address
    trouble: Trouble = ""
    models: list[recognise.Fit] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "line": line_text(self.line),
            "protocol": self.protocol,
            "address": self.address,
            "trouble": self.trouble,
            "models": [fit.as_json() for fit in self.models],
        }


class Progress(NamedTuple):
    """Where a search is."""

    done_ms: int  # of the longest time, what is behind
    whole_ms: int
    line: Line
    found: int


@dataclass
class Scan:
    """What a search found. stopped: somebody ended it; missing_lines: what the port can't be set to."""

    found: list[Found] = field(default_factory=list)
    stopped: bool = False
    asked: int = 0
    missing_lines: list[Line] = field(default_factory=list)


def scan(
    reach: Reach,
    search: Sequence[Step],
    tell: Callable[[Progress], None] = lambda _: None,
    enough: Callable[[Scan], bool] = lambda _: False,
) -> Scan:
    """Search a bus. Ctrl-C, or `enough`, ends it with what was found until then. Raises ReachError."""
    result = Scan()
    whole_ms = sum(step.longest_ms for step in search)
    done_ms = 0
    try:
        for step in search:
            tell(Progress(done_ms, whole_ms, step.line, len(result.found)))
            _take(reach, step, result)
            done_ms += step.longest_ms
            if enough(result):
                break
    except KeyboardInterrupt:
        result.stopped = True
    return result


def _take(reach: Reach, step: Step, result: Scan) -> None:
    """One step: whoever answers is looked at more closely."""
    if step.line in result.missing_lines:
        return
    known = {found.address for found in result.found if found.line.baud == step.line.baud}
    questions = [one for one in step.questions() if one.address not in known]
    there: dict[Address, Heard] = {}
    for question, heard in zip(questions, reach.ask(questions), strict=True):
        result.asked += 1
        if heard.said == NO_LINE:
            result.missing_lines.append(step.line)
            return
        if heard.said != SILENT:
            there[question.address] = heard
        for unit in _late_units(heard, question):
            if unit not in known:
                there.setdefault(unit, heard)
    if sum(heard.said == GARBLED for heard in there.values()) >= NOISY:
        result.found.append(Found(step.line, step.protocol, "", "noise"))
        there = {address: heard for address, heard in there.items() if heard.said != GARBLED}
    for address in there:
        found = _look(reach, step, address)
        if found is not None and not _is_known(found, result.found):
            result.found.append(found)


def _look(reach: Reach, step: Step, address: Address) -> Found | None:
    """What is at an address that said something; None: nothing, that was noise."""
    slow_ms = 0 if step.protocol == WHO else order.SLOW_ANSWER_MS
    question = order.probe(step.line, step.protocol, address, slow_ms)
    heard = list(reach.ask([question] * ASK_AGAIN))
    said = [one.said for one in heard]
    if step.protocol == WHO:
        return _dlt645(reach, step.line, heard)
    found = Found(step.line, step.protocol, address)
    if said.count(GARBLED) >= 2 or _answers_twice(heard, question):
        found.trouble = "two_meters"
    elif GOT not in said and REFUSED not in said:
        return None
    else:
        found.models = recognise.fits(reach, step.line, step.protocol, address)
    return found


def _dlt645(reach: Reach, line: Line, heard: list[Heard]) -> Found | None:
    """The one meter that told its address; or that several did at once."""
    told = {address for one in heard for address in who.addresses_in(one.late + one.heard)}
    if len(told) == 1 and [one.said for one in heard].count(GARBLED) < 2:
        address = told.pop()
        return Found(line, "dlt645", address, models=recognise.fits(reach, line, "dlt645", address))
    if told or [one.said for one in heard].count(GARBLED) >= 2:
        return Found(line, "dlt645", " ".join(sorted(told)), "several_dlt645")
    return None


def _is_known(found: Found, others: list[Found]) -> bool:
    """A DL/T 645 meter has one number; a unit answers at one parity of a speed, or at those that look alike."""
    return any(
        one.address == found.address and (found.protocol == "dlt645" or one.line.baud == found.line.baud)
        for one in others
    )


def _answers_twice(heard: list[Heard], question: Question) -> bool:
    """Whether one more answer of the address came after one that was taken."""
    function, unit = question.read.function, question.address
    for before, after in pairwise(heard):
        if len([one for one in units_in(before.heard, function) if one == unit]) > 1:
            return True
        if before.said in (GOT, REFUSED) and unit in units_in(after.late, function):
            return True
    return False


def _late_units(heard: Heard, question: Question) -> list[int]:
    """Units that answered when another was asked: slow ones."""
    if question.protocol != "modbus-rtu":
        return []
    units = units_in(heard.late + heard.heard, question.read.function)
    return [unit for unit in units if unit != question.address]


def units_in(data: bytes, function: int) -> list[int]:
    """The units of the intact answers to the probe in what was heard: one register, or an exception."""
    found, at = [], 0
    while at + _FRAME_BYTES_MIN <= len(data):
        size = _answer_bytes(data, at, function)
        if size and at + size <= len(data) and crc16(data, at, at + size) == 0:
            found.append(data[at])
            at += size
        else:
            at += 1
    return found


def _answer_bytes(data: bytes, at: int, function: int) -> int:
    if data[at + 1] == function | 0x80:
        return _FRAME_BYTES_MIN
    return _FRAME_BYTES_MIN + 2 if data[at + 1] == function and data[at + 2] == 2 else 0
