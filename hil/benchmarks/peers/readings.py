"""The same readings in each contender's form, and what of them a platform has received.

A message is one window of one terminal. `frames`: as terminals send it. `json`: a list of the points' readings, as
gateways without our format take it, 9 objects of 15 members.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

from cext.decoder import KeyState, decode_columns
from hil.benchmarks.ingest.load import BOOT, EPOCH, SECRET, names, windows
from protocol import frame, mac, record

NAMES = (
    "p_mean_w", "p_min_w", "p_max_w", "e_import_wh", "r_import_varh", "run_s",
    "ua_dv", "ub_dv", "uc_dv", "ia_ma", "ib_ma", "ic_ma", "pf_milli",
)  # fmt: skip
_STATES = {1: KeyState(SECRET)}


class Seen(NamedTuple):
    """A reading: of which point, of which window (Unix s of its start)."""

    point: str
    start_s: int


def messages(form: str, terminals: int, count: int, seed: int, now_s: int) -> list[tuple[str, bytes]]:
    """(terminal, payload) of `count` messages, window by window, of the last day: at most 96 for each terminal."""
    raws = windows(-(-count // terminals), seed, now_s)
    make = _json if form == "json" else _frame
    made = [(name, make(name, number, raw)) for number, raw in enumerate(raws) for name in names(terminals)]
    return made[:count]


def expected(terminals: int, count: int, seed: int, now_s: int) -> set[Seen]:
    """The readings in these messages."""
    found: set[Seen] = set()
    for number, raw in enumerate(windows(-(-count // terminals), seed, now_s)):
        window = record.decode_record(raw).body
        for name in names(terminals)[: count - number * terminals]:
            found.update(Seen(f"{name}-{point}", window.start_s) for point in range(1, len(window.readings) + 1))
    return found


def of_frame(terminal: str, data: bytes) -> Iterator[Seen]:
    """The readings of a frame; none of one that does not verify."""
    columns = decode_columns([data], [terminal], [_STATES])
    for row, point in zip(columns.slots.record, columns.slots.point, strict=True):
        yield Seen(f"{terminal}-{point}", columns.records.time_s[row])


def of_json(payload: bytes) -> Iterator[Seen]:
    """The readings of a message in `json`."""
    for one in json.loads(payload):
        yield Seen(one["point"], one["ts"] // 1000)


def points_json(terminal: str, window: record.Window) -> list[dict[str, object]]:
    """A window's readings in `json`."""
    return [
        {"point": f"{terminal}-{number}", "ts": (window.start_s or 0) * 1000}
        | {name: getattr(reading, name) for name in NAMES}
        for number, reading in enumerate(window.readings, start=1)
    ]


def _json(terminal: str, _number: int, raw: bytes) -> bytes:
    return json.dumps(points_json(terminal, record.decode_record(raw).body)).encode()


def _frame(terminal: str, number: int, raw: bytes) -> bytes:
    return frame.seal_frame(mac.Key(SECRET, 1), terminal, EPOCH, BOOT, 900_000 * number + 1, [raw])
