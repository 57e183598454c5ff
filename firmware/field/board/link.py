"""One board on one serial port, by MicroPython's raw REPL: run code, and put, get and compare files.

What is sent and printed is text (base64 for bytes): a console has no way to quote its control characters.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import serial

from firmware.field.board import ports
from firmware.field.board.errors import BoardError, BoardRefusedError, BoardSilentError, PortError
from firmware.field.board.raw_repl import PROMPT_S, RawRepl

BAUD = 115200
PART = ".part"  # what a file is named until it is whole
TIMEOUT_S = 10.0  # for a command: the slowest, LittleFS's search for a free block on a full flash, takes a second
READY_S = 20.0  # from power on to a prompt
_START_S = 4.0  # after power on a board says its first word
_QUIET_S = 1.5  # and is not silent for so long before it runs, or has its prompt
_READ_S = 0.05  # how long one read waits: deadlines are looked at in between
_BACK_S = 3.0  # a console by USB is back so soon after a reset
_AGAIN_S = 0.1
_IDLE_S = 5.0  # a terminal's watchdog is no shorter than 8 s: after this the prompt may be gone
_CHUNK_BYTES = 768  # of a file in one command: 1 KiB of base64
# The program that was interrupted has started a watchdog, which nobody can stop: whoever holds the prompt feeds it.
# After the soft reset, which gives a heap and a file system that nothing interrupted is in, it is the chip's own.
_WATCHED = """
import sys
one = sys.modules.get("terminal.supervisor")
print(bool(one and one.Supervisor.feed), "feed" in globals())
if one and one.Supervisor.feed:
    one.Supervisor.feed()
"""
_NOT_FED = """
def feed():
    pass
"""
_FED = """
try:
    import machine
    feed = machine.WDT(timeout=8388).feed
except AttributeError:
    def feed():
        pass
feed()
"""
_PREPARE = """
import os, sys
def walk(path):
    try:
        is_folder = os.stat(path)[0] & 0x4000
    except OSError:
        return
    if not is_folder:
        yield path
        return
    for entry in list(os.ilistdir(path)):
        for one in walk(path.rstrip("/") + "/" + entry[0]):
            yield one
def sha256(path):
    import hashlib, binascii
    total, buffer = hashlib.sha256(), memoryview(bytearray(1024))
    with open(path, "rb") as file:
        while True:
            count = file.readinto(buffer)
            if not count:
                return binascii.hexlify(total.digest()).decode()
            total.update(buffer[:count])
            feed()
def folders(path):
    at = path.find("/", 1)
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError:
            pass
        at = path.find("/", at + 1)
"""
_DIGESTS = """
for one in {paths!r}:
    for path in walk(one):
        print(sha256(path), path)
"""
_OPEN = """
from binascii import a2b_base64 as bytes_of
folders({part!r})
out = open({part!r}, "wb")
"""
_CLOSE = """
out.close()
print(sha256({part!r}))
"""
_READ = """
from binascii import b2a_base64 as text_of
with open({path!r}, "rb") as file:
    while True:
        data = file.read(384)
        if not data:
            break
        print(text_of(data).decode(), end="")
        feed()
"""

Progress = Callable[[int, int], None]  # bytes done, bytes in all


class Link:
    """A board whose raw REPL is ours, whatever ran on it interrupted. At the end of a `with` it is started anew.

    port: a device, COM3, or a URL of pyserial's (rfc2217://host:port). wait_start: the board has just got power; let it
    start first. Raises PortError, BoardSilentError. All methods raise BoardSilentError and BoardRefusedError.
    """

    def __init__(self, port: str, baud: int = BAUD, *, ready_s: float = READY_S, wait_start: bool = False) -> None:
        self.port = port
        self._used_s = -_IDLE_S
        self._line = _opened(port, baud, ready_s if wait_start else min(ready_s, _BACK_S))
        self._repl = RawRepl(self._line, port)
        try:
            if wait_start:
                _let_start(self._line)
            self._enter(ready_s)
        except BaseException:
            self._shut()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.restart()
        except BoardError:
            if error is None:
                raise
        finally:
            self._shut()

    def close(self) -> None:
        """Leave the board at its prompt, with nothing running on it."""
        with suppress(BoardSilentError):  # it is gone, or takes nothing any more
            self._repl.leave()
        self._shut()

    def run(self, code: str, timeout_s: float = TIMEOUT_S) -> bytes:
        """Run code; what it printed. `feed()` in it keeps the watchdog quiet: call it every few seconds.

        Each call stands alone: the board may have started anew between two that are seconds apart.
        """
        if time.monotonic() - self._used_s > _IDLE_S:
            self._enter(PROMPT_S)
        self._used_s = -_IDLE_S  # whatever is left running is interrupted before the next one
        try:
            printed = self._repl.execute("feed()\n" + code, timeout_s)
        except BoardRefusedError:
            self._used_s = time.monotonic()
            raise
        self._used_s = time.monotonic()
        return printed

    def read(self, path: str) -> bytes:
        """A file's content. BoardRefusedError if it is not there."""
        return base64.b64decode(self.run(_READ.format(path=path), 60 * TIMEOUT_S))

    def write(self, path: str, data: bytes, progress: Progress | None = None) -> None:
        """Make or replace a file, and its folders: written beside it, compared by SHA-256 on the board, then renamed.

        What is cut off at any moment leaves the old file, and a `.part` that the next `write` replaces.
        """
        part = path + PART
        self.run(_OPEN.format(part=part))
        for at in range(0, len(data), _CHUNK_BYTES):
            text = base64.b64encode(data[at : at + _CHUNK_BYTES])
            self.run(f"_ = out.write(bytes_of({text!r}))")
            if progress:
                progress(min(at + _CHUNK_BYTES, len(data)), len(data))
        told = self.run(_CLOSE.format(part=part)).decode().strip()
        if told != hashlib.sha256(data).hexdigest():
            raise BoardRefusedError(
                f"{path}: what is on the board is not what was sent; try again / 写入内容校验不一致，请重试"
            )
        self.run(f"os.rename({part!r}, {path!r})")

    def digests(self, *paths: str) -> dict[str, str]:
        """SHA-256, in hex, of each file at or below these paths, by its whole path; what is not there has none."""
        lines = self.run(_DIGESTS.format(paths=paths), 30 * TIMEOUT_S).decode().splitlines()
        return {path: digest for digest, path in (line.split(" ", 1) for line in lines)}

    def remove(self, path: str) -> None:
        """Remove a file, or an empty folder."""
        self.run(f"os.rmdir({path!r}) if os.stat({path!r})[0] & 0x4000 else os.remove({path!r})")

    def restart(self) -> None:
        """Start the board anew, as the reset button does (a VM without one: as Ctrl-D), and close the link."""
        resets = self.run("import machine\nprint(hasattr(machine, 'reset'))").strip() == b"True"
        if resets:
            return self.end_with("import machine\nmachine.reset()")
        try:
            self._repl.leave(reset=True)
        finally:
            self._shut()
        return None

    def end_with(self, code: str) -> None:
        """Run code that ends the conversation, and close the link."""
        try:
            self._repl.send(code)
        finally:
            self._shut()

    def _enter(self, ready_s: float) -> None:
        """Interrupt what runs, and be at the raw prompt of a board that is ready for `run`. Raises BoardSilentError."""
        is_watched, is_ready = self._interrupt(ready_s)
        if not is_ready:
            self._repl.soft_reset()
            self._repl.execute((_FED if is_watched else _NOT_FED) + _PREPARE, TIMEOUT_S)
        self._used_s = time.monotonic()

    def _interrupt(self, ready_s: float) -> tuple[bool, bool]:
        """(a watchdog runs, `_PREPARE` has been run). What comes from a start under way is no answer: asked again."""
        deadline = time.monotonic() + ready_s
        while True:
            try:
                self._repl.enter()
                is_watched, is_ready = self._repl.execute(_WATCHED, PROMPT_S).split()
                return is_watched == b"True", is_ready == b"True"
            except (BoardSilentError, ValueError):
                if time.monotonic() > deadline:
                    raise
            time.sleep(_AGAIN_S)

    def _shut(self) -> None:
        with suppress(OSError):  # a pty has no such lines, nor has a port that is gone; else: no reset of an ESP32
            self._line.rts = False
            self._line.dtr = False
        self._line.close()


def _opened(port: str, baud: int, ready_s: float) -> serial.Serial:
    """The port; one by USB that has just gone with a reset is waited for."""
    deadline = time.monotonic() + ready_s
    while True:
        try:
            ports.check(port)
            return _open(port, baud)
        except (PortError, OSError, ValueError) as error:
            if time.monotonic() > deadline:
                raise _port_error(port, error) from error
        time.sleep(_AGAIN_S)


def _open(port: str, baud: int) -> serial.Serial:
    line = serial.serial_for_url(port, baud, timeout=_READ_S, write_timeout=TIMEOUT_S, exclusive=True, do_not_open=True)
    if os.name == "nt":  # a driver that sets these two one after the other resets an ESP32
        line.dtr = line.rts = False
    line.open()
    if os.name == "nt":
        line.dtr = line.rts = True
    return line


def _port_error(port: str, error: Exception) -> PortError:
    if isinstance(error, PortError):
        return error
    return PortError(f"{port} can't be opened ({error}) / 端口无法打开")


def _let_start(line: serial.Serial) -> None:
    """Wait until the board has said something and is quiet again, or has been quiet all the time."""
    began = heard = time.monotonic()
    quiet_s = _START_S  # as long as it has said nothing
    while time.monotonic() - heard < quiet_s and time.monotonic() - began < READY_S:
        if line.read(max(1, line.in_waiting)):
            heard, quiet_s = time.monotonic(), _QUIET_S
