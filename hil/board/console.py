"""The board's serial console: puts files on its flash by MicroPython's raw REPL, and records all that it says.

As a process, `python -m hil.board.console --port DEVICE --baud N --log FILE` records. It opens the port again and
again: a console by USB goes with the board's power.
"""

import argparse
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import serial

from firmware.field.board import data
from firmware.field.board.errors import BoardError
from firmware.field.board.link import READY_S, Link
from hil.board.bench_file import Console
from hil.process import BenchError

_AGAIN_S = 0.1
_READ_S = 0.1
_LOG_BYTES_MAX = 64 * 1024 * 1024  # a board that prints without end fills no disk


def put(console: Console, files: Mapping[str, bytes], *, reset: bool) -> None:
    """Clear the terminal's data, and put these files there. The board must have power. Raises BenchError.

    reset: then start its program anew.
    """
    try:
        board = Link(console.port, console.baud, ready_s=READY_S, wait_start=True)
        try:
            folder = data.mounted(board)
            data.clear(board, folder)
            for name, content in files.items():
                board.write(f"{folder}/{name}", content)
            if reset:
                board.restart()
        finally:
            board.close()
    except (BoardError, IndexError) as error:
        raise BenchError(f"{console.port}: files could not be put on the board / 无法写入文件: {error}") from error


def record(port: str, baud: int, log: Path, stopped: list[int]) -> None:
    """Append what the board says to a file, until it is stopped."""
    with log.open("ab") as file:
        while not stopped:
            try:
                with serial.Serial(port, baud, timeout=_READ_S, exclusive=True) as line:
                    while not stopped:
                        data = line.read(max(1, line.in_waiting))
                        if file.tell() < _LOG_BYTES_MAX:
                            file.write(data)
                            file.flush()
            except (serial.SerialException, OSError):
                time.sleep(_AGAIN_S)


def main() -> None:
    """Record until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m hil.board.console", description=__doc__)
    parser.add_argument("--port", required=True)
    parser.add_argument("--baud", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    given = parser.parse_args()
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    sys.stdout.write("recording\n")
    sys.stdout.flush()
    record(given.port, given.baud, given.log, stopped)


if __name__ == "__main__":
    main()
