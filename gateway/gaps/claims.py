"""What refused frames say to be. Read without trust: it explains a gap, it never fills one."""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.gaps.words import cell_of
from gateway.quarantine.quarantine import Refused
from gateway.verify import YEAR_2020_S
from protocol import frame, mac
from protocol.errors import REASONS, FrameError
from protocol.record import WINDOW, Event, Window


class Claim(NamedTuple):
    """A refused record's number; is_window: else an event. cell_s: the window's cell if it names one to be believed."""

    epoch: int
    seq: int
    is_window: bool
    cell_s: int | None


def claims(one: Refused) -> Iterator[Claim]:
    """The records that a refused frame says to hold: all where the frame was refused, else the one that was."""
    if len(one.data) != one.length:
        return
    try:
        envelope = mac.Envelope(one.data)
        frame.expect_version(frame.payload_reader(envelope))
        found = frame.read_frame(frame.payload_reader(envelope), envelope.generation)
    except FrameError:
        return
    at = envelope.payload_end - sum(len(each.raw) for each in found.records)
    for each in found.records:
        if one.reason in REASONS or one.offset == at:
            yield Claim(found.epoch, each.seq, each.type == WINDOW, _cell(each.body, one.received_ms // 1000))
        at += len(each.raw)


def _cell(body: Window | Event, received_s: int) -> int | None:
    """The cell, unless the time is what was wrong with the record."""
    if not isinstance(body, Window) or body.start_s is None:
        return None
    cell_s = cell_of(body.start_s, body.length_s)
    return cell_s if YEAR_2020_S <= cell_s <= received_s else None
