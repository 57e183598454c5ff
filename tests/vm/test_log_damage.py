# The log after something happened to its files: what is damaged is lost and told, and nothing else. Runs on both
# interpreters.
import os

from terminal import counters, segment

from protocol import record
from tests.vm.folders import remove
from tests.vm.logs import (
    COUNTERS,
    change,
    events,
    filled,
    flip,
    new_folder,
    numbered,
    of_epoch,
    opened,
    pending,
    segment_path,
    short,
)


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
