"""`wattline field flash`: MicroPython onto a board, from a file that says itself which chip it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firmware.field.board import esp_image, flash_esp, flash_rp2, uf2
from firmware.field.board.errors import BoardError, BoardRefusedError, BoardSilentError
from firmware.field.board.link import Link
from firmware.field.cli_board import EXIT, AsJson, Cross, DryRun, Older, Port, chosen, finish, told
from firmware.field.outcome import Finding, Outcome, passed

_FIRMWARE_BYTES_MAX = 32 * 1024 * 1024  # the largest flash of these boards, as UF2


def flash(  # noqa: PLR0913, PLR0917  (a command's options are its parameters)
    firmware: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="MicroPython's *.bin or *.uf2. 固件文件")],
    port: Port = None,
    drive: Annotated[Path | None, typer.Option(help="An RP2350's, in BOOTSEL mode; found if left out. 盘符")] = None,
    allow_cross_flash: Cross = False,
    allow_downgrade: Older = False,
    stub: Annotated[bool, typer.Option(help="esptool's faster loader in the chip's RAM. 使用 esptool 快速引导")] = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put MicroPython on a board: only what differs, read back afterwards. 烧录 MicroPython 固件"""
    step = _quiet if as_json else _say
    with told():
        data = _content(firmware)
        if firmware.suffix.lower() == ".uf2":
            found = uf2.read(data, firmware.name)
            place = _drive(drive, port)
            flash_rp2.refuse_unfit(place, found, cross=allow_cross_flash)
            if not dry_run:
                flash_rp2.write(place, data, step)
            outcome = _outcome(found.family, found.size, found.size, dry_run=dry_run)
        else:
            outcome = _esp(data, firmware.name, chosen(port), (allow_cross_flash, allow_downgrade, stub, dry_run), step)
    finish(outcome, as_json=as_json)


def _esp(data: bytes, name: str, port: str, options: tuple[bool, bool, bool, bool], step: flash_esp.Step) -> Outcome:
    cross, older, stub, dry_run = options
    found = esp_image.read(data, name)
    with flash_esp.loader(port) as chip:
        fast = flash_esp.with_flash(chip, stub=stub)
        flash_esp.refuse_unfit(fast, found, cross=cross, older=older)
        numbers = flash_esp.differing(fast, data)
        if not dry_run:
            flash_esp.write(fast, data, numbers, step)
    written = sum(len(flash_esp.region(data, one)) for one in numbers)
    return _outcome(found.chip, len(data), written, dry_run=dry_run)


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


def _say(done: int, whole: int) -> None:
    typer.echo(f"{100 * done // max(1, whole):3d} %", err=True)


def _quiet(done: int, whole: int) -> None:
    """JSON alone."""


def register(app: typer.Typer) -> None:
    """Add the command to `wattline field`."""
    app.command(
        epilog="Examples / 示例:\n\n"
        "  wattline field flash --firmware ESP32_GENERIC_S3.bin --port /dev/ttyUSB0\n\n"
        "  wattline field flash --firmware RPI_PICO2_W.uf2\n\n" + EXIT,
    )(flash)
