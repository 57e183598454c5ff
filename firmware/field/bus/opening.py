"""Opens a bus as a command's options say: which wire, and whether what goes over it is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from firmware.field.bus.adapter import Adapter
from firmware.field.bus.reach import Reach, Watched
from firmware.field.bus.traffic import Capture


@contextlib.contextmanager
def opened(port: str, capture: Path | None = None) -> Iterator[Reach]:
    """The bus at a port until the end of the `with`. Raises ReachError; OSError of the capture's file."""
    with contextlib.ExitStack() as closing:
        reach: Reach = closing.enter_context(Adapter(port))
        if capture is not None:
            file = closing.enter_context(capture.open("w", encoding="utf-8"))
            reach = Watched(reach, Capture(file).heard)
        yield reach
