# What the unix port has instead of a timer and a console of its own.
import termios

import ffi

_ISIG = 1
_alarm = ffi.open("libc.so.6").func("I", "alarm", "I")


def alarm(seconds: int) -> None:
    """SIGALRM in so many seconds, which ends the program; 0: none."""
    _alarm(seconds)


def let_signals(*, let: bool) -> None:
    """Whether the driver of the terminal that is our console makes a signal of Ctrl-C."""
    try:
        settings = termios.tcgetattr(0)
    except OSError:
        return  # no terminal: nobody can type
    settings[3] = settings[3] | _ISIG if let else settings[3] & ~_ISIG
    termios.tcsetattr(0, termios.TCSANOW, settings)
