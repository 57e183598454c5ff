"""Which windows should be in the journal, and which are. Invariants 1 (lost), 2 (twice), 3 (invented), 4 (forged)."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from hil.oracle.evidence import Count, Finding, Journal, Kept, Life, Truth
from hil.oracle.words import cause, shown
from protocol import limits
from protocol.record import CLOCK_SET, Event, Window

WINDOW_MS = 900_000
ROUNDING_MS = 1000  # windows are named by whole seconds
SLEW_PER = 100  # a clock that is off is corrected by a second in so many (firmware/device/terminal/clock.py)


@dataclass(frozen=True)
class Placed:
    """A window of the journal on the run's time axis, with the life of the terminal that closed it.

    off_ms: by how much its times may be off: the bound that its clock gave, at its end and at its begin.
    has_place: it has a time, or some record of its boot has one, by which it can be placed.
    """

    kept: Kept
    window: Window
    from_ms: int
    to_ms: int
    life: Life | None
    off_ms: int
    has_place: bool = True


def place(journal: Journal, truth: Truth) -> list[Placed]:
    """Every window of the journal, in order of time; one without a time of its own by the start of its boot."""
    boots: dict[int, list[tuple[Kept, Window]]] = defaultdict(list)
    clocks: dict[int, list[tuple[int, int]]] = defaultdict(list)
    timed: set[int] = set()  # boots in which some record has a time
    for kept in journal.kept:
        body = kept.body
        clocks[body.boot].append((body.end_uptime_s if isinstance(body, Window) else body.uptime_s, body.clock_error_s))
        if (body.start_s if isinstance(body, Window) else body.time_s) is not None:
            timed.add(body.boot)
        if isinstance(body, Window):
            boots[body.boot].append((kept, body))
    placed = [
        replace(one, has_place=boot in timed)
        for boot in sorted(boots)
        for one in _place_boot(boots[boot], boot - min(boots), Clock(sorted(clocks[boot])), truth)
    ]
    return sorted(placed, key=lambda one: (one.to_ms, one.kept.seq))


class Clock:
    """How far off a boot's clock said that it may be. said: (uptime_s, error_s) of all its records, in order."""

    def __init__(self, said: Sequence[tuple[int, int]]) -> None:
        self._said = [one for one in said if one[1] != limits.CLOCK_ERROR_S_MAX]  # that value: it does not know

    def off_ms(self, window: Window, life: Life | None, truth: Truth) -> int:
        """By how much a window's times may be off: the greatest bound in it, what the clock was corrected by meanwhile,
        and a second's rounding; where that bound is no more than the bench's tolerance, that. What a terminal says of
        its own error excuses no more than its clock can really have been off in that life.
        """
        begin_s = window.end_uptime_s - window.length_s
        before = [error_s for uptime_s, error_s in self._said if uptime_s < begin_s][-1:]
        inside = [error_s for uptime_s, error_s in self._said if begin_s <= uptime_s <= window.end_uptime_s]
        if window.start_s is None:  # it was placed by the best record of its boot
            before = [error_s for _, error_s in self._said]
        error_s = max([0, *before, *inside])
        real_ms = max((one.clock_off_ms for one in ([life] if life else truth.lives)), default=0) + ROUNDING_MS
        if truth.is_misled:
            return truth.tolerance_ms + real_ms
        if 1000 * error_s <= truth.tolerance_ms:
            return truth.tolerance_ms
        return min(1000 * (error_s + 1 + int(window.length_s) // SLEW_PER), max(truth.tolerance_ms, real_ms))


def _place_boot(windows: Sequence[tuple[Kept, Window]], number: int, clock: Clock, truth: Truth) -> Iterator[Placed]:
    """The windows of one boot. Its start is known from the process, else from the windows that say their own."""
    boots = {one.boot: one for one in truth.lives if one.boot is not None}
    known = boots.get(windows[0][1].boot)
    starts = [_end_ms(one) - one.end_uptime_s * 1000 for _kept, one in windows if one.start_s is not None]
    if starts:
        # a program begins to count some time after its process began: the windows that say their own time know better
        start_ms = starts[-1] if known is None or _near(known, starts[-1], truth) else known.from_ms
        life = known if boots else next((one for one in truth.lives if _near(one, start_ms, truth)), None)
    else:
        life = known if boots else (truth.lives[number] if number < len(truth.lives) else None)
        start_ms = life.from_ms if life else truth.start_ms
    for kept, window in windows:
        to_ms = _end_ms(window) if window.start_s is not None else start_ms + window.end_uptime_s * 1000
        off_ms = clock.off_ms(window, life, truth)
        yield Placed(kept, window, to_ms - window.length_s * 1000, to_ms, life, off_ms)


def _end_ms(window: Window) -> int:
    return int(window.start_s + window.length_s) * 1000


def _near(life: Life, start_ms: int, truth: Truth) -> bool:
    return abs(start_ms - life.from_ms) <= truth.boot_ms + truth.tolerance_ms


def in_span(placed: Sequence[Placed], truth: Truth) -> list[Placed]:
    """The windows that lie wholly in the scenario: before and after it the bench starts and ends."""
    slack_ms = truth.tolerance_ms
    return [one for one in placed if one.from_ms >= truth.start_ms - slack_ms and one.to_ms <= truth.end_ms + slack_ms]


def spanned(journal: Journal, truth: Truth) -> list[Placed]:
    """The windows of a journal that lie in the scenario, in order of time."""
    return in_span(place(journal, truth), truth)


def check_windows(journal: Journal, placed: Sequence[Placed], truth: Truth) -> tuple[Count, list[Finding]]:
    """The account of windows, and a finding for each that is lost, there twice or invented."""
    findings = [*_identities(journal), *_kept_and_listed(journal)]
    spanned = in_span(placed, truth)
    steps = [(one.body.boot, one.body.uptime_s) for one in journal.kept if _is_clock_set(one.body)]
    count = Count()
    seen: set[int] = set()
    for one in placed:
        if one.window.start_s is not None and one.window.start_s in seen:
            text = f"window {shown(one.from_ms)} stands in the journal under two numbers (seq {one.kept.seq} is one)"
            findings.append(Finding(2, "window_twice", text, "", one.from_ms, one.to_ms))
            count.duplicated += 1
        if one.window.start_s is not None:
            seen.add(one.window.start_s)
        findings += _about(one, _plausible(one, steps, truth))
    missing = [gap for life in truth.lives for gap in _gaps(life, placed, truth)]
    for gap_from, gap_to, windows in missing:
        count.lost += windows
        text = f"{windows} windows lost from {shown(gap_from)} to {shown(gap_to)}"
        why = cause(truth, gap_from, gap_to)
        findings.append(Finding(1, "window_lost", text, why, gap_from, gap_to, count=windows))
    count.duplicated += sum(1 for one in findings if one.code == "identity_twice")
    count.invented = sum(1 for one in findings if one.invariant in {3, 4} and one.code.startswith("window"))
    count.journalled = len(spanned) - count.duplicated
    count.closed = count.journalled - count.invented + count.lost
    return count, findings


def _identities(journal: Journal) -> Iterator[Finding]:
    """(epoch, seq) once in the record table, whatever was re-sent."""
    for (epoch, seq), times in Counter((epoch, seq) for epoch, seq, _raw in journal.rows).items():
        if times > 1:
            yield Finding(2, "identity_twice", f"record {seq} of epoch {epoch:#x} stands {times} times in the journal")


def _kept_and_listed(journal: Journal) -> Iterator[Finding]:
    """The record table says what the authenticated frames say: no more, no less, no other bytes."""
    frames = {(one.epoch, one.seq): one.raw for one in journal.kept}
    rows = {(epoch, seq): raw for epoch, seq, raw in journal.rows}
    for identity in sorted(frames.keys() - rows.keys()):
        yield Finding(1, "record_lost", f"record {identity[1]} is in a kept frame, but not in the record table")
    for identity in sorted(rows.keys() - frames.keys()):
        yield Finding(4, "window_forged", f"record {identity[1]} is in no authenticated frame")
    for identity in sorted(rows.keys() & frames.keys()):
        if rows[identity] != frames[identity]:
            yield Finding(4, "window_altered", f"record {identity[1]} is not what its frame says")


def _is_clock_set(body: Window | Event) -> TypeGuard[Event]:
    return isinstance(body, Event) and body.code == CLOCK_SET


def _plausible(one: Placed, steps: Sequence[tuple[int, int]], truth: Truth) -> Iterator[Finding]:
    """A window can have been closed only by a terminal that lived at its end, at a quarter of an hour, or where its
    clock was set: `steps` has (boot, uptime_s) of each set that the journal knows of.
    """
    where = f"window {shown(one.from_ms)} (boot {one.window.boot}, seq {one.kept.seq})"
    if one.life is None:
        yield Finding(3, "window_of_no_boot", f"{where}: the terminal had no such start")
    elif not one.life.from_ms - one.off_ms <= one.to_ms <= one.life.to_ms + one.off_ms:
        yield Finding(3, "window_while_dead", f"{where}: the terminal had no power at its end")
    window = one.window
    # an unplaced window has only its end in whole seconds of uptime; its begin follows, to a second
    rounding_s, grid_s = (1, window.end_uptime_s) if window.start_s is None else (0, window.start_s + window.length_s)
    near_s = (truth.sample_interval_ms + one.off_ms) / 1000  # a set is seen at the next sample
    for before_s in (window.length_s, 0):
        off_s = (grid_s - before_s + rounding_s) % 900
        uptime_s = window.end_uptime_s - before_s
        was_set = any(boot == window.boot and abs(set_s - uptime_s) <= near_s for boot, set_s in steps)
        if off_s > 2 * rounding_s and not was_set:
            yield Finding(3, "window_unaligned", f"{where}: off the quarter of an hour, though no clock was set")
            return


def _about(one: Placed, findings: Iterable[Finding]) -> list[Finding]:
    return [replace(finding, from_ms=one.from_ms, to_ms=one.to_ms) for finding in findings]


def _begun_ms(life: Life, truth: Truth) -> int:
    """From when on a terminal that was started makes windows: it has come up, and on a busy machine it has asked a
    meter for the first time. A window in which it asked none holds nothing of theirs.
    """
    asked_ms = [at_ms for polls in truth.polls.values() for at_ms in (poll.t_ms for poll in polls)]
    asked_ms += [at_ms for instants in truth.unanswered.values() for at_ms in instants]
    first_ms = min((at_ms for at_ms in asked_ms if at_ms >= life.from_ms), default=life.to_ms)
    return life.from_ms + max(truth.boot_ms, min(first_ms - life.from_ms, truth.busy_ms))


def _gaps(life: Life, placed: Sequence[Placed], truth: Truth) -> Iterator[tuple[int, int, int]]:
    """(from, to, windows) where windows that must have closed in this life are not in the journal."""
    mine = [one for one in placed if one.life == life]
    off_ms = max([truth.tolerance_ms, *(one.off_ms for one in mine)])
    begin_ms = max(_begun_ms(life, truth), truth.start_ms)
    end_ms = min(life.to_ms - off_ms, truth.end_ms)
    if life.knows_time and not truth.is_misled:
        first_end = math.floor(begin_ms / WINDOW_MS + 1) * WINDOW_MS
        have = {one.to_ms for one in mine}
        lacking = [to_ms for to_ms in range(first_end, end_ms + 1, WINDOW_MS) if to_ms not in have]
        yield from _runs(lacking)
        return
    # without the right time windows end wherever uptime says: they must follow each other without a hole
    until = begin_ms
    for one in mine:
        hole_ms = 2 * one.off_ms if truth.is_misled else one.off_ms  # a step from too late to too early leaves out both
        if one.to_ms > begin_ms and one.from_ms > until + hole_ms:
            yield until, one.from_ms, math.ceil((one.from_ms - until - hole_ms) / WINDOW_MS)
        until = max(until, one.to_ms)
    if end_ms - until >= WINDOW_MS:
        yield until, end_ms, (end_ms - until) // WINDOW_MS


def _runs(ends: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Missing windows that follow each other, as one gap."""
    start = 0
    for i, end in enumerate(ends):
        if i + 1 == len(ends) or ends[i + 1] != end + WINDOW_MS:
            yield ends[start] - WINDOW_MS, end, i + 1 - start
            start = i + 1
