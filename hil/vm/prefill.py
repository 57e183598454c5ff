"""Append N synthetic records to the log of a flash image, on the VM: micropython prefill.py IMAGE N [POINTS]

They are windows of one point or more, one after the other, in a boot of their own, unplaced in time. Prints a JSON
object: the epoch, the first and last seq, and how many records were dropped because the log was full.
"""

import json
import os
import sys

from boards import base, unix
from plain_events import log_event
from terminal import clock, counters, log

from protocol import limits, record


def window(number: int, boot: int, points: int) -> record.Window:
    """The number-th window: its values tell which it is."""
    reading = record.Reading(
        0, 5, limits.WINDOW_S, 10000 + number, 9000, 11000 + number, 1000000 + 2500 * number, 0, 300000 + number, 0,
        2301, 2302, 2303, 15000, 15010, 14990, 950, 0, 0, None,
    )  # fmt: skip
    end_s = (number + 1) * limits.WINDOW_S
    return record.Window(
        None, limits.WINDOW_S, boot, end_s, record.CLOCK_NONE, limits.CLOCK_ERROR_S_MAX, 180, [reading] * points
    )


def main(image: str, records: int, points: int = 1) -> None:
    """Fill the log; what is in it already stays."""
    flash = unix.FileFlash(image, int(os.getenv("WATTLINE_FLASH_BLOCKS") or unix.BLOCKS))
    base.mount(flash)
    reserved = counters.Counters(unix.counters_flash(image))
    boot = clock.next_boot(base.DATA_DIR + "/boot", reserved)
    segments = log.segments_for(flash.blocks * unix.BLOCK_BYTES)
    store = log.Log(base.DATA_DIR + "/log", log_event, os.urandom, segments, reserved)
    first = store.next_seq
    for number in range(records):
        store.append(lambda seq, number=number: record.encode_window(seq, window(number, boot, points)))
    store.close()
    print(
        json.dumps({"epoch": store.epoch, "first": first, "last": store.next_seq - 1, "dropped": store.dropped_records})
    )


main(sys.argv[1], *[int(one) for one in sys.argv[2:]])
