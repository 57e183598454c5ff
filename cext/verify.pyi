# The contract of cext.verify; what each part does stands in verify.pyx.

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias, final

from typing_extensions import Buffer

from cext.decoder import Columns

NOTE: str
MARK: str
REFUSE: str
NAMES: tuple[str, ...]  # checks by number; [0] is ""
SEVERITIES: Mapping[str, str]  # by check
OUTCOMES: tuple[str, ...]  # by number, as in Taken.outcomes
YEAR_2020_S: int  # what is older is refused
ENDS_BYTES: int  # of a point in a row of `extents`

@final
class Points:
    # by number: (rated W, register step Wh); (serial, CT, PT in thousandths) of its meter as it was commissioned
    def __init__(
        self,
        terminal: str,
        limits: Mapping[int, tuple[int | None, int]],
        meters: Mapping[int, tuple[int | None, int | None, int | None]] | None = None,
    ) -> None: ...
    @property
    def terminal(self) -> str: ...

@final
class Bounds:
    def __init__(
        self,
        *,
        future_mark_s: int,
        future_refuse_s: int,
        rated_power_excess_percent: int,
        energy_power_percent: int,
        phases_percent: int,
    ) -> None: ...

@final
class Findings:
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[tuple[int, str, int | None]]: ...  # (record's row, check, point), by record
    def refused(self) -> dict[int, str]: ...  # record's row: the first check that refuses it

# What each record of the frames that were taken says of itself. points[i]: of the terminal that sent frame i, None
# where that is not known, and then nothing is looked at; now_s: Unix.
def check_columns(columns: Columns, points: Sequence[Points | None], now_s: int, limits: Bounds) -> Findings: ...

_Boot: TypeAlias = tuple[int, int, int]  # terminal, epoch, boot

@final
class Taken:
    outcomes: bytearray  # a byte a record: a place in OUTCOMES; "skipped" where its frame was not taken
    masks: list[int]  # a frame: bit i says that its record i is new
    asked: list[tuple[int, int, int, int, int]]  # (record's row, terminal, epoch, seq, day): in, but with these bytes?
    # (id, boot, uptime_s, length_s, anchor): new windows without a time (None), and new anchors
    placed: list[tuple[int, _Boot, int, int, tuple[int, int, int, int] | None]]
    started: list[tuple[int, int, int]]  # (terminal, epoch, first record's id) of logs that were not known
    epochs_back: list[int]  # frames with new records of a log that is not the terminal's newest
    first_id: int
    next_id: int
    windows: int  # new ones
    @property
    def findings(self) -> dict[str, int]: ...  # how often each check found something: new, refused, marked later
    @property
    def remarks(self) -> list[tuple[int, int, int]]: ...  # (record, point, check's number or 0): of those in before
    # (first id, records, packed frames, packed marks) for each frames_most frames that have a new record
    def blocks(
        self, frames: list[bytes], names: list[str], frames_most: int
    ) -> list[tuple[int, int, bytes, bytes]]: ...

_Extent: TypeAlias = tuple[int, int, int, int, bytes]  # first, last (seq), first and last record's id, ends
_RunRow: TypeAlias = tuple[int, int, int, int, bytes, bytes]  # day, terminal, epoch, first (seq), entries, powers
_ExtentRow: TypeAlias = tuple[int, int, int, int, int, int, bytes]  # terminal, epoch, and these

@final
class Ledger:
    # A terminal is a number, by row_of(its name). load(terminal, epoch): a log's extents in order. newest: by terminal,
    # its newest epoch
    def __init__(
        self, load: Callable[[int, int], list[_Extent]], row_of: Callable[[str], int], newest: Mapping[int, int]
    ) -> None: ...
    @property
    def unindexed(self) -> int: ...  # records since `settle`
    # Takes in what is new. points[i]: of the terminal that sent frame i; row_of is asked for those it does not know yet
    def take(
        self,
        columns: Columns,
        points: Sequence[Points],
        findings: Findings,
        next_id: int,
        received_ms: int,
        limits: Bounds,
    ) -> Taken: ...
    # Takes in again what the journal has behind its index: the records of `masks`. Returns the id after the last
    def absorb(
        self,
        columns: Columns,
        terminals: Sequence[int],
        masks: Sequence[int],
        received_ms: Sequence[int],
        next_id: int,
    ) -> int: ...
    # (terminal, epoch, how many, highest) of each terminal's newest log that lacks numbers below the highest one that
    # came; a log begins with 1. Of the logs touched since the start (or since more than `settle` keeps were).
    def holes(self) -> list[tuple[int, int, int, int]]: ...
    # Up to `most` ranges of first..last that are not in the journal, both ends included, the highest first
    def absent(self, terminal: int, epoch: int, first: int, last: int, most: int) -> list[tuple[int, int]]: ...
    def newest_of(self, terminal: int) -> int | None: ...  # the epoch of its newest log
    def runs(self) -> Iterator[_RunRow]: ...
    def extents(self) -> Iterator[tuple[int, int, list[_ExtentRow]]]: ...
    def settle(self, logs_most: int) -> None: ...

@final
class Tally:
    frames: dict[str, int]  # accepted, repeated, refused
    records: dict[str, int]  # new, repeated, conflict, refused

def tally(columns: Columns, outcomes: Buffer) -> Tally: ...
def delays(columns: Columns, outcomes: Buffer, now_s: int, limits: Sequence[int]) -> tuple[list[int], int]: ...

# (has a reading, has none because) of each record, as bits, point 1 the lowest; (0, 0) of an event
def window_points(columns: Columns) -> list[tuple[int, int]]: ...
