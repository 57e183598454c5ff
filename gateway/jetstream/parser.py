"""The receiving side of NATS's text protocol (docs.nats.io, Client Protocol), without I/O: bytes in, messages out."""

from typing import NamedTuple

LINE_BYTES_MAX = 1 << 16  # INFO of a large cluster; the server's own limit of a control line is 4 KiB
MESSAGE_BYTES_MAX = 8 << 20  # of one message: a server takes 1 MiB unless told otherwise, and 8 MiB at most by advice
_END = b"\r\n"
_MESSAGE, _WITH_HEAD = ord("M"), ord("H")
_STATUS_AT, _STATUS_END = len(b"NATS/1.0 "), len(b"NATS/1.0 503")


class Message(NamedTuple):
    """What came. status: of an answer that is none (404, 408, 503 ...), else 0."""

    subject: bytes
    reply: bytes
    status: int
    data: bytes


class Parser:
    """The messages of one connection, from its first byte on. `lines` is what else the server said."""

    def __init__(self) -> None:
        self._left = b""
        self.lines: list[bytes] = []  # INFO, PING, PONG, +OK, -ERR; for who feeds to take away

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes. Raises ValueError where they are not the protocol's."""
        data = self._left + data if self._left else data
        found, at = list[Message](), 0
        while (end := data.find(_END, at)) >= 0:
            kind = data[at]
            if kind not in (_MESSAGE, _WITH_HEAD):
                self.lines.append(data[at:end])
                at = end + 2
                continue
            subject, reply, head_size, size = _announced(data[at:end].split(b" "), has_head=kind == _WITH_HEAD)
            begin = end + 2
            if begin + size + 2 > len(data):
                break
            found.append(_message(subject, reply, head_size, data[begin : begin + size]))
            at = begin + size + 2
        self._left = data[at:]
        if end < 0 and len(self._left) > LINE_BYTES_MAX:
            raise ValueError("a line without an end")
        return found


def _announced(words: list[bytes], *, has_head: bool) -> tuple[bytes, bytes, int, int]:
    """(subject, reply, head's size, size): of MSG subject sid [reply] size, or HMSG subject sid [reply] head size."""
    sizes = 2 if has_head else 1
    if not 3 + sizes <= len(words) <= 4 + sizes:
        raise ValueError(f"{words[0]!r} with {len(words)} words")
    size, head_size = int(words[-1]), int(words[-2]) if has_head else 0
    if not 0 <= head_size <= size <= MESSAGE_BYTES_MAX:
        raise ValueError(f"a message of {size} bytes")
    return words[1], words[3] if len(words) == 4 + sizes else b"", head_size, size


def _message(subject: bytes, reply: bytes, head_size: int, content: bytes) -> Message:
    status = content[_STATUS_AT:_STATUS_END] if head_size else b""
    return Message(subject, reply, int(status) if status.isdigit() else 0, content[head_size:])
