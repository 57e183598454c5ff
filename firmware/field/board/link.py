"""One board on one serial port, by MicroPython's raw REPL: run code, and put, get and compare files.

What is sent and printed is text (base64 for bytes): a console has no way to quote its control characters. The transport
is mpremote's; that its reads end, and how much is kept of what a board says, is seen to here.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from firmware.field.board import ports
from firmware.field.board.errors import BoardError, BoardRefusedError, BoardSilentError, PortError

BAUD = 115200
PART = ".part"  # what a file is named until it is whole
OUTPUT_BYTES_MAX = (
    2 * 1024 * 1024
)  # of one command: no file on a board is larger; a board that prints on fills no memory
TIMEOUT_S = 10.0  # for a command: the slowest, LittleFS's search for a free block on a full flash, takes a second
READY_S = 20.0  # from power on to a prompt
_START_S = 4.0  # after power on a board says its first word
_QUIET_S = 1.5  # and is not silent for so long before it runs, or has its prompt
_PROMPT_S = 2.0  # then it is asked again: what came while it started may be lost
_READ_S = 0.5  # mpremote's shortest reads; a slow bridge takes a tenth of it
_BACK_S = 3.0  # a console by USB is back so soon after a reset
_AGAIN_S = 0.1
_IDLE_S = 5.0  # a terminal's watchdog is no shorter than 8 s: after this the prompt may be gone
_CHUNK_BYTES = 768  # of a file in one command: 1 KiB of base64
_PROMPT = b"raw REPL; CTRL-B to exit\r\n"
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
import os
def walk(folder):
    for entry in list(os.ilistdir(folder)):
        path = folder.rstrip("/") + "/" + entry[0]
        if entry[1] & 0x4000:
            for one in walk(path):
                yield one
        else:
            yield path
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
for path in walk({folder!r}):
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
        self._baud = baud
        self._used_s = 0.0
        self._transport = self._opened(ready_s if wait_start else min(ready_s, _BACK_S))
        try:
            if wait_start:
                _let_start(self._transport.serial)
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

    def close(self) -> None:
        """Leave the board at its prompt, with nothing running on it."""
        with suppress(OSError):  # it is gone, or takes nothing any more
            self._transport.exit_raw_repl()
        self._shut()

    def run(self, code: str, timeout_s: float = TIMEOUT_S) -> bytes:
        """Run code; what it printed. `feed()` in it keeps the watchdog quiet: call it every few seconds.

        Each call stands alone: the board may have started anew between two that are seconds apart.
        """
        if time.monotonic() - self._used_s > _IDLE_S:
            self._enter(_PROMPT_S)
        try:
            return self._run("feed()\n" + code, timeout_s)
        finally:
            self._used_s = time.monotonic()

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

    def digests(self, folder: str = "/") -> dict[str, str]:
        """SHA-256, in hex, of each file below a folder, by its whole path."""
        lines = self.run(_DIGESTS.format(folder=folder), 30 * TIMEOUT_S).decode().splitlines()
        return {path: digest for digest, path in (line.split(" ", 1) for line in lines if " " in line)}

    def remove(self, path: str) -> None:
        """Remove a file, or an empty folder."""
        self.run(f"os.rmdir({path!r}) if os.stat({path!r})[0] & 0x4000 else os.remove({path!r})")

    def restart(self) -> None:
        """Start the board anew, as the reset button does (a VM without one: as Ctrl-D), and close the link."""
        resets = self.run("import machine\nprint(hasattr(machine, 'reset'))").strip() == b"True"
        try:
            if resets:
                self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
            else:
                self._transport.serial.write(b"\x02\x04")
        except (OSError, TransportError) as error:
            raise self._gone(error) from error
        finally:
            self._shut()

    def _opened(self, ready_s: float) -> SerialTransport:
        """The port; one by USB that has just gone with a reset is waited for."""
        deadline = time.monotonic() + ready_s
        while True:
            try:
                ports.check(self.port)
                return SerialTransport(self.port, baudrate=self._baud, timeout=_READ_S)
            except (PortError, TransportError, OSError) as error:
                if time.monotonic() > deadline:
                    raise _port_error(self.port, error) from error
            time.sleep(_AGAIN_S)

    def _enter(self, ready_s: float) -> None:
        """Interrupt what runs, and be at the raw prompt of a board that is ready for `run`. Raises BoardSilentError."""
        is_watched, is_ready = self._interrupt(ready_s)
        try:
            if not is_ready:
                self._transport.serial.write(b"\x04")  # in raw mode a soft reset starts no program
                self._expect(_PROMPT)
                self._run((_FED if is_watched else _NOT_FED) + _PREPARE, TIMEOUT_S)
        except OSError as error:
            raise self._gone(error) from error
        self._used_s = time.monotonic()

    def _interrupt(self, ready_s: float) -> tuple[bool, bool]:
        """(a watchdog runs, `_PREPARE` has been run). What comes from a start under way is no answer: asked again."""
        deadline = time.monotonic() + ready_s
        while True:
            try:
                self._transport.serial.write(b"\r\x03")
                self._transport.serial.reset_input_buffer()
                self._transport.serial.write(b"\r\x01")
                self._expect(_PROMPT)
                is_watched, is_ready = self._run(_WATCHED, _PROMPT_S).split()
                return is_watched == b"True", is_ready == b"True"
            except OSError as error:
                raise self._gone(error) from error
            except (BoardSilentError, ValueError):
                if time.monotonic() > deadline:
                    raise self._silent() from None

    def _expect(self, prompt: bytes) -> None:
        if not self._transport.read_until(1, prompt, timeout=_PROMPT_S, timeout_overall=TIMEOUT_S).endswith(prompt):
            raise self._silent()
        self._transport.in_raw_repl = True

    def _run(self, code: str, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        heard = bytearray()

        def take(data: bytes) -> None:
            heard.extend(data)
            if len(heard) > OUTPUT_BYTES_MAX or time.monotonic() > deadline:
                raise BoardSilentError(
                    f"{self.port}: the board goes on and on; no end after {len(heard)} bytes / 输出未在限定内结束"
                )

        try:
            _, failed = self._transport.exec_raw(code, timeout=timeout_s, data_consumer=take)
        except (OSError, TransportError) as error:
            raise self._gone(error) from error
        if failed:
            text = failed.decode(errors="replace").strip()
            last = text.splitlines()[-1] if text else "?"
            raise BoardRefusedError(f"{self.port}: the board says / 板子返回: {last}", text)
        return bytes(heard).rstrip(b"\x04")

    def _silent(self) -> BoardSilentError:
        return BoardSilentError(
            f"{self.port}: no prompt of MicroPython: the right port? power? does another program run on it? / "
            "无 MicroPython 提示符：请检查端口、电源，以及板上运行的是否为 MicroPython"
        )

    def _gone(self, error: Exception) -> BoardSilentError:
        return BoardSilentError(
            f"{self.port}: the board stopped to answer ({error}): cable, power? Nothing is lost: connect it and run "
            "the same command again / 板子停止应答：请检查线缆与电源，重新连接后再次执行同一命令即可"
        )

    def _shut(self) -> None:
        try:
            self._transport.close()
        except OSError:  # mpremote sets two lines first, which a port that is gone has not
            self._transport.serial.close()


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
