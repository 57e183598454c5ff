# Modbus RTU, the reading half (MODBUS over serial line 1.02; application protocol 1.1b3). Pure: bytes in, verdicts out.
#
# There is no encoder for functions 5, 6, 15, 16 or any other that changes a meter, and none can be asked for.
from array import array
from collections import namedtuple

from terminal.bus_protocol import EXCEPTION, GARBLED, GOT, INCOMPLETE

PIECE_MS = 150  # an answer in pieces: USB adapters and gateways pause for up to 120 ms
READ_HOLDING = 3
READ_INPUT = 4
REGISTERS_MAX = 125  # application protocol, 6.3: the byte count must fit its one byte, and the frame 256

_EXCEPTION_BIT = 0x80
_EXCEPTION_BYTES = 5
_OVERHEAD_BYTES = 5  # unit, function, byte count, CRC

Request = namedtuple("Request", ("unit", "function", "first", "count", "raw"))


def _table() -> "array[int]":
    table = array("H")
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _table()


def crc16(data: "bytes | bytearray", start: int, end: int) -> int:
    # CRC-16 of data[start:end] (over serial line 1.02, 6.2.2); on the wire the low byte comes first.
    table = _TABLE
    crc = 0xFFFF
    for at in range(start, end):
        crc = crc >> 8 ^ table[(crc ^ data[at]) & 0xFF]
    return crc


def request(address: int, read) -> Request:  # type: ignore[no-untyped-def]
    # The request for a bus_protocol.Read.
    return read_request(address, read.function, read.first, read.count)


def following(request: Request, part: int) -> Request:
    # There is never MORE of an answer.
    raise ValueError("an answer of Modbus is one frame: part %d of %s" % (part, request))


def read_request(unit: int, function: int, first: int, count: int) -> Request:
    # The request for `count` registers from `first` on. ValueError for anything but a plain read of one unit.
    if function not in (READ_HOLDING, READ_INPUT):
        raise ValueError("function %d: only 3 and 4 exist here" % function)
    if not (1 <= unit <= 247 and 1 <= count <= REGISTERS_MAX and 0 <= first <= 0x10000 - count):
        raise ValueError("unit %d, registers %d + %d: out of range" % (unit, first, count))
    head = bytes((unit, function, first >> 8, first & 0xFF, 0, count))
    crc = crc16(head, 0, 6)
    return Request(unit, function, first, count, head + bytes((crc & 0xFF, crc >> 8)))


def answer_bytes(request: Request) -> int:
    # How long the whole answer is.
    return _OVERHEAD_BYTES + 2 * request.count


def scan(data: "bytes | bytearray", request: Request) -> "tuple[int, bytes | int | None, int]":
    # bus_protocol's `scan`. Ours is only what has the unit, the function, the byte count and a right CRC; an intact
    # frame that is not ours is passed over whole, so that nothing inside it can be taken for an answer.
    at = unexplained = 0
    end = len(data)
    hope = False
    while at < end:
        if data[at : at + 8] == request.raw:  # echo: a transceiver that hears itself
            at += 8
            continue
        size = _frame_bytes(data, at, end)
        if size and at + size <= end and crc16(data, at, at + size) == 0:
            if _is_ours(data, at, size, request):
                if data[at + 1] & _EXCEPTION_BIT:
                    return EXCEPTION, data[at + 2], unexplained
                return GOT, bytes(data[at + 3 : at + size - 2]), unexplained
            at += size
            continue
        hope = hope or _may_become(data, at, end, request)
        unexplained += 1
        at += 1
    return (INCOMPLETE if hope or not unexplained else GARBLED), None, unexplained


def _frame_bytes(data: "bytes | bytearray", at: int, end: int) -> int:
    # The length of the answer whose head stands at `at`, whoever sent it; 0 if it is the head of none.
    if at + 3 > end:
        return 0
    function = data[at + 1]
    count = data[at + 2]
    if function in (READ_HOLDING, READ_INPUT):
        return _OVERHEAD_BYTES + count if count and count & 1 == 0 and count <= 2 * REGISTERS_MAX else 0
    return _EXCEPTION_BYTES if function ^ _EXCEPTION_BIT in (READ_HOLDING, READ_INPUT) else 0


def _is_ours(data: "bytes | bytearray", at: int, size: int, request: Request) -> bool:
    if data[at] != request.unit:
        return False
    if data[at + 1] == request.function:
        return size == answer_bytes(request)
    return data[at + 1] == request.function | _EXCEPTION_BIT


def _may_become(data: "bytes | bytearray", at: int, end: int, request: Request) -> bool:
    # Whether what begins at `at` is cut short, and so far the request's echo or its answer.
    left = end - at
    here = bytes(data[at : min(end, at + len(request.raw))])
    answer = bytes((request.unit, request.function, 2 * request.count))
    refusal = bytes((request.unit, request.function | _EXCEPTION_BIT))
    return (
        (left < len(request.raw) and request.raw.startswith(here))
        or (left < answer_bytes(request) and here[:3] == answer[:left])
        or (left < _EXCEPTION_BYTES and here[:2] == refusal[:left])
    )
