"""`wattline hil miswired`: how many wiring mistakes the technician's check names, and whether it cries wolf."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from firmware.field.bus import recognise
from hil.load_options import AsJson, EnergyColumn, Reactive, Seed, TimeColumn, ending_plainly
from hil.miswired import recall, year

_NAMES = [one.name for one in recognise.models()]
_SHOWN_MAX = 5  # draws to replay


def miswired(  # noqa: PLR0913, PLR0917  (a command's options are its parameters)
    model: Annotated[list[str] | None, typer.Option(help="Meter's profile; several times. 电表型号")] = None,
    draws: Annotated[int, typer.Option(min=1, max=100_000, help="Of each mistake. 每种错误的抽样次数")] = 200,
    seed: Seed = 1,
    load: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="CSV: no false alarm over a load. 负荷数据文件")
    ] = None,
    time_column: TimeColumn = "date",
    energy_column: EnergyColumn = "Usage_kWh",
    reactive: Reactive = None,
    as_json: AsJson = False,
) -> None:
    """Wire emulated meters in every wrong way, and see what the wiring check says. 接线错误识别率

    Exit status 1: on a meter with each phase's power a mistake was named as another, or passed, or a right one refused.
    """
    models = model or ["sdm630"]
    if unknown := [one for one in models if one not in _NAMES]:
        raise typer.BadParameter(f"{unknown[0]}: {', '.join(_NAMES)}", param_hint="--model")
    with ending_plainly():
        found = year.moments(load, time_column, energy_column, reactive or []) if load is not None else None
    told = [_of_load(one, found, seed) if found is not None else _of_draws(one, draws, seed) for one in models]
    if as_json:
        typer.echo(json.dumps({"seed": seed, "models": told}))
    else:
        typer.echo("\n".join(line for one in told for line in _lines(one)))
    raise typer.Exit(1 if any(one["bad"] for one in told) else 0)


def _of_draws(model: str, draws: int, seed: int) -> dict[str, Any]:
    rows, bad = [], []
    for row, found in recall.campaign(model, draws, seed):
        rows.append(row._asdict())
        bad += [f"{one.fault}, draw {one.seed}: {_said(one.verdict.mistakes)}" for one in found[:_SHOWN_MAX]]
    return {"model": model, "rows": rows, "bad": bad if recall.has_phases(model) else [], "replay": bad}


def _of_load(model: str, found: list[year.Moment], seed: int) -> dict[str, Any]:
    checked = list(year.check(found, model, seed, max(one.power_w for one in found)))
    bad = [
        f"interval {one.number}, {one.moment}: {_said(one.verdict.mistakes)}"
        for one in checked
        if one.verdict.state == "failed"
    ]
    return {"model": model, "checks": year.states(checked), "bad": bad, "replay": bad[:_SHOWN_MAX]}


def _said(mistakes: Any) -> str:
    return ", ".join(f"{one.code} {one.phases}".rstrip() for one in mistakes)


def _lines(told: dict[str, Any]) -> list[str]:
    if "checks" in told:
        return [f"{told['model']}: {told['checks']}", *told["replay"]]
    columns = recall.Row._fields[1:]
    head = f"{told['model']:40}" + "".join(f"{name:>12}" for name in columns)
    rows = [f"{row['fault']:40}" + "".join(f"{row[name]:12}" for name in columns) for row in told["rows"]]
    return [head, *rows, *told["replay"]]
