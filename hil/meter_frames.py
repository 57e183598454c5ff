"""Requests on a meters' bus, found in the stream of bytes that a terminal sends, and the frames that answer them."""

from typing import Literal, NamedTuple

_MODBUS_BYTES = 8  # a request for registers
_WRITES_MANY = (15, 16)
_MODBUS_READS = (3, 4)
_DLT645_READS = (0x11, 0x12)
_READ_ADDRESS = 0x13  # a technician's: every meter on the line answers it
_THE_ADDRESS = bytes((1, 4, 0, 4))  # identifier 04000401, low byte first
_ANY = "A" * 12
_START, _END, _WAKE_UP, _OFFSET = 0x68, 0x16, 0xFE, 0x33
_HEAD_BYTES = 10  # 68, address, 68, C, L
_DATA_MAX = 200

Protocol = Literal["modbus-rtu", "dlt645"]


class Request(NamedTuple):
    """One request. address: a unit's number, or 12 digits; function: of Modbus, or C; body: its bytes, unframed.

    Body: Modbus without the check value; DL/T 645 the data without the 33H.
    """

    protocol: Protocol
    address: int | str
    function: int
    body: bytes

    @property
    def reads(self) -> bool:
        """Whether it is a plain read of one meter, which is all that a terminal may send."""
        return self.function in (_MODBUS_READS if self.protocol == "modbus-rtu" else _DLT645_READS)

    @property
    def asks_who_is_there(self) -> bool:
        """Whether it is a technician's question for an address: of anybody, or of those whose numbers end alike."""
        if self.protocol != "dlt645" or not isinstance(self.address, str):
            return False
        is_read = (self.function, self.body) == (_DLT645_READS[0], _THE_ADDRESS)
        return (self.function, self.address) == (_READ_ADDRESS, _ANY) or (is_read and self.end is not None)

    @property
    def end(self) -> str | None:
        """The last digits that a shortened address names; None: it is whole, or none."""
        digits = str(self.address).lstrip("A")
        is_shortened = len(digits) < len(_ANY) and len(digits) % 2 == 0 and digits.isdigit()
        return digits if self.protocol == "dlt645" and is_shortened else None


def take_request(heard: bytearray) -> Request | None:
    """The first request in what was heard, which is removed from it together with what stands before; None: not yet."""
    at = 0
    while at < len(heard):
        found, size = _dlt645_at(heard, at)
        if found is None and not size:
            found, size = _modbus_at(heard, at)
        if found is not None:
            del heard[: at + size]
            return found
        if size:  # a frame that is not whole yet
            break
        at += 1
    del heard[:at]
    return None


def _eight_steps(crc: int) -> int:
    """Eight steps of the shift register of Modbus' CRC, as the standard draws it (over serial line 1.02, 6.2.2)."""
    for _ in range(8):
        crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


_EIGHT_STEPS = [_eight_steps(byte) for byte in range(256)]  # of the low byte; the high one only moves down


def crc16(data: bytes | bytearray) -> int:
    """CRC-16 of Modbus RTU; 0 over a whole intact frame."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _EIGHT_STEPS[(crc ^ byte) & 0xFF]
    return crc


def framed(body: bytes) -> bytes:
    """A Modbus RTU frame: the body with its CRC, low byte first."""
    return body + crc16(body).to_bytes(2, "little")


def framed_645(address: str, control: int, data: bytes) -> bytes:
    """A DL/T 645 frame of these data, which get their 33H here."""
    head = bytes([_START]) + bytes.fromhex(address)[::-1] + bytes([_START, control, len(data)])
    frame = head + bytes((byte + _OFFSET) & 0xFF for byte in data)
    return frame + bytes([sum(frame) & 0xFF, _END])


def _dlt645_at(heard: bytearray, at: int) -> tuple[Request | None, int]:
    """(the request that begins here, its size); no request but a size: it is not whole yet."""
    rest = heard[at:]
    if rest[0] == _WAKE_UP:
        return None, 0
    if rest[0] != _START or (len(rest) > 7 and rest[7] != _START):
        return None, 0
    if len(rest) < _HEAD_BYTES:
        return None, _HEAD_BYTES
    size = _HEAD_BYTES + rest[9] + 2
    if rest[9] > _DATA_MAX:
        return None, 0
    if len(rest) < size:
        return None, size
    if rest[size - 1] != _END or sum(rest[: size - 2]) & 0xFF != rest[size - 2]:
        return None, 0
    data = bytes((byte - _OFFSET) & 0xFF for byte in rest[_HEAD_BYTES : size - 2])
    return Request("dlt645", rest[6:0:-1].hex().upper(), rest[8], data), size


def _modbus_at(heard: bytearray, at: int) -> tuple[Request | None, int]:
    rest = heard[at:]
    if len(rest) < _MODBUS_BYTES:
        return None, _MODBUS_BYTES
    size = _MODBUS_BYTES + 1 + rest[6] if rest[1] in _WRITES_MANY else _MODBUS_BYTES
    if len(rest) < size:
        return None, size
    if crc16(rest[:size]):
        return None, 0
    return Request("modbus-rtu", rest[0], rest[1], bytes(rest[: size - 2])), size
