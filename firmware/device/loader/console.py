# The board's console: closed, nothing that comes in interrupts the program, so that nobody gets to a prompt.
# docs/updates.md says what that is worth on each port.
import os
import sys

from terminal import small_file

CLOSED = "closed"  # a file beside main.py: the console is closed, from the start on
OPENED = "opened"  # a small file: the next start is for a technician, for so many minutes
MINUTES_MAX = 240  # longer than any repair in front of a cabinet
_LET = 3  # Ctrl-C
_NONE = -1


def let_interrupt(*, let: bool) -> None:
    """Whether Ctrl-C on the console interrupts the program."""
    if sys.platform == "linux":
        from loader import unix

        unix.let_signals(let=let)
        return
    import micropython

    micropython.kbd_intr(_LET if let else _NONE)


def is_closed(prefix: str) -> bool:
    try:
        open(prefix + CLOSED).close()
    except OSError:
        return False
    return True


def open_next(prefix: str, minutes: int) -> None:
    """The next start runs no application, and leaves the console open for so many minutes. Raises OSError."""
    small_file.write(prefix + OPENED, bytes((minutes,)))


def take_opening(prefix: str) -> int:
    """For how many minutes this start leaves the console open; 0: it does not. It is said once."""
    data = small_file.read(prefix + OPENED)
    if data is None:
        return 0
    try:
        os.remove(prefix + OPENED)
    except OSError:
        return 0  # a flash that takes nothing: it would open at every start, and nothing would be measured again
    return min(data[0], MINUTES_MAX) if len(data) == 1 else 0
