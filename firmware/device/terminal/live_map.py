# What any SCADA can read of this terminal over Modbus: each point's last sample, as float32 and as integers
# (docs/modbus-map.md). No I/O.
import struct

from protocol import limits, mailbox

VERSION = 1
MAGIC = 0x574C  # "WL"
HEAD_COUNT = 20
POINTS_AT = 100
POINT_COUNT = 64  # registers a point
END = POINTS_AT + POINT_COUNT * limits.POINTS_MAX

NO_POINT = 0  # a point's state
NO_SAMPLE = 1
SAMPLED = 2

_AGE_MAX = 0xFFFF
_NAN = b"\x7f\xc0\x00\x00"
_NO_INT = b"\x80\x00\x00\x00"
_NO_ENERGY = b"\xff\xff\xff\xff\xff\xff\xff\xff"

# quantity as the sampler names it, and how many of its units are one of the float's (V, A, 1, kWh, kvarh, W, var)
MEASURED = (
    ("p_w", 1),
    ("q_var", 1),
    ("ua_dv", 10),
    ("ub_dv", 10),
    ("uc_dv", 10),
    ("ia_ma", 1000),
    ("ib_ma", 1000),
    ("ic_ma", 1000),
    ("pf_milli", 1000),
)
ENERGIES = (("e_import_wh", 1000), ("e_export_wh", 1000), ("r_import_varh", 1000), ("r_export_varh", 1000))


class LiveMap:
    """`points` are their numbers; `head()` gives (boot, uptime_ms, Unix s or None, clock's source, its error in s,
    records that wait); `latest()` the sampler's {point: (uptime_ms, values)}."""

    def __init__(self, points: "list[int]", head, latest) -> None:  # type: ignore[no-untyped-def]
        self._points = points
        self._head = head
        self._latest = latest

    def read(self, address: int, count: int) -> bytes:
        """The registers' bytes; those between the blocks are 0. Raises mailbox.AddressError."""
        if not 0 <= address < address + count <= END:
            raise mailbox.AddressError(address)
        data = bytearray(2 * count)
        self._put(data, address, 0, self._head_bytes)
        first = max(address - POINTS_AT, 0) // POINT_COUNT
        for at in range(first, limits.POINTS_MAX):
            start = POINTS_AT + POINT_COUNT * at
            if start >= address + count:
                break
            self._put(data, address, start, lambda at=at: self._point_bytes(at + 1))
        return bytes(data)

    def _put(self, data: bytearray, address: int, start: int, block) -> None:  # type: ignore[no-untyped-def]
        """Copy the part of a block of registers that begins at `start` and is asked for."""
        skip = 2 * max(address - start, 0)
        into = 2 * max(start - address, 0)
        if into >= len(data) or (start == 0 and address >= HEAD_COUNT):
            return
        part = block()[skip : skip + len(data) - into]
        data[into : into + len(part)] = part

    def _head_bytes(self) -> bytes:
        boot, uptime_ms, unix_s, source, error_s, pending = self._head()
        return struct.pack(
            ">HHHHIIIHHIIIII",
            MAGIC, VERSION, len(self._points), POINT_COUNT, boot, uptime_ms // 1000 & limits.UINT32_MAX,
            unix_s or 0, source, error_s, pending, 0, 0, 0, 0,
        )  # fmt: skip

    def _point_bytes(self, point: int) -> bytes:
        state, age_s = NO_SAMPLE if point in self._points else NO_POINT, _AGE_MAX
        values: "dict[str, int | None]" = {}
        if state == NO_SAMPLE and point in self._latest():
            uptime_ms, values = self._latest()[point]
            state, age_s = SAMPLED, min((self._head()[1] - uptime_ms) // 1000, _AGE_MAX)
        get = values.get
        parts = [struct.pack(">HH", state, age_s)]
        for name, scale in MEASURED + ENERGIES:
            value = get(name)
            parts.append(_NAN if value is None else float32(value, scale))
        for name, _ in MEASURED:
            value = get(name)
            parts.append(_NO_INT if value is None else struct.pack(">i", value))
        for name, _ in ENERGIES:
            value = get(name)
            parts.append(_NO_ENERGY if value is None else struct.pack(">Q", value))
        parts.append(struct.pack(">HH", 0, point))
        return b"".join(parts)


def float32(number: int, scale: int) -> bytes:
    """The IEEE 754 single that is nearest to number / scale, ties to even: without a float, since a board's are
    singles that round at each step. |number| / scale is below 2**127."""
    sign = 0x80000000 if number < 0 else 0
    number = abs(number)
    if not number:
        return b"\x00\x00\x00\x00"
    shift = 0  # number * 2**shift / scale is to have 24 bits before the point
    while (number << max(shift, 0)) < scale << (23 + max(-shift, 0)):
        shift += 1
    while (number << max(shift, 0)) >= scale << (24 + max(-shift, 0)):
        shift -= 1
    above, below = number << max(shift, 0), scale << max(-shift, 0)
    whole, rest = above // below, above % below
    if 2 * rest > below or (2 * rest == below and whole & 1):
        whole += 1  # 2**24 carries into the exponent, as it should
    return struct.pack(">I", sign + ((126 + 24 - shift) << 23) + whole - (1 << 23))
