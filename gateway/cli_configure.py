"""`wattline gateway configure`: have terminals work in another way, and see what they made of it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli_common import NOT_WELL, AsJson, Config, examples, fail, load, load_registry, print_json, time_text
from gateway.clock import SystemClock
from gateway.config import GatewayConfig
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.registry import Terminal
from gateway.wanted import configurations
from gateway.wanted.configurations import REASONS, Version
from gateway.wanted.document import document_of
from gateway.wanted.store import Store, looking
from protocol.checked import ConfigError

Terminals = Annotated[list[str] | None, typer.Argument(metavar="[TERMINAL]...", help="Their ids. 终端编号")]
File = Annotated[
    Path | None, typer.Option("--file", help="JSON: sample_interval_s, buses, points, uplink, any of them. 配置文件")
]
Base = Annotated[
    Path | None, typer.Option("--base", help="The terminal's own terminal.json: check both together. 终端本地文件")
]
Withdraw = Annotated[bool, typer.Option("--withdraw", help="Send what is pending no more. 撤回尚未生效的配置")]

Row = dict[str, Any]


def configure(
    config: Config,
    terminal: Terminals = None,
    file: File = None,
    base: Base = None,
    *,
    withdraw: Withdraw = False,
    as_json: AsJson = False,
) -> None:
    """Order a configuration for terminals; without --file, show what was ordered and what is in force. 远程配置

    The file says what is to be other than in the technician's terminal.json; {} goes back to that. It is checked here,
    numbered, and sent when the terminal is heard until the terminal says that it took or refused it. A terminal that
    can't reach the gateway with it goes back to the version before.
    """
    if (base is not None and file is None) or (file is not None and withdraw):
        raise typer.BadParameter("--base goes with --file, --withdraw alone / --base 须与 --file 一起使用")
    if (file is not None or withdraw) and not terminal:
        raise typer.BadParameter("for which terminals? / 请给出终端编号")
    loaded = load(config)
    _need_a_desk(loaded, orders=withdraw or file is not None)
    if withdraw:
        rows = _withdrawn(Path(loaded.data_dir), terminal or [])
    elif file is not None:
        try:
            rows = _ordered(loaded, terminal or [], file, base)
        except ConfigError as error:
            if as_json:
                print_json({"problems": [{"file": error.file, "key": error.key, "problem": str(error)}]})
                raise typer.Exit(NOT_WELL) from error
            fail(str(error))
    else:
        rows = shown(Path(loaded.data_dir), terminal or [])
    if as_json:
        print_json({"configurations": rows})
        return
    for row in rows:
        typer.echo(_text(row))
    if not rows:
        typer.echo("none was ordered / 没有配置")


def _need_a_desk(loaded: GatewayConfig, *, orders: bool) -> None:
    """The end of a command that orders what nobody would send."""
    if orders and loaded.jetstream is not None:
        fail('journal.kind = "jetstream": its workers send acks only, so nothing would go down / 该模式不支持远程配置')


def shown(folder: Path, terminals: list[str]) -> list[Row]:
    """Every version that is kept of these terminals, the newest first; of all terminals the newest one."""
    with looking(folder) as connection:
        if connection is None:
            return []
        found = [one for name in terminals for one in configurations.of_terminal(connection, name)]
        in_force = configurations.in_force(connection)
        rows = [_row(one, in_force) for one in (found if terminals else configurations.last_of_each(connection))]
    ordered = {row["terminal"] for row in rows}
    others = [name for name in (terminals or in_force) if name in in_force and name not in ordered]
    return rows + [{"terminal": name, "in_force": in_force[name]} for name in others]


def _ordered(loaded: GatewayConfig, names: list[str], file: Path, base: Path | None) -> list[Row]:
    """Raises protocol.checked.ConfigError for what is wrong with the document."""
    registry = load_registry(loaded)
    unknown = [name for name in names if registry.get(name) is None]
    if unknown:
        fail(*(f"{name}: not admitted / 未登记; see terminals.toml" for name in unknown))
    terminals: list[Terminal] = [one for name in dict.fromkeys(names) if (one := registry.get(name)) is not None]
    try:
        document = document_of(file, base, terminals)
        store = Store(Path(loaded.data_dir))
        with store.writing() as connection:
            now_ms = SystemClock().now_ms()
            versions = [configurations.order(connection, one.id, document, now_ms) for one in terminals]
        store.close()
    except OSError as error:
        fail(f"{error.filename or file}: can't be read / 无法读取: {error.strerror}")
    except (StoreUnavailableError, NewerSchemaError) as error:
        fail(f"{type(error).__name__}: {error}")
    return [
        {"terminal": one.id, "version": version, "state": configurations.PENDING, "bytes": len(document)}
        for one, version in zip(terminals, versions, strict=True)
    ]


def _withdrawn(folder: Path, names: list[str]) -> list[Row]:
    try:
        store = Store(folder)
        with store.writing() as connection:
            found = [(name, configurations.withdraw(connection, name)) for name in names]
        store.close()
    except (StoreUnavailableError, NewerSchemaError) as error:
        fail(f"{type(error).__name__}: {error}")
    missing = [name for name, version in found if version is None]
    if missing:
        fail(*(f"{name}: nothing is pending / 没有待生效的配置" for name in missing))
    return [{"terminal": name, "version": version, "state": configurations.WITHDRAWN} for name, version in found]


def _row(one: Version, in_force: dict[str, int]) -> Row:
    found: Row = {
        "terminal": one.terminal,
        "version": one.version,
        "state": one.state,
        "in_force": in_force.get(one.terminal),
        "ordered": time_text(one.ordered_ms),
        "sent": one.sent,
        "last_sent": None if one.sent_ms is None else time_text(one.sent_ms),
        "said": None if one.said_ms is None else time_text(one.said_ms),
        "document": one.document.decode(),
    }
    if one.reason is not None:
        found |= {"reason": one.reason, "meaning": REASONS.get(one.reason, "unknown / 未知")}
    return found


def _text(row: Row) -> str:
    words = [row["terminal"]]
    if "version" in row:
        words += [f"version {row['version']}", row["state"]]
    if "meaning" in row:
        words.append(f"{row['reason']}, {row['meaning']}")
    if row.get("in_force") is not None:
        words.append(f"in force / 生效: {row['in_force'] or 'terminal.json'}")
    if "ordered" in row:
        words.append(f"ordered {row['ordered']}, sent {row['sent']} times, {row['document']}")
    return "  ".join(words)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "configure",
        epilog=examples(
            "configure --config gateway.toml T0001 --file new.json --base terminal.json",
            "configure --config gateway.toml T0001",
            "configure --config gateway.toml --json",
        ),
    )(configure)
