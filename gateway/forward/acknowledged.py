"""Which intervals a sink has, is getting, or will not get: kept beside its cursors, read for `reconcile`."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from gateway.database import connect_for_reading
from gateway.gaps.words import CELL_S

DAY_S = 86400
HALF = 48  # cells of a day in one integer: SQLite's have 63 bits
DAYS_KEPT = 400

ACKNOWLEDGED, UNDER_WAY, DEAD, WITHHELD = "acknowledged", "under_way", "dead", "withheld"


class Cell(NamedTuple):
    """An aligned quarter of an hour of a terminal; start_s: Unix s."""

    terminal: str
    start_s: int


def note(connection: sqlite3.Connection, cells: Iterable[Cell]) -> None:
    """The sink has these. Within the caller's transaction."""
    bits: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
    for terminal, start_s in cells:
        day, second = divmod(start_s, DAY_S)
        half, place = divmod(second // CELL_S, HALF)
        bits[day, terminal][half] |= 1 << place
    connection.executemany(
        "INSERT INTO acknowledged (day, terminal, low, high) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " low = low | excluded.low, high = high | excluded.high",
        [(*key, low, high) for key, (low, high) in bits.items()],
    )


def withhold(connection: sqlite3.Connection, cells: Iterable[tuple[Cell, str]]) -> None:
    """The sink is not to have these, for this reason."""
    connection.executemany(
        "INSERT OR REPLACE INTO withheld (cell, terminal, reason) VALUES (?, ?, ?)",
        [(cell.start_s, cell.terminal, reason) for cell, reason in cells],
    )


def forget(connection: sqlite3.Connection, now_s: int) -> None:
    """What is older than DAYS_KEPT."""
    day = now_s // DAY_S - DAYS_KEPT
    connection.execute("DELETE FROM acknowledged WHERE day < ?", (day,))
    connection.execute("DELETE FROM withheld WHERE cell < ?", (day * DAY_S,))


def read(file: Path, from_s: int, to_s: int) -> dict[Cell, tuple[str, str]]:
    """(state, reason) of each cell in [from_s, to_s) of which the sink's file knows something.

    acknowledged goes before all else; a reason stands beside dead and withheld. Raises sqlite3.OperationalError.
    """
    found: dict[Cell, tuple[str, str]] = {}
    with closing(connect_for_reading(file)) as connection:
        ask = connection.execute
        span = (from_s, to_s)
        for cell, terminal, reason in ask(
            "SELECT cell, terminal, reason FROM withheld WHERE cell >= ? AND cell < ?", span
        ):
            found[Cell(terminal, cell)] = (WITHHELD, reason)
        for cell, terminal, reason in ask("SELECT cell, terminal, reason FROM dead WHERE cell >= ? AND cell < ?", span):
            found[Cell(terminal, cell)] = (DEAD, reason)
        for cell, terminal in ask("SELECT cell, terminal FROM outbox WHERE cell >= ? AND cell < ?", span):
            found[Cell(terminal, cell)] = (UNDER_WAY, "")
        days = (from_s // DAY_S, -(-to_s // DAY_S))
        for day, terminal, *halves in ask(
            "SELECT day, terminal, low, high FROM acknowledged WHERE day >= ? AND day < ?", days
        ):
            for place in range(2 * HALF):
                start_s = day * DAY_S + place * CELL_S
                if halves[place // HALF] >> place % HALF & 1 and from_s <= start_s < to_s:
                    found[Cell(terminal, start_s)] = (ACKNOWLEDGED, "")
    return found
