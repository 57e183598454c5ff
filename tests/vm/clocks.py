# What a clock is tried on: a board whose time of day is a number, an RTC's memory that notes what it is told.
from terminal.clock import Clock
from terminal.rtc_memory import DRIFT_PPM

NOW_S = 1790000000


class Board:
    def __init__(self, rtc_s: "int | None" = None) -> None:
        self.uptime = 5000
        self.rtc = rtc_s
        self.port_s = rtc_s  # what TLS sees

    def uptime_ms(self) -> int:
        return self.uptime

    def rtc_s(self) -> "int | None":
        return self.rtc

    def set_rtc_s(self, unix_s: int) -> None:
        self.rtc = self.port_s = unix_s

    def hold_rtc_s(self, unix_s: int) -> None:
        self.port_s = unix_s

    def random_bytes(self, count: int) -> bytes:
        return bytes(count - 1) + b"\3"


class Memory:
    """Of an RTC that was set an hour ago."""

    def __init__(self) -> None:
        self.noted: list[tuple[int, int]] = []

    def error_ms(self, _rtc_s: int) -> int:
        return 1000 + 3600 * DRIFT_PPM // 1000

    def note(self, unix_s: int, error_s: int) -> None:
        self.noted.append((unix_s, error_s))


def answered(clock: Clock, board: Board, true_ms: int, trip_ms: int = 200) -> "int | None":
    """A frame goes up at `true_ms`, its ack comes down trip_ms later, written half-way."""
    sent = clock.stamp()
    board.uptime += trip_ms
    return clock.heard(true_ms + trip_ms // 2, (clock.boot_id, sent))


def now_s(clock: Clock) -> "int | None":
    now = clock.now_ms()
    return None if now is None else now // 1000
