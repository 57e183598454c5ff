# Time of day: from whom it is taken, how good it is said to be, and who cannot move it. Runs on both interpreters.
from terminal.clock import ROUND_TRIP_MAX_MS, TRIAL_SPAN_S, TRIAL_STEP_S, Clock
from terminal.rtc_memory import DRIFT_PPM, RtcMemory

from protocol import limits, record
from tests.vm import folders
from tests.vm.clocks import NOW_S, Board, Memory, answered, now_s


def test_without_a_source_there_is_no_time() -> None:
    clock = Clock(Board(), 3, Memory())
    assert clock.now_ms() is None
    assert now_s(clock) is None
    assert clock.source == record.CLOCK_NONE
    assert clock.error_s() == limits.CLOCK_ERROR_S_MAX


def test_an_rtc_that_was_set_by_a_believed_source_is_taken_and_its_error_is_known() -> None:
    board = Board(NOW_S)
    clock = Clock(board, 3, Memory())
    assert now_s(clock) == NOW_S
    assert clock.source == record.CLOCK_RTC
    assert clock.error_s() == 2
    board.uptime += 90000
    assert now_s(clock) == NOW_S + 90


def test_an_rtc_that_nobody_believed_has_set_tells_no_time_and_is_left_to_certificates() -> None:
    # P-178, R-16, S-09
    board = Board(NOW_S + 3 * 3600)  # three hours ahead
    path = folders.new_folder()
    clock = Clock(board, 3, RtcMemory(path))
    clock.not_before(NOW_S - 86400)
    assert (clock.source, clock.now_ms(), board.port_s) == (record.CLOCK_NONE, None, NOW_S + 3 * 3600)
    assert answered(clock, board, NOW_S * 1000, 100) == 0, "the first set: nothing stepped, since nothing was told"
    assert now_s(clock) == NOW_S
    # the next start believes it
    again = Clock(Board(NOW_S + 60), 4, RtcMemory(path))
    assert (again.source, now_s(again), again.error_s()) == (record.CLOCK_RTC, NOW_S + 60, 3)


def test_what_an_rtc_is_worth_falls_with_the_time_since_it_was_set() -> None:
    # P-178: seconds for days; nothing after three weeks, before it was set, or if the flash did not take it
    path = folders.new_folder()
    memory = RtcMemory(path)
    assert memory.error_ms(NOW_S) is None
    memory.note(NOW_S, 2)
    for since_s, error_ms in (
        (0, 3000),
        (86400, 11640),
        (17 * 86400, 149880),
        (18 * 86400, None),
        (-3, 3000),
        (-4, None),
    ):
        assert RtcMemory(path).error_ms(NOW_S + since_s) == error_ms, since_s
    unkept = RtcMemory(path + "/no_folder/rtc")
    unkept.note(NOW_S, 2)
    assert unkept.error_ms(NOW_S) is None


def test_the_flash_is_told_of_the_time_four_times_a_day_and_when_the_error_is_another() -> None:
    # P-178
    path = folders.new_folder()
    memory = RtcMemory(path)
    told = []
    for hour in range(24):
        memory.note(NOW_S + 3600 * hour, {8: 3, 9: 1}.get(hour, 2))
        told.append(RtcMemory(path).error_ms(NOW_S + 3600 * 24))
    assert len(set(told)) == 4 + 3


def test_the_first_ack_sets_the_clock_within_half_the_round_trip() -> None:
    for trip in (0, 1, 80, 3000, ROUND_TRIP_MAX_MS):
        board = Board()
        clock = Clock(board, 3, Memory())
        assert answered(clock, board, NOW_S * 1000, trip) == 0
        now = clock.now_ms()
        assert now is not None
        assert abs(now - (NOW_S * 1000 + trip)) <= trip // 2 + 1
        assert clock.source == record.CLOCK_GATEWAY
        assert clock.error_s() == (trip // 2 + 1 + 999) // 1000
        assert board.rtc is not None
        assert abs(board.rtc * 1000 - now) <= 1000


def test_a_replayed_ack_does_not_move_the_clock() -> None:
    # S-09
    board = Board()
    clock = Clock(board, 3, Memory())
    sent = clock.stamp()
    assert clock.heard(NOW_S * 1000, (3, sent)) == 0
    board.uptime += 60000
    before = clock.now_ms()
    assert clock.heard(NOW_S * 1000 - 9999999, (3, sent)) is None
    assert clock.heard(NOW_S * 1000, (3, sent)) is None
    assert clock.now_ms() == before


def test_an_ack_that_answers_nothing_of_this_boot_does_not_move_the_clock() -> None:
    # S-09
    board = Board()
    clock = Clock(board, 3, Memory())
    sent = clock.stamp()
    for echo in (None, (2, sent), (4, sent), (3, sent - 1), (3, sent + 1), (3, 0)):
        assert clock.heard(NOW_S * 1000, echo) is None
        assert clock.now_ms() is None
    board.uptime += ROUND_TRIP_MAX_MS + 1
    assert clock.heard(NOW_S * 1000, (3, sent)) is None, "an ack held back for too long"
    assert clock.now_ms() is None


def test_a_right_clock_is_confirmed_and_not_moved() -> None:
    board = Board(NOW_S)
    clock = Clock(board, 3, Memory())
    before = clock.now_ms()
    assert before is not None
    assert answered(clock, board, before + 300, 4000) is None
    assert clock.now_ms() == before + 4000
    assert clock.source == record.CLOCK_GATEWAY
    assert clock.error_s() == 3, "half the round trip, and the difference"


def test_a_wrong_clock_is_set_and_the_step_is_told() -> None:
    for step in (900, -900, 3600, -3600, 86400, -86400, 18 * 31556952, -18 * 31556952):
        board = Board(NOW_S)
        clock = Clock(board, 3, Memory())
        assert answered(clock, board, (NOW_S + step) * 1000, 100) == step
        assert now_s(clock) == NOW_S + step
        assert clock.error_s() == 1


def test_a_correction_that_the_bound_allowed_for_is_approached_without_a_step() -> None:
    board = Board()
    clock = Clock(board, 3, Memory())
    answered(clock, board, NOW_S * 1000, 20)
    board.uptime += 86400000
    true = NOW_S * 1000 + 20 + 86400000 - 1500  # the crystal was fast
    before = clock.now_ms()
    assert before is not None
    assert answered(clock, board, true, 20) is None
    last = before
    for _ in range(200):
        board.uptime += 1000
        true += 1000
        now = clock.now_ms()
        assert now is not None
        assert now - last >= 990, "it never runs back, and hardly slower"
        assert abs(now - true - 20) <= clock.error_s() * 1000
        last = now
    assert last == true + 20
    assert clock.error_s() == 1


def test_the_error_grows_with_the_crystals_drift() -> None:
    board = Board()
    clock = Clock(board, 3, Memory())
    answered(clock, board, NOW_S * 1000, 20)
    board.uptime += 10 * 86400000
    assert clock.error_s() == -(-(11 + 10 * 86400000 * DRIFT_PPM // 1000000) // 1000)
    board.uptime += 100000 * 86400000
    assert clock.error_s() == limits.CLOCK_ERROR_S_MAX - 1, "known, and very bad"


def test_a_vague_ack_does_not_spoil_a_good_clock() -> None:
    board = Board()
    clock = Clock(board, 3, Memory())
    answered(clock, board, NOW_S * 1000, 20)
    good = clock.now_ms()
    assert good is not None
    # it went up at once, and took a minute to come down: half-way is 30 s off
    sent = clock.stamp()
    board.uptime += 60000
    assert clock.heard(good, (3, sent)) is None
    assert clock.now_ms() == good + 60000
    assert clock.error_s() == 1


def test_no_two_frames_have_the_same_stamp() -> None:
    board = Board()
    clock = Clock(board, 3, Memory())
    stamps = [clock.stamp() for _ in range(100)]
    assert stamps == list(range(5000, 5100))
    board.uptime = 9000
    assert clock.stamp() == 9000
    assert clock.heard(NOW_S * 1000, (3, 5000)) is None, "too many frames ago"
    assert clock.heard(NOW_S * 1000, (3, 5099)) == 0


def test_the_true_time_is_always_within_the_bound() -> None:
    # S-09: any round trips, split between up and down in any way; a crystal at the end of its tolerance
    for seed in range(40):
        state = seed * 7919 + 1
        board = Board()
        clock = Clock(board, 3, Memory())
        fast = (seed % 3 - 1) * (DRIFT_PPM - 10)
        origin = board.uptime
        told = 0

        def true_ms(board: Board = board, fast: int = fast, origin: int = origin) -> int:
            passed = board.uptime - origin
            return NOW_S * 1000 + passed - passed * fast // 1000000

        for _ in range(300):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            sent = clock.stamp()
            board.uptime += (state >> 5) % 30000 if state & 0x10000 else (state >> 5) % 300
            written = true_ms()
            board.uptime += (state >> 12) % 30000 if state & 0x20000 else (state >> 12) % 300
            step = clock.heard(written, (3, sent))
            assert step in (None, 0), (seed, step)
            for _ in range(3):
                now = clock.now_ms()
                assert now is not None
                assert abs(now - true_ms()) <= clock.error_s() * 1000, (seed, now - true_ms(), clock.error_s())
                assert now >= told, seed
                told = now
                board.uptime += (state >> 3) % 2000000


def test_an_rtc_that_lost_its_power_is_not_believed_but_held_at_a_time_that_is_past() -> None:
    # S-25: below the image's build time or the log's newest record it is wrong; no record is stamped with the floor
    for rtc_s in (None, 946684800 + 5, NOW_S - 1):
        board = Board(rtc_s)
        clock = Clock(board, 3, Memory())
        clock.not_before(NOW_S - 500)
        clock.not_before(NOW_S)
        clock.not_before(NOW_S - 400)
        assert (clock.source, clock.now_ms(), board.port_s) == (record.CLOCK_NONE, None, NOW_S)


def test_an_rtc_above_the_floor_is_left_alone() -> None:
    board = Board(NOW_S + 1)
    clock = Clock(board, 3, Memory())
    clock.not_before(NOW_S)
    assert (clock.source, board.port_s) == (record.CLOCK_RTC, NOW_S + 1)


def test_without_the_time_a_refused_certificate_is_looked_at_again_later_and_later_and_from_the_beginning() -> None:
    # S-25: one that was made after the image and the log's newest record, and one that an RTC of 2044 calls expired
    for rtc_s in (None, NOW_S + 20 * 365 * 86400):
        board = Board(rtc_s)
        clock = Clock(board, 3, Memory())
        clock.not_before(NOW_S)
        seen = []
        for _ in range(600):
            clock.certificate_refused()
            seen.append(board.port_s or 0)
        assert min(seen) == NOW_S
        assert max(seen) == NOW_S + TRIAL_SPAN_S // TRIAL_STEP_S * TRIAL_STEP_S
        for start_s in (NOW_S + 10, NOW_S + 100 * 86400, NOW_S + 3000 * 86400):
            assert any(start_s <= port_s < start_s + 60 * 86400 for port_s in seen)


def test_a_refused_certificate_moves_no_clock_that_the_gateway_has_set() -> None:
    board = Board()
    clock = Clock(board, 3, Memory())
    clock.not_before(NOW_S)
    answered(clock, board, 1000 * NOW_S + 5000)
    port_s = board.port_s
    clock.certificate_refused()
    assert board.port_s == port_s == board.rtc == NOW_S + 5
