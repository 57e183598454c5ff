"""Spreads items over as many packets as they need, and puts such packets together again (HJ 212-2017 6.3.3, 2025)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from gateway.hj212.packet import (
    CP_MAX_BYTES,
    EDITION_2025,
    FLAG_SPLIT,
    SEGMENT_MAX_BYTES,
    Item,
    PacketError,
    Segment,
    cp_text,
    segment_bytes,
)

OPEN_MESSAGES_MAX = 64  # a joiner keeps so many unfinished messages: several stations at once, each within 9 packets
PACKETS_MAX = 9  # a message: PNUM has one digit in HJ 212-2025
_RF = "RF=1;"  # may have to be added when the packet is sent again
_QN_SAMPLE = "0" * 17  # stands for the QN while sizes are counted


def split(header: Segment, items: Sequence[Item], next_qn: Callable[[], str]) -> list[Segment]:
    """The segments that carry `items`, each whole in one of them, in their order.

    `header` gives all fields but QN, CP, PNUM, PNO and bit D; its own CP (DataTime) begins every packet.
    Each segment takes its own QN from `next_qn`. A message has at most 9 packets (2025); what needs more becomes
    several messages of 9, 8, 7, ... packets, so that none can be taken for another's parts: their PNUM differ.
    PacketError when one item alone is too long, or 45 packets are not enough.
    """
    plain = (header.flag or 0) & ~FLAG_SPLIT
    base = replace(header, qn=_QN_SAMPLE, pnum=None, pno=None, flag=plain)
    groups = _pack(base, items)
    if len(groups) > 1:
        groups = _pack(replace(base, pnum=PACKETS_MAX, pno=PACKETS_MAX, flag=plain | FLAG_SPLIT), items)
    found: list[Segment] = []
    for most in range(PACKETS_MAX, 0, -1):
        part, groups = groups[:most], groups[most:]
        found += _message(base, part, next_qn)
        if not groups:
            return found
    raise PacketError("too-many-packets", f"{len(items)} items need more than {len(found)} packets")


def _message(base: Segment, groups: Sequence[tuple[Item, ...]], next_qn: Callable[[], str]) -> list[Segment]:
    if len(groups) == 1:
        return [replace(base, qn=next_qn(), cp=base.cp + groups[0])]
    flag, total = (base.flag or 0) | FLAG_SPLIT, len(groups)
    return [
        replace(base, qn=next_qn(), cp=base.cp + group, pnum=total, pno=number, flag=flag)
        for number, group in enumerate(groups, start=1)
    ]


def _pack(base: Segment, items: Sequence[Item]) -> list[tuple[Item, ...]]:
    """Greedy: each packet takes items until the next one no longer fits."""
    first_bytes = len(cp_text(base.cp).encode("utf-8"))
    room = min(CP_MAX_BYTES, SEGMENT_MAX_BYTES - (len(segment_bytes(base)) - first_bytes))
    if base.edition == EDITION_2025 and base.rf is None:
        room = min(CP_MAX_BYTES, SEGMENT_MAX_BYTES - len(_RF) - (len(segment_bytes(base)) - first_bytes))
    groups: list[tuple[Item, ...]] = []
    group: list[Item] = []
    used = first_bytes
    for item in items:
        size = len(cp_text((item,)).encode("utf-8")) + 1  # its ; as well
        alone = first_bytes + size - (0 if base.cp else 1)
        if alone > room:
            raise PacketError("too-long", f"item {item[0][0]} of {size - 1} bytes fits in no packet; {room} are there")
        if group and used + size > room:
            groups.append(tuple(group))
            group, used = [], first_bytes
        used += size if group or base.cp else size - 1
        group.append(item)
    groups.append(tuple(group))
    return groups


@dataclass(frozen=True, slots=True)
class Message:
    """What one upload says, split or not: `items` without the DataTime that each packet repeats."""

    mn: str
    cn: str
    data_time: str
    items: tuple[Item, ...]


class Joiner:
    """Puts split packets together by (MN, CN, DataTime, PNUM), in any order, repeats included.

    QN cannot be the key: each packet has its own. At most OPEN_MESSAGES_MAX unfinished messages are kept, the
    oldest is dropped and counted in `dropped`.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, str, int], dict[int, tuple[Item, ...]]] = {}
        self.dropped = 0

    def add(self, segment: Segment) -> Message | None:
        """The whole message when `segment` completes one, else None."""
        data_time = segment.value("DataTime") or ""
        items = tuple(item for item in segment.cp if item[0][0] != "DataTime")
        if segment.pnum is None or segment.pno is None or not 1 <= segment.pno <= segment.pnum:
            return Message(segment.mn, segment.cn, data_time, items)
        key = (segment.mn, segment.cn, data_time, segment.pnum)
        parts = self._open.setdefault(key, {})
        parts[segment.pno] = items
        if len(parts) == segment.pnum:
            del self._open[key]
            return Message(segment.mn, segment.cn, data_time, join(parts[number] for number in sorted(parts)))
        if len(self._open) > OPEN_MESSAGES_MAX:
            del self._open[next(iter(self._open))]
            self.dropped += 1
        return None


def join(parts: Iterable[tuple[Item, ...]]) -> tuple[Item, ...]:
    """The items of all parts, in order."""
    return tuple(item for part in parts for item in part)
