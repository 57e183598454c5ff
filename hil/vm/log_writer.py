"""Appends to and frees from the log of a flash image, on the VM, until the power fails or it is done:

    micropython log_writer.py IMAGE RUN APPENDS SEGMENTS CUT_AT TORN NOISE

Prints `E epoch`, `A seq` when an append has returned, `F first last` before and `f first last` after an
acknowledgement, and `END operations`.
A record's text is `RUN:seq:` and filling of a length that seq decides. What it leaves behind: log_dump.py.
"""

import os
import sys

from boards import base, unix
from cut_flash import CutFlash
from plain_events import log_event
from terminal import counters, log


def text(run: int, seq: int) -> bytes:
    """The record of a run, from 20 to 3900 bytes."""
    return (b"%d:%d:" % (run, seq)) + b"x" * (10 + seq * 1237 % 3870)


def main(image: str, run: int, appends: int, segments: int, *cut: int) -> None:
    """Do it."""
    flash = CutFlash(image, int(os.getenv("WATTLINE_FLASH_BLOCKS") or unix.BLOCKS), *cut)
    base.mount(flash)
    reserved = counters.Counters(unix.counters_flash(image))
    store = log.Log(base.DATA_DIR + "/log", log_event, os.urandom, segments, reserved)
    print("E", store.epoch)
    own: "set[int]" = set()
    for count in range(appends):
        seq = store.append(lambda seq: text(run, seq))
        print("A", seq)
        own.add(seq)
        first = seq - 5 if count % 8 == 3 else seq - 1
        if count % 4 == 3 and segments > log.SEGMENTS_MIN and own.issuperset((first, first + 1, first + 2)):
            free(store, first, first + 2)  # never an event: what it tells is looked for afterwards
    print("END", flash.operations)


def free(store: log.Log, first: int, last: int) -> None:
    """Acknowledge some."""
    print("F", first, last)
    store.acknowledge([(first, last)])
    print("f", first, last)


main(sys.argv[1], *[int(one) for one in sys.argv[2:]])
