"""What stands in the table of points, in the line above it and in the log. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rich.cells import set_cell_size
from rich.text import Text

from firmware.field.bus.asking import GOT, REFUSED, Heard
from firmware.field.bus.points import Planned
from firmware.field.bus.reach import Question, line_text
from firmware.field.bus.snapshot import Snapshot
from firmware.field.screen.words import Language, say, short
from firmware.field.wiring.facts import Facts, Told, facts
from firmware.field.wiring.judge import Verdict, judge
from firmware.field.wiring.steps import MOMENTS

# the last ones are what 80 columns may cut off
COLUMNS = ("number", "name", "power", "current", "factor", "wiring", "voltage", "kind", "address")
_NAME_CELLS = 14  # of a name: 80 columns hold the row up to the wiring
_WIRING_CELLS = 18
_WELL_PERCENT = 90
_LAST_ASKED = 100  # of which the share that was answered is shown
# with nobody who says what runs, these say no more than that
_NOT_TOLD = {"rated_unknown": "open", "load_low": "load_low", "ratio_not_judged": ""}


@dataclass
class Row:
    """A point as it stands: its last moments, the newest last."""

    planned: Planned
    moments: deque[Snapshot] = field(default_factory=lambda: deque(maxlen=MOMENTS))
    said: str = ""

    def take(self, taken: Snapshot) -> str:
        """A fresh moment; the word for the log if the point fell silent or came back, else ""."""
        changed = "" if taken.said == self.said else "is_silent" if taken.said else "is_back"
        self.said = taken.said
        if taken.said:
            self.moments.clear()
        else:
            self.moments.append(taken)
        return changed

    @property
    def facts(self) -> Facts | None:
        """Its numbers."""
        return facts(self.planned, tuple(self.moments))

    def cells(self, language: Language) -> list[Text]:
        """By COLUMNS."""
        one = self.planned
        name = Text(one.name)
        name.truncate(_NAME_CELLS, overflow="ellipsis", pad=True)
        tail = [Text(say(one.kind, language)), Text(str(one.meter.address))]
        found = self.facts
        if self.said or found is None:
            word = _fixed(say(self.said, language), "red") if self.said else _fixed("-", "bright_black")
            return [Text(str(one.number)), name, Text("-"), Text("-"), Text("-"), word, Text("-"), *tail]
        power, currents, voltage, factor = _numbers(found, self.moments[-1])
        return [Text(str(one.number)), name, power, currents, factor, self.wiring(language), voltage, *tail]

    def wiring(self, language: Language) -> Text:
        """What the angles alone say, while nobody tells what runs."""
        verdict = judge(self.planned, self.facts, Told(running=True))
        return _wiring(verdict, language)


@dataclass
class Traffic:
    """How the bus answers."""

    asked: int = 0
    answered: deque[bool] = field(default_factory=lambda: deque(maxlen=_LAST_ASKED))
    line: str = "-"

    def heard(self, question: Question, heard: Heard) -> None:
        """One question and its answer."""
        self.asked += 1
        self.answered.append(heard.said in (GOT, REFUSED))
        self.line = line_text(question.line)

    def text(self, port: str, signal_dbm: int | None, language: Language, *, paused: bool) -> Text:
        """The line above the table."""
        share = 100 * sum(self.answered) // len(self.answered) if self.answered else 0
        style = "green" if share > _WELL_PERCENT else "yellow" if share else "red"
        signal = "-" if signal_dbm is None else f"{signal_dbm} dBm"
        state = (f" {say('paused', language)} ", "reverse") if paused else (say("reading", language), "green")
        return Text.assemble(
            (f" {say('title', language)}  ", "bold"),
            state,
            f"  {port}  {self.line}  ",
            (f"{say('answers', language)} {share} %", style),
            f" / {self.asked}  {say('signal', language)} {signal}",
        )


def _numbers(found: Facts, last: Snapshot) -> list[Text]:
    currents = [found.i[at] or 0.0 for at in found.measured]
    voltages = [found.u[at] or 0.0 for at in found.measured]
    factor = last.values.get("pf_milli")
    power = found.power_w or 0.0
    return [
        Text(f"{power / 1000:7.2f}", "red" if power < 0 else "bold"),
        Text("/".join(f"{one:.3g}" for one in currents)),
        Text(f"{sum(voltages) / len(voltages):.1f}" if voltages else "-"),
        Text("-" if factor is None else f"{factor / 1000:.2f}"),
    ]


def _wiring(verdict: Verdict, language: Language) -> Text:
    failed = [one for one in verdict.mistakes if one.state == "failed"]
    if failed:
        return _fixed(short(failed[0].code, failed[0].phases, language), "bold red")
    for one in verdict.mistakes:
        word = _NOT_TOLD.get(one.code, "open")
        if word:
            return _fixed(say(word, language), "yellow")
    return _fixed(say("well", language), "green")


def _fixed(text: str, style: str) -> Text:
    """As wide as the column always is, so that it does not move."""
    return Text(set_cell_size(text, _WIRING_CELLS), style)
