# DL/T 645's question for the address of the one meter on a line, in the form that the bus asks of a protocol
# (terminal.bus_protocol). Runs on the laptop, and as text on a terminal. All meters on the line answer it, so no
# terminal asks it by itself.
from collections import namedtuple

from terminal.bus_protocol import GARBLED, GOT, INCOMPLETE

PIECE_MS = 500  # Tb, DL/T 645-2007, 5.3
REQUEST = b"\xfe\xfe\xfe\xfe\x68\xaa\xaa\xaa\xaa\xaa\xaa\x68\x13\x00\xdf\x16"  # 7.1: read the address
_ANSWER = b"\x68\x93\x06"  # the second 68, C, L
_FRAME_BYTES = 18

Request = namedtuple("Request", ("raw",))  # noqa: PYI024  no typing.NamedTuple on the terminal


def request(address, read) -> Request:  # type: ignore[no-untyped-def]  # noqa: ARG001  it is to nobody by name
    return Request(REQUEST)


def scan(data: "bytes | bytearray", request: Request) -> "tuple[int, bytes | None, int]":  # noqa: ARG001  there is one
    # bus_protocol's `scan`; the data are the address as the terminal writes it, 12 digits.
    addresses = addresses_in(data)
    if addresses:
        return GOT, addresses[0].encode(), 0
    rest = bytes(data).replace(REQUEST, b"").lstrip(b"\xfe")
    if len(rest) > _FRAME_BYTES:
        return GARBLED, None, len(rest)
    return INCOMPLETE, None, len(rest)


def addresses_in(data: "bytes | bytearray") -> "list[str]":
    # The addresses of all intact answers, also behind noise and an echo.
    found = []
    for at in range(len(data) - _FRAME_BYTES + 1):
        frame = bytes(data[at : at + _FRAME_BYTES])
        if frame[0] != 0x68 or frame[7:10] != _ANSWER or frame[17] != 0x16 or sum(frame[:16]) & 0xFF != frame[16]:
            continue
        digits = "".join(["%02x" % ((byte - 0x33) & 0xFF) for byte in reversed(frame[10:16])])
        if digits.isdigit():
            found.append(digits)
    return found
