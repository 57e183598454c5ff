# Which application a board runs: taken on trial, passed, given up for the last good one. Runs on both interpreters.
import os

from loader import slots
from terminal import update

from protocol import record
from tests.vm import folders

ROOT = 1000


class Board:
    """Starts on one folder; `events` are those of all of them. It is also what terminal.update asks for."""

    name = "unix"

    def __init__(self) -> None:
        self.prefix = folders.new_folder(16) + "/"
        self.data_dir = self.prefix[:-1]
        os.mkdir(self.data_dir)
        self.events: list[tuple[int, list[int]]] = []
        self.root = ROOT
        self.start()

    def start(self) -> str:
        """The folder that runs, without the root's."""
        self.slots = slots.Slots(self.prefix, self.root)
        folder = self.slots.begin()
        self.update = update.Update(self, self.slots, None, lambda *_: None)
        self.update.tell(lambda code, _point, values: self.events.append((code, list(values))))
        return folder[len(self.prefix) :]

    def real_ms(self) -> int:
        return 0

    def take(self, number: int) -> None:
        self.slots.take(self.slots.spare, number)

    def wants_start(self) -> bool:
        return self.update.restart

    def told(self) -> "list[tuple[int, list[int]]]":
        told, self.events = self.events, []
        return told


def passed(board: Board, number: int) -> str:
    """A release that reaches the gateway; the folder that it is in."""
    board.take(number)
    folder = board.start()
    board.update.heard()
    assert board.told() == [(record.UPDATE_TAKEN, [number]), (record.UPDATE_GOOD, [number])]
    return folder


def test_a_release_is_good_once_the_gateway_has_acknowledged_a_frame() -> None:
    # P-263: and from then on it runs, whatever the number of starts
    board = Board()
    assert board.start() == ""
    board.take(2000)
    assert board.start() == "a"
    assert (board.slots.on_trial, board.slots.spare) == (True, 2)
    board.update.heard()
    board.update.heard()
    assert board.told() == [(record.UPDATE_TAKEN, [2000]), (record.UPDATE_GOOD, [2000])]
    assert [board.start() for _ in range(5)] == ["a"] * 5
    assert (board.slots.on_trial, board.told()) == (False, [])


def test_neither_what_runs_nor_what_it_goes_back_to_is_written_over() -> None:
    # P-263
    board = Board()
    for number, folder in ((2000, "a"), (3000, "b"), (4000, "a")):
        assert board.slots.spare not in (board.slots.active, board.slots.good)
        assert passed(board, number) == folder
    assert (board.slots.spare, board.slots.active, board.slots.good) == (2, 1, 1)


def test_what_starts_three_times_without_an_ack_goes_back() -> None:
    # P-263 R-23
    board = Board()
    passed(board, 2000)
    board.take(3000)
    assert [board.start() for _ in range(4)] == ["b", "b", "b", "a"]
    assert board.told() == [(record.UPDATE_TAKEN, [3000]), (record.UPDATE_ROLLED_BACK, [3000, 2000, 1])]
    assert (board.slots.on_trial, board.slots.newest_known) == (False, 3000)


def test_what_crashes_on_trial_goes_back_at_once_and_what_passed_after_three_times() -> None:
    # P-263 R-23
    board = Board()
    board.take(2000)
    assert board.start() == "a"
    board.slots.crashed()
    assert board.start() == ""
    assert board.told()[-1] == (record.UPDATE_ROLLED_BACK, [2000, ROOT, record.BACK_CRASHED])
    passed(board, 3000)
    for _ in range(2):
        board.slots.crashed()
        assert board.start() == "a"
    board.update.heard()  # it works after all: counted anew
    for folder in ("a", "a", ""):
        board.slots.crashed()
        assert board.start() == folder
    assert board.told() == [(record.UPDATE_ROLLED_BACK, [3000, ROOT, record.BACK_CRASHED])]


def test_what_the_gateway_does_not_answer_goes_back_after_an_hour_of_link_or_three_days() -> None:
    # P-264
    for is_up, bound_ms in ((True, update.TRIAL_UP_MS), (False, update.TRIAL_MS)):
        board = Board()
        board.take(2000)
        assert board.start() == "a"
        board.update.due(bound_ms - 1000, is_up=is_up, reads=False)
        assert not board.wants_start()
        board.update.due(bound_ms, is_up=is_up, reads=False)
        assert board.wants_start()
        assert board.start() == ""
        assert board.told()[-1] == (record.UPDATE_ROLLED_BACK, [2000, ROOT, record.BACK_NO_ACK])
        board.update.due(2 * bound_ms, is_up=is_up, reads=False)
        assert not board.wants_start()


def test_a_release_that_has_read_a_meter_once_is_good_at_an_ack_in_the_night() -> None:
    # P-464: a plant's meters are without power from evening to morning, and the link was away until then
    for starts in (0, 1):
        board = Board()
        board.update.due(1000, is_up=False, reads=True)
        board.update.expect(2000)
        board.take(2000)
        board.start()
        board.update.due(1000, is_up=False, reads=True)
        board.update.due(2000, is_up=False, reads=False)
        for _ in range(starts):
            board.start()
        board.update.due(3000, is_up=True, reads=False)
        board.update.heard()
        assert board.told()[-1] == (record.UPDATE_GOOD, [2000])
        board.update.due(2 * update.TRIAL_UP_MS, is_up=True, reads=False)
        assert not board.wants_start()


def test_a_release_taken_in_the_night_need_not_read_a_meter() -> None:
    # P-464: what counts is the last round before it was taken, and no meter that answered on another day
    board = Board()
    board.update.due(1000, is_up=True, reads=True)
    board.update.expect(2000)
    board.update.due(2000, is_up=True, reads=False)
    board.update.expect(2000)
    board.take(2000)
    board.start()
    board.update.heard()
    assert board.told()[-1] == (record.UPDATE_GOOD, [2000])


def test_a_release_that_reads_no_meter_goes_back_where_meters_were_read_before() -> None:
    # P-343
    board = Board()
    board.update.due(1000, is_up=True, reads=True)
    board.update.expect(2000)
    board.take(2000)
    for _ in range(2):  # over a start
        board.start()
        board.update.heard()
        board.update.due(update.TRIAL_UP_MS - 1, is_up=True, reads=False)
        assert (board.slots.on_trial, board.wants_start()) == (True, False)
    board.update.due(update.TRIAL_UP_MS, is_up=True, reads=False)
    assert board.wants_start()
    board.start()
    assert board.told()[-1] == (record.UPDATE_ROLLED_BACK, [2000, ROOT, record.BACK_NO_METER])


def test_a_release_passes_once_both_gateway_and_meter_were_heard_in_any_order() -> None:
    # P-343
    for first in ("gateway", "meter"):
        board = Board()
        board.update.due(1000, is_up=True, reads=True)
        board.update.expect(2000)
        board.take(2000)
        board.start()
        if first == "meter":
            board.update.due(1000, is_up=True, reads=True)
            assert board.slots.on_trial
            board.update.heard()
        else:
            board.update.heard()
            board.update.due(60000, is_up=True, reads=False)
            assert board.slots.on_trial
            board.update.due(61000, is_up=True, reads=True)
        assert board.told() == [(record.UPDATE_TAKEN, [2000]), (record.UPDATE_GOOD, [2000])]


def test_where_no_meter_answered_before_an_update_none_need_after_it() -> None:
    # P-343: a plant that stands still; and what was noted for a release that was never taken counts for no other
    board = Board()
    board.update.due(1000, is_up=True, reads=True)
    board.update.expect(2000)
    board.start()
    board.update.expect(3000)
    board.take(3000)
    board.start()
    board.update.heard()
    assert board.told()[-1] == (record.UPDATE_GOOD, [3000])


def test_each_start_tells_which_release_runs_and_whether_it_is_on_trial() -> None:
    # P-342: so that what was told of it may be lost
    board = Board()
    assert board.update.release() == [ROOT, 0]
    board.take(2000)
    board.start()
    assert board.update.release() == [2000, 1]
    board.slots.passed()  # and the power fails before it is told
    board.start()
    assert board.update.release() == [2000, 0]
    board.take(3000)
    board.start()
    board.slots.crashed()
    board.start()
    assert board.update.release() == [2000, 0]


def test_an_outage_of_the_link_counts_for_nothing_in_the_first_hour_of_link() -> None:
    # P-264
    board = Board()
    board.take(2000)
    board.start()
    board.update.due(update.TRIAL_MS // 2, is_up=False, reads=False)
    board.update.due(update.TRIAL_MS // 2 + update.TRIAL_UP_MS // 2, is_up=True, reads=False)
    assert not board.wants_start()
    board.update.due(update.TRIAL_MS // 2 + update.TRIAL_UP_MS, is_up=True, reads=False)
    assert board.wants_start()


def test_a_newer_application_that_a_technician_put_there_runs() -> None:
    # P-263: an older one does not, and no number is forgotten
    board = Board()
    passed(board, 2000)
    board.root = 1500
    assert board.start() == "a"
    board.root = 2500
    assert board.start() == ""
    assert (board.slots.on_trial, board.slots.newest_known, board.told()) == (False, 2500, [])
    board.root = 1500
    board.start()
    assert board.slots.newest_known == 2000


def test_a_record_that_cannot_be_read_means_the_roots_application() -> None:
    # P-263
    board = Board()
    passed(board, 2000)
    for content in (b"", b"damaged", bytes(29)):
        with open(board.prefix + "slots", "wb") as file:
            file.write(content)
        assert board.start() == ""


def test_a_flash_that_takes_no_boot_record_costs_no_reading() -> None:
    # P-264: nothing is raised into the tasks that read and send; it is tried again
    board = Board()
    board.take(2000)
    board.start()
    os.mkdir(board.prefix + "slots.new")  # where the next record would be written
    board.update.heard()
    assert board.told() == [(record.UPDATE_TAKEN, [2000])]
    assert board.slots.on_trial
    board.update.due(update.TRIAL_UP_MS, is_up=True, reads=False)
    assert not board.wants_start()
    board.update.due(2 * update.TRIAL_UP_MS - 1, is_up=True, reads=False)
    os.rmdir(board.prefix + "slots.new")
    board.update.due(2 * update.TRIAL_UP_MS, is_up=True, reads=False)
    assert board.wants_start()
    os.mkdir(board.prefix + "slots.new")
    again = update.Update(board, board.slots, None, lambda *_: None)
    again.tell(lambda code, _point, values: board.events.append((code, list(values))))
    assert board.told() == [(record.UPDATE_ROLLED_BACK, [2000, ROOT, record.BACK_NO_ACK])]
