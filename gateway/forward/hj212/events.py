"""An event, or a terminal's start, as HJ 212 reports it: log text (CN 3020), start-up time (CN 2081)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cext.decoder import Columns
from gateway.forward.hj212.mapping import Mapping, Station
from gateway.hj212.packet import EDITION_2025, RF_RESENT, Item, Packet, PacketError, Segment, build, flag_of
from gateway.hj212.times import data_time
from protocol import record

LOG, STARTED = "3020", "2081"
TEXT_BYTES_MAX = 890  # of a log text, HJ 212-2017 table 9

# what platforms show to people; codes that stand here not go as their number
WORDS = {
    record.BOOT: "终端启动",
    record.CLOCK_SET: "时钟校准",
    record.METER_SILENT: "电表通讯中断",
    record.METER_BACK: "电表通讯恢复",
    record.LOG_DAMAGED: "记录损坏",
    record.LOG_FULL: "记录已满",
}


class Boot(NamedTuple):
    """A start of a terminal: log's epoch, number of the start."""

    epoch: int
    boot: int


class Occurrence(NamedTuple):
    """What is told of an event: its time, Unix s; its code; its point, 0 for none; its values."""

    time_s: int
    code: int
    point: int
    values: list[int]


def occurrence_of(columns: Columns, row: int, time_s: int) -> Occurrence:
    """Of an event, row `row` of columns.records."""
    records = columns.records
    first, count = records.first[row], records.count[row]
    return Occurrence(time_s, records.code[row], records.point[row], list(columns.integers[first : first + count]))


def encode_event(
    mapping: Mapping, station: Station, event: Occurrence, next_qn: Callable[[], str], *, resent: bool
) -> Packet:
    """The log text of an event, of a platform that has a `log_id`."""
    where = f" 测点{event.point}" if event.point else ""
    values = f" ({' '.join(map(str, event.values))})" if event.values else ""
    text = f"{WORDS.get(event.code, f'事件{event.code}')}{where}{values}"
    return encode_text(mapping, station, event.time_s, text, next_qn, resent=resent)


def encode_text(
    mapping: Mapping, station: Station, time_s: int, text: str, next_qn: Callable[[], str], *, resent: bool = False
) -> Packet:
    """A log text (CN 3020) of a platform that has a `log_id`. PacketError where it is too long, or has // in it."""
    info = f"//{text}//"
    if len(info.encode("utf-8")) > TEXT_BYTES_MAX:
        raise PacketError("too-long", f"a log text of {len(info.encode('utf-8'))} bytes; at most {TEXT_BYTES_MAX}")
    items: list[Item] = [(("DataTime", data_time(time_s)),), ((f"{mapping.log_id}-Info", info),)]
    return _packet(mapping, station, LOG, items, next_qn, resent=resent)


def encode_start(
    mapping: Mapping, station: Station, seen_s: int, started_s: int, next_qn: Callable[[], str], *, resent: bool
) -> Packet:
    """CN 2081: at seen_s the terminal said that it had started at started_s."""
    items: list[Item] = [(("DataTime", data_time(seen_s)),), (("RestartTime", data_time(started_s)),)]
    return _packet(mapping, station, STARTED, items, next_qn, resent=resent)


def _packet(
    mapping: Mapping, station: Station, cn: str, items: list[Item], next_qn: Callable[[], str], *, resent: bool
) -> Packet:
    flag = flag_of(mapping.edition, wants_answer=True)
    rf = RF_RESENT if resent and mapping.edition == EDITION_2025 else None
    return build(Segment(next_qn(), station.st, cn, station.pw, station.mn, flag, tuple(items), rf=rf))
