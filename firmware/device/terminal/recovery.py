# What a log finds in its files when it is opened. log.py says what follows from it.
from collections import namedtuple

from protocol import record
from terminal import segment

Found = namedtuple(
    "Found",
    (
        "following",  # the number that would come next by the segments alone
        "next_seq",  # the one that comes next: those between may have been used
        "bad",  # (first, last) of damaged records in the open segment
        "bad_bytes",
    ),
)


def look(segments, reserved: int, acknowledged: int) -> Found:  # type: ignore[no-untyped-def]
    """Read the open segment through; it stays open if it is intact and ends with the last number that was used.
    Numbers below `reserved` may have been used, `acknowledged` and below were."""
    following, bad, bad_bytes, behind = 1, [], 0, 0
    if segments.count:
        following, bad, bad_bytes, behind = segments.resume().scan()
    known = reserved if reserved >= following else following + behind  # the counters know it, unless they are old
    next_seq = max(known, acknowledged + 1)
    if segments.count and (bad_bytes or next_seq > following or segments.open.size < segment.HEAD_BYTES):
        segments.leave()
    return Found(following, next_seq, bad, bad_bytes)


def event(found: Found, lost: int) -> "tuple[int, tuple[int, int]] | None":
    """(code, values) of the event that tells it; `lost` of the damaged records were not acknowledged."""
    passed = found.next_seq - found.following
    if found.bad_bytes:
        return record.LOG_DAMAGED, (lost + passed, found.bad_bytes)
    if passed:
        code = record.NUMBERS_SKIPPED if passed == 1 else record.LOG_PUT_BACK
        return code, (found.following, found.next_seq - 1)
    return None


def epochs(segments) -> "list[tuple[int, int]]":  # type: ignore[no-untyped-def]
    """(epoch, first number) as the heads of the segments have them."""
    found: "list[tuple[int, int]]" = []
    for at in range(segments.count):
        epoch = segments.epoch(at)
        if epoch is not None and (not found or epoch != found[-1][0]):
            found.append((epoch, segments.first(at) if found else 1))
    return found
