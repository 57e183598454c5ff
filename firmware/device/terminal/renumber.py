# Records stored again under new numbers, so that a power cut at any moment leaves each of them once.
#
# `moving` is written first: the number that the first copy gets, u32, then the ranges that are moved, 8 bytes each,
# little endian. Then the copies are appended, then the old numbers are freed, then `moving` goes. After a cut the
# copies that are there already are known by their bytes: all of a record but its number.
import os
import struct

from protocol import record
from terminal import small_file

MOVED_MAX = 32  # in one go: two seconds of appending on a board. The gateway refuses the others again
_COPIES_MAX = 4 * MOVED_MAX  # where to look for copies: between them there may be what the log says of its own


def move(log, path: str, ranges: "list[tuple[int, int]]") -> int:  # type: ignore[no-untyped-def]
    """Move what is pending of the ranges, up to MOVED_MAX records. Returns how many were moved. Raises OSError; then
    `resume` ends it."""
    resume(log, path)
    wanted = _first_pending(log, ranges)
    if not wanted:
        return 0
    small_file.write(path, struct.pack("<I", log.next_seq) + b"".join([struct.pack("<II", *one) for one in wanted]))
    return _finish(log, path, (log.next_seq, log.next_seq), wanted)


def resume(log, path: str) -> None:  # type: ignore[no-untyped-def]
    """End what a cut or an error interrupted."""
    data = small_file.read(path)
    if not data:
        return
    since = struct.unpack_from("<I", data)[0]
    ranges = [struct.unpack_from("<II", data, at) for at in range(4, len(data), 8)]
    _finish(log, path, (since, min(log.next_seq, since + _COPIES_MAX)), ranges)


def _first_pending(log, ranges: "list[tuple[int, int]]") -> "list[tuple[int, int]]":  # type: ignore[no-untyped-def]
    """The first MOVED_MAX pending numbers of the ranges, each a range."""
    found: "list[tuple[int, int]]" = []
    for first, last in ranges:
        seq = log.next_pending(first - 1)
        while seq is not None and seq <= last and len(found) < MOVED_MAX:
            found.append((seq, seq))
            seq = log.next_pending(seq)
    return found


def _finish(log, path: str, copies: "tuple[int, int]", ranges) -> int:  # type: ignore[no-untyped-def]
    """Store what is pending of the ranges again, unless its copy is among the numbers from copies[0] to below
    copies[1]."""
    moved = 0
    for first, last in ranges:
        seq = log.next_pending(first - 1)
        while seq is not None and seq <= last:
            data = log.read(seq)
            if data is not None and not _is_there(log, data, copies):
                log.append(lambda new, data=data: record.renumbered(data, new))
                moved += 1
            seq = log.next_pending(seq)
    log.acknowledge(ranges)
    os.remove(path)
    return moved


def _is_there(log, data: bytes, copies: "tuple[int, int]") -> bool:  # type: ignore[no-untyped-def]
    content = record.renumbered(data, 0)
    for seq in range(*copies):
        other = log.peek(seq)
        if other is not None and record.renumbered(other, 0) == content:
            return True
    return False
