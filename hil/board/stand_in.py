"""A bench without a board: the real MicroPython VM behind a console and a bus of ptys, its supply a relay of pymodbus.

`python -m hil.board.stand_in --folder FOLDER` writes FOLDER/bench.toml, prints `{"bench": PATH}`, and lasts until
SIGTERM. What it leaves out is the copper: levels, line speeds, USB, and the board's own MicroPython.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import termios
import tty
from pathlib import Path
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from hil.terminal import DEVICE, ROOT

VM = ROOT / "build" / "vm64" / "micropython"
REPL = ROOT / "hil" / "vm" / "repl.py"
_PIECE = 4096
_LOOK_S = 0.02  # how soon it is seen that a port was opened
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


class Wire:
    """A serial line: two ptys, and what is said at one end is heard at the other. `near` is the bench's end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        (self._near, slave), (self._far, self.far_slave) = os.openpty(), os.openpty()
        self.near, self.far = os.ttyname(slave), os.ttyname(self.far_slave)
        os.close(slave)  # whoever looks who holds the port must find nobody
        tty.setraw(self.far_slave)
        self._loop = loop
        for master in (self._near, self._far):
            os.set_blocking(master, False)
        loop.add_reader(self._far, self._from_far)
        self._listen()

    def _listen(self) -> None:
        self._loop.add_reader(self._near, self._from_near)

    def _from_near(self) -> None:
        try:
            data = os.read(self._near, _PIECE)
        except BlockingIOError:
            return
        except OSError:  # nobody has this end open
            self._loop.remove_reader(self._near)
            self._loop.call_later(_LOOK_S, self._listen)
            return
        _put(self._far, data)

    def _from_far(self) -> None:
        data = os.read(self._far, _PIECE)
        if self._has_listener():  # else it is gone, as on a wire
            _put(self._near, data)

    def _has_listener(self) -> bool:
        """Whether somebody has the near end open."""
        poll = select.poll()
        poll.register(self._near, 0)
        return not any(event & select.POLLHUP for _fd, event in poll.poll(0))

    def with_signals(self) -> None:
        """Ctrl-C at the near end interrupts the program that has the far end for its terminal."""
        settings = termios.tcgetattr(self.far_slave)
        settings[3] |= termios.ISIG
        termios.tcsetattr(self.far_slave, termios.TCSANOW, settings)

    def empty(self) -> None:
        """Forget what was said to a board without power."""
        termios.tcflush(self.far_slave, termios.TCIOFLUSH)


def _put(master: int, data: bytes) -> None:
    with contextlib.suppress(BlockingIOError):  # nobody reads there: as on a wire, it is gone
        os.write(master, data)


class Board:
    """The VM: on while the relay is."""

    def __init__(self, folder: Path, console: Wire, bus: Wire) -> None:
        self.on = False
        self._clock = folder / "clock.json"
        self._console = console
        self._env = {
            **os.environ,
            "MICROPYPATH": f"{ROOT}:{DEVICE}:.frozen",
            "WATTLINE_FLASH": str(folder / "flash.img"),
            "WATTLINE_UART0": bus.far,
        }
        self._vm: subprocess.Popen[bytes] | None = None

    def switch(self, *, on: bool) -> None:
        """Power on, or cut."""
        self.on = on
        if on and self._vm is None:
            self._console.empty()
            self._start("power")
        elif not on and self._vm is not None:
            self._vm.kill()
            self._vm.wait()
            self._vm = None

    def look(self) -> None:
        """A program that has ended by itself is a reset."""
        if self._vm is not None and self._vm.poll() is not None:
            self._start("watchdog" if self._vm.returncode == -signal.SIGALRM else "power")

    def _start(self, cause: str) -> None:
        slave = self._console.far_slave
        clock = json.loads(self._clock.read_text(encoding="utf-8")) if self._clock.exists() else {}
        self._vm = subprocess.Popen(
            [str(VM), str(REPL)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**self._env, **clock, "WATTLINE_RESET": cause},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  there is one thread
        )


async def serve(folder: Path, stop: asyncio.Event) -> None:
    """The bench, until it is stopped."""
    loop = asyncio.get_running_loop()
    console, bus = Wire(loop), Wire(loop)
    console.with_signals()
    board = Board(folder, console, bus)

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
