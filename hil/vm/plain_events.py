"""Records for scripts that have no clock: the log's own events, and records that have a name and are of any length."""

from protocol import cbor, limits, record

_TEXT = 3  # CBOR's major type


def log_event(seq: int, code: int, values: "tuple[int, ...]") -> bytes:
    """What terminal.log.Log calls to say something."""
    unknown = (record.CLOCK_NONE, limits.CLOCK_ERROR_S_MAX)
    return record.encode_event(seq, record.Event(None, 1, 0, *unknown, code, None, list(values)))


def named(seq: int, name: str) -> bytes:
    """A record that only the bench understands; its length follows from its name."""
    run, count = name.split("-")
    text = name.encode() + b":" + b"x" * length_of(int(run), int(count))
    return b"\x83" + cbor.integer(seq) + b"\x01" + cbor.head(_TEXT, len(text)) + text


def length_of(run: int, count: int) -> int:
    """Of the filling: short events to the longest windows."""
    return 10 + (run * 7919 + count * 1237) % 3870 // (1 + count % 4)


def body_of(data: bytes) -> "str | None":
    """The name of such a record, if it is whole; None: it is another."""
    if len(data) < 2:
        return None
    reader = cbor.Reader(data, 0, len(data), "ends_early")
    reader.array(3, 3)
    reader.uint(limits.UINT32_MAX)
    reader.uint(limits.UINT32_MAX)
    major, size = reader.head()
    if major != _TEXT:
        return None
    name, _, filling = data[reader.at : reader.at + size].decode().partition(":")
    run, count = name.split("-")
    whole = filling == "x" * length_of(int(run), int(count)) and reader.at + size == len(data)
    return name if whole else None
