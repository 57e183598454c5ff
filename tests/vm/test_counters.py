# Two numbers that never fall, whatever happens to their flash. Runs on both interpreters.
import os

from terminal.clock import next_boot
from terminal.counters import BLOCKS, PAGE_BYTES, Counters

from tests.vm import folders

BLOCK = 4096
PAGES = BLOCK // PAGE_BYTES


class CutError(Exception):
    pass


class Nor:
    """A NOR flash: programming clears bits, erasing sets them. Cut at an operation of which `torn` percent are done."""

    def __init__(self, blocks: int = BLOCKS) -> None:
        self.blocks = blocks
        self.data = bytearray(b"\xff" * BLOCK * blocks)
        self.operations = 0
        self.cut_at = 0
        self.torn = 0
        self.worn: set[int] = set()  # pages that take nothing any more
        self.erases = [0] * blocks

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        at = block * BLOCK + offset
        buffer[:] = self.data[at : at + len(buffer)]

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        at = block * BLOCK + offset
        if at // PAGE_BYTES in self.worn:
            self.operations += 1
            return
        for n in range(self._done(len(buffer))):
            self.data[at + n] &= buffer[n]
        self._go_on()

    def ioctl(self, operation: int, argument: int) -> "int | None":
        if operation == 4:
            return self.blocks
        if operation == 5:
            return BLOCK
        if operation == 6:
            done = self._done(BLOCK)
            self.data[argument * BLOCK : argument * BLOCK + done] = b"\xff" * done
            self.erases[argument] += 1
            self._go_on()
        return 0

    def _done(self, size: int) -> int:
        self.operations += 1
        return size * self.torn // 100 if self.operations == self.cut_at else size

    def _go_on(self) -> None:
        if self.operations == self.cut_at:
            raise CutError


def test_what_was_raised_is_there_after_a_restart() -> None:
    # S-08
    flash = Nor()
    assert (Counters(flash).seq, Counters(flash).boot) == (0, 0)
    for number in range(1, 200):
        counters = Counters(flash)
        counters.raise_seq(number * 3)
        counters.raise_seq(number)  # lower: nothing happens
        if number % 7 == 0:
            counters.raise_boot(number)
        again = Counters(flash)
        assert (again.seq, again.boot) == (number * 3, number // 7 * 7)
    counters = Counters(flash)
    counters.raise_seq(0xFFFFFFFF)
    assert Counters(flash).seq == 0xFFFFFFFF


def test_a_cut_at_any_operation_costs_at_most_the_change_that_had_not_returned() -> None:
    # S-08, R-01
    for torn in (0, 3, 50, 99, 100):
        for cut_at in range(1, 74):  # of the 69 pages and 4 erases
            flash = Nor()
            flash.cut_at, flash.torn = cut_at, torn
            counters = Counters(flash)
            returned = 0
            try:
                for number in range(1, 70):
                    counters.raise_seq(number)
                    returned = number
            except CutError:
                pass
            again = Counters(flash)
            assert returned <= again.seq <= returned + 1, (torn, cut_at, returned, again.seq)
            again.raise_seq(1000)
            again.raise_boot(1)
            assert (Counters(flash).seq, Counters(flash).boot) == (1000, 1), (torn, cut_at)


def test_pages_that_do_not_hold_are_passed_over_and_a_worn_flash_says_so() -> None:
    flash = Nor()
    flash.worn = {1, 2, 7, 16, 31}
    counters = Counters(flash)
    for number in range(1, 100):
        counters.raise_seq(number)
        assert Counters(flash).seq == number
    flash.worn = set(range(BLOCKS * PAGES))
    try:
        counters.raise_seq(100)
    except OSError:
        assert counters.seq == 99
        return
    raise AssertionError


def test_any_bits_in_it_are_no_numbers() -> None:
    flash = Nor()
    for at in range(len(flash.data)):
        flash.data[at] = (at * 37 + at // 256 * 101) & 0xFF
    counters = Counters(flash)
    assert (counters.seq, counters.boot) == (0, 0)
    counters.raise_seq(5)
    assert Counters(flash).seq == 5


def test_ten_years_of_records_leave_the_flash_far_from_worn() -> None:
    #
    flash = Nor()
    counters = Counters(flash)
    days = 30
    for number in range(1, 110 * days):
        counters.raise_seq(number)
    assert max(flash.erases) * 3653 // days < 15000


def test_starts_are_counted_on_by_whatever_is_left() -> None:
    # S-08
    path = new_path()
    flash = Nor()
    assert [next_boot(path, Counters(flash)) for _ in range(3)] == [1, 2, 3]
    os.remove(path)
    assert next_boot(path, Counters(flash)) == 4, "the file is gone, or an older one is back"
    assert next_boot(path, Counters(Nor())) == 5, "the counters are gone"


def test_a_start_is_counted_where_one_of_both_takes_nothing() -> None:
    # S-08: a file system that is full, counters that are worn; where neither takes it, it is said
    path, flash = new_path(), Nor()
    assert next_boot(path, Counters(flash)) == 1
    full = path + "/no/such/folder"
    assert next_boot(full, Counters(flash)) == 2
    worn = Worn(Nor())
    assert next_boot(path, worn) == 2
    assert next_boot(path, Counters(flash)) == 3
    try:
        next_boot(full, worn)
    except OSError:
        return
    raise AssertionError("neither took it")


class Worn(Counters):
    """None of its pages reads back as it was written."""

    def raise_boot(self, boot: int) -> None:
        raise OSError(5, boot)


def new_path() -> str:
    folder = folders.new_folder(16)
    os.mkdir(folder)
    return folder + "/boot"
