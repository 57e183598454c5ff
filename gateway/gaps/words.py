"""The ledger's words. A cell is an aligned quarter of an hour, named by its start in Unix seconds."""

from protocol import limits

CELL_S = limits.WINDOW_S

# From a cell's end on its windows are due after this long: a terminal may spread its sends, a frame may be tried twice.
# Two intervals after it fell silent, a terminal is known to be (S-10: within 35 minutes).
GRACE_S = 300

# Numbers of a log that have not come although the terminal is heard again are on their way for so long: the slowest
# modem brings a month's backlog in hours (a terminal's month is 450 KiB). After that they were promised and never came.
PROMISE_S = 86400

PRESENT, LATE, NOT_DUE = "present", "late", "not_due"

# why a window is missing, in the order in which one goes before another
REFUSED = "refused"  # quarantine has a frame that says to be of it
LINK_DOWN = "link_down"  # nothing came since, or its number is known and it has not come yet
LOG_LOST = "log_lost"  # the terminal says that its log dropped or lost it, or the log began anew
CLOCK = "clock"  # the terminal did not know the time, or its clock was set forward over it
TERMINAL_OFF = "terminal_off"  # between two starts
METER_SILENT = "meter_silent"  # the window is there, this point has none, because
NOT_MEASURED = "not_measured"  # the window is there, the terminal does not have this point
UNKNOWN = "unknown"  # none of these: what the terminal numbered never came, or it ran and made no window
CAUSES = (REFUSED, LINK_DOWN, LOG_LOST, CLOCK, TERMINAL_OFF, METER_SILENT, NOT_MEASURED, UNKNOWN)

MEANING = {
    PRESENT: "received in time / 按时收到",
    LATE: "received late / 迟到",
    NOT_DUE: "not due yet / 未到时限",
    REFUSED: "refused, see quarantine / 被拒绝，见隔离区",
    LINK_DOWN: "link down, may still come / 链路中断，可能补传",
    LOG_LOST: "the terminal's log lost it / 终端存储已丢失",
    CLOCK: "the terminal's clock was not set, or jumped / 终端时钟未校或跳变",
    TERMINAL_OFF: "the terminal was off / 终端断电",
    METER_SILENT: "the meter gave no reading / 电表无应答",
    NOT_MEASURED: "the terminal does not measure this point / 终端未配置该测点",
    UNKNOWN: "no cause known / 原因不明",
}


def cell_of(start_s: int, length_s: int) -> int:
    """The cell that a window belongs to: by its middle, so that windows in a row never share one by drifting."""
    return (start_s + length_s // 2) // CELL_S * CELL_S


def cell_from(time_s: int) -> int:
    """The first cell that begins at or after a time."""
    return -(-time_s // CELL_S) * CELL_S
