"""The mailbox: authenticated frames up and answers down over Modbus holding registers (MAILBOX.md). Both sides, no I/O.

`Mailbox` is the terminal's side: what a Modbus server answers. `Fetcher` is the gateway's: what to read next, and what
an answer means. Registers travel as their bytes, two each, high byte first, as they stand in a Modbus PDU.

Nothing that is read changes anything, and nothing that is written does without a MAC: `Mailbox` hands what was written
to `on_answer`, which authenticates it, and neither side counts on the other having heard anything.
"""

import binascii
import struct
from collections import namedtuple

from protocol import limits

MAP_VERSION = 1
READ_MAX = 125  # Modbus application protocol 1.1b3, 6.3: the byte count is one byte
WRITE_MAX = 123  # likewise, 6.12

BASE = 0x8000  # above what tools that number registers 40001 to 49999 can reach: the live map's room
BLOCK = 120  # registers; an RTU answer of 245 bytes fits the 256 byte buffer of a UART driver
BLOCKS = 18  # enough for FRAME_BYTES_MAX
STATUS = 16  # registers of block 0 that stand before the frame's bytes
MARK = 0x5700  # "W"; the low byte is the block's number
IDENTITY = 0x9000
IDENTITY_COUNT = 20
IDENTITY_MAGIC = 0x574C  # "WL"
ANSWER = 0xA000
ANSWER_COUNT = 1 + limits.FRAME_BYTES_MAX // 2  # whatever can be sealed can be brought down

NOTHING = 0  # lanes
LIVE = 1
BACKLOG = 2

HOLD_MS = 60000  # a frame of 4096 bytes takes 6 s at 9600 baud, 45 s at 1200

MORE = 0  # what Fetcher.feed says
EMPTY = 1
FRAME = 2

_HEAD = 2  # registers of the other blocks before the frame's bytes
_FIRST_BYTES = 2 * (BLOCK - STATUS)
_NEXT_BYTES = 2 * (BLOCK - _HEAD)
_STATUS_FORM = ">HHHHHIHHIIHHH"
_IDENTITY_FORM = ">HHHH32s"
_UINT16_MAX = 0xFFFF

# Block 0's beginning. live, backlog: records that wait, those of the frame offered included, at most 65535.
Status = namedtuple(
    "Status",
    (
        "number",
        "mark",
        "version",
        "lane",
        "size",
        "crc",
        "live",
        "backlog",
        "device",
        "uptime_s",
        "taken",
        "refused",
        "reserved",
    ),
)
Identity = namedtuple("Identity", ("version", "frame_version", "terminal"))


class AddressError(Exception):
    """Registers that the mailbox does not have, or not for this: Modbus exception 2, illegal data address."""


class FetchError(Exception):
    """An answer that is not taken. `reason`:

    count: another number of registers; mark: not the block that was asked for, so an answer to another request;
    version: a map that this reader does not know; terminal: another terminal answers here; range: a lane or size that
    cannot be; torn: the frame changed between two reads, or what was read is not what the CRC is of.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def device_of(terminal: str) -> int:
    """What stands for a terminal's id in the status: its CRC-32."""
    return binascii.crc32(terminal.encode())


def extent(block: int) -> "tuple[int, int]":
    """(first, end) of the frame's bytes that a block has room for."""
    if block == 0:
        return 0, _FIRST_BYTES
    first = _FIRST_BYTES + (block - 1) * _NEXT_BYTES
    return first, first + _NEXT_BYTES


def blocks_of(size: int) -> int:
    """How many blocks a frame of `size` bytes stands in; the status alone is one."""
    return 1 if size <= _FIRST_BYTES else 2 + (size - _FIRST_BYTES - 1) // _NEXT_BYTES


def read_status(data: bytes) -> Status:
    """The status that a read of block 0 begins with."""
    return Status(*struct.unpack(_STATUS_FORM, data[: 2 * STATUS]))


def read_identity(data: bytes) -> "Identity | None":
    """What the identity registers say; None: these are not a mailbox's."""
    if len(data) != 2 * IDENTITY_COUNT:
        return None
    magic, version, frame_version, size, name = struct.unpack(_IDENTITY_FORM, data)
    if magic != IDENTITY_MAGIC or not 1 <= size <= limits.TERMINAL_CHARS_MAX:
        return None
    if min(name[:size]) <= 0x20 or max(name[:size]) >= 0x7F:
        return None
    return Identity(version, frame_version, name[:size].decode())


def answer_writes(data: bytes) -> "list[tuple[int, bytes]]":
    """(address, register bytes) of the writes that bring an answer down, in their order: the length, which makes the
    terminal look at it, goes last; up to 244 bytes one write is all.
    """
    if not 1 <= len(data) <= limits.FRAME_BYTES_MAX:
        raise ValueError("an answer has 1 to %d bytes" % limits.FRAME_BYTES_MAX)
    area = struct.pack(">H", len(data)) + data + b"\0" * (len(data) & 1)
    step = 2 * WRITE_MAX
    starts = range(0, len(area), step)
    return [(ANSWER + at // 2, area[at : at + step]) for at in reversed(starts)]


class Mailbox:
    """The terminal's side. One frame is offered at a time; the owner decides which, and when it is another's turn.

    number: random at each start, so that a reader sees a reboot; uptime_ms(): of this boot.
    on_answer(data, read_ms) -> bool: authenticates and obeys an answer of any kind (down.py); False if it was not
    authentic. read_ms: the uptime when the frame offered had been read to its end for the first time, None if it was
    not: whoever answers that frame looked at the clock later than that.
    """

    def __init__(self, terminal: str, number: int, uptime_ms, on_answer) -> None:  # type: ignore[no-untyped-def]
        self._terminal = terminal
        self._number = number & _UINT16_MAX
        self._uptime_ms = uptime_ms
        self._on_answer = on_answer
        self._frame = b""
        self._lane = NOTHING
        self._crc = 0
        self._offered_ms = 0
        self._live = 0
        self._backlog = 0
        self._unread = 0  # a bit a block that nobody has read yet
        self._read_ms: "int | None" = None
        self._answer = bytearray()
        self.taken = 0
        self.refused = 0

    def offer(self, frame: bytes, lane: int, now_ms: int) -> None:
        """Put a frame into the registers, in place of what was there. now_ms: real time, for `due` only."""
        if not (1 <= len(frame) <= limits.FRAME_BYTES_MAX and LIVE <= lane <= BACKLOG):
            raise ValueError("a frame of 1 to %d bytes, live or backlog" % limits.FRAME_BYTES_MAX)
        self._change(frame, lane)
        self._offered_ms = now_ms
        self._crc = binascii.crc32(frame)
        self._unread = (1 << blocks_of(len(frame))) - 1

    def withdraw(self) -> None:
        """Nothing is offered any more."""
        if self._lane != NOTHING:
            self._change(b"", NOTHING)

    def waiting(self, live: int, backlog: int) -> None:
        """How many records wait in each lane."""
        self._live = min(live, _UINT16_MAX)
        self._backlog = min(backlog, _UINT16_MAX)

    def due(self, now_ms: int) -> bool:
        """Whether another frame may have its turn: nothing is offered, or nobody answered for HOLD_MS."""
        return self._lane == NOTHING or now_ms - self._offered_ms >= HOLD_MS

    def read(self, address: int, count: int) -> bytes:
        """The registers' bytes. Changes nothing that a reader can see. Raises AddressError."""
        if not 1 <= count <= READ_MAX:
            raise AddressError(address)
        if address >= IDENTITY and address + count <= IDENTITY + IDENTITY_COUNT:
            at = 2 * (address - IDENTITY)
            return self._identity()[at : at + 2 * count]
        first, end = address - BASE, address - BASE + count
        if first < 0 or end > BLOCK * BLOCKS:
            raise AddressError(address)
        block = first // BLOCK
        data = b"".join(self._block(one) for one in range(block, (end - 1) // BLOCK + 1))
        self._note_read(first, end)
        at = 2 * (first - block * BLOCK)
        return data[at : at + 2 * count]

    def write(self, address: int, data: bytes) -> None:
        """Take registers of the answer area. Raises AddressError. Writing the length hands the answer over."""
        first = 2 * (address - ANSWER)
        end = first + len(data)
        if first < 0 or end > 2 * ANSWER_COUNT or not data or len(data) & 1 or len(data) > 2 * WRITE_MAX:
            raise AddressError(address)
        if first > 0:
            self._keep(first - 2, data)
            return
        size = struct.unpack(">H", data[:2])[0]
        if size <= len(data) - 2:
            answer = data[2 : 2 + size]
        else:
            self._keep(0, data[2:])
            answer = bytes(self._answer[:size])
        if size and len(answer) == size and self._on_answer(answer, self._read_ms):
            self.taken += 1
        else:
            self.refused += 1

    def _keep(self, at: int, data: bytes) -> None:
        """Part of a long answer; grows to ANSWER_COUNT registers at most, which `write` has seen to."""
        missing = at + len(data) - len(self._answer)
        if missing > 0:
            self._answer.extend(bytes(missing))
        self._answer[at : at + len(data)] = data

    def _change(self, frame: bytes, lane: int) -> None:
        self._number = (self._number + 1) & _UINT16_MAX
        self._frame = frame
        self._lane = lane
        self._crc = 0
        self._unread = 0
        self._read_ms = None

    def _block(self, block: int) -> bytes:
        if block == 0:
            head = struct.pack(
                _STATUS_FORM,
                self._number,
                MARK,
                MAP_VERSION,
                self._lane,
                len(self._frame),
                self._crc,
                self._live,
                self._backlog,
                device_of(self._terminal),
                self._uptime_ms() // 1000 & limits.UINT32_MAX,
                self.taken & _UINT16_MAX,
                self.refused & _UINT16_MAX,
                0,
            )
        else:
            head = struct.pack(">HH", self._number, MARK | block)
        first, end = extent(block)
        data = head + self._frame[first:end]
        return data + bytes(2 * BLOCK - len(data))

    def _identity(self) -> bytes:
        name = self._terminal.encode()
        return struct.pack(_IDENTITY_FORM, IDENTITY_MAGIC, MAP_VERSION, limits.VERSION, len(name), name)

    def _note_read(self, first: int, end: int) -> None:
        """Note the blocks whose part of the frame lies in the registers [first, end)."""
        if not self._unread:
            return
        for block in range(first // BLOCK, (end - 1) // BLOCK + 1):
            if first <= block * BLOCK and block * BLOCK + used(block, len(self._frame)) <= end:
                self._unread &= ~(1 << block)
        if not self._unread:
            self._read_ms = self._uptime_ms()


def used(block: int, size: int) -> int:
    """How many registers of a block a frame of `size` bytes fills, those before its bytes included."""
    first, end = extent(block)
    return (STATUS if block == 0 else _HEAD) + (min(size, end) - first + 1) // 2


class Fetcher:
    """The gateway's side. `request` says what to read, `feed` takes the answer; after FRAME or EMPTY it begins again.

    whole: ask for all of block 0 at once, where a round trip costs more than 208 bytes (TCP); else for the status, and
    then for as much as the frame fills (RTU). A request without an answer is simply made again. What was read so far
    is kept until it is found to be torn.
    """

    def __init__(self, terminal: str, *, whole: bool) -> None:
        self._device = device_of(terminal)
        self._whole = whole
        self._parts: "list[bytes]" = []
        self._size = 0  # of the frame, as far as known
        self.status: "Status | None" = None  # as of the last read of block 0
        self.frame = b""  # after FRAME

    def request(self) -> "tuple[int, int]":
        """(address, count) of the holding registers to read next."""
        block = len(self._parts)
        if block:
            return BASE + block * BLOCK, used(block, self._size)
        if self._whole:
            return BASE, BLOCK
        return BASE, used(0, self._size) if self._size else STATUS

    def feed(self, data: bytes) -> int:
        """The register bytes that answer `request`: MORE, EMPTY, or FRAME with `frame` set. Raises FetchError."""
        if len(data) != 2 * self.request()[1]:
            raise FetchError("count")
        block = len(self._parts)
        number, mark = struct.unpack(">HH", data[:4])
        if mark != MARK | block:
            raise FetchError("mark")
        if self.status is None or block == 0:
            return self._begin(read_status(data), data)
        if number != self.status.number:
            self._restart()
            raise FetchError("torn")
        return self._add(data[2 * _HEAD :])

    def _begin(self, status: Status, data: bytes) -> int:
        if status.version != MAP_VERSION:
            raise FetchError("version")
        if status.device != self._device:
            raise FetchError("terminal")
        if status.lane > BACKLOG or status.size > limits.FRAME_BYTES_MAX or (status.lane == 0) != (status.size == 0):
            raise FetchError("range")
        self.status = status
        self._size = status.size
        if status.lane == NOTHING:
            return EMPTY
        if len(data) < 2 * used(0, status.size):
            return MORE
        return self._add(data[2 * STATUS :])

    def _add(self, data: bytes) -> int:
        self._parts.append(data)
        if len(self._parts) < blocks_of(self._size):
            return MORE
        frame = b"".join(self._parts)[: self._size]
        self._restart()
        if self.status is None or binascii.crc32(frame) != self.status.crc:
            raise FetchError("torn")
        self.frame = frame
        return FRAME

    def _restart(self) -> None:
        self._parts = []
        self._size = 0
