"""A commissioning that may be broken off at any moment: what each step came to, kept in one file beside the plan.

The file is replaced as a whole after each step. It holds no secret: a key is on the board, and sealed in the enrolment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firmware.field import files
from firmware.field.outcome import Outcome

_VERSION = 1
# What a step leaves for later ones. A key's generation stays: the same key's place is written again.
FACTS: Mapping[str, Sequence[str]] = {
    "identify": ("board",),
    "provision": ("enrolment", "planned"),
    "test": ("first_record",),
}
_BYTES_MAX = 4 * 1024 * 1024  # the readings of 32 points take 100 KB


class SessionError(Exception):
    """A session file that can't be gone on with: what, and what to do."""


@dataclass
class Session:
    """terminal: its id. facts: what steps learnt that later ones need, by name. ended: when each step did, ISO UTC."""

    path: Path
    terminal: str
    began: str
    facts: dict[str, Any] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    def keep(self, outcome: Outcome, at: str) -> None:
        """A step has ended: on the disk at return. Raises OSError."""
        self.outcomes[outcome.step] = outcome
        self.ended[outcome.step] = at
        self.save()

    def forget(self, steps: list[str]) -> None:
        """Steps that are to be done again, with what was learnt by them."""
        for step in steps:
            self.outcomes.pop(step, None)
            self.ended.pop(step, None)
            for fact in FACTS.get(step, ()):
                self.facts.pop(fact, None)

    def is_done(self, step: str) -> bool:
        """Whether a step needs no doing again."""
        return step in self.outcomes and self.outcomes[step].is_done

    def save(self) -> None:
        """Replace the file. Raises OSError."""
        found = asdict(self) | {"version": _VERSION}
        del found["path"]
        found["outcomes"] = {name: one.as_json() for name, one in self.outcomes.items()}
        files.write(self.path, json.dumps(found, ensure_ascii=False, indent=1).encode())


def begun(path: Path, terminal: str) -> Session:
    """The session in a file, or a new one where there is none. Raises SessionError, OSError."""
    if not path.exists():
        return Session(path, terminal, time_text(datetime.now(UTC)))
    try:
        found = _read(path)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SessionError(
            f"{path}: no session of this program; move it away to begin anew / 不是有效的会话文件，请移走后重新开始"
        ) from error
    if found.terminal != terminal:
        text = f"{path}: of terminal {found.terminal}, not {terminal}; name another --folder / 属于另一台终端，请换目录"
        raise SessionError(text)
    return found


def time_text(at: datetime) -> str:
    """ISO 8601, UTC, in seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(path: Path) -> Session:
    """Raises ValueError, KeyError, TypeError, AttributeError."""
    if path.stat().st_size > _BYTES_MAX:
        raise ValueError("too long")
    found = json.loads(path.read_text(encoding="utf-8"))
    if found.pop("version") != _VERSION:
        raise ValueError("another version")
    found["outcomes"] = {name: Outcome.from_json(one) for name, one in found["outcomes"].items()}
    return Session(path, **found)
