"""The terminal on a board that wedges it: once the file WATTLINE_WEDGE is there, which says how.

`blocks`: a read of the UART never comes back, so nothing runs any more. `waits`: a sleep never ends, so the sampler
waits for ever while all others go on. The terminal is as patient as ever, but counts in seconds instead of minutes.
"""

import asyncio
import os
import time

import boards
from boards import unix
from terminal import app, supervisor

PATIENCE_MS = 5000


def wedged(how: str) -> bool:
    try:
        with open(os.getenv("WATTLINE_WEDGE") or "") as file:
            return file.read() == how
    except OSError:
        return False


class Uart(unix.Uart):
    def read(self, count: int = 256) -> "bytes | None":
        while wedged("blocks"):
            time.sleep(1)
        return super().read(count)


class Board(unix.Board):
    async def sleep_ms(self, ms: int) -> None:
        await super().sleep_ms(ms)
        if wedged("waits"):
            await asyncio.Event().wait()

    def watchdog(self, timeout_ms: int):  # type: ignore[no-untyped-def]
        return super().watchdog(min(timeout_ms, PATIENCE_MS))


boards.open_board = Board
unix.Uart = Uart  # type: ignore[misc]
app._ROUND_MS_MAX = supervisor._RETRY_MS_MAX = PATIENCE_MS  # noqa: SLF001  minutes of test time otherwise

import main  # noqa: E402  it must find the board above

main.main()
