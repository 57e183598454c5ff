# How the terminal is, in at most eight numbers: the event `health` (SPEC.md, section 4), some time after the start and
# then every six hours. What grows from one to the next is a leak, or a bus that is wearing out.
import gc

EVERY_MS = 6 * 3600 * 1000
FIRST_MS = 600 * 1000  # by then everything has been loaded that will be


class Health:
    """`figures()` gives what is told besides the heap: six numbers."""

    def __init__(self, figures) -> None:  # type: ignore[no-untyped-def]
        self._figures = figures
        self._due_ms = FIRST_MS

    def due(self, uptime_ms: int) -> "list[int] | None":
        """What to tell, if it is time."""
        if uptime_ms < self._due_ms:
            return None
        self._due_ms = uptime_ms + EVERY_MS
        gc.collect()
        return [heap_bytes(), _free_bytes()] + self._figures()


def heap_bytes() -> int:
    """What is in use of MicroPython's heap; 0 elsewhere."""
    used = getattr(gc, "mem_alloc", None)
    return used() if used else 0


def _free_bytes() -> int:
    free = getattr(gc, "mem_free", None)
    return free() if free else 0
