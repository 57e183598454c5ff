"""Reads the evidence: the journal's file, the platform's, the meters'. Knows their formats, and judges nothing."""

import json
import sqlite3
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from hil.oracle.evidence import Journal, Kept, Poll, Upload
from protocol import mac
from protocol.frame import open_frame

_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'blocks'"  # a gateway that fell at its first start made none
_BLOCKS = "SELECT frames, received_ms FROM blocks ORDER BY first"
_HEAD = struct.Struct("<QHB")  # gateway/journal/schema/0002.sql: which of its records are new, sizes of frame and name


def read_journal(file: Path, terminal: str, keys: Mapping[int, mac.Key]) -> Journal:
    """The journal's records, each once, out of frames authenticated here with the protocol's Python codec.

    Raises protocol.errors.FrameError if the journal keeps a frame that is not the terminal's.
    """
    if not file.exists():
        return Journal([], [])
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        blocks = connection.execute(_BLOCKS).fetchall() if connection.execute(_TABLE).fetchone() else []
    finally:
        connection.close()
    kept: dict[tuple[int, int, bytes], Kept] = {}
    counted: dict[int, int] = defaultdict(int)  # each start's number, by its boot_id: the highest in what it sent
    rows = []
    frames = 0
    for packed, received_ms in blocks:
        for mask, name, data in frames_in(packed):
            if name != terminal:
                continue
            frames += 1
            frame = open_frame(data, terminal, dict(keys))
            for number, one in enumerate(frame.records):
                identity = (frame.epoch, one.seq, one.raw)
                is_new = mask >> number & 1
                counted[frame.boot_id] = max(counted[frame.boot_id], one.body.boot)
                if is_new or identity not in kept:
                    kept[identity] = Kept(*identity[:2], one.body, one.raw, frame.boot_id, frame.sent_ms, received_ms)
                if is_new:
                    rows.append(identity)
    return Journal([replace(one, sent_boot=counted[one.sent_boot]) for one in kept.values()], rows, frames)


def stored_frames(file: Path) -> Iterator[tuple[int, str, bytes]]:
    """(which records are new, terminal, frame) of all frames that a journal keeps, as they came."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        for packed, _received_ms in connection.execute(_BLOCKS):
            yield from frames_in(packed)
    finally:
        connection.close()


def frames_in(packed: bytes) -> Iterator[tuple[int, str, bytes]]:
    """(which records are new, terminal, frame) of a block of the journal."""
    at = 0
    while at < len(packed):
        mask, size, name_size = _HEAD.unpack_from(packed, at)
        name_at = at + _HEAD.size
        at = name_at + name_size + size
        yield mask, packed[name_at : name_at + name_size].decode("ascii"), packed[at - size : at]


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
