# Where the application starts. A configuration that is not right ends here, before anything else is touched.
import asyncio
import gc
import sys

import boards
from loader import guard

from protocol.checked import ConfigError
from terminal.app import App

_RUNNING_PART = 16  # of the heap, between collections: 16 of 256 KiB; with 32 `make heap` needs more, with 4 no less


def main(slots) -> None:  # type: ignore[no-untyped-def]
    """`slots` is loader.slots.Slots."""
    try:
        app = App(boards.open_board(), slots)  # type: ignore[no-untyped-call]
    except ConfigError as error:
        print(error)
        sys.exit(2)
    guard.stop()  # the supervisor's watchdog is next
    # a collection costs in proportion to the heap: a large one is collected as seldom as it is large
    gc.threshold((gc.mem_alloc() + gc.mem_free()) // _RUNNING_PART)
    asyncio.run(app.run())
