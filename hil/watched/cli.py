"""`wattline hil alarms`: how much of what is done the watch's rules find, how soon, and what they say of nothing."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hil.load_options import AsJson, EnergyColumn, Reactive, Seed, TimeColumn, ending_plainly
from hil.watched.meters import recorded
from hil.watched.play import failures, play
from hil.watched.score import table

EPILOG = (
    "Examples / 示例:\n\n"
    "  wattline hil alarms\n\n"
    "  wattline hil alarms --factories 40 --days 365 --draws 200 --profile plant.csv"
    " --reactive lagging_kvarh --reactive leading_kvarh\n\n"
    "Exit status / 退出码: 0 all as good as docs/alarms.md says, 1 something is not (it says what), 2 called wrongly."
)


def alarms(  # noqa: PLR0913, PLR0917  (a command's options are its parameters)
    factories: Annotated[int, typer.Option(min=1, max=10_000, help="To watch linkages of. 工厂数")] = 8,
    days: Annotated[int, typer.Option(min=14, max=366, help="Of synthetic loads. 合成负荷天数")] = 28,
    draws: Annotated[int, typer.Option(min=1, max=10_000, help="Of each deed. 每种情形的抽样次数")] = 20,
    seed: Seed = 1,
    profile: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="CSV: a real plant's load. 实测负荷文件")
    ] = None,
    time_column: TimeColumn = "date",
    energy_column: EnergyColumn = "Usage_kWh",
    reactive: Reactive = None,
    as_json: AsJson = False,
) -> None:
    """Play factories, meters and terminals of which it is known what was done, and score the alarms. 报警质量"""
    with ending_plainly():
        load = recorded(profile, time_column, energy_column, reactive or []) if profile is not None else None
    scores = play(factories, days, draws, seed, load)
    bad = list(failures(scores))
    if as_json:
        typer.echo(json.dumps({"seed": seed, "scores": [one.as_json() for one in scores], "bad": bad}))
    else:
        typer.echo("\n".join([table(scores), *bad]))
    raise typer.Exit(1 if bad else 0)
