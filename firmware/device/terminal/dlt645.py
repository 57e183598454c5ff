# DL/T 645-2007, the reading half: the protocol of Chinese electricity meters. Pure: bytes in, verdicts out.
#
#   [FE FE FE FE] 68 A0..A5 68 C L DATA CS 16        (5.2)
#
# A is the address, 12 BCD digits, low byte first. DATA has L bytes, each + 33H modulo 256 on the wire. CS is the sum of
# all bytes from the first 68 to the last of DATA, modulo 256. C: bit 7 from the meter, bit 6 refusal, bit 5 more
# follows, bits 4 to 0 function. A 16, 68 or FE may stand anywhere inside: a frame is found by its two 68, ends where L
# says, and only then are CS and 16 looked at.
#
# There is no encoder for function 14H, 1CH or any other that changes a meter, and none can be asked for: a request is
# made of one of two functions, an address of 12 digits and a data identifier. The wildcard address AA.. is a
# technician's, with one meter on the bus; a terminal always names its meter.
from collections import namedtuple

from protocol.configuration import is_dlt645_address
from terminal.bus_protocol import EXCEPTION, GARBLED, GOT, INCOMPLETE, MORE, NO_SUCH_DATA

PIECE_MS = 500  # Tb: the bytes of a frame follow each other within 500 ms (5.3)
READ_DATA = 0x11
READ_FOLLOWING = 0x12
ADDRESS_DIGITS = 12
DATA_BYTES_MAX = 200  # 5.2.5: L of a read

_START, _END, _WAKE_UP, _OFFSET = 0x68, 0x16, 0xFE, 0x33
_HEAD_BYTES = 10  # 68, address, 68, C, L
_IDENTIFIER_BYTES = 4
_PARTS_MAX = 255  # the sequence number is one byte
_FROM_METER, _REFUSAL, _MORE = 0x80, 0x40, 0x20

# address, content: as they are on the wire; function, part: of this request
Request = namedtuple("Request", ("address", "function", "part", "content", "raw"))


def request(address: str, read) -> Request:  # type: ignore[no-untyped-def]
    # The request for a bus_protocol.Read of data identifier `read.first`.
    if read.function != READ_DATA:
        raise ValueError("function %02X: only reading exists here" % read.function)
    return read_request(address, read.first)


def read_request(address: str, identifier: int, part: int = 0) -> Request:
    # The request for the data of an identifier; `part` 1 and on: for what follows in an answer of several frames.
    if not 0 <= identifier <= 0xFFFFFFFF or not 0 <= part <= _PARTS_MAX:
        raise ValueError("identifier %X, part %d: out of range" % (identifier, part))
    content = identifier.to_bytes(_IDENTIFIER_BYTES, "little") + (bytes((part,)) if part else b"")
    content = bytes([(byte + _OFFSET) & 0xFF for byte in content])
    function = READ_FOLLOWING if part else READ_DATA
    wire = _address(address)
    frame = bytes((_START,)) + wire + bytes((_START, function, len(content))) + content
    raw = bytes((_WAKE_UP,)) * 4 + frame + bytes((sum(frame) & 0xFF, _END))
    return Request(wire, function, part, content[:_IDENTIFIER_BYTES], raw)


def following(request: Request, part: int) -> Request:
    identifier = int.from_bytes(bytes([(byte - _OFFSET) & 0xFF for byte in request.content]), "little")
    return read_request("".join(["%02x" % byte for byte in reversed(request.address)]), identifier, part)


def scan(data: "bytes | bytearray", request: Request) -> "tuple[int, bytes | int | None, int]":
    # bus_protocol's `scan`. Ours is only what has the address, function, identifier and part of the request; an intact
    # frame that is not ours is passed over whole, so that nothing inside it can be taken for an answer.
    # A refusal names no identifier: that it is not a late one is the bus's care.
    at = unexplained = 0
    end = len(data)
    hope = False
    while at < end:
        if data[at] == _WAKE_UP:  # says nothing: it may stand before any frame
            at += 1
            continue
        size = _frame_bytes(data, at, end)
        if size and at + size <= end and _is_intact(data, at, size):
            verdict, value = _said(data, at, size, request)
            if verdict != INCOMPLETE:
                return verdict, value, unexplained
            at += size
            continue
        hope = hope or at + size > end
        unexplained += 1
        at += 1
    return (INCOMPLETE if hope or not unexplained else GARBLED), None, unexplained


def _address(text: str) -> bytes:
    if not is_dlt645_address(text):
        raise ValueError("address %s: 12 digits that name one meter" % (text,))
    return bytes([int(text[at : at + 2], 16) for at in range(ADDRESS_DIGITS - 2, -1, -2)])


def _frame_bytes(data: "bytes | bytearray", at: int, end: int) -> int:
    # The length of the frame that begins at `at`, as far as it is known; 0 if none begins there.
    if data[at] != _START or (at + 7 < end and data[at + 7] != _START):
        return 0
    if at + _HEAD_BYTES > end:
        return _HEAD_BYTES + 2
    length = data[at + 9]
    return _HEAD_BYTES + length + 2 if length <= DATA_BYTES_MAX else 0


def _is_intact(data: "bytes | bytearray", at: int, size: int) -> bool:
    last = at + size - 1
    return data[last] == _END and sum(data[at : last - 1]) & 0xFF == data[last - 1]


def _said(data: "bytes | bytearray", at: int, size: int, request: Request) -> "tuple[int, bytes | int | None]":
    # What an intact frame says to the request; INCOMPLETE if it is not the answer.
    control = data[at + 8]
    if data[at + 1 : at + 7] != request.address or control & ~(_REFUSAL | _MORE) != _FROM_METER | request.function:
        return INCOMPLETE, None
    content = data[at + _HEAD_BYTES : at + size - 2]
    if control & _REFUSAL:
        if len(content) != 1:
            return INCOMPLETE, None
        code = (content[0] - _OFFSET) & 0xFF
        return EXCEPTION, NO_SUCH_DATA if code & NO_SUCH_DATA else code
    last = len(content) - (1 if request.part else 0)
    if last < _IDENTIFIER_BYTES or content[:_IDENTIFIER_BYTES] != request.content:
        return INCOMPLETE, None
    if request.part and (content[last] - _OFFSET) & 0xFF != request.part:
        return INCOMPLETE, None
    value = bytes([(byte - _OFFSET) & 0xFF for byte in content[_IDENTIFIER_BYTES:last]])
    return MORE if control & _MORE else GOT, value
