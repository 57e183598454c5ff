# Time of day, and how good it is. Never made up: before the first source it is None, and windows go by boot and uptime.
#
# Sources: the board's RTC when the program starts, if it is worth anything (rtc_memory.py; else windows go by boot and
# uptime, and are placed when the time is told), then the gateway's acks. An ack counts only if it is authenticated
# (protocol.ack) and echoes the (boot_id, sent_ms) of a frame that this boot sent at most ROUND_TRIP_MAX_MS ago, each
# once: an ack kept and played again cannot move the clock. What it says lies within its round trip: the gateway's clock
# was read somewhere between sending and hearing.
#
# And an SNTP server, if terminal.json names one: nobody vouches for it, so it is asked only while the gateway has not
# told the time, or so long ago that our bound of error is beyond GOOD_MS. It never contradicts what the gateway
# told in this boot, nor goes below the floor; and when the gateway speaks, what SNTP had said of the error counts not.
#
# Below both is a modem's (modem_time.py).
#
# A better time that our own bound of error allowed for is approached at SLEW_PPM, and the bound says how far there is
# to go: no window is cut, and the time never runs back. One that it did not allow for is a step, and an event.
#
# Certificates are checked by the port's own clock, and a broker that can't be believed tells no time. So that clock is
# held at a time that is surely past (`not_before`) while nobody told the time; each time a certificate is refused then,
# it is moved on by TRIAL_STEP_S (`certificate_refused`). So a certificate that expired after that past time may be let
# in, but none that expired before. Records are never stamped with it.
import array

from protocol import limits, record
from terminal import small_file
from terminal.rtc_memory import DRIFT_PPM, GOOD_MS

ROUND_TRIP_MAX_MS = limits.ECHO_MS_MAX  # a minute of error still finds the right window
STEP_MS = 2000  # a step beyond this is an event; below, windows of 900 s do not care
SLEW_PPM = 10000  # 9 s in a window, below terminal.window.STEP_MS
TRIAL_STEP_S = 30 * 86400  # shorter than any certificate is valid
TRIAL_SPAN_S = 20 * 365 * 86400  # then from the beginning
_STAMPS = 64  # frames whose echo is awaited; older ones would say little about the time
_RTC_STEP_MS = 1000  # RTCs count whole seconds


class Clock:
    """`board` gives uptime_ms(), rtc_s(), set_rtc_s(), hold_rtc_s() and random_bytes(); `boot` counts the starts.
    `boot_id` is another one for each, also where a chip that was put back counts a start twice. `rtc_memory` is an
    RtcMemory."""

    def __init__(self, board, boot: int, rtc_memory) -> None:  # type: ignore[no-untyped-def]
        self.boot = boot
        self.boot_id = int.from_bytes(board.random_bytes(4), "big")
        self.source = record.CLOCK_NONE
        self._board = board
        self._rtc_memory = rtc_memory
        self._offset_ms = 0  # Unix time less uptime, as it is told
        self._target_ms = 0  # and as it should be
        self._moved_ms = 0  # uptime at which _offset_ms was moved towards it
        self._error_ms: "int | None" = None  # at _checked_ms; None: not known
        self._checked_ms = 0
        self._stamps = array.array("Q", bytes(8 * _STAMPS))
        self._used = bytearray(_STAMPS)  # 1: that stamp's echo has told the time
        self._stamp_at = 0
        self._stamped_ms = 0
        self._proved: "tuple[int, int, int] | None" = None  # uptime, offset and error of the gateway's last word
        self._floor_s = 0
        self._trial_s = 0  # what certificates were checked by last, while nobody told the time
        rtc_s = board.rtc_s()
        error_ms = None if rtc_s is None else rtc_memory.error_ms(rtc_s)
        if error_ms is not None:
            self._checked_ms = board.uptime_ms()
            self._offset_ms = self._target_ms = rtc_s * 1000 + _RTC_STEP_MS // 2 - self._checked_ms
            self._error_ms = error_ms
            self.source = record.CLOCK_RTC

    def not_before(self, unix_s: int) -> None:
        """It is surely later than this. An RTC that shows less is wrong: then nobody told the time."""
        self._floor_s = max(self._floor_s, unix_s)
        now_ms = self.now_ms()
        if self.source == record.CLOCK_RTC and now_ms is not None and now_ms < 1000 * self._floor_s:
            self.source = record.CLOCK_NONE
        rtc_s = self._board.rtc_s()
        if self.source == record.CLOCK_NONE and (rtc_s is None or rtc_s < self._floor_s):
            self._hold(self._floor_s)  # else certificates are checked by what the RTC shows: it may be right

    def certificate_refused(self) -> None:
        """Perhaps only by the time, if the gateway did not tell it: have certificates checked by another."""
        if self.source == record.CLOCK_GATEWAY:
            return
        later_s = self._trial_s + TRIAL_STEP_S
        self._hold(later_s if self._floor_s < later_s < self._floor_s + TRIAL_SPAN_S else self._floor_s)

    def _hold(self, unix_s: int) -> None:
        self._trial_s = unix_s
        self._board.hold_rtc_s(unix_s)

    def uptime_ms(self) -> int:
        """Since this boot; never falls."""
        uptime: int = self._board.uptime_ms()
        return uptime

    def now_ms(self) -> "int | None":
        """Unix time; None: not known yet."""
        return self.unix_ms(self.uptime_ms())

    def unix_ms(self, uptime_ms: int) -> "int | None":
        """Unix time at an uptime that was just read, so that both are of one instant; None: not known yet."""
        return None if self.source == record.CLOCK_NONE else self._told_ms(uptime_ms)

    def error_s(self) -> int:
        """Bound of the error; limits.CLOCK_ERROR_S_MAX: not known."""
        error = self._error_at_ms(self.uptime_ms())
        if error is None:
            return limits.CLOCK_ERROR_S_MAX
        return min((error + 999) // 1000, limits.CLOCK_ERROR_S_MAX - 1)

    def stamp(self) -> int:
        """The uptime for a frame that is sealed now; no two frames have the same. Its echo is awaited."""
        self._stamped_ms = max(self.uptime_ms(), self._stamped_ms + 1)
        self._stamps[self._stamp_at] = self._stamped_ms
        self._used[self._stamp_at] = 0
        self._stamp_at = (self._stamp_at + 1) % _STAMPS
        return self._stamped_ms

    def is_of_this_start(self, echo: "tuple[int, int] | None") -> bool:
        """True if it names a frame of this start, however old."""
        return echo is not None and echo[0] == self.boot_id

    def is_fresh(self, echo: "tuple[int, int] | None") -> bool:
        """True if it names a frame that was stamped in this boot, ROUND_TRIP_MAX_MS ago at most."""
        return self._stamp_of(echo) >= 0

    def heard(self, time_ms: int, echo: "tuple[int, int] | None", since_ms: "int | None" = None) -> "int | None":
        """The gateway's time, from an authenticated ack; read after the uptime `since_ms`, if that is known better than
        by its echo. Returns the step in seconds if the clock was set for the first time (0) or by more than STEP_MS."""
        at = self._stamp_of(echo)
        if at < 0 or self._used[at]:
            return None
        self._used[at] = 1
        uptime = self.uptime_ms()
        round_trip = uptime - max(self._stamps[at], since_ms or 0)
        now_ms, error_ms = time_ms + round_trip // 2, round_trip // 2 + 1
        self._proved = (uptime, now_ms - uptime, error_ms)
        return self._compare(uptime, now_ms, error_ms, record.CLOCK_GATEWAY)

    def wants_sntp(self) -> bool:
        """Whether an SNTP server's time would be of use."""
        error_ms = self._error_at_ms(self.uptime_ms())
        return self.source != record.CLOCK_GATEWAY or error_ms is None or error_ms > GOOD_MS

    def heard_sntp(self, uptime: int, time_ms: int, error_ms: int) -> "int | None":
        """The time of an SNTP server or a modem at `uptime`. Returns as `heard`; None too if it is not believed."""
        if not self.wants_sntp() or time_ms < 1000 * self._floor_s:
            return None
        if self._proved is not None:
            at_ms, offset_ms, proved_error_ms = self._proved
            drift_ms = (uptime - at_ms) * DRIFT_PPM // 1000000
            if abs(time_ms - uptime - offset_ms) > proved_error_ms + drift_ms + error_ms:
                return None
        return self._compare(uptime, time_ms, error_ms, record.CLOCK_SNTP)

    def _compare(self, uptime: int, time_ms: int, error_ms: int, source: int) -> "int | None":
        """Take the better of our time and `time_ms` +- `error_ms`, both at `uptime`. What a lesser source said of our
        error is not counted."""
        if self.source == record.CLOCK_NONE:
            self._aim(uptime, time_ms, error_ms, source)
            self._offset_ms = self._target_ms
            return 0
        own_error = self._error_at_ms(uptime) if self.source >= source else None
        own = self._told_ms(uptime)
        step = time_ms - own
        if abs(step) <= error_ms:  # ours is confirmed
            confirmed = error_ms + abs(step)
            if own_error is None or confirmed < own_error:
                self._aim(uptime, own, confirmed, source)
            return None
        if own_error is not None and abs(step) <= own_error + error_ms:  # both can be right: go to the narrower
            if error_ms < own_error:
                self._aim(uptime, time_ms, error_ms, source)
            return None
        self._aim(uptime, time_ms, error_ms, source)
        self._offset_ms = self._target_ms
        return (step + 500) // 1000 if abs(step) > STEP_MS else None

    def _aim(self, uptime: int, time_ms: int, error_ms: int, source: int) -> None:
        """From now on the clock should tell what it was at `uptime`: `time_ms` +- `error_ms`, as `source` says."""
        self._checked_ms = uptime
        self._target_ms = time_ms - uptime
        self._error_ms = error_ms
        self.source = source
        self._board.set_rtc_s(time_ms // 1000)
        self._rtc_memory.note(time_ms // 1000, (error_ms + 999) // 1000)

    def _told_ms(self, uptime: int) -> int:
        """What the clock tells, a little nearer to what it should."""
        gap = self._target_ms - self._offset_ms
        most = (uptime - self._moved_ms) * SLEW_PPM // 1000000
        if most or not gap:
            self._offset_ms += max(-most, min(most, gap))
            self._moved_ms = uptime
        return self._offset_ms + uptime

    def _error_at_ms(self, uptime: int) -> "int | None":
        if self._error_ms is None:
            return None
        drift = (uptime - self._checked_ms) * DRIFT_PPM // 1000000
        return self._error_ms + drift + abs(self._target_ms - self._offset_ms)

    def _stamp_of(self, echo: "tuple[int, int] | None") -> int:
        """Where the stamp that a fresh echo names is kept; -1: nowhere, or it is too old."""
        if echo is None or echo[0] != self.boot_id or echo[1] < max(self.uptime_ms() - ROUND_TRIP_MAX_MS, 1):
            return -1
        for at in range(_STAMPS):
            if self._stamps[at] == echo[1]:
                return at
        return -1


def next_boot(path: str, counters) -> int:  # type: ignore[no-untyped-def]
    """Count this start in a small file and in the counters; 1 is the first. Durable before it is used. Never falls, as
    long as one of the two is there and not put back; raises OSError only if neither takes it."""
    boot = max(int.from_bytes(small_file.read(path) or b"\0", "big"), counters.boot) + 1
    try:
        counters.raise_boot(boot)
    except OSError:
        small_file.write(path, boot.to_bytes(4, "big"))
        return boot
    try:
        small_file.write(path, boot.to_bytes(4, "big"))
    except OSError:
        return boot  # a file system that is full: the counters lie beside it
    return boot
