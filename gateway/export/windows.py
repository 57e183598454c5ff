"""Windows out of the journal as columns: terminal by terminal, a bounded number at a time, each block read once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from cext.decoder import Columns
from gateway.journal.spans import Entry, Spans

WINDOWS_A_TIME = 512  # of a terminal: five days, some 5 MiB


class Windows(NamedTuple):
    """Some of a terminal's windows. entries: by their row in columns.records, in the order of the log.

    Rows without an entry were not asked for.
    """

    terminal: str
    entries: Mapping[int, Entry]
    columns: Columns


def windows(spans: Spans, terminals: Iterable[str], from_s: int, to_s: int) -> Iterator[Windows]:
    """Those that begin in [from_s, to_s), of each terminal by the order of its log. Raises DamagedError."""
    for name in terminals:
        entries = spans.windows(name, from_s, to_s)
        for at in range(0, len(entries), WINDOWS_A_TIME):
            some = entries[at : at + WINDOWS_A_TIME]
            found = spans.decoded([entry.id for entry in some])
            of_rows = {row: entry for row, entry in zip(found.rows, some, strict=True) if row is not None}
            yield Windows(name, of_rows, found.columns)
