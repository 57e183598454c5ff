"""Which window came to a platform under which start of a period: each start is one window's."""

from collections.abc import Iterable, Sequence

from hil.oracle.windows import Placed


def match(windows: Sequence[Placed], starts: Iterable[int]) -> list[int | None]:
    """For each window the start (virtual Unix ms) under which the platform has it; None: under none.

    A window that has a time is there under it. One without was placed by its boot, to the accuracy of the terminal's
    clock: of the starts that are left those go together that are nearest to each other.
    """
    left = set(starts)
    found = [one.from_ms if one.window.start_s is not None and one.from_ms in left else None for one in windows]
    left -= set(found)
    pairs = sorted(
        (abs(start_ms - one.from_ms), number, start_ms)
        for number, one in enumerate(windows)
        if one.window.start_s is None
        for start_ms in left
        if abs(start_ms - one.from_ms) <= one.off_ms
    )
    for _off_ms, number, start_ms in pairs:
        if found[number] is None and start_ms in left:
            found[number] = start_ms
            left.discard(start_ms)
    return found
