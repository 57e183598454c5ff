"""What goes down to terminals beside acks: who was heard, what they said, and how a message for them is sealed.

A message echoes a frame of a short while ago (FR-39), so it goes to who was just heard, and to nobody else.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cext.decoder import Columns, seal_payload
from gateway.journal.journal import NEW
from gateway.registry import Terminal


class Down(NamedTuple):
    """A message for a terminal. kind: request, configuration, offer, chunk, abort, key_offer, key_use, certificates."""

    terminal: str
    data: bytes
    kind: str


class Heard(NamedTuple):
    """The newest frame of a terminal in a batch."""

    boot_id: int
    sent_ms: int
    epoch: int
    generation: int
    terminal: Terminal

    @property
    def echo(self) -> tuple[int, int]:
        """What a message that answers this frame echoes."""
        return self.boot_id, self.sent_ms


class Said(NamedTuple):
    """An event; came_ms: when."""

    terminal: str
    epoch: int
    seq: int
    code: int
    values: Sequence[int]
    came_ms: int


class Listener:
    """Which frames were sealed just now.

    A message that answers one which is played again is lost on the terminal, and the next waits the longer for it.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}  # by admitted terminal, of its newest frame: boot_id, sent_ms

    def speakers(self, terminals: Sequence[Terminal], columns: Columns, outcomes: bytes) -> list[Terminal | None]:
        """terminals[i] if it sealed frame i just now: a record of it is new, or it is later than all of its start."""
        frames, found = columns.frames, list[Terminal | None]()
        new = {frame for frame, outcome in zip(columns.records.frame, outcomes, strict=True) if outcome == NEW}
        for number, one in enumerate(terminals):
            boot_id, sent_ms = frames.boot_id[number], frames.sent_ms[number]
            last_boot, last_ms = self._last.get(one.id, (None, -1))
            is_later = boot_id == last_boot and sent_ms > last_ms
            is_speaking = not frames.reason[number] and (number in new or is_later)
            if is_speaking:
                self._last[one.id] = boot_id, max(sent_ms, last_ms) if boot_id == last_boot else sent_ms
            found.append(one if is_speaking else None)
        return found


def heard_of(
    terminals: Sequence[Terminal | None], columns: Columns, is_meant: Callable[[str], bool]
) -> dict[str, Heard]:
    """By terminal that is meant: its newest frame in the batch; terminals[i] sent frame i; None: it is not answered."""
    frames, found = columns.frames, dict[str, Heard]()
    for number, one in enumerate(terminals):
        if one is None or frames.reason[number] or not is_meant(one.id):
            continue
        boot_id, sent_ms = frames.boot_id[number], frames.sent_ms[number]
        before = found.get(one.id)
        if before is None or before.boot_id != boot_id or before.sent_ms < sent_ms:
            found[one.id] = Heard(boot_id, sent_ms, frames.epoch[number], frames.generation[number], one)
    return found


def sealed(heard: Heard, payload: bytes) -> bytes:
    """Sealed with the key that the terminal used just now."""
    state = heard.terminal.states[heard.generation]
    return seal_payload(state, heard.generation, heard.terminal.id, payload)


def said_by(names: Sequence[str], columns: Columns, row: int, now_ms: int) -> Said:
    """An event of the batch; names[i] sent frame i."""
    records = columns.records
    frame, first = records.frame[row], records.first[row]
    values = columns.integers[first : first + records.count[row]].tolist()
    return Said(names[frame], columns.frames.epoch[frame], records.seq[row], records.code[row], values, now_ms)
