"""What ways of keeping windows cost a flash, on the VM: micropython flash_life.py IMAGE RECORDS WAY BEFORE WINDOWS

RECORDS is a file of encoded records, each behind its length (u16, little endian), which are stored by turns under
rising numbers. BEFORE of them are stored first; if more follow, they are acknowledged together. Then WINDOWS are
stored, each acknowledged before the next, with a restart a day, and counted. Prints a JSON object: windows,
record_bytes, erases, programmed_bytes, pages (of 256 bytes, begun), erases_of (each block), counters_erases (each
block); and of each window store_us (what storing it takes the VM, on a flash that takes no time), store_erases and
store_pages.

WAY  log      the terminal's own log, all of it: records, acknowledgements, counters, starts
     rename   a file for each reading, written anew and renamed, removed when it is acknowledged (a queue of messages)
     datalog  IoTaWatt's: a record of 15 channels each 5 s, and one each minute into a file of history, both flushed
     daily    totals written once a day, as Tasmota keeps its energies: a cut costs up to a day
"""

import array
import json
import os
import struct
import sys
import time

from boards import base, unix
from plain_events import log_event
from terminal import clock, counters, log, small_file

from protocol import limits, record

PAGE_BYTES = 256
DAY_WINDOWS = 86400 // limits.WINDOW_S
POINTS = 9
DATALOG = limits.WINDOW_S // 5, limits.WINDOW_S // 60  # records of a window, in either file
DATALOG_BYTES = 4 + 4 + 8 + 15 * 2 * 8  # time, serial, hours, two sums of each channel
TOTAL_BYTES = 8


class Counted(unix.FileFlash):
    """A flash in a file that counts."""

    def __init__(self, path: str, blocks: int) -> None:
        unix.FileFlash.__init__(self, path, blocks)
        self.forget()

    def forget(self) -> None:
        """Count from here on."""
        self.erases = array.array("I", bytes(4 * self.blocks))
        self.erases_all = 0
        self.programmed_bytes = 0
        self.pages = 0

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        """Program."""
        self.programmed_bytes += len(buffer)
        self.pages += (offset % PAGE_BYTES + len(buffer) + PAGE_BYTES - 1) // PAGE_BYTES
        unix.FileFlash.writeblocks(self, block, buffer, offset)

    def ioctl(self, operation: int, argument: int) -> "int | None":
        """Sync, size, erase."""
        if operation == 6:
            self.erases[argument] += 1
            self.erases_all += 1
        return unix.FileFlash.ioctl(self, operation, argument)


class LogWay:
    """The terminal's log."""

    def __init__(self, flash: Counted, beside: Counted) -> None:
        self._segments = log.segments_for(flash.blocks * unix.BLOCK_BYTES)
        self._beside = beside
        self._open()

    def _open(self) -> None:
        reserved = counters.Counters(self._beside)
        self._boot = clock.next_boot(base.DATA_DIR + "/boot", reserved)
        self._store = log.Log(base.DATA_DIR + "/log", log_event, os.urandom, self._segments, reserved)
        self._store.append(lambda seq: log_event(seq, record.BOOT, (1,)))

    def store(self, _number: int, data: bytes) -> None:
        """A window."""
        self._store.append(lambda seq: record.renumbered(data, seq))

    def acknowledge(self) -> None:
        """All there is."""
        self._store.acknowledge(((1, self._store.next_seq - 1),))

    def restart(self) -> None:
        """Power off and on."""
        self._store.close()
        self._open()


class RenameWay:
    """A file for each reading."""

    def __init__(self, *_flashes: Counted) -> None:
        self._folder = base.DATA_DIR + "/queue"
        small_file.make_folder(self._folder)

    def store(self, number: int, data: bytes) -> None:
        """A window: each reading in its file."""
        size = len(data) // POINTS
        for point in range(POINTS):
            small_file.write("%s/%d.%d" % (self._folder, number, point), data[point * size : (point + 1) * size])

    def acknowledge(self) -> None:
        """All there is."""
        for name in os.listdir(self._folder):
            os.remove(self._folder + "/" + name)

    def restart(self) -> None:
        """Nothing follows from it."""


class DatalogWay:
    """A record of fixed size for all channels, flushed as it is made."""

    def __init__(self, *_flashes: Counted) -> None:
        self._record = bytes(DATALOG_BYTES)
        self._files = [open(base.DATA_DIR + name, "ab") for name in ("/current", "/history")]  # noqa: SIM115  they stay

    def store(self, _number: int, _data: bytes) -> None:
        """The records of a window."""
        for file, records in zip(self._files, DATALOG):  # noqa: B905  MicroPython's has no strict
            for _ in range(records):
                file.write(self._record)
                file.flush()

    def acknowledge(self) -> None:
        """Nothing follows from it."""

    def restart(self) -> None:
        """Nothing follows from it."""


class DailyWay:
    """Once a day."""

    def __init__(self, *_flashes: Counted) -> None:
        self._totals = bytes(POINTS * TOTAL_BYTES)

    def store(self, number: int, _data: bytes) -> None:
        """A window: nothing, but at the end of the day."""
        if number % DAY_WINDOWS == DAY_WINDOWS - 1:
            small_file.write(base.DATA_DIR + "/totals", self._totals)

    def acknowledge(self) -> None:
        """Nothing follows from it."""

    def restart(self) -> None:
        """Nothing follows from it."""


WAYS = {"log": LogWay, "rename": RenameWay, "datalog": DatalogWay, "daily": DailyWay}


def _ticks_us() -> int:
    now: int = time.ticks_us()  # type: ignore[attr-defined]
    return now


def records_of(path: str) -> "list[bytes]":
    """The records of the file."""
    found = []
    with open(path, "rb") as file:
        head = file.read(2)
        while head:
            found.append(file.read(struct.unpack("<H", head)[0]))
            head = file.read(2)
    return found


def main(image: str, path: str, way: str, before: int, windows: int) -> None:
    """Do it."""
    records = records_of(path)
    flash = Counted(image, int(os.getenv("WATTLINE_FLASH_BLOCKS") or unix.BLOCKS))
    beside = Counted(image + ".counters", counters.BLOCKS)
    base.mount(flash)
    kept = WAYS[way](flash, beside)
    for number in range(before):
        kept.store(number, records[number % len(records)])
    if windows:
        kept.acknowledge()
    flash.forget()
    beside.forget()
    store_us, store_erases, store_pages = [], [], []
    stored_bytes = 0
    for number in range(windows):
        data = records[number % len(records)]
        erases, pages = flash.erases_all + beside.erases_all, flash.pages + beside.pages
        began_us = _ticks_us()
        kept.store(number, data)
        store_us.append(time.ticks_diff(_ticks_us(), began_us))  # type: ignore[attr-defined]
        store_erases.append(flash.erases_all + beside.erases_all - erases)
        store_pages.append(flash.pages + beside.pages - pages)
        stored_bytes += len(data)
        kept.acknowledge()
        if number % DAY_WINDOWS == DAY_WINDOWS - 1:
            kept.restart()
    told: "dict[str, object]" = {"windows": windows, "record_bytes": stored_bytes, "store_us": store_us}
    told["store_erases"], told["store_pages"] = store_erases, store_pages
    told["erases"] = flash.erases_all + beside.erases_all
    told["programmed_bytes"] = flash.programmed_bytes + beside.programmed_bytes
    told["pages"] = flash.pages + beside.pages
    told["erases_of"], told["counters_erases"] = list(flash.erases), list(beside.erases)
    print(json.dumps(told))


main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
