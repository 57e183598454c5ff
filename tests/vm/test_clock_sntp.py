# Time of day by SNTP: what it may do to a clock, and what it never may. Runs on both interpreters.
from terminal.clock import TRIAL_STEP_S, Clock
from terminal.rtc_memory import DRIFT_PPM, GOOD_MS

from protocol import record
from tests.vm.clocks import NOW_S, Board, Memory, answered, now_s


def told(clock: Clock, board: Board, unix_ms: int, error_ms: int = 600) -> "int | None":
    """What an SNTP server says just now."""
    return clock.heard_sntp(board.uptime, unix_ms, error_ms)


def test_sntp_sets_a_clock_that_nobody_set_and_corrects_an_rtc() -> None:
    # P-166; and certificates are checked by it
    board = Board()
    clock = Clock(board, 3, Memory())
    clock.not_before(NOW_S - 9)
    assert told(clock, board, NOW_S * 1000) == 0
    assert (clock.source, now_s(clock), clock.error_s()) == (record.CLOCK_SNTP, NOW_S, 1)
    assert (board.rtc, board.port_s) == (NOW_S, NOW_S)
    board = Board(NOW_S - 3600)
    clock = Clock(board, 3, Memory())
    assert told(clock, board, NOW_S * 1000) == 3600
    assert (clock.source, now_s(clock)) == (record.CLOCK_SNTP, NOW_S)


def test_sntp_never_moves_a_clock_that_the_gateway_set() -> None:
    # S-09, P-166: not while its bound is good, and beyond its bound never
    for step_ms in (1, -500, 3000, -86400000, 18 * 31556952000):
        board = Board()
        clock = Clock(board, 3, Memory())
        assert answered(clock, board, NOW_S * 1000) == 0
        before, error_s = clock.now_ms(), clock.error_s()
        assert before is not None
        assert not clock.wants_sntp()
        assert told(clock, board, before + step_ms, 1) is None
        assert (clock.now_ms(), clock.error_s(), clock.source) == (before, error_s, record.CLOCK_GATEWAY)
        board.uptime += GOOD_MS * 1000000 // DRIFT_PPM  # a week
        before = clock.now_ms()
        assert before is not None
        assert clock.wants_sntp()
        told(clock, board, before + step_ms)
        told(clock, board, before + step_ms)
        taken = abs(step_ms) < GOOD_MS
        assert clock.source == (record.CLOCK_SNTP if taken else record.CLOCK_GATEWAY)
        assert clock.now_ms() == before, "at once it moves nothing"
        board.uptime += 1000000
        now = clock.now_ms()
        assert now is not None
        assert now - before - 1000000 == (step_ms if taken and abs(step_ms) > 600 else 0)


def test_no_chain_of_sntp_answers_leads_away_from_what_the_gateway_proved() -> None:
    # S-09, P-166
    board = Board()
    clock = Clock(board, 3, Memory())
    answered(clock, board, NOW_S * 1000)
    start = board.uptime
    for at in range(1, 200):
        board.uptime += 86400000
        now = clock.now_ms()
        assert now is not None
        told(clock, board, now + 3000000, 900)  # each answer 50 minutes on
        told(clock, board, now + 20000, 900)
        now = clock.now_ms()
        assert now is not None
        true_ms = NOW_S * 1000 + board.uptime - start
        assert abs(now - true_ms) <= 2000 + (board.uptime - start) * DRIFT_PPM // 1000000, at


def test_the_gateway_s_time_wins_over_sntp_and_its_claim_of_error() -> None:
    # S-09, P-166: a server that lies, and says that it is exact
    for step_ms in (300, -300, 1500, -40000, 3600000, -86400000):
        board = Board()
        clock = Clock(board, 3, Memory())
        assert told(clock, board, NOW_S * 1000 + step_ms, 1) == 0
        true_ms = NOW_S * 1000
        answered(clock, board, true_ms, 800)
        now = clock.now_ms()
        assert now is not None
        assert clock.source == record.CLOCK_GATEWAY
        assert abs(now - (true_ms + 800)) <= 1000 * clock.error_s(), step_ms


def test_sntp_below_the_floor_is_not_believed() -> None:
    # S-09, P-166
    board = Board()
    clock = Clock(board, 3, Memory())
    clock.not_before(NOW_S)
    assert told(clock, board, NOW_S * 1000 - 1) is None
    assert (clock.source, clock.now_ms(), board.port_s) == (record.CLOCK_NONE, None, NOW_S)


def test_a_certificate_that_is_refused_by_sntp_s_time_is_looked_at_by_another() -> None:
    # P-166: a server that lies shuts nobody out
    board = Board()
    clock = Clock(board, 3, Memory())
    clock.not_before(NOW_S)
    told(clock, board, (NOW_S + 18 * 31556952) * 1000)
    clock.certificate_refused()
    assert board.port_s == NOW_S + TRIAL_STEP_S
    assert clock.source == record.CLOCK_SNTP
