"""Minimises the corpus: `python -m tests.fuzz.keep [FOLDER]` adds FOLDER's files to it (build/fuzz/corpus), then drops
every input that takes no step in the Python codec which a shorter one did not take, and is refused for no new cause.
"""

import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import protocol
from protocol import frame
from protocol.errors import FrameError
from tests.cext.both import PYTHON_KEYS, TERMINAL
from tests.fuzz import inputs

CODEC = str(Path(protocol.__file__).parent)


def steps_of(data: bytes) -> set[object]:
    """Each (file, line before, line) that the codec takes with this input; and why, and from where, it is refused."""
    steps: set[object] = set()
    before: dict[FrameType, int] = {}

    def trace(call: FrameType, event: str, _: Any) -> Any:
        file = call.f_code.co_filename
        if not file.startswith(CODEC):
            return None
        if event == "line":
            steps.add((file, before.get(call, 0), call.f_lineno))
            before[call] = call.f_lineno
        return trace

    sys.settrace(trace)
    try:
        frame.open_frame(inputs.frame_of(data), TERMINAL, PYTHON_KEYS)
    except FrameError as error:
        steps.add((error.reason, *(place.lineno for place in traceback.extract_tb(error.__traceback__))))
    finally:
        sys.settrace(None)
    return steps


def main() -> None:
    """See above."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/fuzz/corpus")
    found = {*inputs.kept(), *(file.read_bytes() for file in folder.glob("*") if file.is_file())}
    seen: set[object] = set()
    kept: set[bytes] = set()
    for data in sorted(found, key=lambda one: (len(one), one)):
        steps = steps_of(data)
        if not steps <= seen:
            seen |= steps
            kept.add(data)
    inputs.keep(kept)
    print(f"{len(found)} inputs, {len(kept)} kept, {sum(map(len, kept))} bytes, {len(seen)} steps and causes")


if __name__ == "__main__":
    main()
