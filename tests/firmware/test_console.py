"""The console of the whole terminal on the real VM, which is the controlling terminal of its process: closed, opened by
a ticket, closed again."""

import contextlib
import os
import pty
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from firmware import image
from firmware.field.cli import app
from firmware.field.update import keys
from tests.firmware import over_the_air as air
from tests.firmware.site import NAME, REPO, Site

pytestmark = [pytest.mark.e2e]

# As a board does: a prompt when the program was interrupted or has ended; a reset when it says so.
BOARD = "import main\ntry:\n    main.main()\nexcept KeyboardInterrupt:\n    pass\nprint('>>>')\n"
PROMPT = b">>>"
TRIES = 1000


class Console:
    """The end of the line that somebody types at."""

    def __init__(self, made: Site) -> None:
        master, slave = pty.openpty()
        settings = termios.tcgetattr(slave)
        settings[3] &= ~(termios.ECHO | termios.ICANON)  # Ctrl-C is a signal, and all else comes byte by byte
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        self._master = master
        self.heard = b""
        own = made.terminal.process.env
        tty = os.ttyname(slave)
        begin = (
            f'exec {REPO / "build/vm64/micropython"} -c "$1" <{tty} >{tty} 2>&1'  # opening it makes it the session's
        )
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", begin, "sh", BOARD], env={**os.environ, **own}, start_new_session=True
        )
        os.set_blocking(master, False)
        self._slave = slave

    def type(self, data: bytes) -> None:
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self._master, data) :]
            self.listen()

    def listen(self) -> None:
        with contextlib.suppress(OSError):
            self.heard += os.read(self._master, 65536)

    def wait(self, what: bytes, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while what not in self.heard:
            assert time.monotonic() < deadline, self.heard[-2000:]
            self.listen()
            time.sleep(0.02)

    def ended(self, timeout_s: float = 60) -> int:
        status = self.process.wait(timeout_s)
        self.listen()
        return status

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)


@contextmanager
def console(made: Site) -> Iterator[Console]:
    one = Console(made)
    try:
        yield one
    finally:
        one.close()


def test_a_closed_console_lets_nobody_in_without_a_ticket_and_is_closed_again(tmp_path: Path) -> None:
    """S-26: a thousand tries, then a ticket; its start runs no application and ends by itself."""
    image.build("unix", tmp_path / "image", (1, 0, 0), air.NUMBER)
    key = keys.generate(tmp_path / "release.pem")
    with air.updatable(tmp_path, tmp_path / "image", [key.point]) as made:
        root = tmp_path / "root"
        with console(made) as open_one:
            open_one.wait(b"boot 1")
            open_one.type(b"\x03")
            open_one.wait(PROMPT)
        (root / "closed").touch()
        with console(made) as one:
            one.wait(b"boot 2")
            one.type(b"\x03\x01\x03\x04\x02\r\n" * TRIES)
            time.sleep(0.5)
            one.listen()
            assert one.process.poll() is None, one.heard[-2000:]
            assert PROMPT not in one.heard
            args = ["ticket", NAME, "--key", str(tmp_path / "release.pem"), "--minutes", "1", "--hours", "700"]
            line = CliRunner().invoke(app, args).stdout
            one.type(line.encode())
            assert one.ended() == 0
            assert b"opened by ticket" in one.heard
            assert PROMPT not in one.heard
        with console(made) as opened:
            opened.wait(b"open for 1 minutes")
            opened.wait(PROMPT)
            assert b"boot" not in opened.heard
        with console(made) as again:
            again.wait(b"boot 3")
            again.type(b"\x03" * 5 + line.encode())
            again.wait(b"ticket refused: 7")
            assert PROMPT not in again.heard
