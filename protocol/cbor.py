"""Deterministic CBOR (RFC 8949, 4.2.1), reduced to what the contract uses: integers, byte and text strings, arrays,
one header map, null, true, false. Anything else is refused with a reason and the offset at which it stands.
"""

from protocol.errors import FrameError

UINT = 0
NINT = 1
BSTR = 2
TSTR = 3
ARRAY = 4
MAP = 5
TAG = 6
SIMPLE = 7

NULL = 0xF6
FALSE = 0xF4
TRUE = 0xF5


def head(major: int, value: int) -> bytes:
    """The shortest head for a major type and its argument (0 <= value < 2**64)."""
    top = major << 5
    if value < 24:
        return bytes((top | value,))
    if value < 0x100:
        return bytes((top | 24, value))
    if value < 0x10000:
        return bytes((top | 25, value >> 8, value & 0xFF))
    if value < 0x100000000:
        return bytes((top | 26,)) + value.to_bytes(4, "big")
    return bytes((top | 27,)) + value.to_bytes(8, "big")


def integer(value: int) -> bytes:
    """An integer, negative ones as -1 - n."""
    return head(UINT, value) if value >= 0 else head(NINT, -1 - value)


def optional(value: "int | None") -> bytes:
    """An integer, or null for what is absent."""
    return b"\xf6" if value is None else integer(value)


def bstr(value: bytes) -> bytes:
    """A byte string."""
    return head(BSTR, len(value)) + value


def tstr(value: str) -> bytes:
    """A text string."""
    data = value.encode()
    return head(TSTR, len(data)) + data


def array(items: "list[bytes]") -> bytes:
    """An array of items that are encoded already."""
    return head(ARRAY, len(items)) + b"".join(items)


def integers(values: "tuple[int, ...]") -> bytes:
    """An array of integers."""
    return array([integer(value) for value in values])


class Reader:
    """Reads `data[at:end]` item by item; every byte of a frame passes through here, checked before it is trusted.

    `short` is the reason given when the bytes end: `truncated` for the frame itself, `ends_early` inside its payload.
    """

    def __init__(self, data: bytes, at: int = 0, end: "int | None" = None, short: str = "truncated") -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end
        self.short = short
        self.item_at = at  # where the item read last begins: the offset that an error names

    def fail(self, reason: str) -> FrameError:
        """The error to raise about the item read last."""
        return FrameError(reason, self.item_at)

    def peek(self) -> int:
        """The next byte, not consumed."""
        if self.at >= self.end:
            raise FrameError(self.short, self.end)
        return self.data[self.at]

    def head(self) -> "tuple[int, int]":
        """(major type, argument) of the next item; strings' and arrays' content follows."""
        first = self.peek()
        self.item_at = self.at
        major = first >> 5
        info = first & 0x1F
        if major == SIMPLE:
            raise self.fail(_simple_reason(info))
        if info < 24:
            self.at += 1
            return major, info
        if info > 27:
            raise self.fail("indefinite" if info == 31 else "reserved")
        size = 1 << (info - 24)
        begin = self.at + 1
        if begin + size > self.end:
            raise FrameError(self.short, self.end)
        value = int.from_bytes(self.data[begin : begin + size], "big")
        if value < (24 if size == 1 else 1 << (4 * size)):
            raise self.fail("not_shortest")
        self.at = begin + size
        return major, value

    def uint(self, maximum: int) -> int:
        """An unsigned integer, 0 to `maximum`."""
        major, value = self.head()
        if major != UINT:
            raise self.fail("type")
        if value > maximum:
            raise self.fail("range")
        return value

    def integer(self, minimum: int, maximum: int) -> int:
        """An integer, `minimum` to `maximum`."""
        major, value = self.head()
        if major > NINT:
            raise self.fail("type")
        if major == NINT:
            value = -1 - value
        if value < minimum or value > maximum:
            raise self.fail("range")
        return value

    def null(self) -> bool:
        """True, and consumed, if the next item is null."""
        if self.peek() != NULL:
            return False
        self.item_at = self.at
        self.at += 1
        return True

    def optional_uint(self, maximum: int) -> "int | None":
        """An unsigned integer, or None for null."""
        return None if self.null() else self.uint(maximum)

    def optional_integer(self, minimum: int, maximum: int) -> "int | None":
        """An integer, or None for null."""
        return None if self.null() else self.integer(minimum, maximum)

    def array(self, minimum: int, maximum: int) -> int:
        """The number of items of an array, `minimum` to `maximum`; the items follow."""
        major, count = self.head()
        if major != ARRAY:
            raise self.fail("type")
        if count < minimum or count > maximum:
            raise self.fail("count")
        return count

    def bstr(self, minimum: int, maximum: int) -> "tuple[int, int]":
        """(begin, end) of a byte string's content, `minimum` to `maximum` bytes."""
        return self._string(BSTR, minimum, maximum)

    def tstr(self, minimum: int, maximum: int) -> str:
        """A text string of printable ASCII, `minimum` to `maximum` characters."""
        begin, end = self._string(TSTR, minimum, maximum)
        content = bytes(self.data[begin:end])
        if not all(0x20 <= one < 0x7F for one in content):
            raise self.fail("range")
        return content.decode()

    def done(self, reason: str = "trailing") -> None:
        """Raise `reason` if bytes are left."""
        if self.at != self.end:
            raise FrameError(reason, self.at)

    def _string(self, kind: int, minimum: int, maximum: int) -> "tuple[int, int]":
        major, size = self.head()
        if major != kind:
            raise self.fail("type")
        if size < minimum or size > maximum:
            raise self.fail("range")
        begin = self.at
        if begin + size > self.end:
            raise FrameError(self.short, self.end)
        self.at = begin + size
        return begin, self.at


def _simple_reason(info: int) -> str:
    if info >= 28:
        return "indefinite" if info == 31 else "reserved"
    return "float" if 25 <= info <= 27 else "type"
