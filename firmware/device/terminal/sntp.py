# SNTP's client mode (RFC 4330, RFC 5905): the request, and what an answer is worth. No I/O.
#
# Nobody vouches for an answer but its echo of 64 random bits, which stop whoever can't read our packets. So it ranks
# below the gateway's time (terminal.clock), and whatever is odd about it is refused with a reason.
import struct
from collections import namedtuple

PACKET_BYTES = 48
STAMP_BYTES = 8
FLOOR_MS = 500  # a server that smears a leap second over a day is half a second off, and says nothing of it
DENIED = ("DENY", "RSTR")  # kisses that end the asking
RATE = "RATE"  # and the one that slows it down

Answer = namedtuple("Answer", ("time_ms", "error_ms"))  # Unix time when it was heard, and the bound of its error

_ASK = 0x23  # no leap warning, version 4, client
_SERVER = 4
_UNKNOWN = 3  # leap indicator: not synchronised
_STRATUM_MAX = 15
_ROOT_MS = 1000  # RFC 4330, 5: infinity, "a cozy number like one second"
_UNIX_S = 2208988800  # 1970-01-01 in era 0
_ERA_BIT = 0x80000000  # RFC 4330, 3: clear from 2036-02-07 on, when era 1 begins
_ROUNDED_MS = 2  # two clocks of whole milliseconds


class SntpError(Exception):
    """An answer that tells no time. `ours`: it echoes our stamp, so waiting for another is of no use; `kiss`: the
    server's word, "" if it said none."""

    def __init__(self, reason: str, *, ours: bool = True, kiss: str = "") -> None:
        super().__init__(reason)
        self.ours = ours
        self.kiss = kiss


def request(stamp: bytes) -> bytes:
    """A request. `stamp`: 8 random bytes, never all zero, in place of our time, which is nobody's business."""
    return bytes((_ASK,)) + bytes(PACKET_BYTES - STAMP_BYTES - 1) + stamp


def read(data: bytes, stamp: bytes, round_trip_ms: int) -> Answer:
    """What an answer to the request with `stamp` says, heard `round_trip_ms` after that was sent. Raises SntpError."""
    if len(data) < PACKET_BYTES:
        raise SntpError("%d bytes, not %d" % (len(data), PACKET_BYTES), ours=False)
    if data[24:32] != stamp:  # first: whoever did not read our request is not to be believed a kiss either
        raise SntpError("the answer to no request of ours", ours=False)
    _check_head(data)
    delay_ms, dispersion_ms = _span_ms(data[4:8]), _span_ms(data[8:12])
    if delay_ms >= _ROOT_MS or dispersion_ms >= _ROOT_MS:
        raise SntpError("root delay %d ms, dispersion %d ms: less than %d each" % (delay_ms, dispersion_ms, _ROOT_MS))
    received_ms, sent_ms = _unix_ms(data[32:40]), _unix_ms(data[40:48])
    held_ms = sent_ms - received_ms
    if not 0 <= held_ms <= round_trip_ms + _ROUNDED_MS:
        raise SntpError("held for %d ms of a round trip of %d ms" % (held_ms, round_trip_ms))
    way_ms = max(round_trip_ms - held_ms, 0)
    error_ms = (way_ms + 1) // 2 + (delay_ms + 1) // 2 + dispersion_ms + _ROUNDED_MS + FLOOR_MS
    return Answer(sent_ms + way_ms // 2, error_ms)


def _check_head(data: bytes) -> None:
    if data[0] & 7 != _SERVER:
        raise SntpError("mode %d, not a server's" % (data[0] & 7))
    if data[1] == 0:
        kiss = "".join([chr(one) for one in data[12:16] if 32 < one < 127])
        raise SntpError("the server says " + (kiss or "nothing"), kiss=kiss)
    if data[1] > _STRATUM_MAX:
        raise SntpError("stratum %d, not 1 to %d" % (data[1], _STRATUM_MAX))
    if data[0] >> 6 == _UNKNOWN:
        raise SntpError("the server does not know the time")


def _span_ms(data: bytes) -> int:
    """A span of 16.16 bits of seconds, rounded up."""
    span: int = struct.unpack(">I", data)[0]
    return (span * 1000 + 0xFFFF) >> 16


def _unix_ms(data: bytes) -> int:
    """A timestamp of 32.32 bits of seconds as Unix ms. Raises SntpError if there is none."""
    seconds, fraction = struct.unpack(">II", data)
    if not seconds and not fraction:
        raise SntpError("a timestamp is missing")
    if not seconds & _ERA_BIT:
        seconds += 1 << 32
    return 1000 * (seconds - _UNIX_S) + (fraction * 1000 >> 32)
