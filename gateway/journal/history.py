"""What one record means for its neighbours: places for windows without time, steps of energy registers.

Both end the same whatever order the records came in. All functions run within the journal's transaction.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping

from gateway.config import VerifyConfig
from gateway.journal import placement
from gateway.registry import Point
from gateway.verify import Finding, Registers, check_energy

Boot = tuple[int, int, int]  # terminal's row, epoch, boot
Log = tuple[int, int]  # terminal's row, epoch

_ENERGY_CHECKS = {"energy_fell", "energy_jumped"}
_REGISTERS = "seq, boot, uptime_s, time_s, import_wh, export_wh"


def marks_text(marks: Iterable[tuple[str, int | None]]) -> str:
    """Marks as the journal keeps them: the same text for the same set."""
    return json.dumps(sorted(marks, key=repr))


def improve_anchor(connection: sqlite3.Connection, boot: Boot, anchor: placement.Anchor) -> None:
    """Take a record that carries time and uptime; where it is a better anchor, place the boot's windows by it."""
    if placement.better(_anchor(connection, boot), anchor) != anchor:
        return
    connection.execute(
        "INSERT OR REPLACE INTO boots (terminal, epoch, boot, error_s, uptime_s, seq, time_s)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*boot, *anchor),
    )
    waiting = connection.execute(
        "SELECT id, uptime_s, length_s FROM records"
        " WHERE terminal = ? AND epoch = ? AND boot = ? AND start_s IS NULL AND type = 1 ORDER BY id",
        boot,
    ).fetchall()
    for row, uptime_s, length_s in waiting:
        _put(connection, row, placement.start_s(anchor, uptime_s, length_s))


def place(connection: sqlite3.Connection, boot: Boot, row: int, uptime_s: int, length_s: int) -> None:
    """Place a new window without time, if its boot has an anchor already."""
    anchor = _anchor(connection, boot)
    if anchor is not None:
        _put(connection, row, placement.start_s(anchor, uptime_s, length_s))


def add_registers(
    connection: sqlite3.Connection,
    log: Log,
    of_points: Mapping[int, Registers],
    points: Mapping[int, Point],
    config: VerifyConfig,
) -> list[Finding]:
    """Keep a new window's registers, and mark it and the windows after it by the steps that it shows."""
    found = []
    for number, registers in of_points.items():
        connection.execute(
            f"INSERT INTO registers (terminal, epoch, point, {_REGISTERS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (*log, number, *registers),
        )
        point = points.get(number)
        if point is None:
            continue
        before = _neighbour(connection, log, number, registers.seq, "seq < ? ORDER BY seq DESC")
        after = _neighbour(connection, log, number, registers.seq, "seq > ? ORDER BY seq")
        for earlier, later in ((before, registers), (registers, after)):
            if earlier is not None and later is not None:
                check = check_energy(earlier, later, point, config)
                if _mark(connection, log, later.seq, number, check) and check:
                    found.append(Finding(check, number))
    return found


def _anchor(connection: sqlite3.Connection, boot: Boot) -> placement.Anchor | None:
    row = connection.execute(
        "SELECT error_s, uptime_s, seq, time_s FROM boots WHERE terminal = ? AND epoch = ? AND boot = ?", boot
    ).fetchone()
    return placement.Anchor(*row) if row else None


def _put(connection: sqlite3.Connection, row: int, start_s: int) -> None:
    connection.execute(
        "INSERT INTO placements (record, start_s) VALUES (?, ?)"
        " ON CONFLICT (record) DO UPDATE SET start_s = excluded.start_s",
        (row, start_s),
    )


def _neighbour(connection: sqlite3.Connection, log: Log, point: int, seq: int, which: str) -> Registers | None:
    row = connection.execute(
        f"SELECT {_REGISTERS} FROM registers WHERE terminal = ? AND epoch = ? AND point = ? AND {which} LIMIT 1",  # noqa: S608
        (*log, point, seq),
    ).fetchone()
    return Registers(*row) if row else None


def _mark(connection: sqlite3.Connection, log: Log, seq: int, point: int, check: str | None) -> bool:
    """Let the record have exactly this energy mark for the point. True if that changed it."""
    identity = (*log, seq)
    row, text = connection.execute(
        "SELECT id, marks FROM records WHERE terminal = ? AND epoch = ? AND seq = ?", identity
    ).fetchone()
    old = [tuple(mark) for mark in json.loads(text)]
    new = [mark for mark in old if mark[1] != point or mark[0] not in _ENERGY_CHECKS]
    if check is not None:
        new.append((check, point))
    changed = marks_text(new)
    if changed == text:
        return False
    connection.execute("UPDATE records SET marks = ? WHERE id = ?", (changed, row))
    return True
