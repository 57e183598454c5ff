"""`wattline field flash`: MicroPython onto a board, from a file that says itself which chip it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firmware.field.board import flash as flashing
from firmware.field.cli_board import (
    EXIT,
    AsJson,
    Cross,
    DryRun,
    Older,
    Port,
    Stub,
    chosen,
    finish,
    say_nothing,
    say_share,
    told,
)


def flash(  # noqa: PLR0913, PLR0917  (a command's options are its parameters)
    firmware: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="MicroPython's *.bin or *.uf2. 固件文件")],
    port: Port = None,
    drive: Annotated[Path | None, typer.Option(help="An RP2350's, in BOOTSEL mode; found if left out. 盘符")] = None,
    allow_cross_flash: Cross = False,
    allow_downgrade: Older = False,
    stub: Stub = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put MicroPython on a board: only what differs, read back afterwards. 烧录 MicroPython 固件"""
    options = flashing.Options(allow_cross_flash, allow_downgrade, stub, dry_run)
    with told():
        at = port if flashing.is_uf2(firmware) else chosen(port)
        outcome = flashing.run(firmware, at, drive, options, say_nothing if as_json else say_share)
    finish(outcome, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command to `wattline field`."""
    app.command(
        epilog="Examples / 示例:\n\n"
        "  wattline field flash --firmware ESP32_GENERIC_S3.bin --port /dev/ttyUSB0\n\n"
        "  wattline field flash --firmware RPI_PICO2_W.uf2\n\n" + EXIT,
    )(flash)
