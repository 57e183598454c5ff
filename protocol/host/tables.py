"""What the tables of our TOML files have in common: names, texts, ports, and that nothing stands twice."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from protocol import limits
from protocol.host.strict import Problem

Item = TypeVar("Item")
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
        description="1 to 32 characters of A-Z a-z 0-9 _ - / 1 到 32 个字符：A-Z a-z 0-9 _ -",
    ),
]
_TERMINAL = re.compile(rf"[A-Za-z0-9_-]{{1,{limits.TERMINAL_CHARS_MAX}}}", re.ASCII)
Text = Annotated[
    str,
    msgspec.Meta(pattern=r"^\S.{0,254}$", description="text of 1 to 255 characters / 1 到 255 个字符的文字"),
]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a file."""


def is_terminal_id(name: str) -> bool:
    """Whether this can be a terminal's id (SPEC.md, section 1)."""
    return _TERMINAL.fullmatch(name) is not None


def duplicates(
    path: Path, table: str, key: str, items: Sequence[Item], value_of: Callable[[Item], object]
) -> list[Problem]:
    """A problem for each item whose value an earlier one has already."""
    first: dict[object, int] = {}
    problems = []
    for number, item in enumerate(items):
        value = value_of(item)
        if value in first:
            text = f"{value}: already that of {table}[{first[value]}] / 重复; allowed / 允许: each once"
            problems.append(Problem(path, f"{table}[{number}].{key}", text))
        first.setdefault(value, number)
    return problems
