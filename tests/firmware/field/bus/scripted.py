"""A bus whose answers a test says."""

from collections.abc import Iterator, Sequence

from terminal.bus import Line

from firmware.field.bus.asking import SILENT, Heard
from firmware.field.bus.reach import Question


class Scripted:
    """A bus that answers as it is told: {(line, protocol, address): what it said}, one after the other."""

    name = "scripted"
    signal_dbm = None

    def __init__(self, said: dict[tuple[Line, str, int | str], list[Heard]], interrupt_at: int = -1) -> None:
        self.asked: list[Question] = []
        self._said = said
        self._interrupt_at = interrupt_at

    def at(self, _: int) -> "Scripted":
        return self

    def ask(self, questions: Sequence[Question]) -> Iterator[Heard]:
        for question in questions:
            if len(self.asked) == self._interrupt_at:
                raise KeyboardInterrupt
            self.asked.append(question)
            said = self._said.get((question.line, question.protocol, question.address), [])
            yield said.pop(0) if said else Heard(SILENT, b"", b"", b"")

    def close(self) -> None:
        pass
