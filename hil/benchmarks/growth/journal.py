"""Insert and query over journals of 1, 10 and 100 million readings."""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.cli_gaps import rows as gap_rows
from gateway.config import VerifyConfig
from gateway.console.pages.enterprise import Curve, drawn
from gateway.export.rows import rows as export_rows
from gateway.gaps.ledger import Day, Run
from gateway.gaps.source import Source, Span
from gateway.journal.journal import Journal
from gateway.journal.spans import Spans
from gateway.registry import Registry, Terminal
from gateway.watch.enterprises import Enterprise, Linkage, PointId
from hil.benchmarks.growth.filling import DAY_S, RECORDS_A_BLOCK, TERMINALS, WINDOWS_A_FRAME, Filling
from hil.benchmarks.ingest.load import POINTS
from hil.benchmarks.realistic import WINDOW_S

BURSTS = 10  # which fill the index once
ASKED = 7  # terminals that each question is asked of
FUTURE_S = VerifyConfig().future_refuse_s
MONTH_S = 31 * DAY_S
MILLION = 1_000_000
REAL_ON_TOP = 3 * MILLION  # half a day of frames, over a history that is pretended


@dataclass(frozen=True)
class Size:
    """What a journal of so many readings costs. Milliseconds are medians over ASKED terminals."""

    readings: int
    pretended: bool
    insert_us: float  # a window, wall clock: commit with sync, and its share of the index
    insert_cpu_us: float
    query_ms: dict[str, float]
    open_ms: float
    mib: float


def sizes(seed: int, *, whole: bool) -> list[Size]:
    """Each size in turn. whole: the largest with real frames too, which takes minutes and 6 GB."""
    real = [MILLION, 10 * MILLION] + ([100 * MILLION] if whole else [])
    found = []
    with tempfile.TemporaryDirectory() as name:
        filling = Filling(Path(name), _slots(real[-1], len(real)), seed)
        for readings in real:
            filling.fill(readings)
            found.append(_measure(filling, readings, pretended=False))
        filling.journal.close()
    if not whole:
        with tempfile.TemporaryDirectory() as name:
            filling = Filling(Path(name), _slots(REAL_ON_TOP, 1), seed)
            filling.pretend(100 * MILLION - REAL_ON_TOP)
            filling.fill(100 * MILLION)
            found.append(_measure(filling, 100 * MILLION, pretended=True))
            filling.journal.close()
    return found


def _slots(readings: int, measured: int) -> int:
    """Windows of a terminal, for so many readings and the bursts of so many measurements."""
    return readings // POINTS // TERMINALS + 2 * WINDOWS_A_FRAME + measured * (BURSTS + 1)


def _measure(filling: Filling, readings: int, *, pretended: bool) -> Size:
    filling.burst()  # opens it, and warms up
    begun_s, cpu_s = time.perf_counter(), time.process_time()
    for _ in range(BURSTS):
        filling.burst()
    wall_us = (time.perf_counter() - begun_s) / BURSTS / TERMINALS * 1e6
    cpu_us = (time.process_time() - cpu_s) / BURSTS / TERMINALS * 1e6
    filling.journal.close()
    return Size(
        readings, pretended, wall_us, cpu_us, _queries(filling), _open_ms(filling.folder),
        sum(one.stat().st_size for one in filling.folder.iterdir()) / 2**20,
    )  # fmt: skip


def _queries(filling: Filling) -> dict[str, float]:
    """Of a terminal's newest day, which is there with its frames."""
    to_s = filling.slot_start_s() + 900
    chosen = filling.terminals[:: TERMINALS // ASKED][:ASKED]
    spans, source = Spans(filling.folder), Source(filling.folder, FUTURE_S)
    known = source.terminals()
    spans.newest(1, chosen[0].id)  # what the index does not have is read once
    span = source.span(to_s - DAY_S, to_s, filling.end_s)
    asked: dict[str, Callable[[int], object]] = {
        "gaps of a day": lambda n: _gaps(source, span, chosen[n], known[chosen[n].id]),
        "export of a day": lambda n: list(export_rows(spans, [chosen[n].id], to_s - DAY_S, to_s)),
        "curves of a month": lambda n: _curves(spans, chosen[n], to_s),
        "newest 10": lambda n: spans.newest(10, chosen[n].id),
        "one record's bytes": lambda n: spans.raw(spans.newest(1)[0][1].id - 1000 * n),
    }
    found = {name: statistics.median(_ms(partial(ask, n)) for n in range(ASKED)) for name, ask in asked.items()}
    spans.close()
    source.close()
    return found


def _curves(spans: Spans, terminal: Terminal, to_s: int) -> list[Curve]:
    """What the console draws of an enterprise: here of one terminal, which is the province's mean."""
    points = tuple(PointId(terminal.id, number) for number in terminal.points)
    linkage = Linkage("", points[:1], points[1:], 1, 1, 1, needs_all=True, start_slots=0, run_on_slots=0)
    from_s = to_s - MONTH_S
    found = [(terminal.id, spans.powers(terminal.id, from_s, to_s))]
    return drawn(Enterprise("", "", (linkage,), ()), Registry([terminal]), found, from_s, MONTH_S // WINDOW_S)


@dataclass(frozen=True)
class Month:
    """What a terminal's month that came live costs to draw: medians over ASKED terminals, each asked a second time."""

    readings: int
    cpu_ms: float
    wall_ms: float


def month(seed: int, *, whole: bool) -> Month:
    """A frame a window, as at each quarter of an hour: every window is in another block, with 63 others' frames.

    whole: of a hundred million readings, which takes minutes and 7 GB; else of the fewest terminals that fill a block.
    """
    slots = MONTH_S // WINDOW_S
    terminals = 100 * MILLION // POINTS // slots if whole else RECORDS_A_BLOCK
    with tempfile.TemporaryDirectory() as name:
        filling = Filling(Path(name), slots + 1, seed, terminals)
        for _ in range(slots):
            filling.burst()
        filling.write_index()
        readings, to_s = filling.records * POINTS, filling.slot_start_s() + WINDOW_S
        filling.journal.close()
        asked = [_asked(filling.folder, one, to_s) for one in filling.terminals[:: terminals // ASKED][:ASKED]]
    return Month(readings, *(statistics.median(column) for column in zip(*asked, strict=True)))


def _asked(folder: Path, terminal: Terminal, to_s: int) -> tuple[float, float]:
    """CPU and wall clock of a month's curves, ms, its blocks in memory; on a new connection, as the console does it."""
    with closing(Spans(folder)) as spans:
        _curves(spans, terminal, to_s)
    cpu_s, begun_s = time.process_time(), time.perf_counter()
    with closing(Spans(folder)) as spans:
        _curves(spans, terminal, to_s)
    return (time.process_time() - cpu_s) * 1000, (time.perf_counter() - begun_s) * 1000


def _gaps(source: Source, span: Span, terminal: Terminal, row: int) -> list[Run | Day]:
    return list(gap_rows(source, span, terminal, row, source.facts(row, span), 28_800))


def _open_ms(folder: Path) -> float:
    return statistics.median(_ms(lambda: Journal(folder, VerifyConfig()).close()) for _ in range(3))


def _ms(work: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    work()
    return (time.perf_counter() - begun_s) * 1000
