"""Reads what a profile's plan wants of one meter, wherever the bus is."""

from __future__ import annotations

from typing import Final

from terminal import profile
from terminal.bus import Meter
from terminal.bus_protocol import Read

from firmware.field.bus.asking import GOT, REFUSED
from firmware.field.bus.reach import Question, Reach

_BITS = 11  # of a character
_FRAME_BYTES = 24  # of the request, and of an answer around its data
_ITEM_BYTES = 40  # the longest DL/T 645 item that a profile has

NOTHING: Final[dict[str, int | None]] = {}


def read(reach: Reach, meter: Meter, plan: profile.Plan) -> list[bytes | None] | str:
    """The answers, None where the meter has no such data; or what it said instead of one that is needed.

    Raises ReachError.
    """
    answers: list[bytes | None] = []
    for number, heard in enumerate(reach.ask([_question(meter, one) for one in plan.reads])):
        if heard.said != GOT and (heard.said != REFUSED or plan.is_needed(number)):
            return str(heard.said)
        answers.append(heard.data if heard.said == GOT else None)
    return answers


def values(reach: Reach, meter: Meter, plan: profile.Plan) -> dict[str, int | None] | str:
    """A plan's quantities in the terminal's units, ratios applied; or what was said instead (see `read`)."""
    if not plan.reads:
        return NOTHING
    answers = read(reach, meter, plan)
    if isinstance(answers, str):
        return answers
    decoded: dict[str, int | None] = plan.decode(answers, *meter.ratios)
    return decoded


def _question(meter: Meter, one: Read) -> Question:
    data_bytes = 2 * one.count or _ITEM_BYTES
    wire_ms = (_FRAME_BYTES + data_bytes) * _BITS * 1000 // meter.line.baud
    return Question(meter.line, meter.profile.protocol_name, meter.address, one, meter.timeout_ms + wire_ms)
