"""Places for windows whose terminal did not know the time (SPEC.md, FR-26). Within the journal's transaction.

Ends the same whatever order the records came in.
"""

import sqlite3
from collections.abc import Iterable

from gateway.journal import placement

Boot = tuple[int, int, int]  # terminal's row, epoch, boot
Placed = tuple[int, Boot, int, int, tuple[int, int, int, int] | None]


def place_records(connection: sqlite3.Connection, records: Iterable[Placed]) -> None:
    """Take in new windows without a time, and records that may be better anchors, as cext.verify.Taken names them."""
    for record, boot, uptime_s, length_s, anchor in records:
        if anchor is None:
            _place(connection, record, boot, uptime_s, length_s)
        else:
            _improve_anchor(connection, boot, placement.Anchor(*anchor))


def _improve_anchor(connection: sqlite3.Connection, boot: Boot, anchor: placement.Anchor) -> None:
    if placement.better(_anchor(connection, boot), anchor) != anchor:
        return
    connection.execute(
        "INSERT OR REPLACE INTO boots (terminal, epoch, boot, error_s, uptime_s, seq, time_s)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*boot, *anchor),
    )
    waiting = connection.execute(
        "SELECT record, uptime_s, length_s FROM timeless WHERE terminal = ? AND epoch = ? AND boot = ? ORDER BY record",
        boot,
    ).fetchall()
    for record, uptime_s, length_s in waiting:
        _put(connection, record, placement.start_s(anchor, uptime_s, length_s))


def _place(connection: sqlite3.Connection, record: int, boot: Boot, uptime_s: int, length_s: int) -> None:
    """Keep a new window without time, placed if its boot has an anchor already."""
    connection.execute(
        "INSERT INTO timeless (record, terminal, epoch, boot, uptime_s, length_s) VALUES (?, ?, ?, ?, ?, ?)",
        (record, *boot, uptime_s, length_s),
    )
    anchor = _anchor(connection, boot)
    if anchor is not None:
        _put(connection, record, placement.start_s(anchor, uptime_s, length_s))


def _anchor(connection: sqlite3.Connection, boot: Boot) -> placement.Anchor | None:
    row = connection.execute(
        "SELECT error_s, uptime_s, seq, time_s FROM boots WHERE terminal = ? AND epoch = ? AND boot = ?", boot
    ).fetchone()
    return placement.Anchor(*row) if row else None


def _put(connection: sqlite3.Connection, record: int, start_s: int) -> None:
    connection.execute(
        "INSERT INTO placements (record, start_s) VALUES (?, ?)"
        " ON CONFLICT (record) DO UPDATE SET start_s = excluded.start_s",
        (record, start_s),
    )
