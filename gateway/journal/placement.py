"""Where a window without a time of its own belongs (SPEC.md, FR-26). Pure."""

from typing import NamedTuple


class Anchor(NamedTuple):
    """A record that carries both time and uptime: at uptime_s of its boot it was time_s, within error_s.

    Anchors are compared as tuples, the smallest is the best: least error; then the earliest in the boot, because the
    windows to place are those before the clock was set; then seq, so that the choice never depends on arrival.
    """

    error_s: int
    uptime_s: int
    seq: int
    time_s: int


def better(a: Anchor | None, b: Anchor | None) -> Anchor | None:
    """The better of two; commutative and associative: any order of arrival ends at the same anchor."""
    if a is None or b is None:
        return a or b
    return min(a, b)


def start_s(anchor: Anchor, end_uptime_s: int, length_s: int) -> int:
    """Unix s at which a window of the anchor's boot began."""
    return anchor.time_s - (anchor.uptime_s - end_uptime_s) - length_s
