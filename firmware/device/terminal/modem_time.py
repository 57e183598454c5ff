# Time from a modem, which has it from its network (NITZ): the answer to AT+CCLK? (3GPP TS 27.007, 8.16).
#
#   +CCLK: "yy/MM/dd,hh:mm:ss+zz"     local time; zz: quarters of an hour that it is ahead of UTC
#
# Nobody vouches for it, and networks are a minute off (3GPP TS 22.042), so it ranks above the RTC and below all else:
# it is asked only while neither SNTP nor the gateway has told the time in this start, never believed below the clock's
# floor (a modem that has no network yet begins in 2004, or in 1970 or 1980, which are no years here), and both may
# correct it. An answer without a zone is
# not believed: it may be eight hours off.
from protocol import record

ERROR_MS = 60000
_YEAR_MAX = 69  # 70 and 80 are 1970 and 1980: no network has told it the time
_EVERY_MS = 60000  # a modem takes minutes to find its network
_HEAD = b'+CCLK: "'
_SIGNS = {0x2B: 1, 0x2D: -1}
_SEPARATORS = b"//,::"
_ZONE_MAX = 56  # quarters of an hour: UTC+14
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_CENTURY_DAYS = 10957  # from 1970 to 2000


class ModemTime:
    """`board` gives modem_time() and real_ms(); `due` whenever it may be time to ask."""

    def __init__(self, board, clock, on_event, say) -> None:  # type: ignore[no-untyped-def]
        self._board = board
        self._clock = clock
        self._on_event = on_event
        self._say = say
        self._due_ms = 0

    def due(self) -> None:
        """Ask, if that is of use and long enough ago."""
        now_ms = self._board.real_ms()
        if self._clock.source >= record.CLOCK_SNTP or now_ms < self._due_ms:
            return
        self._due_ms = now_ms + _EVERY_MS
        unix_s = parse(self._board.modem_time() or b"")
        if unix_s is None:
            return
        step_s = self._clock.heard_sntp(self._clock.uptime_ms(), 1000 * unix_s + 500, ERROR_MS)
        if step_s is not None:
            self._say("clock set by the modem, step", step_s, "s, error", self._clock.error_s(), "s")
            self._on_event(record.CLOCK_SET, None, [step_s])


def parse(answer: bytes) -> "int | None":
    """Unix seconds; None: it tells no time."""
    at = answer.find(_HEAD) + len(_HEAD)
    text = answer[at : at + 21]
    if at < len(_HEAD) or len(text) < 21 or text[20] != 0x22 or text[17] not in _SIGNS:
        return None
    numbers = [_two_digits(text, at) for at in range(0, 21, 3)]
    if min(numbers) < 0 or any(text[3 * at + 2] != _SEPARATORS[at] for at in range(5)):
        return None
    year, month, day, hour, minute, second, zone = numbers
    if year > _YEAR_MAX or not 1 <= month <= 12 or not 1 <= day <= _days(year, month):
        return None
    if hour > 23 or minute > 59 or second > 59 or zone > _ZONE_MAX:
        return None
    days = _CENTURY_DAYS + 365 * year + (year + 3) // 4 + sum(_days(year, one) for one in range(1, month)) + day - 1
    return 86400 * days + 3600 * hour + 60 * minute + second - 900 * _SIGNS[text[17]] * zone


def _days(year: int, month: int) -> int:
    """Of a month in 2000 to 2099."""
    return _MONTH_DAYS[month - 1] + (month == 2 and year % 4 == 0)


def _two_digits(text: bytes, at: int) -> int:
    """-1: they are none."""
    digits = text[at : at + 2]
    return int(digits) if digits.isdigit() else -1
