"""A bus reached through an RS-485 adapter of the laptop's own (pyserial)."""

from __future__ import annotations

import time
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, Self

from terminal.bus import Line

from firmware.field.bus import who
from firmware.field.bus.asking import NO_LINE, Asker, Heard
from firmware.field.bus.reach import WHO, Question, ReachError

_FIRST = Line(9600, "N", 1)
_FAILED_MAX = 10  # reads in a row: drivers say now and then that there is something, and then give nothing


class Adapter:
    """Open until `close`; use it in a `with`. Raises ReachError where the port can't be had."""

    signal_dbm = None  # there is no board

    def __init__(self, port: str) -> None:
        self.name = port
        self._uart = _Uart(port)
        self._asker = Asker(_Laptop(), self._uart, {WHO: who})
        self._not_possible: set[Line] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def at(self, uart: int) -> Self:  # noqa: ARG002  there is one
        """See Reach."""
        return self

    def ask(self, questions: Sequence[Question]) -> Iterator[Heard]:
        """See Reach."""
        for question in questions:
            yield self._ask(question)

    def close(self) -> None:
        """See Reach."""
        self._uart.close()

    def _ask(self, question: Question) -> Heard:
        if question.line in self._not_possible:
            return Heard(NO_LINE, b"", b"", b"")
        try:
            answer = _finished(self._asker.ask(*question))
        except _LineRefusedError:
            self._not_possible.add(question.line)
            return Heard(NO_LINE, b"", b"", b"")
        if self._uart.lost:
            raise ReachError(
                f"{self.name}: the adapter does not answer any more ({self._uart.lost}): plug it in again, and run the "
                "same command / 适配器已断开，请重新插好后再次运行"
            )
        return answer


class _Laptop:
    """As much of a board as the terminal's bus wants."""

    def real_ms(self) -> int:
        return int(time.monotonic() * 1000)

    async def pause_ms(self, ms: int) -> None:
        time.sleep(ms / 1000)  # noqa: ASYNC251  nothing else runs in this thread (_finished)


def _finished(coroutine: Coroutine[None, None, Heard]) -> Heard:
    """The end of a coroutine that waits for our board alone, whose pauses block."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        heard: Heard = end.value
        return heard
    raise RuntimeError("the terminal's bus waits for something that is not of the board")


class _LineRefusedError(Exception):
    """The port's driver has not this speed or parity."""


class _Uart:
    """pyserial's port as the terminal's bus wants its UART: never waits for input."""

    def __init__(self, port: str) -> None:
        try:
            import serial  # noqa: PLC0415  an extra has it, and only a bus needs it
        except ImportError as error:
            raise ReachError(
                "pyserial is missing: install wattline[field] / 缺少 pyserial，请安装 wattline[field]"
            ) from error
        self.lost: OSError | None = None  # the bus takes an adapter that was pulled out for a silent bus; we do not
        self._failed = 0
        self._line = _FIRST
        try:
            self._port: Any = serial.Serial(port, _FIRST.baud, timeout=0)
        except (OSError, ValueError) as error:
            raise ReachError(
                f"{port}: {error}; is it plugged in, is another program using it? / 串口无法打开，请检查连接与占用"
            ) from error

    def set_line(self, baud: int, parity: str, stop: int) -> None:
        before, self._line = self._line, Line(baud, parity, stop)
        try:
            self._port.apply_settings({"baudrate": baud, "parity": parity, "stopbits": stop})
        except _driver_errors() as error:
            self._line = before
            self._port.apply_settings({"baudrate": before.baud, "parity": before.parity, "stopbits": before.stop})
            raise _LineRefusedError from error

    def read(self, count: int) -> bytes | None:
        try:
            data: bytes = self._port.read(count)
        except OSError as error:
            self._failed += 1
            if self._failed >= _FAILED_MAX:
                self.lost = error
                raise
            return None
        self._failed = 0
        return data or None

    def write(self, data: bytes) -> int | None:
        try:
            sent: int | None = self._port.write(data)
            self._port.flush()  # the answer's time begins when the request is out
        except OSError as error:
            self.lost = error
            raise
        return sent

    def close(self) -> None:
        self._port.close()


def _driver_errors() -> tuple[type[Exception], ...]:
    """What a driver says that has not a speed or parity; termios' error is none of OSError's, and Windows has none."""
    try:
        import termios  # noqa: PLC0415  not on Windows
    except ImportError:
        return (OSError, ValueError)
    return (OSError, ValueError, termios.error)
