"""`wattline gateway`: run and look after a gateway."""

from pathlib import Path
from typing import Annotated

import typer

from gateway import app as application

app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False)
Config = Annotated[Path, typer.Option("--config", help="gateway.toml")]


@app.callback()
def _group() -> None:
    """Receive, verify, keep and forward readings. 网关"""


@app.command()
def run(config: Config) -> None:
    """Run the gateway until SIGTERM. 运行网关"""
    application.run(config)
