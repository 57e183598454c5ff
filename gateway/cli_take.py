"""`wattline gateway take`: frames that a technician pulled off a terminal whose uplink is dead."""

from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Annotated

import typer

from gateway import cli_quarantine, lock
from gateway.cli_common import AsJson, Config, examples, fail, load
from gateway.quarantine.orders import FRAMES_AN_ORDER, Done, Order
from protocol.host import pulled


def take(
    config: Config,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="*.frames of `wattline field pull`. 文件")],
    wait: cli_quarantine.Wait = 60,
    as_json: AsJson = False,
) -> None:
    """Take frames from a file, each authenticated and judged like one that a carrier brought. 导入现场取回的记录

    A running gateway does it, else this command. What is there already counts as taken, and once. What is refused goes
    into quarantine, and the command ends with 1.
    """
    folder = Path(load(config).data_dir)
    by_running = lock.running_pid(folder) is not None
    whole = Done()
    try:
        for some in _batches(file):
            done = cli_quarantine.have_done(config, folder, Order("take", frames=some), wait)
            whole = Done(*(sum(pair) for pair in zip(astuple(whole), astuple(done), strict=True)))
    except (pulled.PulledError, OSError) as error:
        fail(str(error))
    cli_quarantine.tell(whole, by_running=by_running, as_json=as_json)


def _batches(file: Path) -> Iterator[list[pulled.Pulled]]:
    some: list[pulled.Pulled] = []
    for one in pulled.read(file):
        some.append(one)
        if len(some) == FRAMES_AN_ORDER:
            yield some
            some = []
    if some:
        yield some


def register(app: typer.Typer) -> None:
    """Add the command to `wattline gateway`."""
    app.command(epilog=examples("take --config gateway.toml T0042.frames"))(take)
