"""The log's own events, for scripts that have no clock."""

from protocol import limits, record


def log_event(seq: int, code: int, values: "tuple[int, ...]") -> bytes:
    """What terminal.log.Log calls to say something."""
    unknown = (record.CLOCK_NONE, limits.CLOCK_ERROR_S_MAX)
    return record.encode_event(seq, record.Event(None, 1, 0, *unknown, code, None, list(values)))
