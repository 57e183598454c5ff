"""The step `flash`: MicroPython onto a board, by the way that its firmware file says; only what differs, read back."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from firmware.field.board import esp_image, flash_esp, flash_rp2, uf2
from firmware.field.board.errors import BoardError, BoardRefusedError, BoardSilentError
from firmware.field.board.flash_esp import Step
from firmware.field.board.link import Link
from firmware.field.outcome import Finding, Outcome, passed

_FIRMWARE_BYTES_MAX = 32 * 1024 * 1024  # the largest flash of these boards, as UF2


class Options(NamedTuple):
    """cross, older: another chip's firmware, an older one, too. stub: esptool's faster loader. dry_run: only look."""

    cross: bool = False
    older: bool = False
    stub: bool = True
    dry_run: bool = False


def is_uf2(firmware: Path) -> bool:
    """Whether a file goes onto a drive, and not over a port."""
    return firmware.suffix.lower() == ".uf2"


def run(firmware: Path, port: str | None, drive: Path | None, options: Options, step: Step) -> Outcome:
    """Put MicroPython's *.bin or *.uf2 on the board at a port, or on a drive. Raises BoardError, OSError."""
    data = _content(firmware)
    if not is_uf2(firmware):
        return _esp(data, firmware.name, str(port), options, step)
    found = uf2.read(data, firmware.name)
    place = _drive(drive, port)
    flash_rp2.refuse_unfit(place, found, cross=options.cross)
    if not options.dry_run:
        flash_rp2.write(place, data, step)
    return _outcome(found.family, found.size, found.size, dry_run=options.dry_run)


def _esp(data: bytes, name: str, port: str, options: Options, step: Step) -> Outcome:
    found = esp_image.read(data, name)
    with flash_esp.loader(port) as chip:
        fast = flash_esp.with_flash(chip, stub=options.stub)
        flash_esp.refuse_unfit(fast, found, cross=options.cross, older=options.older)
        numbers = flash_esp.differing(fast, data)
        if not options.dry_run:
            flash_esp.write(fast, data, numbers, step)
    written = sum(len(flash_esp.region(data, one)) for one in numbers)
    return _outcome(found.chip, len(data), written, dry_run=options.dry_run)


def _outcome(chip: str, size: int, written: int, *, dry_run: bool) -> Outcome:
    if not written:
        finding = Finding("same", f"{chip}: the flash is as the file is", f"{chip}：闪存内容已与文件一致")
    elif dry_run:
        finding = Finding("would_change", f"{chip}: {written} bytes would be written", f"{chip}：将写入 {written} 字节")
    else:
        finding = Finding("flashed", f"{chip}: {written} bytes written", f"{chip}：已写入 {written} 字节")
    return passed("flash", finding, chip=chip, size=size, written=written)


def _drive(drive: Path | None, port: str | None) -> Path:
    """The board's drive; a board that runs MicroPython at `port` is asked to show it."""
    if drive is not None:
        return drive
    found = flash_rp2.drives()
    if len(found) == 1:
        return found[0]
    if port is not None:
        try:
            _into_boot_loader(port)
        except BoardError as error:
            raise BoardSilentError(f"{error}; hold BOOTSEL while you connect it / 请按住 BOOTSEL 键后连接") from error
        raise BoardSilentError(
            f"{port}: the board shows its drive now: when the system has it, run the same command without --port / "
            "板子已进入 BOOTSEL 模式，盘符出现后去掉 --port 再次执行"
        )
    raise BoardSilentError(
        f"{len(found)} boards in BOOTSEL mode, one is needed: hold BOOTSEL while you connect it; --drive names one / "
        "应恰好有一块板处于 BOOTSEL 模式：按住 BOOTSEL 键后连接，或用 --drive 指定"
    )


def _into_boot_loader(port: str) -> None:
    link = Link(port)
    try:
        link.end_with("import machine\nmachine.bootloader()")
    finally:
        link.close()


def _content(file: Path) -> bytes:
    if file.stat().st_size > _FIRMWARE_BYTES_MAX:
        raise BoardRefusedError(f"{file}: larger than any board's flash / 文件大于闪存容量")
    return file.read_bytes()
