"""MicroPython onto an ESP32-S3, by esptool as a library: only the regions that differ, each read back by its MD5.

Whatever is cut off, the chip's boot loader in ROM is there: the same command again writes what is left.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

import esptool
from esptool.logger import log
from esptool.util import FatalError, flash_size_bytes

from firmware.field.board import esp_image, ports
from firmware.field.board.errors import BoardRefusedError, BoardSilentError
from firmware.field.board.raw_repl import gone

REGION_BYTES = 64 * 1024  # a flash's large erase block; at 460,800 baud it takes 1.5 s
FAST_BAUD = 460800
ROM_BAUD = 115200
ATTEMPTS = 5  # to reset it into its boot loader
Step = Callable[[int, int], None]  # pieces done, pieces in all


class Piece(NamedTuple):
    """What belongs at one place of the flash."""

    at: int
    data: bytes


@dataclass(frozen=True)
class Loader:
    """The chip in its boot loader. chip: its name."""

    esp: esptool.loader.ESPLoader
    port: str

    @property
    def chip(self) -> str:
        """ESP32-S3."""
        return str(self.esp.CHIP_NAME)


@contextmanager
def loader(port: str, attempts: int = ATTEMPTS) -> Iterator[Loader]:
    """The chip, reset into its boot loader by DTR and RTS; reset again at the end, so that its program runs.

    Raises PortError, BoardSilentError.
    """
    ports.check(port)
    log.set_verbosity("silent")
    with _as_ours(port):
        try:
            esp = esptool.detect_chip(port, ROM_BAUD, connect_attempts=attempts)
        except FatalError as error:
            raise BoardSilentError(
                f"{port}: no boot loader of an ESP answers: hold BOOT, press RESET, release BOOT, and try again / "
                "ESP 引导程序无应答：按住 BOOT 键，按一下 RESET 后松开 BOOT，再试一次"
            ) from error
        try:
            yield Loader(esp, port)
        finally:
            with suppress(FatalError, OSError):  # it is gone: it is reset by its power then
                esp.hard_reset()
            esp._port.close()  # noqa: SLF001  esptool has no other way


def with_flash(chip: Loader, *, stub: bool = True) -> Loader:
    """Its flash at hand, at a fast speed. stub: by esptool's faster code in the chip's RAM."""
    with _as_ours(chip.port):
        esp = chip.esp.run_stub() if stub else chip.esp
        esptool.attach_flash(esp)
        esp.change_baud(FAST_BAUD)
        return Loader(esp, chip.port)


def pieces(data: bytes, at: int = 0) -> list[Piece]:
    """What belongs on the flash from `at` on, in regions."""
    return [Piece(at + start, data[start : start + REGION_BYTES]) for start in range(0, len(data), REGION_BYTES)]


def differing(chip: Loader, wanted: Sequence[Piece]) -> list[Piece]:
    """Those of the pieces that are not on the flash as they are here."""
    return [one for one in wanted if not _is_there(chip, one)]


def write(chip: Loader, wanted: Sequence[Piece], step: Step) -> None:
    """Write these pieces, and compare each. Raises BoardSilentError, BoardRefusedError."""
    with _as_ours(chip.port):
        for done, one in enumerate(wanted, 1):
            _program(chip.esp, one.at, one.data)
            if not _is_there(chip, one):
                raise BoardRefusedError(
                    f"{chip.port}: what was written at {one.at:#x} reads back as something else: worn flash? / "
                    "写入后回读不一致，闪存可能损坏或写保护"
                )
            step(done, len(wanted))


def content(chip: Loader, at: int, size: int) -> bytes:
    """What is on the flash; slow: for some bytes."""
    with _as_ours(chip.port):
        return bytes(chip.esp.read_flash(at, size))


def refuse_unfit(chip: Loader, firmware: esp_image.Firmware, *, cross: bool, older: bool) -> None:
    """Raise BoardRefusedError for another chip's firmware, or an older one, naming the option that would allow it."""
    if firmware.chip_id != chip.esp.IMAGE_CHIP_ID and not cross:
        raise BoardRefusedError(
            f"this is an {chip.chip}, the file is for {firmware.chip}: `--allow-cross-flash` writes it all the same, "
            "and the board will not start with it / 固件与芯片不符，确需写入请加 `--allow-cross-flash`"
        )
    there = version_on(chip, firmware)
    if there and firmware.version and firmware.version < there and not older:
        raise BoardRefusedError(
            f"the board has {_dotted(there)}, the file is {_dotted(firmware.version)}: `--allow-downgrade` writes it / "
            "板上版本更新，确需降级请加 `--allow-downgrade`"
        )


def refuse_small(chip: Loader, needed: int) -> None:
    """Raise BoardRefusedError where the flash ends before `needed` bytes: addresses beyond would be those from 0 on."""
    with _as_ours(chip.port):
        there = flash_size_bytes(esptool.detect_flash_size(chip.esp))
    if there is not None and there < needed:
        raise BoardRefusedError(
            f"{chip.port}: the chip has {there >> 20} MiB of flash, the file is for {needed >> 20}: take MicroPython's "
            "file for this size / 芯片闪存小于固件所需，请换用对应容量的固件文件"
        )


def version_on(chip: Loader, firmware: esp_image.Firmware) -> tuple[int, ...] | None:
    """The version of the application that is on the flash, where this file would put its own; None without."""
    return esp_image.version_in(content(chip, firmware.description_at, esp_image.DESCRIPTION_BYTES))


def _program(esp: esptool.loader.ESPLoader, at: int, part: bytes) -> None:
    """As esptool's write_flash, which would look for a chip that is gone for a quarter of a minute."""
    packed = zlib.compress(part, 9)
    esp.flash_defl_begin(len(part), len(packed), at)
    for number, start in enumerate(range(0, len(packed), esp.FLASH_WRITE_SIZE)):
        esp.flash_defl_block(packed[start : start + esp.FLASH_WRITE_SIZE], number)
    if esp.IS_STUB:  # it writes a block after it has acknowledged it, and answers when it is done
        esp.read_reg(esp.CHIP_DETECT_MAGIC_REG_ADDR)


def _is_there(chip: Loader, piece: Piece) -> bool:
    with _as_ours(chip.port):
        found = str(chip.esp.flash_md5sum(piece.at, len(piece.data)))
    return found == hashlib.md5(piece.data, usedforsecurity=False).hexdigest()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


@contextmanager
def _as_ours(port: str) -> Iterator[None]:
    try:
        yield
    except FatalError as error:
        raise BoardRefusedError(f"{port}: the boot loader says / 引导程序返回: {error}", str(error)) from error
    except OSError as error:
        raise gone(port, error) from error
