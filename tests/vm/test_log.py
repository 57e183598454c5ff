# The log: nothing lost, nothing invented, whatever happens to its files. Runs on both interpreters: on a LittleFS in
# RAM on MicroPython, in a temporary folder on CPython. Power cuts on the real thing: hil/powercut/.
import gc
import os

from terminal import counters, epochs, log, renumber, segment, small_file

from protocol import record
from tests.vm import folders
from tests.vm.folders import RamFlash, copy, remove

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


def test_what_is_acknowledged_stays_while_there_is_room_and_can_be_recalled() -> None:
    # P-80
    folder = new_folder()
    store = filled(folder, 300)
    store.acknowledge([(1, 300)])
    assert len(os.listdir(folder + "/records")) == 4
    assert store.recall([(5, 7), (250, 250), (299, 310)], store.epoch) == (
        [(5, 7), (250, 250), (299, 300)],
        [(301, 310)],
    )
    again = opened(folder)
    assert pending(again) == [5, 6, 7, 250, 299, 300]
    assert [again.read(seq) for seq in pending(again)] == [numbered(seq) for seq in pending(again)]
    assert again.recall([(1, 2)], 5) == ([], [(1, 2)]), "an epoch that nobody knows"
    assert again.acknowledge([(5, 7)]) == 3, "it is freed again as any other"
    assert again.recall([(6, 6)], again.epoch) == ([(6, 6)], [])
    assert again.recall([(6, 6)], again.epoch) == ([(6, 6)], []), "what is pending is here"


def test_what_is_not_here_any_more_is_told_apart_and_costs_no_false_alarm() -> None:
    # P-80
    folder = new_folder()
    store = filled(folder, 300)
    files = sorted(os.listdir(folder + "/records"))
    second, third = int(files[1], 16), int(files[2], 16)
    store.acknowledge([(second, third - 1), (290, 300)])
    store.close()
    size = segment.HEADER_BYTES + len(numbered(0))
    flip(folder + "/records/" + files[3], segment.HEAD_BYTES + 2 * size + 40)
    hit = int(files[3], 16) + 2
    store = opened(folder, 4)
    while len(os.listdir(folder + "/records")) > 4:
        store.append(numbered)
    assert int(sorted(os.listdir(folder + "/records"))[1], 16) == third, "acknowledged ones go first"
    assert store.recall([(second - 1, third)], store.epoch) == (
        [(second - 1, second - 1), (third, third)],
        [(second, third - 1)],
    )
    assert store.recall([(hit - 1, hit + 1)], store.epoch) == ([(hit - 1, hit - 1), (hit + 1, hit + 1)], [(hit, hit)])
    assert store.damaged_records == 1


def test_no_more_numbers_are_looked_for_at_once_than_take_some_seconds() -> None:
    store = filled(new_folder(), log.RECALL_MAX + 100, short)
    store.acknowledge([(1, log.RECALL_MAX + 100)])
    here, gone = store.recall(
        [(1, 100), (101, log.RECALL_MAX + 1), (log.RECALL_MAX + 50, log.RECALL_MAX + 60)], store.epoch
    )
    assert (here, gone) == ([(1, 100), (101, log.RECALL_MAX)], [])
    assert store.pending_count() == log.RECALL_MAX


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


def test_a_full_log_drops_what_is_acknowledged_without_a_word() -> None:
    # R-05, P-80
    folder = new_folder()
    store = filled(folder, 20, segments=3)
    for _ in range(1000):
        store.append(numbered)
        store.acknowledge([(21, store.next_seq - 1)])
    assert pending(store) == list(range(1, 21)), "the oldest segment is not the first to go if it is pending"
    assert not events(store)
    assert len(os.listdir(folder + "/records")) == 3
    for _ in range(400):
        store.append(numbered)
    told = [values for code, values in events(store) if code == record.LOG_FULL]
    assert min(first for first, _ in told) == 1
    assert max(last for _, last in told) == store.oldest_seq - 1
    assert events(opened(folder, 3)) == events(store), "nothing that was let go is missed"


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
        assert pending(again) == [1, 2, 3, 4, 6], (cut, pending(again))
        assert [again.read(seq) for seq in range(1, 5)] == [short(seq) for seq in range(1, 5)]
        left = segment.HEADER_BYTES + len(short(0)) - cut
        assert events(again) == [(record.LOG_DAMAGED, [1, left]) if left else (record.NUMBERS_SKIPPED, [5, 5])], cut
        assert pending(opened(folder)) == pending(again), "it is told once"


def test_one_flipped_bit_costs_one_record_and_no_number_is_used_twice() -> None:
    #
    size = segment.HEADER_BYTES + len(short(0))
    for at in range(segment.HEAD_BYTES, segment.HEAD_BYTES + 4 * size):
        folder = new_folder(40)
        filled(folder, 4, short).close()
        flip(segment_path(folder, 0), at)
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
    flip(segment_path(folder, 0), segment.HEAD_BYTES + 2 * size + 40)  # data of 3
    flip(segment_path(folder, 0), segment.HEAD_BYTES + 5 * size + 1)  # header of 6
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
        size = last - first + 1 - (1 if at == 0 else 0)
        told = (record.LOG_PUT_BACK, [first, last]) if at < 0 else (record.LOG_DAMAGED, [size, 0])
        assert events(again) == [told], (at, events(again))
        assert pending(opened(folder)) == pending(again), "it is told once"


def test_a_lost_folder_is_told_and_no_number_of_it_is_used_again() -> None:
    #
    for lost in ("/records", ""):
        folder = new_folder()
        store = filled(folder, 100)
        store.close()
        remove(folder + lost)
        again = of_epoch(folder, b"\x01\x02\x03\x04")
        assert again.epoch == (store.epoch if lost else 0x01020304)
        assert events(again) == [(record.LOG_PUT_BACK, [1, 100])]
        assert again.append(numbered) == 102


def test_the_epoch_names_one_life_of_the_log() -> None:
    #
    folder = new_folder()
    store = filled(folder, 3)
    assert store.epoch == 0x0708090A
    os.remove(folder + "/epochs")
    other = of_epoch(folder, bytes(4))
    assert other.epoch == store.epoch, "the segments know it too"
    assert events(other) == [(record.LOG_DAMAGED, [0, 0])]
    flip(folder + "/epochs", 3)
    other = of_epoch(folder, bytes(4))
    assert other.epoch == store.epoch
    assert events(other)[1] == (record.LOG_DAMAGED, [0, 12])
    folder = new_folder()
    assert of_epoch(folder, b"\x80" * 4).epoch == 0x80808080


def test_damaged_acknowledgements_only_mean_sending_again() -> None:
    #
    folder = new_folder()
    store = filled(folder, 20)
    store.acknowledge([(5, 15)])
    flip(folder + "/acked", 3)
    again = opened(folder)
    assert pending(again) == list(range(1, 22))
    assert events(again) == [(record.LOG_DAMAGED, [0, 12])]
    os.remove(folder + "/acked")
    assert events(opened(folder))[1:] == [(record.LOG_DAMAGED, [0, 0])]


def test_a_number_that_was_reserved_is_passed_over_and_told() -> None:
    # S-08
    folder = new_folder()
    filled(folder, 5)
    counters.Counters(COUNTERS[folder]).raise_seq(7)  # the power went before 6 was written
    store = opened(folder)
    assert events(store) == [(record.NUMBERS_SKIPPED, [6, 6])]
    assert pending(store) == [1, 2, 3, 4, 5, 7]
    assert store.append(numbered) == 8
    assert pending(opened(folder)) == [1, 2, 3, 4, 5, 7, 8], "it is told once"


def test_an_older_image_of_the_file_system_uses_no_number_again_and_says_so() -> None:
    # S-08
    for records in (1, 2, 50, 200):
        folder = new_folder()
        older = folder[: -len("log")] + "older"
        store = filled(folder, 150, short)
        store.acknowledge([(1, 20)])
        copy(folder, older)
        epoch = store.epoch
        for _ in range(records):
            store.append(short)
        store.close()
        remove(folder)
        copy(older, folder)
        back = opened(folder)
        assert back.epoch == epoch
        code = record.NUMBERS_SKIPPED if records == 1 else record.LOG_PUT_BACK
        assert events(back) == [(code, [151, 150 + records])], (records, events(back))
        assert pending(back) == list(range(21, 151)) + [151 + records]  # noqa: RUF005
        assert back.append(numbered) == 152 + records


def test_a_log_without_its_counters_goes_on_where_it_was() -> None:
    # S-08
    folder = new_folder()
    filled(folder, 50).close()
    del COUNTERS[folder]
    store = opened(folder)
    assert not events(store)
    assert store.append(numbered) == 51
    assert counters.Counters(COUNTERS[folder]).seq == 52


def test_counters_that_fail_stop_no_record() -> None:
    folder = new_folder()
    store = filled(folder, 3)

    def broken(*_: object) -> None:
        raise OSError(5)

    COUNTERS[folder].writeblocks = broken  # type: ignore[assignment,method-assign]
    assert store.append(numbered) == 4
    assert store.failures == 1
    assert pending(opened(folder)) == [1, 2, 3, 4]


def test_what_the_gateway_has_others_of_is_stored_again_under_another_epoch() -> None:
    # S-08
    folder = new_folder()
    store = filled(folder, 100, event_of)
    store.acknowledge([(1, 90)])
    old = store.epoch
    assert store.renumber([(91, 93, 1), (95, 95, 1)], old) == 4
    new = store.epoch
    assert new != old
    assert pending(store) == [94, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105]
    assert store.epoch_of(100) == (old, 1, 100)
    assert store.epoch_of(101)[:2] == (new, 101)
    assert events(store)[-5] == (record.LOG_RENUMBERED, [old, 101])
    for seq, was in ((102, 91), (103, 92), (104, 93), (105, 95)):
        assert store.read(seq) == record.renumbered(event_of(was), seq)
    assert store.renumber([(96, 96, 1)], old) == 1, "others of the old epoch join it"
    assert store.epoch == new
    assert store.acknowledge([(97, 200)], old) == 4, "an ack frees numbers of its own epoch"
    assert pending(store) == [94, 101, 102, 103, 104, 105, 106]
    again = opened(folder)
    assert (again.epoch, again.epoch_of(100)[0], pending(again)) == (new, old, pending(store))
    os.remove(folder + "/epochs")
    assert opened(folder).epoch_of(100) == (old, 1, 100), "the segments know it too"


def test_a_conflict_is_moved_once_wherever_the_power_goes() -> None:
    # S-08
    for written in range(1, 12):
        folder = new_folder(40)
        store = filled(folder, 6, event_of)
        flash = Dying(written)
        try:
            store.renumber([(2, 4, 1)], store.epoch)
        except OSError as error:
            assert error.args == (5,)
        flash.heal()
        again = of_epoch(folder, b"\x55\x55\x55\x55")
        again.renumber([(2, 4, 1)], 0x0708090A)  # as the gateway refuses what is still sent
        bodies = [(code, values) for code, values in events(again) if code == record.METER_BACK]
        assert sorted(values[0] for _, values in bodies) == [1, 2, 3, 4, 5, 6], (written, bodies)
        assert again.epoch != 0x0708090A


def test_more_conflicts_than_fit_one_go_come_with_the_next() -> None:
    store = filled(new_folder(), 100, event_of)
    assert store.renumber([(1, 100, 1)], store.epoch) == renumber.MOVED_MAX
    assert store.renumber([(1, 100, 1)], 0x0708090A) == renumber.MOVED_MAX
    assert store.pending_count() == 101


def test_epochs_are_bounded_and_forgotten_with_their_records() -> None:
    for segments, most in ((100, epochs.EPOCHS_MAX), (3, 21)):
        store = opened(new_folder(), segments)
        for number in range(20):
            seq = store.append(event_of)
            moved = store.renumber([(seq, seq, 1)], store.epoch)
            assert moved == (1 if number + 1 < most else 0), (segments, number)
        assert segments < 100 or store.dropped_records == 21 - most


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
