# The log: nothing lost, nothing invented, whatever happens to its files. Runs on both interpreters: on a LittleFS in
# RAM on MicroPython, in a temporary folder on CPython. Power cuts on the real thing: tests/firmware/test_log_kill.py.
import gc
import os

from terminal import log, segment

from protocol import record

BODY = bytes(range(256)) + bytes(range(125))  # the size of a window of 9 points


class RamFlash:
    """512 KiB of flash in RAM."""

    def __init__(self, blocks: int) -> None:
        self.blocks = [bytearray(4096) for _ in range(blocks)]

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        buffer[:] = self.blocks[block][offset : offset + len(buffer)]

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        self.blocks[block][offset : offset + len(buffer)] = buffer

    def ioctl(self, operation: int, argument: int) -> "int | None":
        if operation == 4:
            return len(self.blocks)
        if operation == 5:
            return 4096
        if operation == 6:
            self.blocks[argument][:] = b"\xff" * 4096
        return 0


OPENED: "list[log.Log]" = []


def new_folder(blocks: int = 64) -> str:
    while OPENED:
        OPENED.pop().close()
    try:
        import vfs
    except ImportError:
        import tempfile

        return tempfile.mkdtemp() + "/log"
    gc.collect()
    flash = RamFlash(blocks)
    vfs.VfsLfs2.mkfs(flash)
    try:
        vfs.umount("/ram")
    except OSError:
        gc.collect()  # it was not mounted
    vfs.mount(vfs.VfsLfs2(flash, mtime=False), "/ram")
    return "/ram/log"


def log_event(seq: int, code: int, values: "tuple[int, ...]") -> bytes:
    return record.encode_event(seq, record.Event(None, 1, 0, 0, 65535, code, None, list(values)))


def numbered(seq: int) -> bytes:
    return seq.to_bytes(4, "big") + BODY


def short(seq: int) -> bytes:
    return seq.to_bytes(4, "big") + bytes(16)


def opened(folder: str, segments: int = 100) -> log.Log:
    return of_epoch(folder, bytes(range(7, 11)), segments)


def of_epoch(folder: str, epoch: bytes, segments: int = 100) -> log.Log:
    store = log.Log(folder, log_event, lambda count: epoch[:count], segments)
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


def flip(data: bytearray, at: int) -> bytearray:
    data[at] ^= 0x10
    return data


def test_what_append_returned_for_is_there_after_a_restart() -> None:
    folder = new_folder()
    store = opened(folder)
    assert [store.append(numbered) for _ in range(200)] == list(range(1, 201))
    again = opened(folder)  # without close: as after a power cut
    assert again.epoch == store.epoch
    assert again.next_seq == 201
    assert pending(again) == list(range(1, 201))
    for seq in range(200, 0, -1):
        assert again.read(seq) == numbered(seq)
    for seq in range(1, 201):
        assert again.read(seq) == numbered(seq)
    assert again.append(numbered) == 201


def test_pending_goes_both_ways_around_what_is_acknowledged() -> None:
    store = filled(new_folder(), 20)
    store.acknowledge([(3, 5), (9, 9), (20, 20)])
    left = [1, 2, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    assert pending(store) == left
    back = []
    seq = store.previous_pending(store.next_seq)
    while seq is not None:
        back.append(seq)
        seq = store.previous_pending(seq)
    assert back == left[::-1]
    assert store.pending_count() == len(left)
    assert store.acknowledged(3, 5)
    assert not store.acknowledged(2, 5)


def test_what_is_acknowledged_stays_so_and_is_counted_once() -> None:
    folder = new_folder()
    store = filled(folder, 30)
    assert store.acknowledge([(1, 10), (15, 16, 3)]) == 12
    assert store.acknowledge([(1, 12)]) == 2
    assert store.acknowledge([(1, 12)]) == 0
    again = pending(opened(folder))
    assert again == [seq for seq in range(13, 31) if seq not in (15, 16)]


def test_an_ack_cannot_free_what_is_not_written_yet() -> None:
    folder = new_folder()
    store = filled(folder, 3)
    assert store.acknowledge([(0, 0xFFFFFFFF)]) == 3
    assert store.acknowledge([(4, 9)]) == 0
    store.append(numbered)
    assert pending(store) == [4]
    assert pending(opened(folder)) == [4]


def test_a_segment_goes_only_when_all_of_it_is_acknowledged() -> None:
    folder = new_folder()
    store = filled(folder, 300)
    files = sorted(os.listdir(folder + "/records"))
    assert len(files) == 4
    second, third = int(files[1], 16), int(files[2], 16)
    store.acknowledge([(second, third - 2)])
    assert len(os.listdir(folder + "/records")) == 4
    store.acknowledge([(third - 1, third - 1)])  # a segment between two others
    assert sorted(os.listdir(folder + "/records")) == [files[0], files[2], files[3]]
    again = opened(folder)
    assert pending(again) == [seq for seq in range(1, 301) if not second <= seq < third]
    assert again.read(second - 1) == numbered(second - 1)
    again.acknowledge([(1, 300)])
    assert len(os.listdir(folder + "/records")) == 1, "the last segment stays: it has the next number"
    assert opened(folder).append(numbered) == 301


def test_a_full_log_says_what_it_drops_before_it_drops_it() -> None:
    #
    folder = new_folder()
    store = filled(folder, 200, segments=3)
    store.acknowledge([(10, 20)])
    while store.oldest_seq == 1:
        store.append(numbered)
    last = store.next_seq - 1
    told = events(store)
    assert len(told) == 1
    code, (first, end) = told[0]
    assert (code, first, end) == (record.LOG_FULL, 1, store.oldest_seq - 1)
    assert store.dropped_records == end - 11
    assert pending(opened(folder, 3)) == pending(store) == list(range(end + 1, last + 1))
    for _ in range(1000):
        store.append(numbered)
    dropped = [values for code, values in events(store) if code == record.LOG_FULL]
    assert len(os.listdir(folder + "/records")) == 3
    assert dropped[-1] == [1, store.oldest_seq - 1], "the events that went are told again by the last one"


def test_a_flash_smaller_than_it_was_said_to_be_drops_the_oldest_and_says_so() -> None:
    #
    folder = new_folder(40)
    store = filled(folder, 0, segments=100)
    if not folder.startswith("/ram"):
        return  # only a real flash gets full
    for _ in range(800):
        store.append(numbered)
    assert store.failures
    assert store.oldest_seq > 1
    told = [values for code, values in events(store) if code == record.LOG_FULL]
    assert told
    assert told[-1][1] < store.oldest_seq
    for seq in pending(store):
        assert store.read(seq) is not None
    assert store.next_seq > 800


def test_a_torn_tail_is_passed_over_and_told() -> None:
    #
    for cut in (1, 5, segment.HEADER_BYTES, segment.HEADER_BYTES + 1, 30, 19):
        folder = new_folder(40)
        store = filled(folder, 5, short)
        store.close()
        change(segment_path(folder, -1), lambda data, cut=cut: data[: len(data) - cut])
        again = opened(folder)
        whole = cut == segment.HEADER_BYTES + len(short(0))
        assert pending(again) == ([1, 2, 3, 4] if whole else [1, 2, 3, 4, 5]), cut
        assert [again.read(seq) for seq in range(1, 5)] == [short(seq) for seq in range(1, 5)]
        if not whole:
            left = segment.HEADER_BYTES + len(short(0)) - cut
            assert events(again) == [(record.LOG_DAMAGED, [0, left])], cut
        assert pending(opened(folder)) == pending(again), "it is told once"


def test_one_flipped_bit_costs_one_record_and_no_number_is_used_twice() -> None:
    #
    size = segment.HEADER_BYTES + len(short(0))
    for at in range(segment.HEAD_BYTES, segment.HEAD_BYTES + 4 * size):
        folder = new_folder(40)
        filled(folder, 4, short).close()
        change(segment_path(folder, 0), lambda data, at=at: flip(data, at))
        store = opened(folder)
        hit = 1 + (at - segment.HEAD_BYTES) // size
        for seq in (1, 2, 3, 4):
            if seq != hit:
                assert store.read(seq) == short(seq), (at, seq)
        assert hit not in pending(store), at
        told = events(store)
        assert len(told) == 1, (at, told)
        assert told[0][0] == record.LOG_DAMAGED
        assert told[0][1][0] == 1, (at, told)
        assert store.damaged_records == 1
        assert store.next_seq >= 6
        assert store.append(short) == store.next_seq - 1


def test_damage_in_an_older_segment_is_found_when_it_is_read() -> None:
    #
    folder = new_folder()
    store = filled(folder, 200)
    store.close()
    size = segment.HEADER_BYTES + len(numbered(0))
    change(segment_path(folder, 0), lambda data: flip(data, segment.HEAD_BYTES + 2 * size + 40))  # data of 3
    change(segment_path(folder, 0), lambda data: flip(data, segment.HEAD_BYTES + 5 * size + 1))  # header of 6
    store = opened(folder)
    read = {seq: store.read(seq) for seq in pending(store)}
    assert sorted(seq for seq in read if read[seq] is None) == [3, 6]
    assert all(read[seq] == numbered(seq) for seq in read if read[seq] is not None)
    assert events(store) == [(record.LOG_DAMAGED, [1, len(numbered(0))]), (record.LOG_DAMAGED, [1, size])]
    assert [seq for seq in pending(store) if seq <= 200] == [seq for seq in range(1, 201) if seq not in (3, 6)]


def test_a_lost_segment_costs_its_records_and_is_told() -> None:
    #
    for at in (0, 1, -1):
        folder = new_folder()
        store = filled(folder, 300)
        store.acknowledge([(2, 2), (299, 300)])
        store.close()
        files = sorted(os.listdir(folder + "/records"))
        os.remove(folder + "/records/" + files[at])
        again = opened(folder)
        first = int(files[at], 16)
        last = int(files[at + 1], 16) - 1 if at >= 0 else 300
        for seq in pending(again):
            data = again.read(seq)
            assert (data is None) == (first <= seq <= last), (at, seq)
        assert not [seq for seq in pending(again) if first <= seq <= last]
        assert again.next_seq > 300
        if at:
            lost = last - first + 1 - (2 if at < 0 else 0)
            assert events(again)[0] == (record.LOG_DAMAGED, [lost, 0]), (at, events(again))


def test_the_epoch_names_one_life_of_the_log() -> None:
    folder = new_folder()
    store = filled(folder, 3)
    assert store.epoch == 0x0708090A
    os.remove(folder + "/epoch")
    other = of_epoch(folder, bytes(4))
    assert other.epoch == store.epoch, "the segments know it too"
    folder = new_folder()
    assert of_epoch(folder, b"\x80" * 4).epoch == 0x80808080


def test_damaged_acknowledgements_only_mean_sending_again() -> None:
    #
    folder = new_folder()
    store = filled(folder, 20)
    store.acknowledge([(5, 15)])
    change(folder + "/acked", lambda data: flip(data, 3))
    assert pending(opened(folder)) == list(range(1, 21))


def test_a_record_too_long_for_a_frame_is_refused_and_costs_no_number() -> None:
    store = filled(new_folder(), 1)
    try:
        store.append(lambda _: bytes(segment.RECORD_BYTES_MAX + 1))
    except ValueError:
        assert store.append(lambda _: bytes(segment.RECORD_BYTES_MAX)) == 2
        return
    raise AssertionError


def test_more_holes_than_it_remembers_are_sent_again_never_lost() -> None:
    folder = new_folder()
    store = filled(folder, 700, short)
    for seq in range(2, 700, 2):
        store.acknowledge([(seq, seq)])
    assert store.pending_count() == 700 - log.ACKED_RANGES
    assert all(seq in pending(store) for seq in range(1, 700, 2))
    store.acknowledge([(1, 700)])
    assert store.pending_count() == 0


def test_three_thousand_pending_records_cost_no_heap() -> None:
    measure = getattr(gc, "mem_alloc", None)
    if measure is None:
        return  # only MicroPython's heap is told
    store = opened(new_folder())
    store.append(short)
    gc.collect()
    before = measure()
    for _ in range(3000):
        store.append(short)
    seq = 0
    for _ in range(100):
        seq = store.next_pending(seq) or 0
        store.read(seq)
    gc.collect()
    assert measure() - before < 3000, measure() - before


def test_segments_are_counted_with_room_for_everything_else() -> None:
    assert log.segments_for(8 * 1024 * 1024) == 252
    assert log.segments_for(2 * 1024 * 1024) == 60
