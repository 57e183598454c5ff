"""Times as HJ 212 writes them: Beijing time (UTC+8, no summer time), digits only, without a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

_OFFSET = timedelta(hours=8)
_BEIJING = timezone(_OFFSET)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def data_time(unix_s: int) -> str:
    """`YYYYMMDDhhmmss` of a unix second."""
    return (_EPOCH + timedelta(seconds=unix_s)).astimezone(_BEIJING).strftime("%Y%m%d%H%M%S")


def unix_s_of(text: str) -> int | None:
    """Unix second of a `YYYYMMDDhhmmss`, or None when it is no such time."""
    return None if len(text) != 14 else _seconds(text)


def start_of(unix_s: int, length_s: int) -> int:
    """The start of the hour or day, or of what else divides a day, that this unix second is in."""
    offset_s = int(_OFFSET.total_seconds())
    return (unix_s + offset_s) // length_s * length_s - offset_s


def qn_of(unix_ms: int) -> str:
    """The QN (`YYYYMMDDhhmmsszzz`) of a unix millisecond."""
    return data_time(unix_ms // 1000) + f"{unix_ms % 1000:03d}"


def unix_ms_of(qn: str) -> int | None:
    """Unix millisecond of a QN, or None when it is no such time."""
    if len(qn) != 17 or not _digits(qn):
        return None
    seconds = _seconds(qn[:14])
    return None if seconds is None else seconds * 1000 + int(qn[14:])


def next_qn(last_qn: str | None, now_ms: int) -> str:
    """The QN to use now: the time, or one millisecond after `last_qn` when the clock is not past it.

    Strictly increasing, so that no two packets of a connection share a QN whatever the clock does.
    `last_qn` is what this function gave last, kept by the caller (None: never). ValueError when it is no QN.
    """
    if last_qn is None:
        return qn_of(now_ms)
    last_ms = unix_ms_of(last_qn)
    if last_ms is None:
        raise ValueError(f"not a QN: {last_qn!r}; a QN is YYYYMMDDhhmmsszzz")
    return qn_of(max(now_ms, last_ms + 1))


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _seconds(text: str) -> int | None:
    if not _digits(text):
        return None
    month, day, hour, minute, second = (int(text[i : i + 2]) for i in range(4, 14, 2))
    try:
        moment = datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=_BEIJING)
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(seconds=1)
