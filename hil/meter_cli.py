"""`wattline hil bus`: what went over a meters' bus, in words, and whether anything on it could have changed a meter."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.explain import render
from hil.meter_capture import CaptureError, Told, told

_ROW = 8
_TO = {
    "meters": "to the meters / 发往电表",
    "terminal": "to the terminal / 发往终端",
    "?": "direction not known / 方向未知",
}


def bus(
    explain: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="bus.jsonl of a run, or hexadecimal lines. 总线抓包文件")
    ],
    technician: Annotated[
        bool, typer.Option(help="Of `wattline field`: it may ask for a meter's address. 现场工具的抓包")
    ] = False,
    quiet: Annotated[bool, typer.Option(help="Only what is wrong, and the count. 仅显示问题和统计")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line. 以 JSON 输出")] = False,
) -> None:
    """Explain what went over a meters' bus; prove that no meter was written to. 解释总线抓包，证明未发出写命令"""
    count = {"to_meters": 0, "from_meters": 0, "not_understood": 0, "problems": 0}
    try:
        for row in told(explain, technician=technician):
            _count(row, count)
            if not quiet or row.problem:
                typer.echo(json.dumps(_row(row), ensure_ascii=False) if as_json else _text(row))
    except CaptureError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo(json.dumps(count) if as_json else _summary(count))
    raise typer.Exit(1 if count["problems"] else 0)


def _count(row: Told, count: dict[str, int]) -> None:
    count["to_meters" if row.to == "meters" else "from_meters"] += 1
    count["not_understood"] += row.finding["verdict"] != "ok"
    count["problems"] += bool(row.problem)


def _row(row: Told) -> dict[str, Any]:
    about = {"t_ms": row.t_ms, "to": row.to, "protocol": row.protocol, "hex": row.data.hex(), "problem": row.problem}
    return {**about, **row.finding}


def _text(row: Told) -> str:
    at = (
        ""
        if row.t_ms is None
        else datetime.fromtimestamp(row.t_ms / 1000, UTC).isoformat(timespec="milliseconds") + " "
    )
    head = f"{at}{_TO[row.to]} {row.protocol}: {row.data.hex(' ').upper()}"
    problem = [f"  PROBLEM / 问题: {row.problem}"] if row.problem else []
    shown = {**row.finding, "fields": _brief(row.finding["fields"])}
    return "\n".join([head, *problem, *(f"  {line}" for line in render(shown).splitlines())])


def _brief(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with their registers in rows of eight: most say nothing alone."""
    if "frames" in fields:
        return {**fields, "frames": [{**one, "fields": _brief(one["fields"])} for one in fields["frames"]]}
    if "registers" not in fields:
        return fields
    registers = fields["registers"]
    rows = [registers[at : at + _ROW] for at in range(0, len(registers), _ROW)]
    brief = {**fields}
    brief["registers"] = [f"{row[0].get('address', row[0].get('offset'))}: {_line(row, 'hex')}" for row in rows]
    if "float32_ABCD_guess" in fields:
        floats = [{"float": value} for value in fields["float32_ABCD_guess"]]
        brief["float32_ABCD_guess"] = [_line(floats[at : at + _ROW], "float") for at in range(0, len(floats), _ROW)]
    return brief


def _line(row: list[dict[str, Any]], name: str) -> str:
    return " ".join(str(one[name]) for one in row)


def _summary(count: dict[str, int]) -> str:
    verdict = (
        f"{count['problems']} that no meter should have seen / 不应出现的报文"
        if count["problems"]
        else "plain reads alone: nothing was written / 全部为读命令，未发现写命令"
    )
    return (
        f"{count['to_meters']} to the meters / 发往电表, {count['from_meters']} from them / 电表应答, "
        f"{count['not_understood']} not understood / 无法识别; {verdict}"
    )
