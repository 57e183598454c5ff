"""How a process of the bench is told what to do, by JSON lines in a file that it follows, and what it says itself."""

import asyncio
import json
import re
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hil.process import Process

MARK = "mark"
OBEYED_S = 30.0  # a busy machine: these look many times a second


def say(row: dict[str, Any]) -> None:
    """A line to whoever started this process."""
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


def order(control: Path, row: dict[str, Any]) -> None:
    """Append a line."""
    with control.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def obeyed(control: Path, process: Process) -> None:
    """Return once the process has done all that was ordered of it. Raises BenchError."""
    mark = {MARK: str(time.monotonic_ns())}
    order(control, mark)
    process.wait_for_line(f"^{re.escape(json.dumps(mark))}$", OBEYED_S)


async def follow(control: Path, poll_s: float, act: Callable[[Any], Awaitable[None]]) -> None:
    """Call `act` with each line's content, for ever; a mark is said in answer, once all before it is done. A line that
    means nothing (ValueError) is named on stderr.
    """
    done_bytes = 0
    while True:
        data = _bytes_from(control, done_bytes)
        whole = data[: data.rfind(b"\n") + 1]
        done_bytes += len(whole)
        for line in whole.splitlines():
            try:
                row = json.loads(line)
                if isinstance(row, dict) and set(row) == {MARK}:
                    say(row)
                else:
                    await act(row)
            except ValueError as error:
                sys.stderr.write(f"control: {error}\n")
        await asyncio.sleep(poll_s)


def _bytes_from(control: Path, start: int) -> bytes:
    return control.read_bytes()[start:] if control.exists() else b""
