"""Does the terminal itself serve, and do sinks? Rules over what came from one terminal, and when; no I/O, no clock."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from gateway.watch.came import WINDOW_CODE, Came
from gateway.watch.finding import Finding
from gateway.watch.meters import SERIAL, Told, others
from gateway.watch.rules import Certificate, Clock, FailingSink, Late, LogFilling, Silent
from gateway.watch.slots import DAY_S, SLOT_S, STEPS
from protocol import record

SILENT, POWER_LOST, LINK_LOST = "silent", "power_lost", "link_lost"
LATE, CLOCK_WRONG, CLOCK_STEPPED = "late", "clock_wrong", "clock_stepped"
LOG_FILLING, LOG_FULL, SUPPLY_LOW = "log_filling", "log_full", "supply_low"
CLONED = "cloned"
METER_SWAPPED, RATIO_CHANGED, REGISTER = "meter_swapped", "ratio_changed", "register"
SINK_FAILING = "sink_failing"
CERTIFICATE_ENDING, CERTIFICATE_ENDED = "certificate_ending", "certificate_ended"
BY_THEMSELVES = (
    *(CLONED, LATE, CLOCK_WRONG, CLOCK_STEPPED, LOG_FILLING, LOG_FULL),
    *(SUPPLY_LOW, METER_SWAPPED, RATIO_CHANGED, REGISTER, SINK_FAILING),
)  # kinds that turn into no other
HALF = 2  # a link was lost if windows tell of half of a silence or more
NOT_POWER = "energy_not_power"  # a load that steps between two samples does it, in one window
REGISTER_CHECKS = STEPS | {NOT_POWER}
HEALTH_PENDING = 2  # which of a HEALTH event's integers (FR-31)


def silences(came: Iterable[Came], rule: Silent, until_s: int, due_s: int | None = None) -> Iterator[Finding]:
    """Spans in which nothing came for longer than the rule allows; the last one may go on at until_s.

    came: from the last record before the first silence on. due_s: when it was commissioned, where nothing had come by
    then. Why it was silent is told as soon as what came later tells: windows of the silence, then the link was lost; a
    start by power or the mains' return, and no windows: the power.
    """
    some = sorted(came, key=lambda one: one.received_s)
    heard_s = sorted({one.received_s for one in some} | ({due_s} if due_s is not None else set()))
    for last_s, next_s in pairwise(heard_s):
        if next_s - last_s > rule.after_min * 60:
            yield Finding(_why(some, last_s, next_s), last_s, next_s)
    if heard_s and until_s - heard_s[-1] > rule.after_min * 60:
        yield Finding(SILENT, heard_s[-1], until_s)


def _why(some: Sequence[Came], last_s: int, next_s: int) -> str:
    came = [one for one in some if one.received_s >= next_s]  # a clock that is ahead tells of the silence before it
    whole = [one for one in came if one.code == WINDOW_CODE and last_s <= one.from_s and one.to_s <= next_s]
    if sum(one.to_s - one.from_s for one in whole) * HALF >= next_s - last_s - 2 * SLOT_S and whole:
        return LINK_LOST
    back = [one for one in came if last_s <= one.from_s <= next_s + SLOT_S and _is_power(one)]
    return POWER_LOST if back else SILENT


def _is_power(one: Came) -> bool:
    is_start = one.code == record.BOOT and one.values[:1] == (1,)
    return is_start or one.code in {record.MAINS_LOST, record.MAINS_BACK}


def late(came: Iterable[Came], rule: Late, silent: Sequence[Finding]) -> Iterator[Finding]:
    """Windows that came long after their end, though their terminal was heard: neighbours as one finding."""
    limit_s = rule.after_min * 60
    wrong = [
        one
        for one in came
        if one.code == WINDOW_CODE
        and one.received_s - one.to_s > limit_s
        and not any(each.from_s - SLOT_S <= one.from_s and one.to_s <= each.to_s + SLOT_S for each in silent)
    ]
    return _spans(LATE, wrong)


def cloned(came: Iterable[Came]) -> Iterator[Finding]:
    """Times of which windows of two logs tell: a terminal has one log at a time, its copy has another (S-07)."""
    ends_s: dict[int, int] = {}  # by log, of the windows so far
    wrong = []
    for one in sorted((each for each in came if each.code == WINDOW_CODE), key=lambda each: each.from_s):
        other_s = max((end_s for epoch, end_s in ends_s.items() if epoch != one.epoch), default=0)
        if other_s > one.from_s:
            wrong.append(one._replace(to_s=min(one.to_s, other_s)))
        ends_s[one.epoch] = max(one.to_s, ends_s.get(one.epoch, 0))
    return _spans(CLONED, wrong)


def clock(came: Sequence[Came], rule: Clock) -> Iterator[Finding]:
    """Windows whose time may be wrong by more than the rule allows; steps by which the clock was set."""
    yield from _spans(
        CLOCK_WRONG, [one for one in came if one.code == WINDOW_CODE and one.clock_error_s > rule.error_max_s]
    )
    for one in came:
        if one.code == record.CLOCK_SET and one.values and abs(one.values[0]) > rule.step_max_s:
            yield _at(CLOCK_STEPPED, one, {"step_s": one.values[0]})


def log_filling(came: Iterable[Came], rule: LogFilling) -> Iterator[Finding]:
    """Health records that tell of many records that wait."""
    for one in came:
        if one.code == record.HEALTH and len(one.values) > HEALTH_PENDING:
            pending = one.values[HEALTH_PENDING]
            if pending > rule.pending_max:
                yield _at(LOG_FILLING, one, {"pending": pending})


def log_full(came: Iterable[Came]) -> Iterator[Finding]:
    """Records that were dropped because the log was full."""
    for one in came:
        if one.code == record.LOG_FULL and len(one.values) >= 2:
            yield _at(LOG_FULL, one, {"dropped": one.values[1] - one.values[0] + 1})


def supply(came: Iterable[Came]) -> Iterator[Finding]:
    """The terminal's supply, or its battery, is low."""
    for one in came:
        if one.code == record.LOW_VOLTAGE and one.values:
            yield _at(SUPPLY_LOW, one, {"supply_mv": one.values[0]})


def meter(came: Iterable[Came], told: Sequence[Told]) -> Iterator[tuple[int, Finding]]:
    """(point, finding): another meter answers, or its transformers' ratio was set anew.

    told: all that the terminal told of its meters, which says whether one that is learnt is another one.
    """
    kinds = {record.METER_SWAPPED: METER_SWAPPED, record.RATIO_CHANGED: RATIO_CHANGED}
    for one in came:
        if one.code in kinds:
            yield one.point, _at(kinds[one.code], one, {})
        elif one.code == record.METER_LEARNT:
            found = {METER_SWAPPED if which == SERIAL else RATIO_CHANGED for which in others(one, told)}
            for kind in sorted(found):
                yield one.point, _at(kind, one, {})


def register(came: Iterable[Came]) -> Iterator[tuple[int, Finding]]:
    """(point, finding): windows of which verify says that a register fell or jumped, or two and more side by side in
    which it does not fit the power.
    """
    of_points: dict[int, list[tuple[Came, bool]]] = {}
    for one in came:
        for number in {point for check, point in one.marks if check in REGISTER_CHECKS and point is not None}:
            is_soft = all(check == NOT_POWER for check, point in one.marks if point == number)
            of_points.setdefault(number, []).append((one, is_soft))
    for number, some in sorted(of_points.items()):
        hard_s = {one.from_s for one, is_soft in some if not is_soft}
        for found in _spans(REGISTER, [one for one, _ in some]):
            is_hard = any(found.from_s <= at_s < found.to_s for at_s in hard_s)
            if is_hard or found.to_s - found.from_s > SLOT_S:
                yield number, found


def sink_failing(since_s: int, rule: FailingSink, now_s: int) -> list[Finding]:
    """Of a sink that has failed since then, by the gateway's clock: a finding that goes on at now_s."""
    is_long = now_s - since_s > rule.after_min * 60
    return [Finding(SINK_FAILING, since_s, now_s)] if is_long else []


def certificate(end_s: int, rule: Certificate, now_s: int) -> list[Finding]:
    """Of one that ends then: a finding that goes on at now_s, since its last days began."""
    begin_s = end_s - rule.days * DAY_S
    kind = CERTIFICATE_ENDED if end_s <= now_s else CERTIFICATE_ENDING
    return [Finding(kind, begin_s, now_s, {"ends_unix_s": end_s})] if begin_s < now_s else []


def _at(kind: str, one: Came, facts: dict[str, int]) -> Finding:
    """Of an event: the quarter of an hour in which it was."""
    from_s = one.from_s // SLOT_S * SLOT_S
    return Finding(kind, from_s, from_s + SLOT_S, facts)


def _spans(kind: str, some: Iterable[Came]) -> Iterator[Finding]:
    """Windows as findings, neighbours as one."""
    from_s = to_s = None
    for one in sorted(some, key=lambda each: each.from_s):
        if to_s is not None and from_s is not None and one.from_s > to_s:
            yield Finding(kind, from_s, to_s)
            from_s = None
        from_s = one.from_s if from_s is None else from_s
        to_s = one.to_s if to_s is None else max(one.to_s, to_s)
    if from_s is not None and to_s is not None:
        yield Finding(kind, from_s, to_s)
