"""Commands that take a file of interval data: the options that they share, and how they end where it is not taken."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from hil.load_file import LoadFileError

TimeColumn = Annotated[str, typer.Option(help="Its column of times. 时间列")]
EnergyColumn = Annotated[str, typer.Option(help="Its column of kWh per interval. 电量列 (kWh)")]
Seed = Annotated[int, typer.Option(help="The same draws for the same seed. 随机种子")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object. 输出 JSON")]
Reactive = Annotated[list[str] | None, typer.Option(help="Columns of lagging, leading kvarh. 无功列")]


@contextmanager
def ending_plainly() -> Iterator[None]:
    """A LoadFileError in here is said, and ends the command: usage."""
    try:
        yield
    except LoadFileError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
