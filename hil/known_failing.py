"""Scenarios that are known to fail: on which target, why, whose that is, and until when it may stay so. One file,
checked by schema.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from hil import scenario
from protocol.host import strict

FILE = Path(__file__).with_name("known_failing.toml")
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Known = dict[tuple[str, str], "Entry"]  # by scenario and target


class Entry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A scenario of the bench's own, by its name, on one target. until: the last day on which its failure is none."""

    name: str
    target: Literal["sim", "unix"]
    reason: _Text
    owner: _Text
    until: date


class _List(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    scenario: list[Entry] = []


def load(today: date, file: Path = FILE) -> Known:
    """The entries by scenario and target. Raises protocol.host.strict.ConfigError, also for one whose day is past."""
    entries = strict.read(file, _List).scenario
    problems = []
    for number, one in enumerate(entries):
        at = f"scenario[{number}]"
        if one.name not in scenario.names():
            problems.append(strict.Problem(file, f"{at}.name", f'no scenario "{one.name}" / 没有这个场景'))
        if (one.name, one.target) in {(other.name, other.target) for other in entries[:number]}:
            problems.append(strict.Problem(file, f"{at}.name", f"{one.name} on {one.target} is there twice / 重复"))
        if one.until < today:
            text = f"{one.until} is past: mend {one.name}, or ask {one.owner} for another day / 已过期: {one.reason}"
            problems.append(strict.Problem(file, f"{at}.until", text))
    with strict.lines_named(file):
        if problems:
            raise strict.ConfigError(problems)
    return {(one.name, one.target): one for one in entries}
