"""What stands in for a board: the real MicroPython VM, and its console and bus as ptys.

What it leaves out is the copper: levels, line speeds, USB, and the board's own MicroPython.
"""

import asyncio
import json
import os
import select
import signal
import subprocess
import termios
import tty
from collections.abc import Mapping, Sequence
from pathlib import Path

from hil.terminal import DEVICE, ROOT

VM = ROOT / "build" / "vm64" / "micropython"
REPL = ROOT / "hil" / "vm" / "repl.py"
_PIECE = 4096
_LOOK_S = 0.02  # how soon it is seen that a port was opened
_SOFT_RESET_RAW = 3  # repl.py's exit status
_STUCK_LOOKS = 20  # some tenths of a second


class Wire:
    """A serial line: two ptys, and what is said at one end is heard at the other. `near` is the bench's end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._far, self.far_slave = os.openpty()
        self.far = os.ttyname(self.far_slave)
        tty.setraw(self.far_slave)
        self._loop = loop
        os.set_blocking(self._far, False)
        self._waiting, self._closed = b"", False
        loop.add_reader(self._far, self._from_far)
        self._near: int | None = None
        self.unplug_after: int | None = None  # so many bytes more from the near end
        self.plug()

    def plug(self) -> None:
        """The cable is in: `near` is a port, another one each time."""
        self._near, slave = os.openpty()
        self.near = os.ttyname(slave)
        os.close(slave)  # whoever looks who holds the port must find nobody
        os.set_blocking(self._near, False)
        self._listen()

    def unplug(self) -> None:
        """The cable is out: who has the port open is told so by errors."""
        if self._near is not None:
            self._loop.remove_reader(self._near)
            os.close(self._near)
        self._near = self.unplug_after = None

    def _listen(self) -> None:
        if self._near is not None:
            self._loop.add_reader(self._near, self._from_near)

    def _from_near(self) -> None:
        if self._near is None:
            return
        try:
            data = os.read(self._near, _PIECE)
        except BlockingIOError:
            return
        except OSError:  # nobody has this end open
            self._loop.remove_reader(self._near)
            self._loop.call_later(_LOOK_S, self._listen)
            return
        _put(self._far, data[: self.unplug_after])
        if self.unplug_after is not None:
            self.unplug_after -= len(data)
            if self.unplug_after <= 0:
                self.unplug()

    def _from_far(self) -> None:
        self._waiting += os.read(self._far, _PIECE)
        self._to_near()

    def _to_near(self) -> None:
        """Who listens, but is slower than the board, keeps it waiting, as USB does; who does not, misses it."""
        if self._near is None or not self._has_listener(self._near):
            self._waiting = b""
        else:
            self._waiting = self._waiting[_put(self._near, self._waiting) :]
        if self._waiting:
            self._loop.remove_reader(self._far)
            self._loop.call_later(_LOOK_S, self._to_near)
        elif not self._closed:
            self._loop.add_reader(self._far, self._from_far)

    @staticmethod
    def _has_listener(near: int) -> bool:
        """Whether somebody has the near end open."""
        poll = select.poll()
        poll.register(near, 0)
        return not any(event & select.POLLHUP for _fd, event in poll.poll(0))

    def with_signals(self) -> None:
        """Ctrl-C at the near end interrupts the program that has the far end for its terminal."""
        settings = termios.tcgetattr(self.far_slave)
        settings[3] |= termios.ISIG
        termios.tcsetattr(self.far_slave, termios.TCSANOW, settings)

    def close(self) -> None:
        """Give all back."""
        self.unplug()
        self._waiting, self._closed = b"", True
        self._loop.remove_reader(self._far)
        os.close(self._far)
        os.close(self.far_slave)

    def empty(self) -> None:
        """Forget what was said to a board without power."""
        termios.tcflush(self.far_slave, termios.TCIOFLUSH)


def _put(master: int, data: bytes) -> int:
    try:
        return os.write(master, data)
    except BlockingIOError:  # nobody reads there
        return 0


class Board:
    """The VM: on while the relay is. buses: its RS-485 ports, from 0 on.

    code: an image of the flash that its root is on; else it is this repository.
    """

    def __init__(self, folder: Path, console: Wire, buses: Sequence[Wire], code: Path | None = None) -> None:
        self.on = False
        self._clock = folder / "clock.json"
        self._console = console
        self._env = {
            **os.environ,
            "MICROPYPATH": f"{ROOT}:{DEVICE}:.frozen",
            "WATTLINE_FLASH": str(folder / "flash.img"),
        }
        uarts = {f"WATTLINE_UART{number}": bus.far for number, bus in enumerate(buses)}
        self._env |= uarts
        if code is not None:  # there the host's files are below /host
            self._env |= {"WATTLINE_CODE": str(code)}
            self._env |= {name: f"/host{self._env[name]}" for name in ("WATTLINE_FLASH", *uarts)}
        self._vm: subprocess.Popen[bytes] | None = None
        self._stuck = 0  # looks in a row

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
        """A program that has ended by itself is a reset, and one that hangs is its watchdog's."""
        if self._vm is None:
            return
        if self._vm.poll() is None:
            self._stuck = self._stuck + 1 if _waits_for_a_lock(self._vm.pid) else 0
            if self._stuck >= _STUCK_LOOKS:
                self._vm.kill()
                self._vm.wait()
                self._start("watchdog")
            return
        status = self._vm.returncode
        raw = {"WATTLINE_RAW": "1"} if status == _SOFT_RESET_RAW else {}
        self._start("watchdog" if status == -signal.SIGALRM else "power", raw)

    def _start(self, cause: str, more: Mapping[str, str] | None = None) -> None:
        clock = json.loads(self._clock.read_text(encoding="utf-8")) if self._clock.exists() else {}
        # a session's first program that opens a terminal has it for its own: Ctrl-C there interrupts it
        command = ["sh", "-c", 'exec "$0" "$1" <"$2" >"$2" 2>&1', str(VM), str(REPL), self._console.far]
        env = {**self._env, **clock, "WATTLINE_RESET": cause, **(more or {})}
        self._vm = subprocess.Popen(command, env=env, start_new_session=True)


def _waits_for_a_lock(pid: int) -> bool:
    """MicroPython 1.25's unix port takes a lock when Ctrl-C comes, and waits for ever if it holds that lock already."""
    try:
        return "futex" in Path(f"/proc/{pid}/wchan").read_text(encoding="ascii")
    except OSError:
        return False
