"""Which records a sink takes next: fresh windows first, then the backlog in the order of acceptance.

Windows without a time wait until the journal has placed them, and come by the feed of placements. Events are skipped
and counted: no sink carries them yet.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.forward.outbox import BACKLOG, LIVE, PLACEMENTS, Outbox
from gateway.journal.reader import Reader, Stored
from protocol.record import WINDOW

SCAN_RECORDS = 512  # looked at a time: one look stays within a few milliseconds


@dataclass
class Selection:
    """What to take: `records` to forward; the rest is bookkeeping for `Outbox.take`."""

    records: list[Stored] = field(default_factory=list)
    skipped: list[tuple[Stored, str]] = field(default_factory=list)
    ahead: list[int] = field(default_factory=list)
    cursors: dict[str, int] = field(default_factory=dict)


def select(reader: Reader, outbox: Outbox, limit: int, is_fresh: Callable[[Stored], bool]) -> Selection:
    """Up to `limit` records of one lane. Nothing to forward and no cursor moved: the sink has all there is."""
    cursors = outbox.cursors()
    live = _select_live(reader, cursors, limit, is_fresh)
    if live.records:
        return live
    backlog = _select_backlog(reader, outbox, cursors[BACKLOG], limit)
    if not backlog.records and not backlog.cursors:
        backlog = _select_placed(reader, cursors[PLACEMENTS], limit)
    backlog.cursors = {**live.cursors, **backlog.cursors}
    return backlog


def _select_live(reader: Reader, cursors: dict[str, int], limit: int, is_fresh: Callable[[Stored], bool]) -> Selection:
    found = Selection()
    after = max(cursors[LIVE], cursors[BACKLOG])
    for one in reader.records_after(after, SCAN_RECORDS):
        found.cursors[LIVE] = one.id
        if one.type == WINDOW and one.start_s is not None and is_fresh(one):
            found.records.append(one)
            found.ahead.append(one.id)
            if len(found.records) == limit:
                break
    return found


def _select_backlog(reader: Reader, outbox: Outbox, after: int, limit: int) -> Selection:
    found = Selection()
    records = reader.records_after(after, SCAN_RECORDS)
    taken = outbox.ahead(records[0].id, records[-1].id) if records else set()
    for one in records:
        found.cursors[BACKLOG] = one.id
        if one.id in taken:
            continue
        if one.type != WINDOW:
            found.skipped.append((one, "event"))
        elif one.start_s is not None:
            found.records.append(one)
            if len(found.records) == limit:
                break
    return found


def _select_placed(reader: Reader, after: int, limit: int) -> Selection:
    found = Selection()
    for number, one in reader.placements_after(after, limit):
        found.cursors[PLACEMENTS] = number
        found.records.append(one)
    return found
