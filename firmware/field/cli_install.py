"""`wattline field install`: this version's application onto a board; onto a new ESP32-S3 together with MicroPython."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from firmware import image, root_image
from firmware.field.board import application, identify
from firmware.field.board import flash as flashing
from firmware.field.board import install as installing
from firmware.field.board.errors import BoardRefusedError
from firmware.field.board.link import BAUD, Link
from firmware.field.cli_board import (
    EXIT,
    AsJson,
    Baud,
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
from firmware.field.outcome import Finding, Outcome, passed

_A_DRIVE = (
    "an RP2350 that is flashed has a drive and no port: first `wattline field flash --firmware FILE.uf2` / "
    "RP2350 烧录时只有盘符没有串口：请先单独执行 wattline field flash"
)
Firmware = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="MicroPython's *.bin, for a new ESP32-S3. 固件文件"),
]
Image = Annotated[
    Path | None,
    typer.Option("--image", exists=True, file_okay=False, help="A board's folder of `make firmware`. 应用映像目录"),
]


def install(  # noqa: PLR0913, PLR0917  (a command's options are its parameters)
    port: Port = None,
    board: Annotated[str | None, typer.Option(help=f"{', '.join(image.BOARDS)}; as found if left out. 板型")] = None,
    firmware: Firmware = None,
    folder: Image = None,
    baud: Baud = BAUD,
    allow_cross_flash: Cross = False,
    allow_downgrade: Older = False,
    stub: Stub = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put this version's application on a board: only what differs, compared afterwards. 安装或更新终端应用

    With --firmware, on an ESP32-S3 without files: MicroPython and the application as one image, both read back.
    """
    if board is not None and board not in image.BOARDS:
        raise typer.BadParameter(f"{board}: {', '.join(image.BOARDS)}", param_hint="--board")
    refuse_uf2(firmware)
    options = flashing.Options(allow_cross_flash, allow_downgrade, stub, dry_run)
    with told():
        at, before = chosen(port), None
        if firmware is not None:
            before = _flashed(firmware, at, board, folder, options, quiet=as_json)
            if before.data["application"] != "left":
                finish(replace(before, step="install"), as_json=as_json)
        with Link(at, baud, wait_start=before is not None) as link:
            outcome = _by_repl(link, board, folder, options, quiet=as_json)
    finish(_both(before, outcome), as_json=as_json)


def _by_repl(link: Link, board: str | None, folder: Path | None, options: flashing.Options, *, quiet: bool) -> Outcome:
    """The files that differ, over the board's raw REPL. Raises BoardError, ImageError."""
    found = identify.over(link)
    made = board or found.board
    if made is None:
        raise BoardRefusedError(f"{found.machine}: no image for this board; --board names one / 无对应映像")
    with application.of_board(made, folder) as ours:
        installing.refuse_unfit(found, made, ours.version, cross=options.cross, older=options.older)
        todo = installing.plan(link, ours.folder)
        if not options.dry_run:
            installing.carry_out(link, todo, ours.folder, say_nothing if quiet else _say)
    return _installed(todo, ours.version, dry_run=options.dry_run)


def refuse_uf2(firmware: Path | None) -> None:
    """End the command for a firmware file that goes onto a drive."""
    if firmware is not None and flashing.is_uf2(firmware):
        raise typer.BadParameter(_A_DRIVE, param_hint="--firmware")


def _flashed(
    firmware: Path, port: str, board: str | None, folder: Path | None, options: flashing.Options, *, quiet: bool
) -> Outcome:
    """MicroPython, and the application as one image where there are no files. Raises BoardError, ImageError."""
    chip = flashing.chip_of(firmware)
    its_own = identify.BOARD_OF_CHIP.get(chip)
    made = board or its_own
    if made is None:
        raise BoardRefusedError(f"{chip}: no image for this board; --board names one / 无对应映像")
    if made != its_own and not options.cross:
        raise BoardRefusedError(
            f"{firmware.name} is for an {chip}, the image is {made}'s: `--allow-cross-flash` puts it there all the "
            "same / 映像与固件的板型不符，确需写入请加 `--allow-cross-flash`"
        )
    with application.of_board(made, folder) as ours:
        step = say_nothing if quiet else say_share
        return flashing.run(firmware, port, None, options, step, partial(root_image.make, ours.folder))


def _both(before: Outcome | None, outcome: Outcome) -> Outcome:
    if before is None:
        return outcome
    findings = (*before.findings, *outcome.findings)
    return replace(outcome, findings=findings, data={**before.data, **outcome.data})


def _installed(todo: installing.Plan, version: tuple[int, int, int], *, dry_run: bool) -> Outcome:
    name = identify.version_text(version)
    if not todo.put and not todo.remove:
        code, en, zh = "same", f"{name} is there already, all {todo.same} files", f"板上已是 {name}，无需改动"
    elif dry_run:
        code, en, zh = "would_change", f"{name} would be put there", f"将安装 {name}"
    else:
        code, en, zh = (
            "installed",
            f"{name} is there, all compared; the board starts it",
            f"已安装 {name} 并校验，正在启动",
        )
    data = {"put": {path: len(one) for path, one in todo.put.items()}, "remove": list(todo.remove), "same": todo.same}
    return passed("install", Finding(code, en, zh), version=list(version), **data)


def _say(path: str, done: int, whole: int) -> None:
    say_share(done, whole, path)


def register(app: typer.Typer) -> None:
    """Add the command to `wattline field`."""
    app.command(
        epilog="Examples / 示例:\n\n"
        "  wattline field install --dry-run\n\n"
        "  wattline field install --port /dev/ttyUSB0\n\n"
        "  wattline field install --port COM3 --firmware ESP32_GENERIC_S3.bin\n\n"
        "  wattline field install --port COM3 --image firmware/esp32s3\n\n" + EXIT,
    )(install)
