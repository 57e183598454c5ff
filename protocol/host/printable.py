"""Text that others said, on its way to whoever reads it in a terminal."""

import json
import unicodedata
from collections.abc import Callable
from typing import Any

# Unicode: control, format, unassigned, private, surrogate, breaks of lines and paragraphs
_UNPRINTABLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


def printable(value: object) -> str:
    """As text in which nothing can steer the reader's terminal: control characters escaped, as Python has them."""
    return _without(str(value), lambda char: char.encode("unicode_escape").decode())


def printable_json(value: object, default: Callable[[Any], Any] | None = None) -> str:
    """One JSON document on a line, likewise, with JSON's escapes: what reads it finds the value as it was.

    default: as json.dumps has it.
    """
    return _without(json.dumps(value, ensure_ascii=False, default=default), lambda char: json.dumps(char)[1:-1])


def _without(text: str, escaped: Callable[[str], str]) -> str:
    if text.isprintable():  # it nearly always is
        return text
    return "".join(escaped(char) if unicodedata.category(char) in _UNPRINTABLE else char for char in text)
