# The log's epochs and numbers: no number is used twice, whichever image is put back. Runs on both interpreters.
import os

from terminal import counters, epochs, renumber

from protocol import record
from tests.vm.folders import copy, remove
from tests.vm.logs import (
    COUNTERS,
    Dying,
    event_of,
    events,
    filled,
    flip,
    new_folder,
    numbered,
    of_epoch,
    opened,
    pending,
    short,
)


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
