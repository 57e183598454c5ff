"""A bus reached through the terminal itself, by its raw REPL: its own bus asks, and the laptop sees every byte."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from firmware.field.board.errors import BoardError, BoardRefusedError
from firmware.field.board.link import Link
from firmware.field.bus.asking import Heard
from firmware.field.bus.reach import PROTOCOLS, Question, Reach, ReachError

_AT_ONCE = 16  # questions of one command: the likely units of a scan; Ctrl-C ends it behind them
_MARGIN_S = 10.0  # for the board's own time, and what it prints
_HERE = Path(__file__).parent
# What a board has no module of is sent as text. It stays until the board starts anew, and is sent again then.
_PREPARE = """
import asyncio, boards
from binascii import b2a_base64
from boards import base
from terminal.bus import Line
from terminal.bus_protocol import Read
def names_of(source):
    names = {{}}
    exec(source, names)
    return names
class Who:
    pass
for name, one in names_of({who!r}).items():
    setattr(Who, name, one if isinstance(one, (int, str, bytes)) else staticmethod(one) if callable(one) else None)
try:
    board = boards.open_board()
except OSError:
    import vfs
    vfs.umount(base.DATA_DIR)
    board = boards.open_board()
Asker, askers = names_of({asking!r})["Asker"], {{}}
def text_of(data):
    return b2a_base64(data).decode().strip() or "-"
def signal():
    try:
        import network
        return network.WLAN(network.STA_IF).status("rssi")
    except Exception:
        return "-"
def answers(uart, questions):
    if uart not in askers:
        askers[uart] = Asker(board, board.uart(uart, 9600, "N", 1), {{"who": Who}})
    asker = askers[uart]
    for line, protocol, address, read, timeout_ms in questions:
        heard = asyncio.run(asker.ask(Line(*line), protocol, address, Read(*read), timeout_ms))
        print(heard.said, text_of(heard.data), text_of(heard.heard), text_of(heard.late))
        feed()
    print("signal", signal())
"""


class ThroughTerminal:
    """Open until `close`, which starts the board anew, so that the terminal works on. Raises ReachError.

    port: of the board's console. uart: which of its RS-485 ports. stays: `close` leaves it at its prompt.
    """

    def __init__(self, port: str, uart: int = 0, *, stays: bool = False) -> None:
        self.name = f"board:{port}#{uart}"
        self.signal_dbm: int | None = None
        self._uart = uart
        self._stays = stays
        try:
            self._link = Link(port)
        except BoardError as error:
            raise ReachError(str(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def at(self, uart: int) -> Reach:
        """See Reach."""
        return _OtherBus(self, uart)

    def ask(self, questions: Sequence[Question]) -> Iterator[Heard]:
        """See Reach."""
        return self.ask_at(self._uart, questions)

    def ask_at(self, uart: int, questions: Sequence[Question]) -> Iterator[Heard]:
        """As `ask`, of another of its RS-485 ports."""
        for one in questions:  # before any of them goes out: the board would say it in a traceback
            if one.protocol not in PROTOCOLS:
                raise ValueError(f"{one.protocol}: no protocol of meters")
        for at in range(0, len(questions), _AT_ONCE):
            yield from self._ask(uart, questions[at : at + _AT_ONCE])

    def close(self) -> None:
        """See Reach."""
        if self._stays:
            self._link.close()
            return
        with suppress(BoardError):  # it is gone, or will be started by its watchdog
            self._link.restart()

    def _ask(self, uart: int, questions: Sequence[Question]) -> Iterator[Heard]:
        asked = [(tuple(one.line), one.protocol, one.address, tuple(one.read), one.timeout_ms) for one in questions]
        longest_s = 2 * sum(one.timeout_ms for one in questions) / 1000 + _MARGIN_S
        code = f"answers({uart}, {asked!r})"
        try:
            printed = self._run(code, longest_s)
            *lines, signal = printed.decode().split("\n")
            self.signal_dbm = int(signal.split()[1]) if signal.split()[1:] not in ([], ["-"]) else None
            answers = [_heard(line) for line in lines]
        except BoardError as error:
            raise ReachError(str(error)) from error
        except ValueError as error:  # a console that loses characters
            raise ReachError(f"{self.name}: what the board answered is damaged: cable? / 板子应答损坏") from error
        if len(answers) != len(questions):
            raise ReachError(f"{self.name}: the board answered {len(answers)} of {len(questions)} / 板子应答不完整")
        yield from answers

    def _run(self, code: str, timeout_s: float) -> bytes:
        """What the board printed; it is told first what it needs, if it has not been since its start."""
        try:
            return self._link.run(code, timeout_s).replace(b"\r\n", b"\n").strip()
        except BoardRefusedError as error:
            if "NameError" not in error.traceback:
                raise
        sources = {name: _source(name) for name in ("asking", "who")}
        self._link.run(_PREPARE.format(**sources), _MARGIN_S)
        return self._link.run(code, timeout_s).replace(b"\r\n", b"\n").strip()


class _OtherBus:
    """One of a terminal's RS-485 ports; the terminal closes it."""

    def __init__(self, terminal: ThroughTerminal, uart: int) -> None:
        self.name = terminal.name
        self._terminal = terminal
        self._uart = uart

    @property
    def signal_dbm(self) -> int | None:
        """See Reach."""
        return self._terminal.signal_dbm

    def at(self, uart: int) -> Reach:
        """See Reach."""
        return self._terminal.at(uart)

    def ask(self, questions: Sequence[Question]) -> Iterator[Heard]:
        """See Reach."""
        return self._terminal.ask_at(self._uart, questions)

    def close(self) -> None:
        """See Reach: the terminal's."""


def _source(name: str) -> str:
    """A module's text without its comments: a board has little room."""
    lines = (_HERE / f"{name}.py").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _heard(line: str) -> Heard:
    """Raises ValueError."""
    said, *parts = line.split()
    data, heard, late = (b"" if part == "-" else base64.b64decode(part) for part in parts)
    return Heard(said, data, heard, late)
