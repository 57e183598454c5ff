"""The journal verified: the chain over all that was accepted (S-23), readings proven again from their frames (S-24).

Reads one instant of the file, on a connection that can't change it, while a gateway may write.
"""

import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from cext.decoder import REASON_NAMES, KeyState, decode_columns
from gateway.journal import blocks, chain, index
from gateway.journal.chain import Head
from gateway.journal.index import Powers
from gateway.journal.rows import Blocks, connect_to, powers_of

_BLOCKS = "SELECT first, records, received_ms, link, marks, frames FROM blocks ORDER BY first"
_REMARKS = "SELECT block, record, point, energy_check FROM remarks ORDER BY id"

Keys = Mapping[str, Mapping[int, KeyState]]  # terminal, generation


class Fault(NamedTuple):
    """What is not as it was accepted. record: where it was seen, the first of the block."""

    record: int
    what: str


class Proof(NamedTuple):
    """Of one record. reason: "" where its frame opens with the terminal's key and says what the index says of it."""

    record: int
    terminal: str
    reason: str


class Audit:
    """One look at the journal. One thread."""

    def __init__(self, folder: Path) -> None:
        """Raises sqlite3.OperationalError, OlderSchemaError, NewerSchemaError."""
        self._connection = connect_to(folder)
        self._connection.execute("BEGIN")
        self._blocks = Blocks(self._connection)
        self.start = chain.start(self._connection)
        self.last = max(self._blocks.last_id(), self.start.record)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def links(self) -> Iterator[Head | Fault]:
        """The chain link by link from where the journal begins; a fault where it breaks, and then no more."""
        before = self.start
        remarks = _remarks_of(self._connection)
        for first, records, received_ms, link, marks, frames in self._connection.execute(_BLOCKS):
            if first != before.record + 1:
                yield Fault(first, f"records {before.record + 1} to {first - 1} are not there")
                return
            of_block = remarks.pop(first, [])
            if _link_of(before.link, (first, records, received_ms), marks, frames, of_block) != link:
                yield Fault(first, "the block is not what was accepted, or what stood before it is not")
                return
            before = Head(first + records - 1, bytes(link))
            yield before
        if remarks:
            yield Fault(min(remarks), "remarks of a block that is not there, or not in their order")
        (indexed,) = self._connection.execute("SELECT indexed FROM progress").fetchone()
        if indexed > before.record:
            yield Fault(before.record + 1, f"records up to {indexed} were there")

    def compare(self, noted: Head) -> Fault | None:
        """A head that was noted earlier against the chain: the same link must stand there, unless it is retired."""
        if noted.record < self.start.record:
            return Fault(noted.record, f"was retired: the chain begins behind record {self.start.record}")
        link = self.start.link if noted.record == self.start.record else self._link_behind(noted.record)
        if link is None:
            return Fault(noted.record, "no block ends with this record")
        return None if link == noted.link else Fault(noted.record, "the chain had another link here")

    def prove(self, records: Iterable[int], keys: Keys) -> Iterator[Proof]:
        """Each record's frame opened again, and held against the index."""
        for record in records:
            try:
                kept, place = self._blocks.frame(record)
            except (KeyError, ValueError):
                yield Proof(record, "", "not_there")
                continue
            yield Proof(record, kept.terminal, self._reason(record, kept, place, keys.get(kept.terminal, {})))

    def frame(self, record: int) -> bytes:
        """The frame that brought a record, as it came. Raises KeyError."""
        return self._blocks.frame(record)[0].data

    def _reason(self, record: int, kept: blocks.Kept, place: int, keys: Mapping[int, KeyState]) -> str:
        columns = decode_columns([kept.data], [kept.terminal], [keys], digests=True)
        reason = columns.frames.reason[0]
        if reason:
            return REASON_NAMES[reason]
        found = columns.records
        (terminal,) = self._connection.execute("SELECT id FROM terminals WHERE name = ?", (kept.terminal,)).fetchone()
        (indexed,) = self._connection.execute("SELECT indexed FROM progress").fetchone()
        if record <= indexed:
            day = found.time_s[place] // index.DAY_S if found.has_time[place] else 0
            digest = index.digest_of(self._connection, day, terminal, columns.frames.epoch[0], found.seq[place])
            if digest != bytes(found.digest.tolist()[place])[: index.DIGEST_BYTES]:
                return "index"
            if not self._powers_are(record, (day, terminal), powers_of(columns)[place]):
                return "index"
        return ""

    def _powers_are(self, record: int, key: tuple[int, int], said: Powers) -> bool:
        """Whether the index has those powers of a record, of this (day, terminal), that its frame says, or none."""
        try:
            return list(dict(index.powers(self._connection, *key)).get(record, said)) == list(said)
        except blocks.DamagedError:
            return False

    def _link_behind(self, record: int) -> bytes | None:
        row = self._connection.execute(
            "SELECT first + records - 1, link FROM blocks WHERE first <= ? ORDER BY first DESC LIMIT 1", (record,)
        ).fetchone()
        return bytes(row[1]) if row and row[0] == record else None


def _link_of(
    before: bytes, block: tuple[int, int, int], marks: bytes, frames: bytes, remarks: list[tuple[int, int, int]]
) -> bytes | None:
    """None: with such numbers there is none."""
    try:
        return chain.link_of(before, block, marks, frames, remarks)
    except struct.error:
        return None


def _remarks_of(connection: sqlite3.Connection) -> dict[int, list[tuple[int, int, int]]]:
    """By the first block of their commit, in their order; few: a mark that came late.

    The last one of a record counts, so that their order counts too: those that are out of it are under block 0, where
    there is no block.
    """
    found: dict[int, list[tuple[int, int, int]]] = {}
    newest = 0
    for block, *remark in connection.execute(_REMARKS):
        found.setdefault(block if block >= newest else 0, []).append((remark[0], remark[1], remark[2]))
        newest = max(newest, block)
    return found
