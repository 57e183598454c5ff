"""All terminals of a region back at once with a week each: when the newest is there, and when all is (R-14)."""

import time
from dataclasses import dataclass

from gateway.journal.reader import Reader
from hil.benchmarks.crowd.stand import Stand, stand
from hil.benchmarks.crowd.terminal import Crowd, Terminal
from hil.benchmarks.deployed import Admitted
from hil.benchmarks.ingest.load import names
from hil.benchmarks.realistic import windows
from hil.benchmarks.result import Figure, Options, Result
from hil.process import BenchError

WINDOWS_A_FRAME = 8  # of 414 bytes each: what fits a frame of 4 KiB
FLIGHTS_MOST = 8  # of a terminal: frames without an ack
LIMIT_S = 900.0


@dataclass(frozen=True)
class Scale:
    """So many terminals, each with so many windows; the last of these closed as the link came back."""

    terminals: int = 1000
    windows: int = 672  # a week

    @property
    def newest(self) -> tuple[int, ...]:
        """The frame with the newest window."""
        return (self.windows - 1,)

    @property
    def meanwhile(self) -> tuple[int, ...]:
        """The frame of a window that closes when half of the backlog is in."""
        return (self.windows,)

    def backlog(self) -> list[tuple[int, ...]]:
        """The frames with all windows before."""
        last = self.windows - 1
        return [tuple(range(at, min(at + WINDOWS_A_FRAME, last))) for at in range(0, last, WINDOWS_A_FRAME)]


@dataclass
class Seen:
    """Seconds, monotonic."""

    began: float
    connected: float = 0.0
    closed: float = 0.0  # when the window closed meanwhile
    ended: float = 0.0


def measure(options: Options) -> Result:
    """See the module."""
    scale = Scale()
    with stand([Admitted(name) for name in names(scale.terminals)]) as pair:
        seen, terminals = come_back(pair, scale, options.seed)
        rss_mib = pair.rss_mib(peak=True)
        check(pair, scale)
    newest = [one.acked_s[scale.newest] - seen.began for one in terminals]
    meanwhile = [one.acked_s[scale.meanwhile] - seen.closed for one in terminals]
    figures = [
        Figure("comeback.newest_99_s", _of(newest, 0.99), "s", 0, "", "at most 60"),
        Figure("comeback.whole_s", round(seen.ended - seen.began, 1), "s", 0, "", "at most 900"),
        Figure("comeback.meanwhile_99_s", _of(meanwhile, 0.99), "s", 0, ""),
        Figure("comeback.rss_mib", round(rss_mib, 1), "MiB", 0, ""),
    ]
    notes = [
        f"{scale.terminals} terminals, each with a connection of its own and {scale.windows} windows: full scale.",
        f"{WINDOWS_A_FRAME} windows a frame, {FLIGHTS_MOST} frames of a terminal under way.",
        f"From the first connection on; all were connected after {seen.connected - seen.began:.1f} s.",
        "newest_99_s: the newest window's ack, of 99 % of the terminals; it goes first, then the backlog.",
        "meanwhile_99_s: of a window that closed when half of the backlog was in, from then on.",
        "Each window is in the journal once, or there are no figures.",
    ]
    return Result(figures, notes=notes)


def come_back(pair: Stand, scale: Scale, seed: int) -> tuple[Seen, list[Terminal]]:
    """From the first connection to the last ack. Raises BenchError after LIMIT_S."""
    records = windows(scale.windows + 1, seed, int(time.time()))
    seen = Seen(time.monotonic())
    crowd = Crowd(Terminal(pair.port, name, FLIGHTS_MOST) for name in names(scale.terminals))
    everyone, backlog = list(crowd.terminals.values()), scale.backlog()
    seen.connected = time.monotonic()
    for one in everyone:
        one.live.append(scale.newest)
        one.backlog.extend(backlog)
    crowd.start(records)
    acked, half, total = 0, scale.terminals * len(backlog) // 2, scale.terminals * (len(backlog) + 2)
    while acked < total:
        acked += crowd.turn(records, 0.05)
        now_s = time.monotonic()
        if not seen.closed and acked > half:
            seen.closed = now_s
            for one in everyone:
                one.live.append(scale.meanwhile)
        if now_s > seen.began + LIMIT_S:
            raise BenchError(f"{acked} of {total} frames acknowledged after {LIMIT_S:g} s")
        crowd.again(records, now_s)
    seen.ended = time.monotonic()
    crowd.close()
    return seen, everyone


def check(pair: Stand, scale: Scale) -> None:
    """Every window is in the journal once. Raises BenchError."""
    reader = Reader(pair.data)
    counts, expected = reader.counts(), scale.terminals * (scale.windows + 1)
    reader.close()
    if (counts["windows"], counts.get("records_conflict", 0)) != (expected, 0):
        raise BenchError(f"{expected} windows were acknowledged; the journal says {counts}")


def _of(values: list[float], share: float) -> float:
    """The value that this share of them is not above."""
    return round(sorted(values)[min(len(values) - 1, int(len(values) * share))], 2)
