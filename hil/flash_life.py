"""What keeping windows costs a terminal's flash: counted on the VM, over simulated months, and carried on to years."""

import json
import random
import statistics
import struct
from dataclasses import dataclass
from pathlib import Path

from hil import micropython
from hil.benchmarks import realistic
from hil.process import BenchError
from protocol import limits, record

POINTS = 9  # of a terminal, on average
BLOCKS = 2048  # 8 MiB
DAY_WINDOWS = 86400 // limits.WINDOW_S
TEN_YEARS_DAYS = 3653
ENDURANCE = 100_000  # erases of a block that the makers of these chips promise
FULL_WINDOWS = 19_400  # more than 252 segments hold: a terminal in its seventh month
ERASE_MS, PAGE_MS = 45, 0.4  # typical for 4 KiB and 256 bytes: Winbond W25Q64JV, data sheet, AC characteristics
TIMEOUT_S = 600


@dataclass(frozen=True)
class Life:
    """What was counted over `windows` windows, after others. us: of the VM, on a flash that takes no time."""

    windows: int
    record_bytes: int
    erases: int
    programmed_bytes: int
    pages: int
    erases_of: list[int]  # of each block of the file system
    counters_erases: list[int]
    store_us: list[int]  # each window, as the next two
    store_erases: list[int]
    store_pages: list[int]

    @property
    def worst_in_ten_years(self) -> int:
        """Erases of the block that is erased most, if every year is as what was counted.

        An upper bound: LittleFS moves what it writes often after some hundred erases, and the log goes round the
        flash, so that in the long run it is not always the same block.
        """
        return -(-max(self.erases_of + self.counters_erases) * TEN_YEARS_DAYS * DAY_WINDOWS // self.windows)

    @property
    def flash_ms_per_window(self) -> float:
        """How long a flash chip is at work for a window, by its data sheet, typically."""
        return (self.erases * ERASE_MS + self.pages * PAGE_MS) / self.windows

    @property
    def append_ms(self) -> list[float]:
        """How long storing each window took, rising: the VM's time and the chip's, by its data sheet, typically."""
        each = zip(self.store_us, self.store_erases, self.store_pages, strict=True)
        return sorted(us / 1000 + erases * ERASE_MS + pages * PAGE_MS for us, erases, pages in each)

    @property
    def median_us(self) -> float:
        """Of storing a window, without the flash."""
        return statistics.median(self.store_us)


def write_records(path: Path, seed: int, count: int = 256) -> list[bytes]:
    """Records of real size for the VM, and the same as they are."""
    rnd = random.Random(seed)
    records = [record.encode_window(20_000, realistic.window(rnd, POINTS, number)) for number in range(count)]
    path.write_bytes(b"".join(struct.pack("<H", len(one)) + one for one in records))
    return records


def live(folder: Path, way: str, before: int, windows: int, seed: int = 1, vm: int = 32) -> Life:
    """Count a way of hil/vm/flash_life.py, on an image in the folder. Raises BenchError."""
    records = folder / "records"
    write_records(records, seed)
    image = folder / f"{way}.img"
    args = (image, records, way, before, windows)
    status, said = micropython.run("flash_life", *args, vm=vm, blocks=BLOCKS, timeout_s=TIMEOUT_S)
    if status:
        raise BenchError(f"flash_life {way}: {said[-2000:]}")
    return Life(**json.loads(said.splitlines()[-1]))
