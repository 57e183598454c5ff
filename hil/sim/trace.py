"""What happened in a run, in order: a digest over all of it, and the last lines for whoever wants to know why."""

import hashlib
from collections import deque
from collections.abc import Callable

LINES_KEPT = 400  # the story before a failure; a replay writes all of it to a file


class Trace:
    """`digest` is the same for two runs only if all was the same, to the byte and to the microsecond."""

    def __init__(self, now_us: Callable[[], int], write: Callable[[str], object] | None = None) -> None:
        self._now_us = now_us
        self._write = write
        self._hash = hashlib.blake2b(digest_size=16)
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.count = 0  # lines so far: where in the file of a replay this moment stands

    def add(self, who: str, what: str, data: bytes = b"") -> None:
        """Someone did something, with these bytes."""
        self.count += 1
        now_us = self._now_us()
        line = f"{now_us // 1000:10d} {who}: {what}"
        self._hash.update(b"%d %d " % (now_us, len(data)))
        self._hash.update(line.encode())
        self._hash.update(data)
        self.lines.append(line)
        if self._write is not None:
            self._write(line + (f" {data.hex()}\n" if data else "\n"))

    def digest(self) -> str:
        """Over everything so far, hex."""
        return self._hash.hexdigest()
