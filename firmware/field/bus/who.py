# DL/T 645's question for the address of the one meter on a line, or of those whose numbers end alike, in the form that
# the bus asks of a protocol (terminal.bus_protocol). Runs on the laptop, and as text on a terminal. All whom it means
# answer at once, so no terminal asks it by itself.
from collections import namedtuple

from terminal.bus_protocol import GARBLED, GOT, INCOMPLETE

PIECE_MS = 500  # Tb, DL/T 645-2007, 5.3
REQUEST = b"\xfe\xfe\xfe\xfe\x68\xaa\xaa\xaa\xaa\xaa\xaa\x68\x13\x00\xdf\x16"  # 7.1: read the address
END_DIGITS_MAX = 10  # of a shortened address: two at least are left open
_ANSWER = b"\x68\x93\x06"  # the second 68, C, L
_FRAME_BYTES = 18
_READ = b"\x68\x11\x04\x34\x37\x33\x37"  # read 04000401, the meter's address; each byte of it + 33H
_READ_ANSWER = b"\x68\x91\x0a\x34\x37\x33\x37"
_READ_FRAME_BYTES = 22

Request = namedtuple("Request", ("raw",))  # noqa: PYI024  no typing.NamedTuple on the terminal


def request(address, read) -> Request:  # type: ignore[no-untyped-def]  # noqa: ARG001  there is one
    # address: "" for anybody, or the last digits of a number, two to ten. Raises ValueError.
    if not address:
        return Request(REQUEST)
    if not isinstance(address, str) or len(address) % 2 or len(address) > END_DIGITS_MAX:
        raise ValueError(f"the last digits of a number, two to ten: {address!r}")
    end = bytes([int(address[at], 10) << 4 | int(address[at + 1], 10) for at in range(0, len(address), 2)])
    wire = bytes(reversed(end)) + b"\xaa" * (6 - len(end))
    frame = b"\x68" + wire + _READ
    return Request(b"\xfe\xfe\xfe\xfe" + frame + bytes((sum(frame) & 0xFF, 0x16)))


def scan(data: "bytes | bytearray", request: Request) -> "tuple[int, bytes | None, int]":
    # bus_protocol's `scan`; the data are the address as the terminal writes it, 12 digits.
    addresses = addresses_in(data)
    if addresses:
        return GOT, addresses[0].encode(), 0
    rest = bytes(data).replace(request.raw, b"").lstrip(b"\xfe")
    if len(rest) > _READ_FRAME_BYTES:
        return GARBLED, None, len(rest)
    return INCOMPLETE, None, len(rest)


def addresses_in(data: "bytes | bytearray") -> "list[str]":
    # The addresses of all intact answers to either question, also behind noise and an echo.
    found = []
    for at in range(len(data) - _FRAME_BYTES + 1):
        for answer, size in ((_ANSWER, _FRAME_BYTES), (_READ_ANSWER, _READ_FRAME_BYTES)):
            frame = bytes(data[at : at + size])
            if len(frame) < size or frame[0] != 0x68 or frame[7 : 7 + len(answer)] != answer:
                continue
            if frame[-1] != 0x16 or sum(frame[:-2]) & 0xFF != frame[-2]:
                continue
            digits = "".join(["%02x" % ((byte - 0x33) & 0xFF) for byte in reversed(frame[-8:-2])])
            if digits.isdigit():
                found.append(digits)
    return found
