"""MicroPython's raw REPL on an open serial port (its documentation: remote control): at the prompt, code in, text out.

mpremote does the same, but waits without end for what a board does not say, and for the end of what it says for ever.
"""

from __future__ import annotations

import time

import serial

from firmware.field.board.errors import BoardRefusedError, BoardSilentError

OUTPUT_BYTES_MAX = 2 * 1024 * 1024  # of one command: no file on a board is larger; what prints on fills no memory
PROMPT_S = 2.0  # then it is asked again: what came while it started may be lost
_PROMPT = b"raw REPL; CTRL-B to exit\r\n>"
_INTERRUPT, _RAW, _FRIENDLY, _END, _PASTE = b"\r\x03", b"\r\x01", b"\r\x02", b"\x04", b"\x05A\x01"
_QUIET_S = 0.03  # a second prompt of a board that was just starting comes so soon
_PLAIN_BYTES, _PLAIN_S = 256, 0.01  # without raw paste mode there is no flow control: as slowly as mpremote


class RawRepl:
    """The raw prompt. Every method raises BoardSilentError; none waits or reads without bound."""

    def __init__(self, line: serial.Serial, port: str) -> None:
        self._line = line
        self._port = port
        self._heard = bytearray()

    def enter(self) -> None:
        """Interrupt what runs, and have the prompt."""
        self._write(_INTERRUPT)
        self._forget()
        self._write(_RAW)
        self._prompt()

    def soft_reset(self) -> None:
        """An empty heap and a file system mounted anew; in raw mode no program is started."""
        self._write(_END)
        self._prompt()

    def leave(self, *, reset: bool = False) -> None:
        """The friendly prompt. reset: and from there a soft reset, which starts the program."""
        self._write(_FRIENDLY + (_END if reset else b""))

    def execute(self, code: str, timeout_s: float) -> bytes:
        """Run code at the prompt; what it printed. Raises BoardRefusedError with the traceback of what it raised."""
        deadline = time.monotonic() + timeout_s
        self._send(code.encode(), deadline)
        printed = self._until(_END, deadline)
        failed = self._until(_END, deadline)
        self._until(b">", deadline)
        if failed:
            text = failed.decode(errors="replace").strip()
            raise BoardRefusedError(f"{self._port}: the board says / 板子返回: {text.splitlines()[-1]}", text)
        return printed

    def send(self, code: str) -> None:
        """Have code run that ends the conversation: nothing is waited for."""
        self._send(code.encode(), time.monotonic() + PROMPT_S)

    def _send(self, code: bytes, deadline: float) -> None:
        self._write(_PASTE)
        answer = self._take(2, deadline)
        if answer == b"R\x01":
            return self._paste(code, int.from_bytes(self._take(2, deadline), "little"), deadline)
        if answer != b"R\x00":  # not even known there: it was taken for another Ctrl-A
            self._until(_PROMPT[2:], deadline)
        for at in range(0, len(code), _PLAIN_BYTES):
            self._write(code[at : at + _PLAIN_BYTES])
            time.sleep(_PLAIN_S)
        self._write(_END)
        if self._take(2, deadline) != b"OK":
            raise silent(self._port)
        return None

    def _paste(self, code: bytes, window: int, deadline: float) -> None:
        """Raw paste mode: the board says when it takes another `window` bytes."""
        room, at = window, 0
        while at < len(code):
            while room == 0 or self._heard:
                if self._take(1, deadline) != b"\x01":  # it wants no more: a syntax error, as a rule
                    return self._write(_END)
                room += window
            piece = code[at : at + room]
            self._write(piece)
            at, room = at + len(piece), room - len(piece)
        self._write(_END)
        self._until(_END, deadline)  # and what windows it grants meanwhile
        return None

    def _prompt(self) -> None:
        self._until(_PROMPT, time.monotonic() + PROMPT_S)
        time.sleep(_QUIET_S)
        self._forget()

    def _until(self, ending: bytes, deadline: float) -> bytes:
        """What comes before an ending."""
        looked = 0
        while (at := self._heard.find(ending, looked)) < 0:
            looked = max(0, len(self._heard) - len(ending) + 1)
            self._hear(deadline)
        return self._cut(at, len(ending))

    def _take(self, count: int, deadline: float) -> bytes:
        while len(self._heard) < count:
            self._hear(deadline)
        return self._cut(count, 0)

    def _cut(self, count: int, and_: int) -> bytes:
        data = bytes(self._heard[:count])
        del self._heard[: count + and_]
        return data

    def _hear(self, deadline: float) -> None:
        if len(self._heard) > OUTPUT_BYTES_MAX or time.monotonic() > deadline:
            if self._heard:
                raise BoardSilentError(
                    f"{self._port}: what runs on the board does not end; {len(self._heard)} bytes of it were read / "
                    "板上程序未在限定时间内结束"
                )
            raise silent(self._port)
        try:
            self._heard += self._line.read(max(1, self._line.in_waiting))
        except OSError as error:
            raise gone(self._port, error) from error

    def _write(self, data: bytes) -> None:
        try:
            self._line.write(data)
        except OSError as error:
            raise gone(self._port, error) from error

    def _forget(self) -> None:
        try:
            self._line.reset_input_buffer()
        except OSError as error:
            raise gone(self._port, error) from error
        self._heard.clear()


def silent(port: str) -> BoardSilentError:
    """There is no answer of MicroPython."""
    return BoardSilentError(
        f"{port}: no prompt of MicroPython: the right port? power? does another program run on it? / "
        "无 MicroPython 提示符：请检查端口、电源，以及板上运行的是否为 MicroPython"
    )


def gone(port: str, error: Exception) -> BoardSilentError:
    """The port itself went away."""
    return BoardSilentError(
        f"{port}: the board is gone ({error}): cable, power? Nothing is lost: connect it and run the same "
        "command again / 与板子的连接中断：请检查线缆与电源，重新连接后再次执行同一命令即可"
    )
