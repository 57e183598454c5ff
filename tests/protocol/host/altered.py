"""Documents that somebody has altered."""

from collections.abc import Iterator
from typing import Any


def changed(value: Any) -> Iterator[Any]:
    """The value with one leaf or key of it changed, each in turn."""
    if isinstance(value, dict):
        for key in value:
            yield {name: one for name, one in value.items() if name != key}
            yield from ({**value, key: one} for one in changed(value[key]))
        yield {**value, "more": 1}
    elif isinstance(value, list):
        yield value[:-1] if value else [0]
        yield from ([*value[:at], one, *value[at + 1 :]] for at in range(len(value)) for one in changed(value[at]))
    else:
        yield "another" if value != "another" else 0
