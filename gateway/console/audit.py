"""The log of changes: who did what by the console, durably, before the answer leaves; chained, so an edit is found."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.database import opening, transaction

SCHEMA = Path(__file__).parent / "schema"
FILE = "console.sqlite3"
ASKED_CHARS_MAX = 4_000  # of what was asked: a body may have 64 KiB, a document 1 MiB
_FIRST = bytes(32)  # the link before the first row
_COLUMNS = "at_ms, who, address, action, asked, status"


class Entry(NamedTuple):
    """One change, or one that was refused. status: below 300 it was done."""

    at_ms: int
    who: str
    address: str
    action: str
    asked: str
    status: int


class Audit:
    """The log in a gateway's folder. One thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Raises StoreUnavailableError, NewerSchemaError."""
        with opening(folder / FILE, SCHEMA) as connection:
            self._connection = connection

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def add(self, entry: Entry) -> None:
        """Raises StoreUnavailableError."""
        entry = entry._replace(asked=entry.asked[:ASKED_CHARS_MAX])
        with transaction(self._connection):
            number, before = self._newest()
            self._connection.execute(
                f"INSERT INTO audit (id, {_COLUMNS}, link) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                (number + 1, *entry, _link(before, number + 1, entry)),
            )

    def newest(self, limit: int) -> list[Entry]:
        """The newest first."""
        found = self._connection.execute(f"SELECT {_COLUMNS} FROM audit ORDER BY id DESC LIMIT ?", (limit,))  # noqa: S608
        return [Entry(*row) for row in found]

    def head(self) -> str:
        """The newest row's number and link: kept elsewhere, it tells whether the end was cut off."""
        number, link = self._newest()
        return f"{number}:{link.hex()}"

    def faults(self) -> Iterator[str]:
        """Where the chain is broken: a row that was edited, deleted or put in."""
        expected, before = 1, _FIRST
        for number, *columns, link in self._connection.execute(
            f"SELECT id, {_COLUMNS}, link FROM audit ORDER BY id"  # noqa: S608
        ):
            if number != expected:
                yield f"{expected}: is not there / 缺失"
            elif link != _link(before, number, Entry(*columns)):
                yield f"{number}: is not what was written / 已被改动"
            expected, before = number + 1, link

    def _newest(self) -> tuple[int, bytes]:
        row = self._connection.execute("SELECT id, link FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        return (0, _FIRST) if row is None else (int(row[0]), bytes(row[1]))


def _link(before: bytes, number: int, entry: Entry) -> bytes:
    return hashlib.sha256(before + json.dumps([number, *entry], ensure_ascii=True).encode()).digest()
