"""How a process of the bench is told what to do, by JSON lines in a file that it follows, and what it says itself."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any


def say(row: dict[str, Any]) -> None:
    """A line to whoever started this process."""
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


def order(control: Path, row: dict[str, Any]) -> None:
    """Append a line."""
    with control.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


async def follow(control: Path, poll_s: float, act: Callable[[Any], Awaitable[None]]) -> None:
    """Call `act` with each line's content, for ever. A line that means nothing (ValueError) is named on stderr."""
    done_bytes = 0
    while True:
        data = _bytes_from(control, done_bytes)
        whole = data[: data.rfind(b"\n") + 1]
        done_bytes += len(whole)
        for line in whole.splitlines():
            try:
                await act(json.loads(line))
            except ValueError as error:
                sys.stderr.write(f"control: {error}\n")
        await asyncio.sleep(poll_s)


def _bytes_from(control: Path, start: int) -> bytes:
    return control.read_bytes()[start:] if control.exists() else b""
