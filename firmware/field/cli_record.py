"""`wattline field label`, `technician-key`: what a report's label is like, and whose name stands under a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firmware.field import files
from firmware.field.record import label, technician
from protocol.host import commissioning, signed
from protocol.host.strict import ConfigError, convert

_EXIT = "Exit status / 退出码: 0 done, 1 it can't be made (it says why), 2 usage."


def label_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A report, ID.report.json. 投运报告")],
    width: Annotated[float, typer.Option(min=20, max=200, help="In millimetres. 宽（毫米）")] = label.Size().width,
    height: Annotated[float, typer.Option(min=12, max=200, help="In millimetres. 高（毫米）")] = label.Size().height,
    dpi: Annotated[int, typer.Option(min=100, max=1200, help="Of the label printer. 打印分辨率")] = label.DPI,
) -> None:
    """A label of another size out of a report: ID.label.svg and ID.label.png beside it. 生成标签"""
    try:
        with file.open("rb") as stream:
            body = signed.parse(stream.read(signed.BYTES_MAX + 1)).body
        convert(body, commissioning.Report, file)
        shown = label.of_report(body, commissioning.digest(body))
    except (signed.SignedError, ConfigError, OSError) as error:
        typer.echo(f"{file}: no report / 不是投运报告: {error}", err=True)
        raise typer.Exit(1) from error
    size = label.Size(width, height)
    for kind, data in (("svg", label.svg(shown, size).encode()), ("png", label.png(shown, size, dpi))):
        path = file.parent / f"{shown['terminal']}.label.{kind}"
        files.write(path, data)
        typer.echo(path)


def technician_key(
    file: Annotated[Path, typer.Argument(help="NAME.pem: the technician's name, as li.wei.pem. 以姓名命名")],
    password: Annotated[
        bool, typer.Option("--password/--no-password", help="Ask for one; without, whoever has the file is you. 设口令")
    ] = True,
) -> None:
    """Make a technician's key; prints what the gateway's technicians.toml has of it. 生成技术员密钥"""
    secret: str = typer.prompt("Password / 口令", hide_input=True, confirmation_prompt=True) if password else ""
    try:
        public = technician.make(file, secret.encode() or None)
    except (technician.KeyFileError, OSError) as error:
        typer.echo(files.trouble(error) if isinstance(error, OSError) else str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(f'[[technician]]\nname = "{technician.name_of(file)}"\nkey = "{public}"')


def register(app: typer.Typer) -> None:
    """Add the commands to `wattline field`."""
    for name, function, call in (
        ("label", label_, "T0001.report.json --width 62 --height 29 --dpi 300"),
        ("technician-key", technician_key, "li.wei.pem"),
    ):
        app.command(name=name, epilog=f"Example / 示例:\n\n  wattline field {name} {call}\n\n{_EXIT}")(function)
