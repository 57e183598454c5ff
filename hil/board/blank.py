"""A board with nothing on it, on a USB port: the VM with a flash of its own for code, for the field tool to fill.

`with blank_board(folder) as board`: `board.port` is where it is plugged in. Its flash stays in the folder.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hil.board.vm_board import Board, Wire
from hil.process import BenchError

BLOCK_BYTES = 4096
CODE_BLOCKS = 384  # 1.5 MiB, as on the RP2
DATA_BLOCKS = 512
IMAGES = {"code.img": CODE_BLOCKS, "flash.img": DATA_BLOCKS, "flash.img.counters": 2}
_LOOK_S = 0.02
_ANSWER_S = 10.0


class BlankBoard:
    """The board and its cable, played by a thread's event loop."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop, *, installed: bool) -> None:
        self._loop = loop
        self._console, self._buses = Wire(loop), [Wire(loop), Wire(loop)]
        self._console.with_signals()
        self.folder = folder
        for name, blocks in IMAGES.items():  # made before anybody can interrupt
            if not (folder / name).exists():
                (folder / name).write_bytes(b"\xff" * BLOCK_BYTES * blocks)
        self._board = Board(folder, self._console, self._buses, None if installed else folder / "code.img")
        self._board.switch(on=True)

    @property
    def port(self) -> str:
        """Where it is plugged in."""
        return self._console.near

    @property
    def bus(self) -> str:
        """The other end of its first RS-485."""
        return self._buses[0].near

    @property
    def second_bus(self) -> str:
        """The other end of its second."""
        return self._buses[1].near

    def unplug_after(self, count: int) -> None:
        """Pull the cable when so many bytes more have gone to the board."""
        self.call(lambda: setattr(self._console, "unplug_after", count))

    def plug(self) -> None:
        """Pull the cable if it is in, and put it in again: another port."""
        self.call(self._console.unplug)
        self.call(self._console.plug)

    def power(self, *, on: bool) -> None:
        """Power on, or cut."""
        self.call(lambda: self._board.switch(on=on))

    def call(self, act: Callable[[], object]) -> None:
        """Have the loop do it, and wait until it is done."""
        done = threading.Event()

        def run() -> None:
            act()
            done.set()

        self._loop.call_soon_threadsafe(run)
        if not done.wait(_ANSWER_S):
            raise BenchError("the stand-in for a board does not answer / 板子模拟无应答")

    async def play(self, stop: asyncio.Event) -> None:
        """Until it is stopped."""
        while not stop.is_set():
            self._board.look()
            await asyncio.sleep(_LOOK_S)
        self._board.switch(on=False)
        for wire in (self._console, *self._buses):
            wire.close()


@contextmanager
def blank_board(folder: Path, *, installed: bool = False) -> Iterator[BlankBoard]:
    """Plugged in and on; off and gone afterwards. installed: the application of this repository is on it."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[tuple[BlankBoard, asyncio.Event]] = []

    async def play() -> None:
        board, stop = BlankBoard(folder, asyncio.get_running_loop(), installed=installed), asyncio.Event()
        made.append((board, stop))
        await board.play(stop)

    thread = threading.Thread(target=lambda: asyncio.run(play()), name="blank board")
    thread.start()
    deadline = time.monotonic() + _ANSWER_S
    while not made and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    board, stop = made[0]
    try:
        yield board
    finally:
        board.call(stop.set)
        thread.join()
