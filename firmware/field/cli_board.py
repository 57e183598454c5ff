"""`wattline field ports`, `identify`: which boards are plugged in, and what they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from firmware import image
from firmware.field.board import flash_rp2
from firmware.field.board import identify as identifying
from firmware.field.board import ports as serial_ports
from firmware.field.board.errors import BoardError, BoardRefusedError
from firmware.field.board.link import BAUD
from firmware.field.outcome import NO_ANSWER, REFUSED, Outcome
from protocol.host.printable import printable, printable_json

Port = Annotated[
    str | None, typer.Option(help="The board's serial port, or rfc2217://HOST:PORT; the only one if left out. 板子串口")
]
Baud = Annotated[int, typer.Option(min=1200, help="Of the console. 控制台波特率")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change. 只显示将要改变的内容")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object. 输出 JSON")]
Cross = Annotated[bool, typer.Option("--allow-cross-flash", help="Another board's too. 允许写入其他板型的映像")]
Older = Annotated[bool, typer.Option("--allow-downgrade", help="An older one too. 允许降级")]
Stub = Annotated[bool, typer.Option(help="esptool's faster loader in the chip's RAM. 使用 esptool 快速引导")]
_NO_PORT = (
    "no serial port of USB: is the board plugged in, with a cable that has data wires? / 未发现串口，请检查数据线"
)
EXIT = "Exit status / 退出码: 0 done, 2 usage, 3 port, cable or board does not answer, 4 refused."


def ports(as_json: AsJson = False) -> None:
    """List the serial ports, who holds them, and boards in BOOTSEL mode. 列出串口及占用情况"""
    found = [{**one._asdict(), "held_by": _held(one.device)} for one in serial_ports.found()]
    if as_json:
        typer.echo(json.dumps({"ports": found}, ensure_ascii=False))
    elif not found:
        typer.echo(_NO_PORT)
    else:
        for one in found:
            held = f"  held by / 占用: {', '.join(one['held_by'])}" if one["held_by"] else ""
            typer.echo(f"{one['device']}  {one['description']}{held}")
    raise typer.Exit(0 if found else NO_ANSWER)


def identify(port: Port = None, baud: Baud = BAUD, as_json: AsJson = False) -> None:
    """Say what board is on a port and what runs on it, which is then started anew. 识别板子及其程序

    Without MicroPython: an ESP in its boot loader, or, where no port is named, a board in BOOTSEL mode.
    """
    drives = flash_rp2.drives() if port is None else []
    with told():
        found = identifying.in_bootsel(drives[0]) if len(drives) == 1 else identifying.at(chosen(port), baud)
    say(printable_json(asdict(found)) if as_json else found.text())


@contextmanager
def told() -> Iterator[None]:
    """What goes wrong with a port or a board, as the command's end."""
    try:
        yield
    except BoardRefusedError as error:
        say(error, err=True)
        raise typer.Exit(REFUSED) from error
    except BoardError as error:
        say(error, err=True)
        raise typer.Exit(NO_ANSWER) from error
    except image.ImageError as error:
        say(error, err=True)
        raise typer.Exit(2) from error


def say(text: object, *, err: bool = False) -> None:
    """Tell what a board says, which may be anybody's words."""
    for line in str(text).split("\n"):
        typer.echo(printable(line), err=err)


def chosen(port: str | None) -> str:
    """The port that is meant: the only one of USB where none was named.

    Ends the command with 2 if it is not clear which, with 3 if there is none.
    """
    if port is not None:
        return port
    found = [one.device for one in serial_ports.found() if one.vid is not None]
    if len(found) == 1:
        return found[0]
    if not found:
        typer.echo(_NO_PORT, err=True)
        raise typer.Exit(NO_ANSWER)
    raise typer.BadParameter(f"which one? / 请指定串口: {', '.join(found)}", param_hint="--port")


def say_share(done: int, whole: int, what: str = "") -> None:
    """How far a command has come, on stderr."""
    typer.echo(f"{100 * done // max(1, whole):3d} %  {what}".rstrip(), err=True)


def say_nothing(*_: object) -> None:
    """JSON alone."""


def finish(outcome: Outcome, *, as_json: bool) -> None:
    """Tell a step's outcome, and end the command with its status."""
    if as_json:
        say(printable_json(outcome.as_json()))
        raise typer.Exit(outcome.exit_status)
    say("\n".join(outcome.lines()))
    for path, size in outcome.data.get("put", {}).items():
        typer.echo(f"  + {path} ({size})")
    for path in outcome.data.get("remove", ()):
        typer.echo(f"  - {path}")
    raise typer.Exit(outcome.exit_status)


def _held(device: str) -> list[str]:
    return [f"{one.pid} {one.name} ({one.user})" for one in serial_ports.holders(Path(device))]


def register(app: typer.Typer) -> None:
    """Add the commands to `wattline field`."""

    def add(function: Any, *examples: str) -> None:
        shown = "\n\n".join(f"  wattline field {one}" for one in examples)
        app.command(epilog=f"Examples / 示例:\n\n{shown}\n\n{EXIT}")(function)

    add(ports, "ports", "ports --json")
    add(identify, "identify", "identify --port COM3 --json")
