"""Reads the evidence: the journal's file, the platform's, the meters'. Knows their formats, and judges nothing."""

import json
import sqlite3
import struct
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from hil.oracle.evidence import Journal, Kept, Poll, Upload
from protocol import mac
from protocol.errors import FrameError
from protocol.frame import open_frame

_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'blocks'"  # a gateway that fell at its first start made none
_BLOCKS = "SELECT frames, received_ms FROM blocks ORDER BY first"
UNREADABLE = (sqlite3.DatabaseError, struct.error, ValueError)  # what a file that is damaged raises
_HEAD = struct.Struct("<QHB")  # gateway/journal/schema/0002.sql: which of its records are new, sizes of frame and name


def read_journal(file: Path, terminal: str, keys: Mapping[int, mac.Key]) -> Journal:
    """The journal's records, each once, out of frames authenticated here with the protocol's Python codec.

    A frame that is not the terminal's, and a file that can't be read, are said in it: they are for the verdict.
    """
    kept: dict[tuple[int, int, bytes], Kept] = {}
    counted: dict[int, int] = defaultdict(int)  # each start's number, by its boot_id: the highest in what it sent
    rows: list[tuple[int, int, bytes]] = []
    forged: list[str] = []
    frames, unreadable = 0, ""
    try:
        for mask, name, data, received_ms in _stored(file):
            if name != terminal:
                continue
            frames += 1
            try:
                frame = open_frame(data, terminal, dict(keys))
            except FrameError as error:
                forged.append(f"a frame of {terminal} that nobody has sealed is in the journal: {error}")
                continue
            for number, one in enumerate(frame.records):
                identity = (frame.epoch, one.seq, one.raw)
                is_new = mask >> number & 1
                counted[frame.boot_id] = max(counted[frame.boot_id], one.body.boot)
                if is_new or identity not in kept:
                    sent = (frame.boot_id, frame.sent_ms, received_ms, frame.boot_id)
                    kept[identity] = Kept(*identity[:2], one.body, one.raw, *sent)
                if is_new:
                    rows.append(identity)
    except UNREADABLE as error:
        unreadable = f"{file.name} can't be read: {type(error).__name__}: {error}"
    found = [replace(one, sent_boot=counted[one.sent_boot]) for one in kept.values()]
    return Journal(found, rows, frames, forged, unreadable)


def frames_of_others(file: Path, terminals: Container[str]) -> Counter[str]:
    """How many frames the journal keeps under each name that is none of these."""
    try:
        return Counter(name for _mask, name, _data, _ms in _stored(file) if name not in terminals)
    except UNREADABLE:
        return Counter()  # read_journal says so


def stored_frames(file: Path) -> Iterator[tuple[int, str, bytes]]:
    """(which records are new, terminal, frame) of all frames that a journal keeps, as they came."""
    return ((mask, name, data) for mask, name, data, _ms in _stored(file))


def _stored(file: Path) -> Iterator[tuple[int, str, bytes, int]]:
    """(which records are new, terminal, frame, received_ms). Raises what UNREADABLE lists."""
    if not file.exists():
        return
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        if connection.execute(_TABLE).fetchone():
            for packed, received_ms in connection.execute(_BLOCKS):
                yield from ((*one, received_ms) for one in frames_in(packed))
    finally:
        connection.close()


def frames_in(packed: bytes) -> Iterator[tuple[int, str, bytes]]:
    """(which records are new, terminal, frame) of a block of the journal. Raises ValueError, struct.error."""
    at = 0
    while at < len(packed):
        mask, size, name_size = _HEAD.unpack_from(packed, at)
        name_at = at + _HEAD.size
        at = name_at + name_size + size
        if at > len(packed):
            raise ValueError(f"a block ends {at - len(packed)} bytes early")
        yield mask, packed[name_at : name_at + name_size].decode("ascii"), packed[at - size : at]


def packed_frame(mask: int, terminal: str, data: bytes) -> bytes:
    """A frame as a block of the journal has it: the reverse of `frames_in`."""
    return _HEAD.pack(mask, len(data), len(terminal)) + terminal.encode("ascii") + data


def read_uploads(file: Path, mn: str, zone: tzinfo, virtual_ms: Callable[[int], int]) -> list[Upload]:
    """What the platform took in of a station, without what it was sent again under the same number.

    virtual_ms: the virtual instant of one by the platform's clock.
    """
    uploads = []
    for row in read_rows(file):
        if row.get("kind") == "upload" and (row["mn"], row["cn"]) == (mn, "2051") and not row["repeat"]:
            values = {str(name): str(value) for item in row["cp"] for name, value in item}
            start = datetime.strptime(values.pop("DataTime"), "%Y%m%d%H%M%S").replace(tzinfo=zone)
            uploads.append(Upload(row["qn"], int(start.timestamp()) * 1000, values, virtual_ms(row["t_ms"])))
    return uploads


def uploads_of_others(file: Path, mns: Container[str]) -> Counter[str]:
    """How many messages the platform took in of each station that is none of these."""
    return Counter(row["mn"] for row in read_rows(file) if row.get("kind") == "upload" and row["mn"] not in mns)


def unanswered_of(rows: Iterable[Mapping[str, Any]]) -> dict[int | str, list[int]]:
    """When each meter was asked and was made to give no whole answer, by its address; from the rows of its log."""
    found: dict[int | str, list[int]] = defaultdict(list)
    for row in rows:
        if "unanswered" in row:
            found[row["address"]].append(row["t_ms"])
    return found


def polls_of(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[int | str, int], list[Poll]]:
    """What each meter showed, by its address and circuit, in order of time; from the rows of the meters' log.

    What it could not show (more than it has digits for) is left out.
    """
    polls: dict[tuple[int | str, int], list[Poll]] = defaultdict(list)
    for row in rows:
        if "values" in row:
            values = {name: value for name, value in row["values"].items() if value is not None}
            one = Poll(row["t_ms"], values, row["from_ms"], row.get("fault") == "delay")
            polls[row["address"], row.get("circuit", 1)].append(one)
    return {meter: sorted(found, key=lambda poll: poll.t_ms) for meter, found in polls.items()}


def writes_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Requests to meters that would have changed something: there must never be one."""
    return [f"address {row['address']}, function {row['function']}" for row in rows if "event" in row]


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file; a last one that a kill has cut short is left out."""
    lines = file.read_text("utf-8").split("\n")[:-1] if file.exists() else []
    return [json.loads(line) for line in lines]
