# Begins the application that the boot record names (slots.py). One that can't be begun with is given up, and the
# program ends: on a board that is a start anew, on the unix port whoever started it does. Where the console is closed
# (console.py) that is so however an application ends; and a start that a ticket opened begins none.
import gc
import sys
import time

from loader import console, guard
from loader.slots import Slots

TRIAL_GUARD_S = 30  # what is on trial has begun by then, and feeds a watchdog; loading takes some seconds
_PAUSE_S = 1  # before the next start of an application that ends at once: a console can be read, a flash is not worn
_ITS_OWN = ("terminal", "protocol", "boards")
_WRONG_CONFIGURATION = 2  # what an application exits with that can't work by its configuration


def run() -> None:
    """Returns where a technician may have the console, and otherwise never but by an exception."""
    closed = console.is_closed(_prefix())
    minutes = console.take_opening(_prefix()) if closed else 0
    if minutes:
        print("the console is open for %d minutes: no application runs" % minutes)
        guard.start(60 * minutes)
        return
    if closed:
        console.let_interrupt(let=False)
    try:
        _begin(_chosen())
    except KeyboardInterrupt:  # it came before the console was closed
        if not closed:
            raise
    if closed:
        sys.exit(1)  # an application that returned, too, leaves no prompt


def _begin(slots: Slots) -> None:
    try:
        if slots.on_trial:
            guard.start(TRIAL_GUARD_S)
        from terminal import begin

        begin.main(slots)
    except SystemExit as error:
        if slots.on_trial and error.args and error.args[0] == _WRONG_CONFIGURATION:
            _crashed(slots)
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, the next start has another application or tries again
        sys.print_exception(error)  # MicroPython's
        _crashed(slots)
        time.sleep(_PAUSE_S)
        sys.exit(1)


def _crashed(slots: Slots) -> None:
    try:
        slots.crashed()
    except OSError as error:
        print("boot record not kept:", error)


def _chosen() -> Slots:
    from terminal import image

    slots = Slots(_prefix(), image.BUILT_S)
    try:
        folder = slots.begin()
    except OSError as error:  # a flash that takes nothing: what can be read still runs
        print("boot record not kept:", error)
        folder = slots.folder(slots.active)
    if slots.active:
        _forget()
        sys.path.insert(0, folder)
    return slots


def _prefix() -> str:
    """Of what is at the root: this file is in a folder of it."""
    parts = __file__.rsplit("/", 2)
    return parts[0] + "/" if len(parts) == 3 else ""


def _forget() -> None:
    """The modules of the root's application that this one has used: the chosen one brings its own."""
    for name in list(sys.modules):
        if name.split(".")[0] in _ITS_OWN:
            del sys.modules[name]
    gc.collect()
