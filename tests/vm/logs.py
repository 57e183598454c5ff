# Logs for tests, in folders of their own (folders.py): opened, filled, damaged, and looked into.
import os

from terminal import counters, log, segment, small_file

from protocol import record
from tests.vm import folders
from tests.vm.folders import RamFlash

BODY = bytes(range(256)) + bytes(range(125))  # the size of a window of 9 points


OPENED: "list[log.Log]" = []
COUNTERS: "dict[str, RamFlash]" = {}  # the flash of each folder's counters


def new_folder(blocks: int = 64) -> str:
    while OPENED:
        OPENED.pop().close()
    COUNTERS.clear()
    return folders.new_folder(blocks)


def log_event(seq: int, code: int, values: "tuple[int, ...]") -> bytes:
    return record.encode_event(seq, record.Event(None, 1, 0, 0, 65535, code, None, list(values)))


def numbered(seq: int) -> bytes:
    return seq.to_bytes(4, "big") + BODY


def short(seq: int) -> bytes:
    return seq.to_bytes(4, "big") + bytes(16)


def event_of(seq: int) -> bytes:
    """A real record, which can be renumbered."""
    return log_event(seq, record.METER_BACK, (seq,))


class Dying:
    """Lets a log write so many times more; then every write fails."""

    def __init__(self, writes: int) -> None:
        self.left = writes
        self.real = segment.Segment.append, small_file.write
        dying = self

        def append(one: segment.Segment, seq: int, data: bytes) -> None:
            dying.spend()
            dying.real[0](one, seq, data)

        def write(path: str, data: bytes) -> None:
            dying.spend()
            dying.real[1](path, data)

        segment.Segment.append = append  # type: ignore[assignment,method-assign]
        small_file.write = write

    def spend(self) -> None:
        if not self.left:
            raise OSError(5)
        self.left -= 1

    def heal(self) -> None:
        segment.Segment.append, small_file.write = self.real  # type: ignore[method-assign]


def opened(folder: str, segments: int = 100) -> log.Log:
    return of_epoch(folder, bytes(range(7, 11)), segments)


def of_epoch(folder: str, epoch: bytes, segments: int = 100) -> log.Log:
    if folder not in COUNTERS:
        COUNTERS[folder] = RamFlash(counters.BLOCKS)
    count = counters.Counters(COUNTERS[folder])
    drawn: list[int] = []

    def random_bytes(size: int) -> bytes:
        """The epoch first, then others."""
        drawn.append(size)
        return bytes((epoch[0] + len(drawn) - 1,)) + epoch[1:size]

    store = log.Log(folder, log_event, random_bytes, segments, count)
    OPENED.append(store)  # closed when the next test begins: a power cut closes nothing
    return store


def filled(folder: str, count: int, encode=numbered, segments: int = 100) -> log.Log:  # type: ignore[no-untyped-def]
    store = opened(folder, segments)
    for _ in range(count):
        store.append(encode)
    return store


def pending(store: log.Log) -> "list[int]":
    found = []
    seq = store.next_pending(0)
    while seq is not None:
        found.append(seq)
        seq = store.next_pending(seq)
    return found


def events(store: log.Log) -> "list[tuple[int, list[int]]]":
    """(code, values) of the events in the log, in order."""
    found = []
    for seq in pending(store):
        data = store.read(seq)
        if data is not None and data[0] == 0x83:
            body = record.decode_record(data).body
            found.append((body.code, body.values))
    return found


def segment_path(folder: str, at: int) -> str:
    names = sorted(os.listdir(folder + "/records"))
    return folder + "/records/" + names[at]


def change(path: str, edit) -> None:  # type: ignore[no-untyped-def]
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data = edit(data)
    with open(path, "wb") as file:
        file.write(data)


def flip(path: str, at: int) -> None:
    """One bit of a file; in place: a segment as a whole is much for the heap of the 32-bit VM."""
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes((byte ^ 0x10,)))
