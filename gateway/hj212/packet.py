"""A data segment of HJ 212 (2017, 2025) and the packet around it. Strict: what breaks the standard is not built."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from gateway.hj212.crc import crc_text
from gateway.hj212.times import unix_ms_of

SEGMENT_MAX_BYTES = 1024  # HJ 212-2017 6.3.2: data segment; counted in bytes, log text is UTF-8
CP_MAX_BYTES = 950  # HJ 212-2017 table 2: CP
FLAG_ACK = 1  # bit A: the sender wants an answer
FLAG_SPLIT = 2  # bit D: PNUM and PNO are there
EDITION_2005, EDITION_2017, EDITION_2025 = 0, 1, 2  # Flag bits V, the upper six
PNUM_MAX = {EDITION_2017: 9999, EDITION_2025: 9}  # PNUM has 9 characters with its name, in 2025 6
RF_RESENT = 1  # of RF, which only 2025 has, and only where something is sent again or after its time

Item = tuple[tuple[str, str], ...]  # one item of CP: its (name, value) attributes, in order
QN_PATTERN = re.compile(r"[0-9]{17}")
ST_PATTERN = re.compile(r"[0-9]{2}")
CN_PATTERN = re.compile(r"[0-9]{4}")
PW_PATTERN = re.compile(r"[!-%'-+\--:<>-~]{6}")  # printable, without & , ; =
MN_PATTERN = re.compile(r"[0-9A-F]{24}")
_CN_WITHIN_BYTES = 64  # ##, length, QN and ST stand before it
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z]+)?")
_LOG_TEXT = re.compile(r"//((?!//).)*//", re.DOTALL)


class PacketError(ValueError):
    """Something that cannot be sent by the rules. `code` is short and stable, the message says what and where."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Segment:
    """The data segment: header fields and the items of CP. "" or None: the field is not there."""

    qn: str
    st: str
    cn: str
    pw: str
    mn: str
    flag: int | None
    cp: tuple[Item, ...] = ()
    pnum: int | None = None
    pno: int | None = None
    rf: int | None = None

    @property
    def wants_answer(self) -> bool:
        return bool((self.flag or 0) & FLAG_ACK)

    @property
    def edition(self) -> int:
        """EDITION_2005, _2017 or _2025 by the Flag's upper bits; 3..63 are not in use. No Flag: 2005."""
        return (self.flag or 0) >> 2

    def value(self, name: str) -> str | None:
        """The first value of the attribute `name` in CP, or None."""
        return next((value for item in self.cp for key, value in item if key == name), None)


class Packet(NamedTuple):
    """A packet ready to be sent: `data` are its bytes, CR LF included; QN and MN are what its answer must name."""

    qn: str
    mn: str
    data: bytes


def is_text(packet: Packet) -> bool:
    """Whether it is a log text (CN 3020)."""
    return packet.data.find(b";CN=3020;", 0, _CN_WITHIN_BYTES) >= 0


def flag_of(edition: int, *, split: bool = False, wants_answer: bool = False) -> int:
    """The Flag of an edition and its two bits."""
    return edition << 2 | (FLAG_SPLIT if split else 0) | (FLAG_ACK if wants_answer else 0)


def build(segment: Segment) -> Packet:
    """The packet of a segment (HJ 212-2017 6.3, 2025). PacketError when a field, an item or the length breaks it."""
    _check_header(segment)
    for item in segment.cp:
        check_item(item)
    return Packet(segment.qn, segment.mn, frame(segment_bytes(segment)))


def frame(data: bytes) -> bytes:
    """`##`, length, data segment, check value, CR LF. PacketError over 1024 bytes."""
    if len(data) > SEGMENT_MAX_BYTES:
        raise PacketError("too-long", f"data segment of {len(data)} bytes; at most {SEGMENT_MAX_BYTES}: split it")
    return b"##%04d%s%s\r\n" % (len(data), data, crc_text(data).encode("ascii"))


def with_rf(packet: Packet) -> Packet:
    """The same packet of edition 2025, said to be sent again (RF=1). Of another edition, or said already: as it is.

    PacketError where it has no room for that; `split.split` leaves it.
    """
    data = packet.data[6:-6]
    header, cp, content = data.partition(b"CP=&&")
    flag = re.search(rb";Flag=([0-9]+);", header)
    if flag is None or int(flag[1]) >> 2 != EDITION_2025 or b";RF=" in header:
        return packet
    return Packet(packet.qn, packet.mn, frame(header + b"RF=1;" + cp + content))


def with_qn(packet: Packet, qn: str) -> Packet:
    """The same packet under another QN: for one that was never sent."""
    return Packet(qn, packet.mn, frame(b"QN=" + qn.encode("ascii") + packet.data[26:-6]))


def segment_bytes(segment: Segment) -> bytes:
    """The data segment as text, fields in the order of table 2; fields that are not there are left out."""
    fields = [("QN", segment.qn), ("ST", segment.st), ("CN", segment.cn), ("PW", segment.pw), ("MN", segment.mn)]
    fields += [("Flag", _number(segment.flag)), ("PNUM", _number(segment.pnum)), ("PNO", _number(segment.pno))]
    fields += [("RF", _number(segment.rf))]
    header = "".join(f"{name}={value};" for name, value in fields if value)
    return (header + f"CP=&&{cp_text(segment.cp)}&&").encode("utf-8")


def cp_text(items: tuple[Item, ...]) -> str:
    """CP: `,` joins the attributes of one item, `;` separates items."""
    return ";".join(",".join(f"{name}={value}" for name, value in item) for item in items)


def check_item(item: Item) -> None:
    """PacketError unless the item obeys the CP grammar, so that a receiver reads back exactly these attributes."""
    if not item:
        raise PacketError("empty-item", "an item of CP without any attribute")
    names = [name for name, _ in item]
    for name, value in item:
        if not _NAME.fullmatch(name):
            raise PacketError("bad-name", f"{name!r} in CP; letters and digits, then optionally -Suffix")
        if not _value_is_sendable(value):
            raise PacketError("bad-value", f"{name}={value!r}; no ; , = && ## // or control character outside //text//")
    if len({name.partition("-")[0] for name in names}) != 1 or len(set(names)) != len(names):
        raise PacketError("bad-item", f"{names}; one item has one code, and each attribute once")


def _value_is_sendable(value: str) -> bool:
    if not value or value != value.strip() or "&&" in value or "##" in value or not value.isprintable():
        return False
    if value.startswith("&") or value.endswith("&"):  # next to the && of CP it would shift CP's end
        return False
    if _LOG_TEXT.fullmatch(value):
        return True
    return value.isascii() and "//" not in value and not set(value) & set(";,=")


def _check_header(segment: Segment) -> None:
    for name, value, pattern, allowed in (
        ("QN", segment.qn, QN_PATTERN, "YYYYMMDDhhmmsszzz"),
        ("ST", segment.st, ST_PATTERN, "2 digits"),
        ("CN", segment.cn, CN_PATTERN, "4 digits"),
        ("PW", segment.pw, PW_PATTERN, "6 printable characters without & , ; ="),
        ("MN", segment.mn, MN_PATTERN, "24 characters 0-9 A-F"),
    ):
        if not pattern.fullmatch(value):
            shown = "the password" if name == "PW" else repr(value)
            raise PacketError(f"bad-{name}", f"{shown}; allowed: {allowed}")
    if unix_ms_of(segment.qn) is None:
        raise PacketError("bad-QN", f"{segment.qn!r} is no time; allowed: YYYYMMDDhhmmsszzz")
    if segment.flag is None or not 4 <= segment.flag <= 11:
        raise PacketError("bad-Flag", f"{segment.flag!r}; allowed: 4..7 (edition 2017), 8..11 (2025)")
    if segment.rf not in {None, RF_RESENT} or (segment.rf and segment.edition != EDITION_2025):
        raise PacketError("bad-RF", f"{segment.rf!r}; allowed: 1, in edition 2025, or none")
    _check_parts(segment, split=bool(segment.flag & FLAG_SPLIT))
    cp_bytes = len(cp_text(segment.cp).encode("utf-8"))
    if cp_bytes > CP_MAX_BYTES:
        raise PacketError("too-long", f"CP of {cp_bytes} bytes; at most {CP_MAX_BYTES}: split it")


def _check_parts(segment: Segment, *, split: bool) -> None:
    pnum, pno = segment.pnum, segment.pno
    if split != (pnum is not None and pno is not None):
        raise PacketError("bad-Flag", "bit D and PNUM with PNO go together")
    most = PNUM_MAX[segment.edition]
    if pnum is not None and pno is not None and not 1 <= pno <= pnum <= most:
        raise PacketError("bad-PNO", f"PNO {pno} of PNUM {pnum}; 1 <= PNO <= PNUM <= {most}")


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
