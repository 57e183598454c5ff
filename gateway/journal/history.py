"""What one record means for its neighbours: places for windows without time, steps of energy registers.

Both end the same whatever order the records came in. All of it runs within the journal's transaction.
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


class EnergyHistory:
    """Each point's energy registers in the order of its log. Part of the writer: lives as long as its connection."""

    def __init__(self, connection: sqlite3.Connection, config: VerifyConfig) -> None:
        self._connection = connection
        self._config = config
        # the newest of each point, so that a window in order needs no look-up: 60,000 points are some 20 MiB
        self._newest: dict[tuple[int, int, int], Registers | None] = {}

    def add(
        self, log: Log, of_points: Mapping[int, Registers], points: Mapping[int, Point]
    ) -> tuple[list[Finding], list[Finding]]:
        """Keep a new window's registers; returns what their steps say (of this window, of those after it).

        Windows after it that came first are marked anew here: the step that leads to them is another one now.
        """
        found, of_later = [], []
        for number, registers in of_points.items():
            before, after = self._neighbours((*log, number), registers.seq)
            point = points.get(number)
            if point is None:
                continue
            if before is not None and (check := check_energy(before, registers, point, self._config)):
                found.append(Finding(check, number))
            if after is not None:
                was = check_energy(before, after, point, self._config) if before is not None else None
                now = check_energy(registers, after, point, self._config)
                if was != now:
                    self._mark_again((*log, after.seq), number, now)
                    of_later += [Finding(now, number)] if now else []
        self._connection.executemany(
            f"INSERT INTO registers (terminal, epoch, point, {_REGISTERS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            [(*log, number, *registers) for number, registers in of_points.items()],
        )
        for number, registers in of_points.items():
            newest = self._newest.get((*log, number))
            if newest is None or newest.seq < registers.seq:
                self._newest[*log, number] = registers
        return found, of_later

    def _neighbours(self, key: tuple[int, int, int], seq: int) -> tuple[Registers | None, Registers | None]:
        """The point's registers before and after a record that is not in yet."""
        if key not in self._newest:
            self._newest[key] = self._find(key, "seq >= ? ORDER BY seq DESC", 0)
        newest = self._newest[key]
        if newest is None or newest.seq < seq:
            return newest, None
        return self._find(key, "seq < ? ORDER BY seq DESC", seq), self._find(key, "seq > ? ORDER BY seq", seq)

    def _find(self, key: tuple[int, int, int], which: str, seq: int) -> Registers | None:
        row = self._connection.execute(
            f"SELECT {_REGISTERS} FROM registers WHERE terminal = ? AND epoch = ? AND point = ? AND {which} LIMIT 1",  # noqa: S608
            (*key, seq),
        ).fetchone()
        return Registers(*row) if row else None

    def _mark_again(self, identity: tuple[int, int, int], point: int, check: str | None) -> None:
        """Let the record have exactly this energy mark for the point."""
        row, text = self._connection.execute(
            "SELECT id, marks FROM records WHERE terminal = ? AND epoch = ? AND seq = ?", identity
        ).fetchone()
        marks = [(name, of) for name, of in json.loads(text) if of != point or name not in _ENERGY_CHECKS]
        if check is not None:
            marks.append((check, point))
        self._connection.execute("UPDATE records SET marks = ? WHERE id = ?", (marks_text(marks), row))


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
