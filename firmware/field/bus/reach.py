"""How the tool reaches a bus: one way to ask, whichever wire the question takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from terminal import profile
from terminal.bus import Line
from terminal.bus_protocol import Read

from firmware.field.bus.asking import Heard

WHO = "who"  # the protocol of the question for a DL/T 645 meter's address (bus/who.py)
PROTOCOLS = (*profile.PROTOCOLS, WHO)
ANYBODY = Read(0, 0, 0)  # what WHO asks

Address = int | str  # Modbus: a unit's number; DL/T 645: 12 digits


class ReachError(Exception):
    """The port, its cable or the board between does not work; the text says what to do, in both languages."""


class Question(NamedTuple):
    """One read of one meter. timeout_ms: how long the answer may take to begin, once the request is out."""

    line: Line
    protocol: str
    address: Address
    read: Read
    timeout_ms: int


class Reach(Protocol):
    """A bus within reach. Whoever asks sees every byte in `Heard`; nothing but reads can be asked."""

    @property
    def name(self) -> str:
        """The port, for a person."""
        ...

    @property
    def signal_dbm(self) -> int | None:
        """Of the board's radio, when it last said so; None: there is no board, or it has none."""
        ...

    def at(self, uart: int) -> Reach:
        """The bus of that RS-485 port of the terminal; itself, where there is one. What it is of closes it."""
        ...

    def ask(self, questions: Sequence[Question]) -> Iterator[Heard]:
        """The answers, in order. Raises ReachError; ValueError for what is no plain read."""
        ...

    def close(self) -> None:
        """Let go of the port."""
        ...


class Watched:
    """A reach that tells what went over the bus: heard(question, answer) after each."""

    def __init__(self, reach: Reach, heard: Callable[[Question, Heard], None]) -> None:
        self._reach = reach
        self._heard = heard

    @property
    def name(self) -> str:
        """See Reach."""
        return self._reach.name

    @property
    def signal_dbm(self) -> int | None:
        """See Reach."""
        return self._reach.signal_dbm

    def at(self, uart: int) -> Reach:
        """See Reach."""
        return Watched(self._reach.at(uart), self._heard)

    def ask(self, questions: Sequence[Question]) -> Iterator[Heard]:
        """See Reach."""
        for question, answer in zip(questions, self._reach.ask(questions), strict=True):
            self._heard(question, answer)
            yield answer

    def close(self) -> None:
        """See Reach."""
        self._reach.close()


class Buses:
    """Several buses, each at a port of its own: by the terminal's RS-485 port."""

    signal_dbm = None  # there is no board

    def __init__(self, reaches: Mapping[int, Reach]) -> None:
        self._reaches = reaches
        self.name = " ".join(f"{uart}={one.name}" for uart, one in reaches.items())

    def at(self, uart: int) -> Reach:
        """See Reach."""
        return self._reaches[uart]

    def ask(self, questions: Sequence[Question]) -> Iterator[Heard]:
        """See Reach; of the first."""
        return next(iter(self._reaches.values())).ask(questions)

    def close(self) -> None:
        """See Reach."""
        for one in self._reaches.values():
            one.close()


def line_text(line: Line) -> str:
    """`9600 8N1`."""
    return f"{line.baud} 8{line.parity}{line.stop}"
