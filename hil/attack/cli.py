"""`wattline hil attack`."""

import shutil
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from hil.attack import campaign
from hil.attack.move import Outcome
from hil.process import BenchError

EPILOG = (
    "Examples / 示例:\n\n"
    "  wattline hil attack\n\n"
    "  wattline hil attack --seed 7 --json\n\n"
    "Exit status / 退出码: 0 every move is withstood, 1 some are not, 2 the house could not be brought up."
)
PAGE, JSON = "attack.md", "attack.json"


def attack(
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of keys and of what is drawn. 随机种子")] = 1,
    out: Annotated[Path, typer.Option(help="Folder of the run. 输出目录")] = Path("build/attack"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON. 以 JSON 输出")] = False,
) -> None:
    """Each attacker of the threat model plays their moves against a running system on loopback. 红队试验"""
    console = Console(stderr=as_json)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)

    def told(one: Outcome) -> None:
        word, style = ("held / 守住", "green") if one.held else ("BROKEN / 被攻破", "bold red")
        console.print(f"{one.attacker}: {one.move}", style="bold", highlight=False)
        console.print(f"  expected / 预期: {one.expected}", markup=False, highlight=False)
        console.print(f"  observed / 实际: {one.observed}", markup=False, highlight=False)
        console.print(f"  {word}", style=style)

    try:
        found = campaign.play(out.resolve(), seed, told)
    except BenchError as error:
        console.print(f"the house could not be brought up / 无法启动: {error}", markup=False)
        raise typer.Exit(2) from None
    (out / PAGE).write_text(campaign.table(found), encoding="utf-8")
    (out / JSON).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    if as_json:
        typer.echo((out / JSON).read_text(encoding="utf-8"), nl=False)
    broken = sum(not one.held for one in found)
    console.print(f"{len(found)} moves / 招, {broken} broken / 被攻破: {out / PAGE}", highlight=False)
    raise typer.Exit(1 if broken else 0)
