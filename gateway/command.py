"""The `wattline` command: groups of the rooms, and `explain`. Both are found as entry points (pyproject.toml), so that
this module imports no room, and a room whose extra is not installed is missed only by those who call it.
"""

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from gateway.explain import Explainer, findings, render
from protocol.host import program

COMMANDS = "wattline.commands"
EXPLAINERS = "wattline.explain"
OUR_PACKAGES = ("protocol", "cext", "firmware", "gateway", "hil")
HELP_OF = {
    "gateway": "Receive, verify, keep and forward readings. 网关",
    "field": "Tools for the technician at the switchboard. 现场工具",
    "hil": "The bench: real firmware against emulated meters and faults. 测试台",
}
# what brings a group's own packages, where `pip install wattline` does not
EXTRA_OF = {"hil": "wattline[hil]", "field": "wattline[field]"}
TEXT_PROTOCOL = "hj212"  # the one protocol whose messages are plain text

OK, SOME_NOT_OK, USAGE = 0, 1, 2

EXAMPLES = """\
Examples / 示例:

  wattline hil demo

  wattline hil run day --profile FILE.csv --time-column T --energy-column E --days 2

  wattline gateway run --config gateway.toml

  wattline explain --protocol modbus-rtu '01 03 00 00 00 02 c4 0b'
"""


class _Deferred(TyperCommand):
    """A group that is imported when it is called, not when it is listed."""

    def __init__(self, entry: EntryPoint) -> None:
        super().__init__(entry.name, help=HELP_OF.get(entry.name, ""))
        self.entry = entry

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """As the real group makes it; ends with a message when the group's extra is not installed."""
        group = typer.main.get_group(load(self.entry))  # a group even where it has one command so far
        return group.make_context(info_name, args, parent=parent, **extra)


class _Root(TyperGroup):
    """The commands of this module, and a deferred group for each room."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for entry in sorted(entry_points(group=COMMANDS), key=lambda entry: entry.name):
            self.add_command(_Deferred(entry))


app = typer.Typer(
    cls=_Root,
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # a local variable may be a key
)


def load(entry: EntryPoint) -> Any:
    """What an entry point names. Where others' package or the decoder is missing: the program's end, and a cure."""
    try:
        return entry.load()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cext."):
            _fail(
                f"'{entry.name}' needs the compiled decoder, which this installation for any machine has not: it is the"
                " technician's tool alone; a gateway is installed from its Debian package or the wheel for Linux",
                f"“{entry.name}” 需要已编译的解码器；此安装仅含现场工具，网关请用 Debian 包或 Linux wheel 安装",
            )
        if (error.name or "").partition(".")[0] in OUR_PACKAGES:
            raise  # a file of ours is missing: our fault, not the user's
        cure = f"pip install '{EXTRA_OF.get(entry.name, 'wattline')}'"
        _fail(
            f"'{entry.name}' needs the package '{error.name}', which is not installed; run: {cure}",
            f"“{entry.name}” 需要软件包 {error.name}，尚未安装；请运行: {cure}",
        )


def _fail(*lines: str) -> NoReturn:
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(USAGE)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wattline {program.this().text()}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version. 显示版本")
    ] = False,
) -> None:
    """Wattline: from a meter's registers to the platform. 从电表寄存器到监管平台"""


@app.command(
    epilog="Examples / 示例:\n\n"
    "  wattline explain --protocol frame --file captured.hex --json\n\n"
    "  wattline explain --protocol hj212 - < captured.txt\n\n"
    "Exit status / 退出码: 0 every line ok, 1 some line not ok, 2 usage."
)
def explain(
    protocol: Annotated[str, typer.Option(help="frame, modbus-rtu, modbus-tcp, hj212 or dlt645. 协议")],
    message: Annotated[
        list[str] | None,
        typer.Argument(metavar="HEX|-", help="The bytes in hex, blanks allowed; - reads standard input."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="A file with one message in hex a line. 每行一条报文")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line of input. 每行输出一个 JSON")
    ] = False,
) -> None:
    """Say in words what captured bytes mean, field by field. 逐字段解释抓到的报文"""
    explainer = _explainer(protocol)
    numbered = message in (None, [], ["-"])
    all_ok = True
    with _input(message or [], file) as stream:
        for number, found in enumerate(findings(stream, explainer, text=protocol == TEXT_PROTOCOL), start=1):
            all_ok = all_ok and found["verdict"] == "ok"
            if as_json:
                typer.echo(json.dumps(found))
            else:
                typer.echo(f"{number}. {render(found)}" if numbered else render(found))
    raise typer.Exit(OK if all_ok else SOME_NOT_OK)


def _explainer(protocol: str) -> Explainer:
    known = {entry.name: entry for entry in entry_points(group=EXPLAINERS)}
    if protocol not in known:
        names = ", ".join(sorted(known))
        _fail(f"unknown protocol '{protocol}'; known are: {names}", f"未知协议 {protocol}；可用: {names}")
    explainer: Explainer = load(known[protocol])
    return explainer


@contextmanager
def _input(message: list[str], file: Path | None) -> Iterator[BinaryIO]:
    """The input as a byte stream: exactly one of HEX, `-` and --file."""
    if bool(message) == bool(file):
        _fail("give exactly one of: HEX, --file FILE, -", "请给出其中一种输入: HEX、--file 文件 或 -")
    if file is not None:
        try:
            stream = file.open("rb")
        except OSError as error:
            _fail(f"cannot read {file}: {error.strerror}", f"无法读取 {file}: {error.strerror}")
        with stream:
            yield stream
    elif message == ["-"]:
        yield sys.stdin.buffer
    else:
        yield io.BytesIO(os.fsencode(" ".join(message)))


def main() -> None:
    """Entry point of the `wattline` script."""
    app(prog_name="wattline")
