"""Who is on a bus: every speed and parity, Modbus 1 to 247, the DL/T 645 meters that are asked for their address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from terminal.bus import Line
from terminal.modbus import crc16

from firmware.field.bus import order, recognise, several, who
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
    """What a search found. stopped: somebody ended it; missing_lines: what the port can't be set to.

    parted: speeds at which several DL/T 645 meters were told apart, which takes minutes.
    """

    found: list[Found] = field(default_factory=list)
    stopped: bool = False
    asked: int = 0
    missing_lines: list[Line] = field(default_factory=list)
    parted: set[int] = field(default_factory=set)


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
            if step.line not in result.missing_lines and (step.protocol != WHO or step.line.baud not in result.parted):
                _take(reach, step, result)
            done_ms += step.longest_ms
            if enough(result):
                break
    except KeyboardInterrupt:
        result.stopped = True
    return result


def _take(reach: Reach, step: Step, result: Scan) -> None:
    """One step: whoever answers is looked at more closely."""
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
        for found in _look(reach, step, address, result):
            if not _is_known(found, result.found):
                result.found.append(found)


def _look(reach: Reach, step: Step, address: Address, result: Scan) -> Iterator[Found]:
    """What is at an address that said something; nothing, where that was noise."""
    slow_ms = 0 if step.protocol == WHO else order.SLOW_ANSWER_MS
    question = order.probe(step.line, step.protocol, address, slow_ms)
    heard = list(reach.ask([question] * ASK_AGAIN))
    said = [one.said for one in heard]
    if step.protocol == WHO:
        yield from _dlt645(reach, step.line, heard, result)
        return
    found = Found(step.line, step.protocol, address)
    if said.count(GARBLED) >= 2 or _answers_twice(heard, question):
        found.trouble = "two_meters"
    elif GOT not in said and REFUSED not in said:
        return
    else:
        found.models = recognise.fits(reach, step.line, step.protocol, address)
    yield found


def _dlt645(reach: Reach, line: Line, heard: list[Heard], result: Scan) -> Iterator[Found]:
    """The one meter that told its address; or several that did at once, told apart as far as they can be."""
    told = {address for one in heard for address in who.addresses_in(one.late + one.heard)}
    garbled = [one.said for one in heard].count(GARBLED)
    if not told and garbled < 2:
        return
    if len(told) == 1 and garbled < 2:
        yield _meter(reach, line, told.pop())
        return
    result.parted.add(line.baud)
    search = several.Search(reach, line)
    for address in search.addresses():
        told.discard(address)
        yield _meter(reach, line, address)
    if search.is_noise:
        yield Found(line, "dlt645", "", "noise")
        yield from (_meter(reach, line, address) for address in sorted(told))  # each told its number intact before
    elif told or not search.is_whole:
        yield Found(line, "dlt645", " ".join(sorted(told)), "several_dlt645")


def _meter(reach: Reach, line: Line, address: str) -> Found:
    return Found(line, "dlt645", address, models=recognise.fits(reach, line, "dlt645", address))


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
