"""Journals as earlier versions of the program left them, with what those versions said of them.

`python -m tests.gateway.journal.saved NNNN` saves one as the program of today makes it: done once, before the schema's
next version is written, and never changed after.
"""

import json
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

from gateway.config import VerifyConfig
from gateway.journal import index
from gateway.journal.journal import FILE, Journal
from gateway.journal.reader import Reader
from tests.gateway.support import NOW_S, Sender, accept, commit, event, reading, window

DATABASES = Path(__file__).parent / "databases"
_RECORDS_MOST = 1000


def lay(folder: Path, version: str) -> Any:
    """Put a saved journal into the folder; returns what its own version said of it."""
    with sqlite3.connect(folder / FILE) as connection:
        connection.executescript((DATABASES / f"{version}.sql").read_text("utf-8"))
    connection.close()
    return json.loads((DATABASES / f"{version}.json").read_text("utf-8"))


def saved_versions() -> list[str]:
    """Those that there are, in order."""
    return sorted(one.stem for one in DATABASES.glob("*.sql"))


def said_of(folder: Path) -> dict[str, Any]:
    """What this version says of a journal."""
    reader = Reader(folder)
    stored = reader.records_after(0, _RECORDS_MOST)
    placements = reader.placements_after(0, _RECORDS_MOST)
    said = {
        "records": stored,
        "raw": [reader.raw(one.id).hex() for one in stored],
        "placements": [[number, one.id, one.start_s] for number, one in placements],
        "counts": reader.counts(),
    }
    reader.close()
    return dict(json.loads(json.dumps(said)))


def fill(folder: Path) -> None:
    """A bit of everything: marks, one taken back, places, a conflict, two epochs; a part of it in the index."""
    one, other = Sender("T0001"), Sender("T0002")
    journal = Journal(folder, VerifyConfig())

    def energy(seq: int, wh: int) -> bytes:
        return window(seq, NOW_S - 9900 + 900 * seq, [reading(e_import_wh=wh)], end_uptime_s=9000 + 900 * seq)

    def put(sender: Sender, *records: bytes, epoch: int = 7) -> None:
        commit(journal, [accept(sender, sender.frame(list(records), epoch))])

    put(one, energy(1, 1_000_000), event(2, NOW_S - 9000, uptime_s=9000), energy(3, 1_002_000))
    put(other, window(1, None), window(2, None, [reading(e_import_wh=999_999)]))
    put(one, energy(6, 1_900_000))
    opened = journal._open()
    index.write(opened.connection, opened.ledger, opened.next_id - 1)
    put(one, energy(5, 1_899_000))
    put(one, energy(5, 1), energy(3, 1_002_000))
    put(other, event(3, NOW_S - 1000, uptime_s=2000))
    put(other, window(4, NOW_S - 900, [reading(), 1, reading()], boot=2, end_uptime_s=4500), window(5, None, boot=3))
    put(one, window(1, NOW_S - 900, [reading(e_import_wh=5)], end_uptime_s=9900), epoch=8)
    journal.close()


def save(version: str) -> None:
    """Make the journal, its dump and what is said of it."""
    with tempfile.TemporaryDirectory() as name:
        fill(Path(name))
        said = said_of(Path(name))
        connection = sqlite3.connect(Path(name) / FILE)
        (number,) = connection.execute("PRAGMA user_version").fetchone()
        head = f"-- A journal as version {number} left it, with its user_version. Made once, never changed.\n"
        lines = [f"PRAGMA user_version = {number};", *connection.iterdump()]
        connection.close()
    (DATABASES / f"{version}.sql").write_text(head + "\n".join(lines) + "\n", "utf-8")
    (DATABASES / f"{version}.json").write_text(json.dumps(said, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    save(sys.argv[1])
