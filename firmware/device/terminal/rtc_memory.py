# What the RTC's time is worth at a start. Nothing, unless this terminal has set it itself by a source that it believes,
# and remembers when: a clock that was set by a factory, a hand or a fault looks like a right one. Then it is as good as
# a crystal keeps it; beyond RTC_GOOD_MS a window might rather be another one, and it is worth nothing again. What no
# terminal can tell: a clock that has jumped ahead by less than the two weeks until then. The first ack shows it, by a
# step (CLOCK_SET); windows closed since the start and before that step stand ahead by so much.
#
# File: Unix s u32, its error s u16, little endian (small_file.py).
import struct

from terminal import small_file

DRIFT_PPM = 100  # a crystal from -40 to 85 degrees, aged ten years
GOOD_MS = 60000  # of our own clock: a week of drift, windows are still the right ones
RTC_GOOD_MS = 150000  # two weeks of drift; the error that the slowest ack leaves is within it (limits.ECHO_MS_MAX)
_KEPT_S = 21600  # written four times a day at most: an older word costs two seconds of the bound


class RtcMemory:
    """When a believed source last told the time, kept in a file over starts."""

    def __init__(self, path: str) -> None:
        self._path = path
        data = small_file.read(path)
        self._told = struct.unpack("<IH", data) if data and len(data) == 6 else None

    def error_ms(self, rtc_s: int) -> "int | None":
        """The bound of the RTC's error, if it shows `rtc_s`; None: it is worth nothing."""
        if self._told is None:
            return None
        set_s, error_s = self._told
        since_s = rtc_s - set_s
        error_ms: int = 1000 * error_s + 1000 + max(since_s, 0) * DRIFT_PPM // 1000  # RTCs count whole seconds
        return error_ms if since_s >= -1 - error_s and error_ms <= RTC_GOOD_MS else None

    def note(self, unix_s: int, error_s: int) -> None:
        """The RTC was set to this. Written if what is there is old, says less of the error, or more than twice that."""
        told = self._told
        if told is not None and 0 <= unix_s - told[0] < _KEPT_S and told[1] // 2 < error_s <= told[1]:
            return
        self._told = (unix_s, min(error_s, 0xFFFF))
        try:
            small_file.write(self._path, struct.pack("<IH", *self._told))
        except OSError:  # the time was told all the same; the next start does not believe the RTC
            self._told = None
