"""The step `flash`: MicroPython onto a board, by the way that its firmware file says; only what differs, read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from firmware.field.board import esp_image, esp_partitions, flash_esp, flash_rp2, root_esp, uf2
from firmware.field.board.errors import BoardError, BoardRefusedError, BoardSilentError
from firmware.field.board.esp_partitions import Partition
from firmware.field.board.flash_esp import Loader, Piece, Step
from firmware.field.board.link import Link
from firmware.field.outcome import Finding, Outcome, passed
from firmware.root_image import BLOCK_BYTES

Root = Callable[[int], bytes]
RootState = Literal["same", "left", "image"]
_ROOT_WORDS: dict[RootState, Finding] = {
    "same": Finding("root_same", "the application is there already, as one image", "应用映像已在板上"),
    "left": Finding(
        "root_left",
        "the board has files already: of the application what differs is written by its raw REPL",
        "板上已有文件：应用将逐个文件比较后写入",
    ),
    "image": Finding("root_image", "the application goes with it, as one image", "应用作为一个映像一并写入"),
}
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


def chip_of(firmware: Path) -> str:
    """The chip that a *.bin is for. Raises BoardRefusedError, OSError."""
    return esp_image.read(_content(firmware), firmware.name).chip


def run(
    firmware: Path, port: str | None, drive: Path | None, options: Options, step: Step, root: Root | None = None
) -> Outcome:
    """Put MicroPython's *.bin or *.uf2 on the board at a port, or on a drive. Raises BoardError, ImageError, OSError.

    root: makes the application's file system of so many blocks, which goes with a *.bin onto a chip without files.
    """
    data = _content(firmware)
    if not is_uf2(firmware):
        return _esp(data, firmware.name, str(port), options, step, root)
    found = uf2.read(data, firmware.name)
    place = _drive(drive, port)
    flash_rp2.refuse_unfit(place, found, cross=options.cross)
    if not options.dry_run:
        flash_rp2.write(place, data, step)
    return _outcome(found.family, found.size, found.size, dry_run=options.dry_run)


def _esp(data: bytes, name: str, port: str, options: Options, step: Step, root: Root | None) -> Outcome:
    found = esp_image.read(data, name)
    data = esp_partitions.divided(data, name)
    with flash_esp.loader(port) as chip:
        fast = flash_esp.with_flash(chip, stub=options.stub)
        flash_esp.refuse_unfit(fast, found, cross=options.cross, older=options.older)
        flash_esp.refuse_small(fast, esp_partitions.end_of(data, name))
        wanted = flash_esp.differing(fast, flash_esp.pieces(data))
        blank = root_esp.to_erase(fast, data, name)
        application, files = _application(fast, esp_partitions.root_of(data, name), root)
        if not options.dry_run:
            flash_esp.write(fast, [*wanted, *blank, *files], step)
    written = sum(len(one.data) for one in (*wanted, *blank, *files))
    outcome = _outcome(found.chip, len(data), written, dry_run=options.dry_run)
    if application is None:
        return outcome
    findings = (*outcome.findings, _ROOT_WORDS[application])
    return replace(outcome, findings=findings, data={**outcome.data, "application": application})


def _application(chip: Loader, at: Partition, root: Root | None) -> tuple[RootState | None, list[Piece]]:
    """What becomes of the root's file system, and what is to be written of it."""
    if root is None:
        return None, []
    wanted = root_esp.pieces(root(at.size // BLOCK_BYTES), at.at)
    differing = flash_esp.differing(chip, wanted)
    if not differing:
        return "same", []
    return ("left", []) if root_esp.has_files(chip, at) else ("image", differing)


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
