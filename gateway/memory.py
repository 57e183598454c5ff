"""How the process uses memory: what a batch took is kept for the next one, and nothing of it reaches the disk."""

import ctypes
import gc
import resource
from contextlib import suppress

GC_THRESHOLD = (20_000, 50, 100)  # a batch makes as many objects, and no cycle: Python's 700 costs intake a third
KEPT_BYTES = 32 << 20  # the columns of a batch of full frames; given back to the kernel, each page is cleared anew
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)


def leave_no_core() -> None:
    """Call where keys are held: a core of this process would have them all, and lie where nobody looks after it."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def settle() -> None:
    """Call once, when what lives on is there: thousands of terminals and keys, at which no collection need look."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    with suppress(OSError, AttributeError):  # another C library than glibc: it works as it does
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES)
