"""Scenarios that are known to fail: why, whose that is, and until when it may stay so. One file, checked by schema."""

from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec

from hil import scenario
from protocol.host import strict

FILE = Path(__file__).with_name("known_failing.toml")
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Entry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A scenario by its name. until: the last day on which its failure is none."""

    name: str
    reason: _Text
    owner: _Text
    until: date


class _List(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    scenario: list[Entry] = []


def load(file: Path = FILE) -> dict[str, Entry]:
    """The entries by name. Raises protocol.host.strict.ConfigError."""
    entries = strict.read(file, _List).scenario
    problems = [
        strict.Problem(file, f"scenario[{number}].name", f'no scenario "{one.name}", or there twice / 不存在或重复')
        for number, one in enumerate(entries)
        if one.name not in scenario.names() or one.name in {other.name for other in entries[:number]}
    ]
    with strict.lines_named(file):
        if problems:
            raise strict.ConfigError(problems)
    return {one.name: one for one in entries}


def overdue(entries: dict[str, Entry], today: date) -> list[Entry]:
    """Those whose day is past: what they excuse is a failure again."""
    return [one for one in entries.values() if one.until < today]
