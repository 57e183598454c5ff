# The log: nothing lost, nothing invented, in whatever order it is read, acknowledged and filled. Runs on both
# interpreters: on a LittleFS in RAM on MicroPython, in a temporary folder on CPython. Power cuts: hil/powercut/.
import gc
import os

from terminal import log, segment

from protocol import record
from tests.vm.logs import events, filled, flip, new_folder, numbered, opened, pending, short


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


def test_what_a_renumbered_event_told_is_told_again_wherever_it_stands() -> None:
    # found by power cuts (seed 67707)
    store = filled(new_folder(), 200, segments=3)
    while not events(store):
        store.append(numbered)
    event = store.next_seq - 2  # the first record of its segment
    assert store.renumber([(event, event)], store.epoch) == 1, "its copy stands behind the event of the epoch"
    for _ in range(1000):
        store.append(numbered)
    told = [values for code, values in events(store) if code == record.LOG_FULL]
    assert told[-1] == [1, store.oldest_seq - 1]


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
