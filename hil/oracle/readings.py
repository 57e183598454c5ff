"""Whether each reading says what its meter showed. Invariants 1 (a reading withheld) and 3 (nothing invented, R-09)."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from hil.oracle.evidence import Finding, Poll, Truth
from hil.oracle.windows import Placed
from hil.oracle.words import cause, shown
from protocol.record import Reading

ENERGIES = ("e_import_wh", "e_export_wh", "r_import_varh", "r_export_varh")
# a mean is weighted by time and rounded to a watt
MEAN_ROUNDING_W = 1
# samples that readings name, of which a busy machine lets one at least be stamped at once
NAMED_MIN = 8
# sampling intervals: a terminal that lives asks each meter once in each, and a slot may be cut by a start
ASKED_WITHIN = 2


def check_readings(placed: Sequence[Placed], truth: Truth) -> list[Finding]:
    """A finding for each slot of a window that does not say what the meter showed in it."""
    run_lag_ms = _lag_ms(placed, truth)
    found = []
    for one in placed:
        lag_ms = max(run_lag_ms, min(_late_ms(one, truth), truth.lag_ms))
        mine = replace(truth, tolerance_ms=one.off_ms, lag_ms=lag_ms)
        for point in range(1, 1 + max(len(one.window.readings), *truth.polls)):
            found += [
                replace(finding, from_ms=one.from_ms, to_ms=one.to_ms) for finding in _check_slot(one, point, mine)
            ]
    return found


def _lag_ms(placed: Sequence[Placed], truth: Truth) -> int:
    """How late samples were stamped in this run, as far as readings name them: 0, unless the machine was busy.

    It is not so at each: where none of many was prompt, it is the terminal that stamps them so, which excuses nothing.
    """
    late: tuple[list[tuple[int, int]], ...] = (
        [],
        [],
    )  # of first and of last samples: by how much, of which clocks explain
    for one in placed:
        for point, slot in enumerate(one.window.readings, 1):
            if isinstance(slot, Reading):
                for kind, at_ms in enumerate(named_ms(one, slot)):
                    found = stamped(truth.polls.get(point, []), at_ms, replace(truth, tolerance_ms=one.off_ms))
                    late[kind].extend([(min(at_ms - poll.t_ms for poll in found), one.off_ms)] if found else [])
    if any(len(kind) >= NAMED_MIN and all(ms > 2 * off_ms for ms, off_ms in kind) for kind in late):
        return 0
    return max((ms for kind in late for ms, off_ms in kind if ms > off_ms), default=0)


def _late_ms(one: Placed, truth: Truth) -> int:
    """How late a window's meters were asked after their instants, the worst: the machine was so busy then, and a sample
    may have been stamped as late. What a clock may be off makes none late.
    """
    interval_ms = truth.sample_interval_ms
    asked_ms = [
        poll.t_ms - one.from_ms for polls in truth.polls.values() for poll in between(polls, one.from_ms, one.to_ms)
    ]
    late_ms = [at_ms % interval_ms for at_ms in asked_ms]
    return max((late for late in late_ms if one.off_ms < late < interval_ms - one.off_ms), default=0)


def _check_slot(one: Placed, point: int, truth: Truth) -> Iterator[Finding]:
    readings = one.window.readings
    slot = readings[point - 1] if point <= len(readings) else None
    polls = truth.polls.get(point)
    where = f"point {point} in window {shown(one.from_ms)}"
    why = cause(truth, one.from_ms, one.to_ms)
    if polls is None:
        if slot is not None:
            yield Finding(3, "reading_of_no_meter", f"{where}: there is no such meter", why)
        return
    served = between(polls, one.from_ms - max(truth.tolerance_ms, truth.lag_ms), one.to_ms + truth.tolerance_ms)
    if not isinstance(slot, Reading):
        yield from _check_none(one, point, slot, served, truth, where)
    elif not served:
        yield Finding(3, "reading_while_silent", f"{where}: the meter showed nothing, the reading says it did", why)
    else:
        wrong = [*_check_energies(one, slot, polls, truth), *_check_powers(one, slot, served, truth)]
        wrong += _check_run(one, slot, served, truth, truth.thresholds_w.get(point))
        yield from (Finding(3, code, f"{where}: {text}", why) for code, text in wrong)


def between(polls: Sequence[Poll], from_ms: int, to_ms: int) -> Sequence[Poll]:
    """The polls of an interval, both ends included."""
    return polls[bisect_left(polls, from_ms, key=_instant) : bisect_left(polls, to_ms + 1, key=_instant)]


def stamped(polls: Sequence[Poll], at_ms: int, truth: Truth) -> Sequence[Poll]:
    """The polls that a sample with this stamp may be: those close to it, and the last before them, if the terminal can
    have come so late to stamp it.
    """
    near_from_ms = at_ms - truth.tolerance_ms
    return [
        *between(polls, at_ms - truth.lag_ms, near_from_ms - 1)[-1:],
        *between(polls, near_from_ms, at_ms + truth.tolerance_ms),
    ]


def _instant(poll: Poll) -> int:
    return poll.t_ms


def _is_unread(one: Placed, point: int, truth: Truth) -> bool:
    """Whether its meter was not asked, neither in a window nor for as long before it as a busy machine may take: it did
    not answer, and it was not made to give no whole answer. What a clock may be off is left out at both ends.
    """
    if one.life is None:
        return False  # that is a finding of its own
    slack_ms, need_ms = truth.tolerance_ms, ASKED_WITHIN * truth.sample_interval_ms + truth.busy_ms
    to_ms = min(one.to_ms, one.life.to_ms) - slack_ms
    from_ms = max(min(one.from_ms + slack_ms, to_ms - need_ms), one.life.from_ms + truth.boot_ms)
    asked = truth.unanswered.get(point, ())
    if to_ms - from_ms < need_ms or between(truth.polls[point], from_ms, to_ms):
        return False
    return bisect_left(asked, from_ms) == bisect_left(asked, to_ms)


def _check_none(
    one: Placed, point: int, slot: int | None, served: Sequence[Poll], truth: Truth, where: str
) -> Iterator[Finding]:
    """No reading needs a reason, and a meter that did not answer for it, though it was asked."""
    if slot is None:
        yield Finding(3, "reading_unexplained", f"{where}: no reading, and no reason")
    if _is_unread(one, point, truth):
        text = f"{where}: no reading (reason {slot}), and its meter was never asked"
        yield Finding(1, "meter_unread", text, cause(truth, one.from_ms, one.to_ms))
    inner = [
        poll
        for poll in served
        if not poll.is_late
        and one.from_ms + truth.tolerance_ms < poll.t_ms < one.to_ms - truth.tolerance_ms
        and one.life is not None
        and one.life.from_ms + truth.boot_ms < poll.t_ms
    ]
    # an answer that came too late is no sample; that all of several did is not believed, unless they were held back
    if len(inner) > 2:
        text = f"{where}: no reading (reason {slot}), though the meter answered {len(inner)} times"
        yield Finding(1, "reading_withheld", text, cause(truth, one.from_ms, one.to_ms))


def _check_energies(one: Placed, reading: Reading, polls: Sequence[Poll], truth: Truth) -> Iterator[tuple[str, str]]:
    """The registers are those of the sample that the reading names as its last: not of another one."""
    _, at_ms = named_ms(one, reading)
    named = stamped(polls, at_ms, truth)
    for name in ENERGIES:
        value = getattr(reading, name)
        if any(poll.values.get(name) == value for poll in named):
            continue
        elsewhere = [poll.t_ms for poll in polls if value is not None and poll.values.get(name) == value]
        if elsewhere:
            yield "reading_stale", f"{name} {value} is of {shown(elsewhere[-1])}, not of {shown(at_ms)}"
        elif value is not None or any(name in poll.values for poll in named):
            yield "energy_altered", f"{name} {value}: the meter did not show that"


def _check_powers(one: Placed, reading: Reading, served: Sequence[Poll], truth: Truth) -> Iterator[tuple[str, str]]:
    """Least, most and mean power are those of a run of samples from the first instant named to the last."""
    powers = [poll.values["p_w"] for poll in served if "p_w" in poll.values]
    if not powers or reading.p_mean_w is None:
        if powers or reading.p_mean_w is not None:
            yield "power_altered", f"mean {reading.p_mean_w} W, the meter showed {powers[:3]}"
        return
    said = (reading.p_min_w, reading.p_mean_w, reading.p_max_w)
    altered = f"min/mean/max {said} W are not what the meter showed ({min(powers)} to {max(powers)} W)"
    if len(powers) < len(served):  # it could not show its power all the time: of a part only bounds can be checked
        if not (said[0] in powers and said[2] in powers and said[0] <= said[1] <= said[2]):
            yield "power_altered", altered
        return
    parts = _parts(one, reading, served, truth)
    lossy = bool(parts) and _lost_answers(one, reading, min(parts, key=len))
    if not any(_fits(one, reading, part, truth, lossy=lossy) for part in parts):
        yield "power_altered", altered


def _parts(one: Placed, reading: Reading, served: Sequence[Poll], truth: Truth) -> list[Sequence[Poll]]:
    """The polls from that which a reading names as its first sample to that which it names as its last: each that they
    may be.
    """
    first_ms, last_ms = named_ms(one, reading)
    starts = [served.index(poll) for poll in stamped(served, first_ms, truth)]
    ends = [served.index(poll) + 1 for poll in stamped(served, last_ms, truth)]
    return [served[start:end] for start in starts for end in ends if start < end]


def named_ms(one: Placed, reading: Reading) -> tuple[int, int]:
    """The instants of the first and the last sample that a reading names, Unix ms."""
    return one.from_ms + reading.first_s * 1000, one.to_ms - reading.last_s * 1000


def _lost_answers(one: Placed, reading: Reading, served: Sequence[Poll]) -> bool:
    """Whether the meter showed more than was taken: a try that came to nothing, or one that had to be made again."""
    return bool(reading.missed > 0 or len(served) > one.window.samples_due - reading.missed)


def _fits(one: Placed, reading: Reading, served: Sequence[Poll], truth: Truth, *, lossy: bool) -> bool:
    """Whether these samples give this least, mean and most.

    With answers lost on the way (`lossy`) any part of them may have been taken: then only bounds can be checked.
    """
    powers = [poll.values["p_w"] for poll in served]
    low, mean, high = reading.p_min_w, reading.p_mean_w, reading.p_max_w
    if low == min(powers) and high == max(powers):
        # one instant that seems to be off by the tolerance moves so much of the window's weight; so do all by the lag
        steps = sum(abs(after - before) for before, after in pairwise(powers))
        moved = (high - low) * (truth.tolerance_ms + _doubtful_ms(one, served, truth)) + steps * truth.lag_ms
        slack = moved / (one.to_ms - one.from_ms) + MEAN_ROUNDING_W
        if abs(weighted_mean(one, served, truth.sample_interval_ms) - mean) <= slack:
            return True
    return lossy and low in powers and high in powers and low <= mean <= high


def weighted_mean(one: Placed, served: Sequence[Poll], interval_ms: int) -> float:
    """The mean power, weighted by time."""
    shares = weights(one, served, interval_ms)
    return sum(w * poll.values["p_w"] for w, poll in zip(shares, served, strict=True)) / sum(shares)


def weights(one: Placed, served: Sequence[Poll], interval_ms: int) -> list[int]:
    """For how many ms each sample counts: until the next, the first also back to the window's start, the last on to
    its end; over a hole of more than one and a half intervals for one interval.
    """
    times_ms = [min(max(poll.t_ms, one.from_ms), one.to_ms) for poll in served]
    gaps = [after - before for before, after in pairwise([*times_ms, one.to_ms])]
    found = [max(gap if 2 * gap <= 3 * interval_ms else interval_ms, 1) for gap in gaps]
    lead_ms = times_ms[0] - one.from_ms
    if 0 < lead_ms <= interval_ms:
        found[0] += lead_ms
    return found


def _doubtful_ms(one: Placed, served: Sequence[Poll], truth: Truth) -> int:
    """How much of a window counts or does not by a hair: a hole that the terminal, with instants that seem to be off by
    so much, may not have taken for one, or the reverse.
    """
    interval_ms, lag_ms = truth.sample_interval_ms, truth.lag_ms
    times_ms = [min(max(poll.t_ms, one.from_ms), one.to_ms) for poll in served]
    gaps = [after - before for before, after in pairwise([*times_ms, one.to_ms])]
    holes = sum(abs(2 * gap - 3 * interval_ms) <= 2 * lag_ms for gap in gaps)
    lead_ms = times_ms[0] - one.from_ms
    is_lead_doubtful = lead_ms - truth.tolerance_ms <= interval_ms <= lead_ms + truth.tolerance_ms + lag_ms
    return holes * interval_ms // 2 + is_lead_doubtful * interval_ms


def _check_run(
    one: Placed, reading: Reading, served: Sequence[Poll], truth: Truth, threshold_w: int | None
) -> Iterator[tuple[str, str]]:
    """The run time is that for which samples above the threshold count, give or take what instants seem to be off."""
    if threshold_w is None or reading.p_mean_w is None or any("p_w" not in poll.values for poll in served):
        return  # it could not show its power all the time
    parts = _parts(one, reading, served, truth)
    if not parts or _lost_answers(one, reading, min(parts, key=len)):
        return
    runs = [_run_ms(one, part, truth, threshold_w) for part in parts]
    if all(abs(run_ms - reading.run_s * 1000) > slack_ms for run_ms, slack_ms in runs):
        run_s = runs[0][0] / 1000
        yield "run_altered", f"ran {reading.run_s} s; the meter was above {threshold_w} W for {run_s:.0f} s"


def _run_ms(one: Placed, served: Sequence[Poll], truth: Truth, threshold_w: int) -> tuple[int, int]:
    """For how long these samples ran, and how much that may be off."""
    runs = [poll.values["p_w"] > threshold_w for poll in served]
    shares = weights(one, served, truth.sample_interval_ms)
    turns = sum(before != after for before, after in pairwise(runs))
    slack_ms = 2 * truth.tolerance_ms + turns * truth.lag_ms + _doubtful_ms(one, served, truth)
    return sum(share for share, is_running in zip(shares, runs, strict=True) if is_running), slack_ms
