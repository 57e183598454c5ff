# The terminal's console: one line a notable thing, never more than a slow serial line takes.


class Console:
    """Prints at most `lines` lines in `span_ms`; says afterwards how many it left out."""

    def __init__(self, now_ms, lines: int = 40, span_ms: int = 10000) -> None:  # type: ignore[no-untyped-def]
        self._now_ms = now_ms
        self._lines = lines
        self._span_ms = span_ms
        self._begin_ms = now_ms()
        self._said = 0
        self._left_out = 0

    def say(self, *parts: object) -> None:
        """Print one line: process time in seconds, then the parts."""
        now = self._now_ms()
        if now - self._begin_ms >= self._span_ms:
            self._begin_ms = now
            self._said = 0
        if self._said >= self._lines:
            self._left_out += 1
            return
        self._said += 1
        if self._left_out:
            print(self._left_out, "lines left out")
            self._left_out = 0
        print("%d.%03d" % (now // 1000, now % 1000), *parts)
