"""Terminals of one name, of which one is a copy: whose a record is, and whose a message at a platform."""

from collections.abc import Sequence
from dataclasses import replace

from hil.oracle.evidence import Journal, Life, Sink, Upload
from hil.oracle.matching import match
from hil.oracle.sinks import differences
from hil.oracle.windows import Placed


def made_by(journal: Journal, own: Sequence[Life], others: Sequence[Life]) -> Journal:
    """Without the records that were made in starts that only the others had. Of starts that both count as the same
    number each has what it sent itself; where nobody knows who sent it, it is both's. A record that was refused because
    another stands under its number is no record, though the frame that brought it is kept for what else is in it.
    """
    foreign = {life.boot for life in others} - {life.boot for life in own} - {None}
    senders = {life.boot_id for life in others} - {life.boot_id for life in own} - {None}
    shared = {life.boot for life in others} & {life.boot for life in own}
    theirs = {
        (one.epoch, one.seq, one.raw)
        for one in journal.kept
        if one.body.boot in foreign or (one.body.boot in shared and one.sent_boot_id in senders)
    }
    listed = {(epoch, seq): raw for epoch, seq, raw in journal.rows}
    kept = [
        one
        for one in journal.kept
        if (one.epoch, one.seq, one.raw) not in theirs and listed.get((one.epoch, one.seq), one.raw) == one.raw
    ]
    return replace(journal, kept=kept, rows=[row for row in journal.rows if row not in theirs])


def told_of(sink: Sink, own: Sequence[Placed], others: Sequence[Placed]) -> Sink:
    """Without the messages that say, to the last value, what a window of the others says: each such window explains
    one. A message that says what an own window says, too, is that one's, the first time.
    """
    starts = {upload.start_ms for upload in sink.uploads}
    mine, theirs = _by_start(own, starts), _by_start(others, starts)
    left: list[Upload] = []
    for upload in sink.uploads:
        own_window = _pop(sink, upload, mine)
        if own_window or not _pop(sink, upload, theirs):
            left.append(upload)
    return replace(sink, uploads=left)


def _by_start(windows: Sequence[Placed], starts: set[int]) -> dict[int, list[Placed]]:
    found: dict[int, list[Placed]] = {}
    for one, start_ms in zip(windows, match(windows, starts), strict=True):
        if start_ms is not None:
            found.setdefault(start_ms, []).append(one)
    return found


def _pop(sink: Sink, upload: Upload, windows: dict[int, list[Placed]]) -> bool:
    """Whether one of the windows says just that; it then explains no other message."""
    there = windows.get(upload.start_ms, [])
    for one in there:
        if not differences(sink.items, one, upload.values):
            there.remove(one)
            return True
    return False
