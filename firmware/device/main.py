# Where the board starts. A configuration that is not right ends here, before anything else is touched.
import asyncio
import gc
import sys

_LOADING_BYTES = 4096
_RUNNING_PART = 16  # of the heap, between collections: 16 of 256 KiB; with 32 `make heap` needs more, with 4 no less
# What a module leaves behind while it is loaded is collected before the next one is, or what stays would lie scattered
# over the whole heap, with no hole left for a frame.
gc.threshold(_LOADING_BYTES)

import boards  # noqa: E402
from terminal.app import App  # noqa: E402

from protocol.checked import ConfigError  # noqa: E402


def main() -> None:
    try:
        app = App(boards.open_board())  # type: ignore[no-untyped-call]
    except ConfigError as error:
        print(error)
        sys.exit(2)
    # a collection costs in proportion to the heap: a large one is collected as seldom as it is large
    gc.threshold((gc.mem_alloc() + gc.mem_free()) // _RUNNING_PART)
    asyncio.run(app.run())


if __name__ == "__main__":
    main()
