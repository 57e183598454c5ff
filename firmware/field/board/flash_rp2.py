"""MicroPython onto an RP2350: a UF2 file copied to the drive that its boot loader shows (RP2350 datasheet, 5.5).

The loader gives nothing back to compare: it checks each block and restarts into what is whole. What runs then is asked.
"""

from __future__ import annotations

import os
import string
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from firmware.field.board.errors import BoardRefusedError, BoardSilentError
from firmware.field.board.uf2 import BLOCK_BYTES, Uf2

INFO = "INFO_UF2.TXT"
_MOUNTS = Path("/proc/mounts")
_BOOT_S = 20.0  # writing 2 MiB and a restart take under ten
_LOOK_S = 0.1
_PIECE_BYTES = 128 * BLOCK_BYTES
_INFO_BYTES_MAX = 4096
Step = Callable[[int, int], None]  # bytes done, bytes in all


def drives() -> list[Path]:
    """The drives of boards that are in BOOTSEL mode."""
    return [one for one in _mounted() if (one / INFO).is_file()]


def chip_of(drive: Path) -> str:
    """RP2350, as the drive says. Raises BoardSilentError when it is gone."""
    try:
        text = (drive / INFO).read_bytes()[:_INFO_BYTES_MAX].decode("ascii", "replace")
    except OSError as error:
        raise BoardSilentError(f"{drive}: the drive is gone ({error}) / 盘符已断开") from error
    found = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("Board-ID:")]
    return "RP2040" if found == ["RPI-RP2"] else (found or ["?"])[0]


def refuse_unfit(drive: Path, firmware: Uf2, *, cross: bool) -> None:
    """Raise BoardRefusedError for another chip's file, naming the option that would allow it."""
    chip = chip_of(drive)
    if chip != firmware.family and not cross:
        raise BoardRefusedError(
            f"this is an {chip}, the file is for {firmware.family}: `--allow-cross-flash` copies it all the same, and "
            "the boot loader ignores it / 固件与芯片不符，确需写入请加 `--allow-cross-flash`"
        )


def write(drive: Path, data: bytes, step: Step, boot_s: float = _BOOT_S) -> None:
    """Copy the file, and wait until the board has left its boot loader. Raises BoardSilentError."""
    done = 0
    try:
        with (drive / "firmware.uf2").open("wb") as file:
            for at in range(0, len(data), _PIECE_BYTES):
                done += file.write(data[at : at + _PIECE_BYTES])
                file.flush()
                os.fsync(file.fileno())
                step(done, len(data))
    except OSError as error:
        if done < len(data):  # with its last block the drive goes: some systems report that
            raise BoardSilentError(
                f"{drive}: the drive went after {done} of {len(data)} bytes ({error}): cable? Hold BOOTSEL, connect "
                "it, and run the same command again / 写入中断：请按住 BOOTSEL 重新连接后再次执行同一命令"
            ) from error
    deadline = time.monotonic() + boot_s
    while (drive / INFO).exists():
        if time.monotonic() > deadline:
            raise BoardSilentError(f"{drive}: all was copied, and the board did not start anew / 已写完，但板子未重启")
        time.sleep(_LOOK_S)


def _mounted() -> Iterator[Path]:
    if os.name == "nt":
        yield from (Path(f"{letter}:/") for letter in string.ascii_uppercase)
    elif _MOUNTS.is_file():
        for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines():
            device, folder, *_ = line.split()
            if device.startswith("/dev/"):
                yield Path(folder.replace("\\040", " "))
    else:
        yield from Path("/Volumes").glob("*")
