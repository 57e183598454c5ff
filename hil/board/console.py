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
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from hil.board.bench_file import Console
from hil.process import BenchError

READY_S = 20.0  # from power on to a prompt
_START_S = 4.0  # after power on a board says its first word
_QUIET_S = 1.5  # and is not silent for so long before it runs, or has its prompt
_PROMPT_S = 2.0  # then it is asked again: what came while it started may be lost
_AGAIN_S = 0.1
_READ_S = 0.1
_LOG_BYTES_MAX = 64 * 1024 * 1024  # a board that prints without end fills no disk
# The data's file system is the terminal's own (firmware/device/boards): what is on it is an earlier run's.
_CLEAR = """
import os, boards
from boards import base
try:
    boards.open_board()
except OSError:
    pass
def clear(folder):
    for entry in list(os.ilistdir(folder)):
        path = folder + "/" + entry[0]
        if entry[1] & 0x4000:
            clear(path)
            os.rmdir(path)
        else:
            os.remove(path)
clear(base.DATA_DIR)
print(base.DATA_DIR)
"""


def put(console: Console, files: Mapping[str, bytes], *, reset: bool) -> None:
    """Clear the terminal's data, and put these files there. The board must have power. Raises BenchError.

    reset: then start its program anew.
    """
    transport = _prompt(console)
    try:
        folder = transport.exec(_CLEAR).decode().split()[-1]
        for name, content in files.items():
            transport.fs_writefile(f"{folder}/{name}", content)
        transport.exit_raw_repl()
        if reset:
            transport.serial.write(b"\x04")
    except (TransportError, TransportExecError, OSError, IndexError) as error:
        raise BenchError(f"{console.port}: files could not be put on the board / 无法写入文件: {error}") from error
    finally:
        transport.close()


def _prompt(console: Console) -> SerialTransport:
    """The raw REPL. Whatever runs is interrupted, but not its start: that may be making the file system."""
    deadline = time.monotonic() + READY_S
    is_new = True
    while True:
        try:
            transport = SerialTransport(console.port, baudrate=console.baud, timeout=_READ_S)  # else a read never ends
        except (TransportError, OSError) as error:  # a console by USB is not there yet
            failure: Exception = error
        else:
            try:
                if is_new:
                    _let_start(transport.serial)
                is_new = False
                transport.use_raw_paste = False
                transport.enter_raw_repl(soft_reset=False, timeout_overall=_PROMPT_S)
            except (TransportError, OSError) as error:
                transport.close()
                failure = error
            else:
                return transport
        if time.monotonic() > deadline:
            raise BenchError(f"{console.port}: no prompt of MicroPython / 串口无 REPL 提示: {failure}") from failure
        time.sleep(_AGAIN_S)


def _let_start(line: serial.Serial) -> None:
    """Wait until the board has said something and is quiet again, or has been quiet all the time."""
    began = heard = time.monotonic()
    quiet_s = _START_S  # as long as it has said nothing
    while time.monotonic() - heard < quiet_s and time.monotonic() - began < READY_S:
        if line.read(max(1, line.in_waiting)):
            heard, quiet_s = time.monotonic(), _QUIET_S


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
