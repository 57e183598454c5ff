# A Modbus server's side, without I/O: requests out of a TCP stream or off a serial line, and their answers (application
# protocol 1.1b3; messaging on TCP/IP 1.0b; over serial line 1.02). Functions 3 and 4 read, 16 writes; both register
# spaces are one.
import struct

from protocol import mailbox
from terminal.modbus import crc16

MBAP_BYTES = 7
ADU_BYTES_MAX = 260  # messaging on TCP/IP, 4.1
_RTU_BYTES_MAX = 256
_READS = (3, 4)
_WRITE = 16
_ILLEGAL_FUNCTION = 1
_ILLEGAL_ADDRESS = 2
_ILLEGAL_VALUE = 3


class Slave:
    """`read(address, count) -> bytes` and `write(address, data)` raise mailbox.AddressError for what is not there."""

    def __init__(self, unit: int, read, write) -> None:  # type: ignore[no-untyped-def]
        self.unit = unit
        self.requests = 0
        self.refused = 0
        self._read = read
        self._write = write

    def answer(self, pdu: bytes) -> bytes:
        """The answer's PDU to a request's, which has at least one byte."""
        self.requests += 1
        function = pdu[0]
        try:
            if function in _READS and len(pdu) == 5:
                address, count = struct.unpack(">HH", pdu[1:])
                if not 1 <= count <= mailbox.READ_MAX:
                    return self._refuse(function, _ILLEGAL_VALUE)
                data = self._read(address, count)
                return bytes((function, len(data))) + data
            if function == _WRITE and len(pdu) >= 6:
                address, count, size = struct.unpack(">HHB", pdu[1:6])
                if not 1 <= count <= mailbox.WRITE_MAX or size != 2 * count or len(pdu) != 6 + size:
                    return self._refuse(function, _ILLEGAL_VALUE)
                self._write(address, pdu[6:])
                return pdu[:5]
        except mailbox.AddressError:
            return self._refuse(function, _ILLEGAL_ADDRESS)
        known = function in _READS or function == _WRITE
        return self._refuse(function, _ILLEGAL_VALUE if known else _ILLEGAL_FUNCTION)

    def answer_tcp(self, header: bytes, pdu: bytes) -> bytes:
        """The whole answer to a request on TCP; none (b"") for another unit: 0 and 255 mean whoever is here."""
        if header[6] not in (self.unit, 0, 255):
            return b""
        answer = self.answer(pdu)
        return header[:4] + struct.pack(">HB", len(answer) + 1, header[6]) + answer

    def _refuse(self, function: int, code: int) -> bytes:
        self.refused += 1
        return bytes((function | 0x80, code))


def pdu_bytes(header: bytes) -> int:
    """How many bytes of PDU follow a header of TCP; 0: it is none, and nothing behind it can be understood."""
    protocol, size = struct.unpack(">HH", header[2:6])
    return size - 1 if protocol == 0 and 2 <= size <= ADU_BYTES_MAX - MBAP_BYTES + 1 else 0


class Line:
    """Requests off a serial line on which others are asked and answer, too.

    A master waits for its answer, so a request is what stands last on the line; what came before it, whoever said it,
    is passed over. Time is not needed: no asyncio loop sees a gap of 3.5 characters for certain."""

    def __init__(self, slave: Slave) -> None:
        self._slave = slave
        self._heard = b""

    def feed(self, data: bytes) -> bytes:
        """Take what came; the whole answer, if that ends with a request to this unit."""
        heard = self._heard = (self._heard + data)[-_RTU_BYTES_MAX:]
        end = len(heard)
        for at in range(end - 7):
            if heard[at] == self._slave.unit and at + _request_bytes(heard, at) == end and not crc16(heard, at, end):
                self._heard = b""
                answer = heard[at : at + 1] + self._slave.answer(heard[at + 1 : end - 2])
                crc = crc16(answer, 0, len(answer))
                return answer + bytes((crc & 0xFF, crc >> 8))
        return b""

    def forget(self) -> None:
        """The line has been quiet for long: what was begun there is not gone on with."""
        self._heard = b""


def _request_bytes(data: bytes, at: int) -> int:
    """The length of the request that would begin here; of functions that are not known, 8 as most have."""
    return 9 + data[at + 6] if data[at + 1] == _WRITE else 8
