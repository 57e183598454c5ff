"""`wattline field close-console`, `ticket`: nobody gets to a board's prompt, or who may (docs/updates.md)."""

import time
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from firmware.field.board.link import BAUD, Link
from firmware.field.cli_board import EXIT, AsJson, Baud, Port, chosen, finish, told
from firmware.field.outcome import Finding, passed
from firmware.field.update import keys
from protocol import ticket as tickets

HOUR_S = 3600
CLOSED = "/closed"  # the file by which loader/console.py knows it


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=f"Examples / 示例:\n\n  wattline field close-console --port COM3\n\n{EXIT}")(close_console)
    app.command(
        epilog="Examples / 示例:\n\n"
        "  wattline field ticket T-77 --key release.pem --minutes 30\n\n"
        "Exit status / 退出码: 0 made, 1 not, 2 usage."
    )(ticket)


def ticket(
    terminal: Annotated[str, typer.Argument(help="The terminal's id. 终端编号")],
    key: Annotated[Path, typer.Option(help="A release key that it knows. 发布私钥")],
    minutes: Annotated[int, typer.Option(min=1, max=tickets.MINUTES_MAX, help="Open for so long. 开放分钟数")] = 30,
    hours: Annotated[int, typer.Option(min=1, max=24 * 31, help="To be used within. 有效小时数")] = 24,
    number: Annotated[int | None, typer.Option(min=1, max=0xFFFFFFFF, help="Rises; the time without. 序号")] = None,
) -> None:
    """Sign a ticket that opens a terminal's closed console once: the line to send on it. 签发控制台开放凭证"""
    now_s = int(time.time())
    try:
        payload = tickets.encode(tickets.Ticket(terminal, number or now_s, now_s + hours * HOUR_S, minutes))
        signed = keys.load(key).sign(tickets.CONTENT_TYPE, payload)
    except tickets.TicketError:
        _end(f"{terminal}: not a terminal's id / 终端编号无效", 2)
    except keys.ReleaseKeyError as error:
        _end(str(error))
    typer.echo(tickets.LINE + signed.hex())


def close_console(port: Port = None, baud: Baud = BAUD, as_json: AsJson = False) -> None:
    """Close the board's console, as the last step: from its next start on only a ticket opens it. 关闭控制台"""
    with told(), Link(chosen(port), baud) as link:
        link.write(CLOSED, b"")
    closed = Finding("closed", "the console is closed; a ticket opens it", "控制台已关闭，须凭证方可打开")
    finish(passed("close-console", closed), as_json=as_json)


def _end(text: str, status: int = 1) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(status)
