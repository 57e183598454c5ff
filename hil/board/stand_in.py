"""A bench without a board: the real VM behind a console and a bus of ptys (vm_board.py), its supply a pymodbus relay.

`python -m hil.board.stand_in --folder FOLDER` writes FOLDER/bench.toml, prints `{"bench": PATH}`, and lasts until
SIGTERM. What it leaves out is the copper: levels, line speeds, USB, and the board's own MicroPython.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from hil.board.vm_board import Board, Wire

_BENCH = """\
# A stand-in's bench: what would be plugged in is a pty here.
name = "stand_in"
board = "MicroPython's unix port behind ptys"
clock = "{clock}"

[console]
port = "{console}"

[meters]
port = "{meters}"
baud = 115200
timeout_ms = 60

[power]
kind = "modbus"
host = "127.0.0.1"
tcp_port = {relay}

[[wire]]
from = "the bench's end of each pty"
to = "the VM's"
"""


async def serve(folder: Path, stop: asyncio.Event) -> None:
    """The bench, until it is stopped."""
    loop = asyncio.get_running_loop()
    console, bus = Wire(loop), Wire(loop)
    console.with_signals()
    board = Board(folder, console, [bus])

    async def act(
        function: int, start: int, address: int, count: int, registers: list[int], values: list[Any] | None
    ) -> ExcCodes | None:
        del start, address, count, registers
        if function == 5 and values:
            board.switch(on=bool(values[0]))
        return None

    relay = SimDevice(1, simdata=[SimData(0, values=0, datatype=DataType.REGISTERS)], action=act)
    server = ModbusTcpServer([relay], address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    transport: Any = server.transport
    port = transport.sockets[0].getsockname()[1]
    file = folder / "bench.toml"
    clock = folder / "clock.json"
    file.write_text(_BENCH.format(clock=clock, console=console.near, meters=bus.near, relay=port), encoding="utf-8")
    sys.stdout.write(json.dumps({"bench": str(file)}) + "\n")
    sys.stdout.flush()
    while not stop.is_set():
        board.look()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.05)
    board.switch(on=False)
    await server.shutdown()  # type: ignore[no-untyped-call]


async def _main(folder: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await serve(folder, stop)


def main() -> None:
    """Stand in until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m hil.board.stand_in", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    folder: Path = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_main(folder))


if __name__ == "__main__":
    main()
