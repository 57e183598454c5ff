"""Whether a platform got every window of the journal, once, with its values. Invariants 1, 2 and 3 at the sink."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from hil.oracle.evidence import Finding, Item, Sink, Tally, Truth
from hil.oracle.matching import match
from hil.oracle.windows import WINDOW_MS, Placed
from hil.oracle.words import cause, shown
from protocol.record import Reading


def check_sink(name: str, sink: Sink, windows: Sequence[Placed], truth: Truth) -> tuple[Tally, list[Finding]]:
    """The account of one platform, in windows, and a finding for each that is lost, there twice or altered."""
    tally = Tally()
    findings: list[Finding] = []
    got, twice = _by_start(sink)
    found = match(windows, got)
    for one, start_ms in zip(windows, found, strict=True):
        where = f"{name}: window {shown(one.from_ms)}"
        why = cause(truth, one.from_ms, truth.end_ms)
        span = (one.from_ms, one.to_ms)
        if start_ms is None and not one.has_place:
            continue  # it is in the journal, and nobody can know when it was
        if start_ms is None:
            tally.lost += 1
            findings.append(Finding(1, "forward_lost", f"{where} never came", why, *span))
            continue
        wrong = differences(sink.items, one, got[start_ms])
        if wrong:
            findings.append(Finding(3, "forward_altered", f"{where}: {'; '.join(wrong)}", why, *span))
        tally.delivered += not wrong
        if start_ms in twice:
            tally.duplicated += 1
            text = f"{where} counts twice: {', '.join(twice[start_ms])}"
            findings.append(Finding(2, "forward_twice", text, why, *span))
    for start_ms in sorted(got.keys() - set(found)):
        if truth.start_ms <= start_ms < truth.end_ms:
            text = f"{name}: window {shown(start_ms)} is in no journal"
            findings.append(Finding(3, "forward_invented", text, "", start_ms, start_ms + WINDOW_MS))
    return tally, findings


def differences(items: Iterable[Item], one: Placed, values: Mapping[str, str]) -> list[str]:
    """What differs between a window and what came of it at a platform."""
    return [text for item in items for text in _wrong(item, one, values)]


def _by_start(sink: Sink) -> tuple[dict[int, dict[str, str]], dict[int, list[str]]]:
    """(values by start of period, numbers of exchanges that delivered a value again)."""
    got: dict[int, dict[str, str]] = defaultdict(dict)
    twice: dict[int, list[str]] = defaultdict(list)
    for upload in sink.uploads:
        if got[upload.start_ms].keys() & upload.values.keys():
            twice[upload.start_ms].append(upload.number)
        got[upload.start_ms] = {**upload.values, **got[upload.start_ms]}  # the first value is the one that counts
    return got, twice


def _wrong(item: Item, one: Placed, values: Mapping[str, str]) -> Iterator[str]:
    """What differs between a reading and what came of it under one code."""
    readings = one.window.readings
    slot = readings[item.point - 1] if item.point <= len(readings) else None
    name = f"{item.code}-{item.attribute}"
    value = getattr(slot, item.field) if isinstance(slot, Reading) else None
    came = values.get(name)
    if value is None:
        if came is not None:
            yield f"{name}={came}, though there is no such value"
        if isinstance(slot, int) and values.get(f"{item.code}-Flag") in {None, "N"}:
            yield f"{item.code} does not say that its meter gave nothing"
        return
    if came is None:
        yield f"{name} did not come"
    elif abs(Decimal(came) - Decimal(value).scaleb(-item.exponent)) * 2 > Decimal(1).scaleb(-item.decimals):
        yield f"{name}={came}, the journal has {item.field}={value}"
