"""How the oracle speaks of times and causes."""

from datetime import UTC, datetime

from hil.oracle.evidence import Truth


def shown(t_ms: int) -> str:
    """A virtual instant for a reader."""
    return datetime.fromtimestamp(t_ms / 1000, UTC).strftime("%m-%d %H:%M:%SZ")


def cause(truth: Truth, from_ms: int, to_ms: int) -> str:
    """The troubles in whose time a stretch falls, the nearest words to a cause."""
    found = [one.what for one in truth.troubles if one.from_ms < to_ms and one.to_ms > from_ms]
    return ", ".join(dict.fromkeys(found))
