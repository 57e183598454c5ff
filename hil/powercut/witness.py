"""What a log said that it did, over several runs on one image, held against what is in it afterwards.

Records go by their names, which a new number does not change. What holds after a cut, whatever it hit:

- what `append` returned for, and was not freed, is there once, whole; unless a LOG_FULL event says that its number went
- what was freed is not there, unless it was being recalled
- nothing else is there, but at most the one record of which the cut came before `append` returned
- a number names one record for ever, and belongs to one epoch; the next one is above all that were seen
- the count of starts only rises; a power cut is no damage, and at most one number is passed over for it
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from protocol.record import LOG_FULL, LOG_RENUMBERED, NUMBERS_SKIPPED

KEPT, FREED, EITHER = "kept", "freed", "either"


class WitnessError(Exception):
    """What does not hold."""


@dataclass
class Witness:
    """What is known of one image."""

    state: dict[str, str] = field(default_factory=dict)  # of each name
    names: dict[int, str] = field(default_factory=dict)  # by number
    epochs: dict[int, int] = field(default_factory=dict)  # by number
    known_epochs: set[int] = field(default_factory=set)
    told: list[tuple[int, int]] = field(default_factory=list)  # by LOG_FULL
    boot: int = 0
    operations: int = 0  # of the last run, if it was not cut
    run: int = 0
    count: int = 0  # of records appended in this run
    refused: int = 0  # appends that raised ENOSPC, in all runs
    unsaid: set[str] = field(default_factory=set)  # names of which the append may not have returned
    under_way: list[str] = field(default_factory=list)  # names that are being freed or recalled

    def hear(self, run: int, said: str) -> None:
        """What a run of log_work.py printed. Raises WitnessError."""
        self.run, self.count, self.under_way, self.operations = run, 0, [], 0
        for line in said.split("\n")[:-1]:  # what has no end of line was not said
            word, *words = line.split()
            hear = self._WORDS.get(word)
            if hear is None:
                raise WitnessError(f"the run said: {said[-2000:]}")
            hear(self, words)
        self.unsaid.add(f"{run}-{self.count + 1}")

    def _hear_boot(self, words: list[str]) -> None:
        boot = int(words[0])
        hold(boot > self.boot, f"start {boot} after {self.boot}")
        self.boot = boot

    def _hear_epoch(self, words: list[str]) -> None:
        self.known_epochs.add(int(words[0]))

    def _hear_appended(self, words: list[str]) -> None:
        self._see(int(words[0]), words[1])
        self.state[words[1]] = KEPT
        self.count += 1

    def _hear_refused(self, words: list[str]) -> None:
        self.unsaid.add(words[0])
        self.count += 1
        self.refused += 1

    def _hear_freeing(self, words: list[str]) -> None:
        self.under_way = self._among(words, KEPT)
        self._mark(self.under_way, EITHER)

    def _hear_freed(self, _words: list[str]) -> None:
        self._mark(self.under_way, FREED)

    def _hear_recalling(self, words: list[str]) -> None:
        self.under_way = self._among(words, FREED)
        self._mark(self.under_way, EITHER)

    def _hear_here(self, words: list[str]) -> None:
        here = set(self._among(words, EITHER))
        self._mark(here, KEPT)
        self.under_way = [name for name in self.under_way if name not in here]

    def _hear_found(self, words: list[str]) -> None:
        """A record that the log has: copied, or there at the start; from now on it must stay."""
        self._see(int(words[0]), words[1])
        if words[1] not in self.state:
            hold(words[1] in self.unsaid, f"{words[1]} was never appended")
            self.state[words[1]] = KEPT

    def _hear_event(self, words: list[str]) -> None:
        self._event(int(words[1]), [int(word) for word in words[2:]])

    def _hear_end(self, words: list[str]) -> None:
        self.operations = int(words[0])

    _WORDS: ClassVar[dict[str, Callable[["Witness", list[str]], None]]] = {
        "B": _hear_boot,
        "E": _hear_epoch,
        "A": _hear_appended,
        "X": _hear_refused,
        "x": lambda _self, _words: None,
        "F": _hear_freeing,
        "f": _hear_freed,
        "C": _hear_recalling,
        "c": _hear_here,
        "D": _hear_freed,
        "R": lambda _self, _words: None,
        "M": _hear_found,
        "r": lambda _self, _words: None,
        "V": _hear_event,
        "END": _hear_end,
    }

    def check(self, dumped: str) -> None:
        """What log_dump.py printed after the run. Raises WitnessError."""
        try:
            head, *lines = [json.loads(line) for line in dumped.splitlines()]
        except ValueError:
            raise WitnessError(f"the log does not open: {dumped[-2000:]}") from None
        if lines and "writable" in lines[-1]:
            hold(lines.pop()["writable"], "the log can't be written any more")
        hold(head["boot"] >= self.boot, f"start {self.boot} is forgotten: {head['boot']}")
        hold(head["damaged"] == 0, "a power cut is no damage")
        self.known_epochs.add(head["epoch"])
        found = [line["name"] for line in lines if "name" in line]
        for line in lines:
            self._see_epoch(line["seq"], line["epoch"])
            if "event" in line:
                self._event(line["event"], line["values"])
            else:
                hold(line["name"] is not None, f"record {line['seq']} is not what was written")
                self._see(line["seq"], line["name"])
        hold(all(seq < head["next"] for seq in self.names), "a number would be used again")
        self._compare(found)

    def _compare(self, found: list[str]) -> None:
        for name, times in Counter(found).items():
            hold(times == 1, f"{name} is there {times} times")
        for name in found:
            if name not in self.state:
                hold(name in self.unsaid, f"{name} was never appended")
                self.state[name] = KEPT
        self.unsaid.clear()  # what is not there now never will be
        there = set(found)
        for name, state in self.state.items():
            if state == KEPT and name not in there:
                hold(self._was_dropped(name), f"{name} is lost")
                self.state[name] = FREED
            elif state == FREED:
                hold(name not in there, f"{name} was freed and is back")
            elif state == EITHER:
                self.state[name] = KEPT if name in there else FREED

    def _was_dropped(self, name: str) -> bool:
        seqs = [seq for seq, one in self.names.items() if one == name]
        return any(first <= seq <= last for first, last in self.told for seq in seqs)

    def _event(self, code: int, values: list[int]) -> None:
        if code == LOG_FULL:
            self.told.append((values[0], values[1]))
        elif code == NUMBERS_SKIPPED:
            hold(values[0] == values[1] and values[0] not in self.names, f"passed over: {values}")
        else:
            hold(
                code == LOG_RENUMBERED and values[0] in self.known_epochs, f"an event without a reason: {code} {values}"
            )

    def _see(self, seq: int, name: str) -> None:
        hold(self.names.setdefault(seq, name) == name, f"number {seq} is used twice: {self.names[seq]}, {name}")

    def _see_epoch(self, seq: int, epoch: int) -> None:
        hold(self.epochs.setdefault(seq, epoch) == epoch, f"number {seq} is of another epoch now")
        self.known_epochs.add(epoch)

    def _among(self, words: list[str], state: str) -> list[str]:
        """The names of that state among the numbers from words[0] to words[1]."""
        names = {self.names[seq] for seq in range(int(words[0]), int(words[1]) + 1) if seq in self.names}
        return [name for name in names if self.state[name] == state]

    def _mark(self, names: "list[str] | set[str]", state: str) -> None:
        self.state.update(dict.fromkeys(names, state))


def hold(holds: object, otherwise: str) -> None:
    """Raises WitnessError unless it holds."""
    if not holds:
        raise WitnessError(otherwise)
