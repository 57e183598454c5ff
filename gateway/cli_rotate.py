"""`wattline gateway rotate`: other keys for terminals, without a visit; and how far each change has come."""

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli_common import AsJson, Config, examples, fail, load, load_registry, print_json, time_text
from gateway.clock import SystemClock
from gateway.config import GatewayConfig
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.rotation import changes, keyring
from gateway.rotation.changes import Change, ExhaustedError
from gateway.rotation.store import Store, looking

HOUR_MS = 3_600_000
PACE = 600  # terminals an hour: a fleet of 7,056 in twelve hours, and a fault is seen before it is everywhere

Terminals = Annotated[list[str] | None, typer.Argument(metavar="[TERMINAL]...", help="Their ids. 终端编号")]
All = Annotated[bool, typer.Option("--all", help="Every admitted terminal. 全部终端")]
Pace = Annotated[int, typer.Option(min=1, max=100_000, help="Terminals an hour, at most. 每小时终端数")]
Withdraw = Annotated[bool, typer.Option("--withdraw", help="Offer no key to these any more. 撤回")]
Row = dict[str, Any]


def rotate(
    config: Config,
    terminal: Terminals = None,
    *,
    every: All = False,
    pace: Pace = PACE,
    withdraw: Withdraw = False,
    as_json: AsJson = False,
) -> None:
    """Have terminals change to another frame key; without a terminal, show how far each change has come. 更换终端密钥

    The next key is agreed on with each terminal when it is heard, and never travels. A terminal uses it once the
    gateway has it; the key before counts for a day after that. Make a backup when all are confirmed: an older one does
    not have the keys, and a gateway that it is put back to could not hear the terminals that changed since.
    """
    if withdraw and (every or not terminal):
        raise typer.BadParameter("--withdraw: of which terminals? / 请给出终端编号")
    if every and terminal:
        raise typer.BadParameter("--all, or terminals / --all 与终端编号二选一")
    loaded = load(config)
    if loaded.jetstream is not None and (every or terminal):
        fail('journal.kind = "jetstream": its workers send acks only, so nothing would go down / 该模式不支持更换密钥')
    if withdraw:
        _withdrawn(loaded, terminal or [])
    elif every or terminal:
        _ordered(loaded, terminal or [], pace)
    rows = shown(Path(loaded.data_dir), terminal or [])
    if as_json:
        print_json({"keys": rows})
        return
    for row in rows:
        typer.echo(_text(row))
    if not rows:
        typer.echo("no key was ever changed / 没有更换过密钥")


def shown(folder: Path, names: list[str]) -> list[Row]:
    """The last change of each of these terminals, or of all."""
    with looking(folder) as connection:
        found = [] if connection is None else changes.every(connection)
    return [_row(one) for one in found if not names or one.terminal in names]


def _ordered(loaded: GatewayConfig, names: list[str], pace: int) -> None:
    registry = load_registry(loaded)
    unknown = [name for name in names if registry.get(name) is None]
    if unknown:
        fail(*(f"{name}: not admitted / 未登记; see terminals.toml" for name in unknown))
    chosen = names or [one.id for one in registry.all() if one.revoked_s is None]
    now_ms = SystemClock().now_ms()
    try:
        store = Store(Path(loaded.data_dir))
        with closing(store), store.writing() as connection:
            agreed = keyring.newest(connection)
            for number, name in enumerate(dict.fromkeys(chosen)):
                known = registry.get(name)
                newest = max([agreed.get(name, 0), *(known.states if known else ())])
                changes.order(connection, name, newest, now_ms, now_ms + number * HOUR_MS // pace)
    except ExhaustedError as error:
        fail(f"{error}: generation 255 is the last: a technician has to lay another key / 密钥代号已用尽，须现场更换")
    except (StoreUnavailableError, NewerSchemaError, OSError) as error:
        fail(f"{type(error).__name__}: {error}")


def _withdrawn(loaded: GatewayConfig, names: list[str]) -> None:
    try:
        store = Store(Path(loaded.data_dir))
        with closing(store), store.writing() as connection:
            missing = [name for name in names if not changes.withdraw(connection, name, SystemClock().now_ms())]
            for name in names:
                if name not in missing:
                    keyring.forget_factors(connection, name)
    except (StoreUnavailableError, NewerSchemaError, OSError) as error:
        fail(f"{type(error).__name__}: {error}")
    if missing:
        text = "no key is offered; one that is agreed on is taken into use / 没有待协商的密钥；已协商的密钥将启用"
        fail(*(f"{name}: {text}" for name in missing))


def _row(one: Change) -> Row:
    found: Row = {
        "terminal": one.terminal,
        "generation": one.generation,
        "state": one.state,
        "since": time_text(one.changed_ms),
        "sent": one.sent,
    }
    if one.state == changes.REFUSED:
        found |= {"reason": one.reason, "meaning": changes.REASONS.get(one.reason or 0, "unknown / 未知")}
    return found


def _text(row: Row) -> str:
    meaning = f"  {row['reason']}, {row['meaning']}" if "meaning" in row else ""
    words = f"generation {row['generation']}  {row['state']} since {row['since']}, sent {row['sent']} times"
    return f"{row['terminal']}  {words}{meaning}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "rotate",
        epilog=examples(
            "rotate --config gateway.toml T0042",
            "rotate --config gateway.toml --all --pace 600",
            "rotate --config gateway.toml --json",
        ),
    )(rotate)
