"""Which records a sink takes next: fresh ones, events that were held, the backlog in the order of acceptance, what is
to be handed over again.

Windows without a time wait until the journal has placed them, and come by the feed of placements.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.forward.outbox import BACKLOG, LIVE, PLACEMENTS, Outbox, Refeed
from gateway.forward.sink import Lane
from gateway.journal.reader import Reader, Stored
from protocol.record import WINDOW

SCAN_RECORDS = 512  # looked at a time: one look stays within a few milliseconds


@dataclass
class Selection:
    """What to take: `records` to forward; the rest is bookkeeping for `Outbox.take`."""

    lane: Lane
    records: list[Stored] = field(default_factory=list)
    ahead: list[int] = field(default_factory=list)
    cursors: dict[str, int] = field(default_factory=dict)
    refed: Refeed | None = None
    handed: list[int] = field(default_factory=list)  # of those that were held; some may be retired

    @property
    def is_empty(self) -> bool:
        """Whether the sink has all there is."""
        return not self.records and not self.cursors and not self.handed and self.refed is None


def select(reader: Reader, outbox: Outbox, limit: int, fresh_after_s: int) -> Selection:
    """Up to `limit` records of one lane. fresh_after_s: what is of this Unix second or later is fresh."""
    cursors = outbox.cursors()
    live = _select_live(reader, cursors, limit, fresh_after_s)
    if live.records:
        return live
    rest = _select_held(reader, outbox, limit)
    if rest.is_empty:
        rest = _select_backlog(reader, outbox, cursors[BACKLOG], limit)
    if rest.is_empty:
        rest = _select_placed(reader, cursors[PLACEMENTS], limit)
    if rest.is_empty and (refeed := outbox.refeed()):
        rest = _select_refeed(reader, refeed, limit)
    rest.cursors = {**live.cursors, **rest.cursors}
    return rest


def _select_live(reader: Reader, cursors: dict[str, int], limit: int, fresh_after_s: int) -> Selection:
    found = Selection("live")
    # what is fresh was received lately: however long the backlog is, nobody looks through it for that
    after = max(cursors[LIVE], cursors[BACKLOG], reader.first_id(fresh_after_s * 1000) - 1)
    for one in reader.records_after(after, max(SCAN_RECORDS, limit)):
        found.cursors[LIVE] = one.id
        if one.start_s is not None and one.start_s + one.length_s >= fresh_after_s:
            found.records.append(one)
            found.ahead.append(one.id)
            if len(found.records) == limit:
                break
    return found


def _select_held(reader: Reader, outbox: Outbox, limit: int) -> Selection:
    found = Selection("backlog")
    if held := outbox.held(limit):
        found.handed = held[: outbox.text_packets.room()]
        found.records = [one for number in found.handed if (one := reader.record(number)) is not None]
    return found


def _select_backlog(reader: Reader, outbox: Outbox, after: int, limit: int) -> Selection:
    found = Selection("backlog")
    records = reader.records_after(after, max(SCAN_RECORDS, limit))
    taken = outbox.ahead(records[0].id, records[-1].id) if records else set()
    for one in records:
        found.cursors[BACKLOG] = one.id
        if one.id not in taken and not _waits_for_time(one):
            found.records.append(one)
            if len(found.records) == limit:
                break
    return found


def _select_placed(reader: Reader, after: int, limit: int) -> Selection:
    found = Selection("backlog")
    for number, one in reader.placements_after(after, limit):
        found.cursors[PLACEMENTS] = number
        found.records.append(one)
    return found


def _select_refeed(reader: Reader, refeed: Refeed, limit: int) -> Selection:
    """The next of a span; those that the journal has retired meanwhile are passed over."""
    if refeed.feed == PLACEMENTS:
        rows: Iterable[tuple[int, Stored]] = reader.placements_after(refeed.next - 1, limit)
    else:
        rows = ((one.id, one) for one in reader.records_after(refeed.next - 1, limit))
    span = [(number, one) for number, one in rows if number <= refeed.last]
    found = Selection("backlog")
    found.records = [one for _, one in span if not _waits_for_time(one)]
    found.refed = refeed._replace(next=span[-1][0] + 1 if span else refeed.last + 1)
    return found


def _waits_for_time(one: Stored) -> bool:
    """A window that has no place yet; an event without a time has none for ever, and goes as it is."""
    return one.type == WINDOW and one.start_s is None
