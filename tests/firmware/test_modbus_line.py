"""A terminal's Modbus server on a line that is never quiet: all else goes on."""

import asyncio

import pytest
from terminal import modbus, modbus_task

PIECES = 300
UNIT = 7


class Line:
    """A UART that always has something; after so many pieces it is pulled out."""

    def __init__(self, piece: bytes) -> None:
        self.left, self.written = PIECES, list[bytes]()
        self._piece = piece

    def read(self, _: int = 256) -> bytes:
        self.left -= 1
        if not self.left:
            raise OSError(5)
        return self._piece

    def write(self, data: bytes) -> None:
        self.written.append(data)


class Board:
    """As much of a board as the server on a line needs."""

    def __init__(self, line: Line) -> None:
        self.now_ms, self._line = 0, line

    def real_ms(self) -> int:
        return self.now_ms

    def uart(self, *_: object) -> Line:
        return self._line

    async def pause_ms(self, ms: int) -> None:
        self.now_ms += ms
        await asyncio.sleep(0)

    async def wait_for_ms(self, awaitable: object, _ms: int) -> None:
        await awaitable  # type: ignore[misc]


class Settings:
    unit, port, uart, baud, parity, stop = UNIT, 0, 1, 115200, "N", 1


class Live:
    def read(self, _address: int, count: int) -> bytes:
        return bytes(2 * count)


def request() -> bytes:
    return bytes(modbus.read_request(UNIT, 3, 0, 2).raw)


@pytest.mark.parametrize("piece", [b"\xff" * 200, bytes([UNIT]) * 200, request()], ids=["noise", "its_own", "requests"])
def test_on_a_line_that_is_never_quiet_all_else_has_its_turn(piece: bytes) -> None:
    """P-99: once after each piece that was read; and whoever asks without a pause is answered each time."""
    line, turns = Line(piece), 0

    async def else_runs() -> None:
        nonlocal turns
        while line.left > 0:
            turns += 1
            await asyncio.sleep(0)

    async def both() -> None:
        task = modbus_task.ModbusTask(Board(line), Settings, Live(), None, lambda *_: None)
        other = asyncio.create_task(else_runs())
        with pytest.raises(OSError, match="5"):
            await task.run()
        await other

    asyncio.run(both())
    assert turns >= PIECES - 2
    assert len(line.written) == (PIECES - 1 if piece == request() else 0)
