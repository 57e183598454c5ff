"""`wattline hil powercut`."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress

from hil.powercut import campaign
from hil.powercut.plan import BadIdError, trial_of
from hil.process import BenchError

PLAIN_EVERY_PERCENT = 10  # where there is no terminal, a line now and then shows that it lives
SHOWN_MAX = 20  # failures; the others are like them

EPILOG = (
    "Examples / 示例:\n\n"
    "  wattline hil powercut --cuts 10000\n\n"
    "  wattline hil powercut --replay tight-32-1/287.50.4096.0.287\n\n"
    "  wattline hil powercut --replay tight-64-1/full.3.2\n\n"
    "Exit status / 退出码: 0 all holds after every cut, 1 it does not, 2 the bench could not run."
)


def powercut(
    cuts: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many at least. 断电次数")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, max=2**24, help="Of the work that is cut. 随机种子")] = 1,
    replay: Annotated[str | None, typer.Option(metavar="ID", help="One cut again, by its id. 重放一次断电")] = None,
    jobs: Annotated[int, typer.Option(min=0, max=256, help="Side by side; 0: one a core. 并行数")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON. 以 JSON 输出")] = False,
) -> None:
    """Cut the power of the terminal's log, and of an update, at every flash operation; fill the log's file system.
    断电与存储写满试验
    """
    if replay is not None:
        _replay(replay)
    began = time.monotonic()
    try:
        with _progress(as_json=as_json) as watch:
            outcome = campaign.run(cuts, seed, jobs, watch)
    except BenchError as error:
        _end_with(2, f"the bench could not run / 测试台无法运行: {error}")
    seconds = round(time.monotonic() - began)
    if as_json:
        typer.echo(json.dumps({"seed": seed, "seconds": seconds, **outcome._asdict()}, ensure_ascii=False))
    else:
        _show(outcome, seed, seconds)
    raise typer.Exit(1 if outcome.failures else 0)


def _show(outcome: campaign.Outcome, seed: int, seconds: int) -> None:
    for start, operations in outcome.operations.items():
        typer.echo(f"{start:14} {operations:5} operations: {campaign.titles()[start.split('-')[0]]}")
    for failure in outcome.failures[:SHOWN_MAX]:
        typer.echo(f"{failure.what}\n  replay / 重放: wattline hil powercut --replay {failure.id}")
    verdict = f"{len(outcome.failures)} FAILED / 失败" if outcome.failures else "all holds / 全部通过"
    typer.echo(f"seed {seed}: {outcome.trials} trials, {outcome.cuts} cuts, {seconds} s: {verdict}")


def _replay(text: str) -> NoReturn:
    try:
        failure = campaign.replay(trial_of(text))
    except (BadIdError, BenchError) as error:
        _end_with(2, str(error))
    if failure is not None:
        _end_with(1, failure.what)
    typer.echo(f"{text}: all holds / 全部通过")
    raise typer.Exit(0)


@contextmanager
def _progress(*, as_json: bool) -> Iterator[Callable[[int, int], None]]:
    console = Console(stderr=as_json)
    if console.is_terminal:
        with Progress(console=console) as progress:
            task = progress.add_task("power cuts / 断电", total=None)
            yield lambda done, every: progress.update(task, completed=done, total=every)
        return
    shown = 0

    def plain(done: int, every: int) -> None:
        nonlocal shown
        step = done * 100 // every // PLAIN_EVERY_PERCENT
        if step > shown:
            shown = step
            sys.stderr.write(f"power cuts / 断电 {done} of {every}\n")

    yield plain


def _end_with(status: int, text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(status)
