"""`wattline gateway update`: have terminals take a release, canaries first; see how it goes, stop it, let it go on."""

from collections.abc import Mapping
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli_common import (
    CONFIG,
    ID_MAX,
    AsJson,
    Config,
    examples,
    fail,
    load,
    load_enterprises,
    load_registry,
    print_json,
)
from gateway.cli_damage import App
from gateway.cli_rollouts import (
    STATES,
    begun_text,
    left_out_rows,
    progress_row,
    progress_text,
    rollout_row,
    rollout_text,
)
from gateway.clock import SystemClock
from gateway.config import GatewayConfig
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.updates import bundles, order, rollouts, stages
from gateway.updates.bundles import Bundle
from gateway.updates.order import NobodyError, Terms
from gateway.updates.rollouts import BusyError, Rollout
from gateway.updates.selection import terminals_of
from gateway.updates.store import Store, looking
from protocol.host.strict import ConfigError
from protocol.update import IMAGE_BYTES_MAX, UpdateError

BUNDLE_BYTES_MAX = IMAGE_BYTES_MAX + 4096  # its manifest, and what holds both together
HOUR_MS = 3_600_000
STOPPED = "stopped by the operator / 操作人停止"

app = App(
    invoke_without_command=True,
    epilog=examples(
        "update --config gateway.toml --bundle wattline-esp32s3-1767225600.wlb --canary 5 --then 100",
        "update --config gateway.toml --bundle F --enterprise E0001 --canary 10 --then 50 --then 100",
        "update --config gateway.toml --bundle F --terminal T0042 --canary 100",
        "update status --config gateway.toml",
    ),
)

File = Annotated[Path | None, typer.Option("--bundle", help="The release, a *.wlb. 升级包文件")]
Canary = Annotated[int, typer.Option(min=1, max=100, help="Canaries, in percent; one at least. 金丝雀百分比")]
Then = Annotated[
    list[int] | None,
    typer.Option(min=1, max=100, help="Then so many in all, in percent; 100 if left out. 随后累计百分比"),
]
Enterprises = Annotated[
    list[str] | None, typer.Option("--enterprise", help="Its terminals, by enterprises.toml. 企业的终端")
]
Terminals = Annotated[list[str] | None, typer.Option("--terminal", help="This one; all if neither is given. 终端")]
MayFail = Annotated[int, typer.Option(min=0, max=ID_MAX, help="So many failures do not halt it. 容许失败数")]
Silent = Annotated[int, typer.Option("--silent-after", min=1, max=720, help="Hours without a word: failed. 无应答小时")]
Number = Annotated[int | None, typer.Argument(metavar="[ROLLOUT]", help="Its number; the open one. 任务编号")]


@app.callback()
def update(  # noqa: PLR0913  typer: an option each
    context: typer.Context,
    *,
    config: Annotated[Path | None, CONFIG] = None,
    bundle: File = None,
    canary: Canary = 5,
    then: Then = None,
    enterprise: Enterprises = None,
    terminal: Terminals = None,
    may_fail: MayFail = 0,
    silent_after: Silent = 6,
    as_json: AsJson = False,
) -> None:
    """Have terminals take a release: canaries first, then the others in waves. 终端升级

    The bundle's signature and every hash are checked first. Each terminal takes it by itself, and is good once it has
    heard the gateway's ack; else it goes back. A terminal that refuses, goes back or is silent halts the rollout, which
    then goes on by `update resume` alone. Who has the release already is left out, and who has another board by
    terminals.toml.
    """
    if context.invoked_subcommand is not None:
        return
    if config is None or bundle is None:
        raise typer.BadParameter("--config and --bundle, or a command / 请给出 --config 与 --bundle，或子命令")
    terms = Terms(_percents(canary, then), may_fail, silent_after * HOUR_MS)
    loaded = _served(config)
    boards = _chosen(config, loaded, enterprise or [], terminal or [])
    found = _begun(loaded, _read(config, loaded, bundle), boards, terms)
    if as_json:
        print_json(
            {
                "rollout": found.id,
                "terminals": len(found.placed),
                "canaries": found.canaries,
                "have_it": found.have_it,
                "left_out": left_out_rows(found.left_out),
            }
        )
        return
    typer.echo("\n".join(begun_text(found)))
    typer.echo(f"  next / 下一步: wattline gateway update status --config {config}")


@app.command(epilog=examples("update status --config gateway.toml", "update status --config gateway.toml 3 --json"))
def status(config: Config, rollout: Number = None, as_json: AsJson = False) -> None:
    """How a rollout goes: each stage, and each terminal with what it has. Without a number: all that are open. 进度"""
    rows = []
    with looking(Path(load(config).data_dir)) as connection:
        if connection is not None:
            some = [one for one in rollouts.every(connection) if rollout in {None, one.id}]
            for one in some if rollout is not None else [one for one in some if one.state in stages.OPEN]:
                size = len(bundles.get(connection, one.number, one.board).payload)
                members, left_out = rollouts.members(connection, one.id), rollouts.left_out(connection, one.id)
                rows.append(progress_row(one, members, size) | {"left_out": left_out_rows(left_out)})
    if rollout is not None and not rows:
        fail(f"{rollout}: no such rollout / 没有此任务; see `wattline gateway update list`")
    if as_json:
        print_json({"rollouts": rows})
        return
    for row in rows:
        typer.echo("\n".join(progress_text(row)))
    if not rows:
        typer.echo("no rollout is open / 没有进行中的升级")


@app.command("list", epilog=examples("update list --config gateway.toml", "update list --config gateway.toml --json"))
def list_(config: Config, as_json: AsJson = False) -> None:
    """All rollouts, the newest first, and what terminals say is in force. 列出升级任务"""
    rows, in_force = [], {}
    with looking(Path(load(config).data_dir)) as connection:
        if connection is not None:
            for one in rollouts.every(connection):
                version = bundles.get(connection, one.number, one.board).version
                rows.append(rollout_row(one) | {"version": version})
            in_force = rollouts.in_force(connection)
    if as_json:
        print_json({"rollouts": rows, "in_force": in_force})
        return
    for row in rows:
        typer.echo(rollout_text(row))
    for number in sorted(set(in_force.values()), reverse=True):
        count = sum(one == number for one in in_force.values())
        typer.echo(f"release {number}: in force at / 生效终端数 {count}")


@app.command(epilog=examples("update stop --config gateway.toml", "update stop --config gateway.toml 3 --end"))
def stop(
    config: Config,
    rollout: Number = None,
    *,
    end: Annotated[bool, typer.Option("--end", help="One that is halted already: for good. 终止已停止的任务")] = False,
    as_json: AsJson = False,
) -> None:
    """Send nothing more of it; terminals forget what has not come whole. Who took it keeps it. 停止升级"""
    store, found = _opened(config, rollout, stages.HALTED if end else stages.RUNNING)
    with closing(store), store.writing() as connection:
        (rollouts.end if end else rollouts.halt)(connection, found, STOPPED, SystemClock().now_ms())
    state = stages.ENDED if end else stages.HALTED
    if as_json:
        print_json({"rollout": found.id, "state": state})
        return
    typer.echo(f"rollout {found.id}: {STATES[state]}")


@app.command(epilog=examples("update resume --config gateway.toml", "update resume --config gateway.toml 3"))
def resume(config: Config, rollout: Number = None, as_json: AsJson = False) -> None:
    """Let a halted rollout go on; the failures so far do not halt it again. 继续升级"""
    store, found = _opened(config, rollout, stages.HALTED)
    with closing(store), store.writing() as connection:
        excused = rollouts.resume(connection, found, SystemClock().now_ms())
    if as_json:
        print_json({"rollout": found.id, "state": stages.RUNNING, "excused": excused})
        return
    typer.echo(f"rollout {found.id}: goes on / 继续; failures left behind / 已略过的失败: {excused}")


def register(parent: typer.Typer) -> None:
    """Add the group."""
    parent.add_typer(app, name="update")


def _percents(canary: int, then: list[int] | None) -> list[int]:
    """Where each stage ends. Raises typer.BadParameter."""
    found = [canary, *(then or ([100] if canary < 100 else []))]
    if any(one >= other for one, other in pairwise(found)):
        raise typer.BadParameter(f"--canary, --then: {found}; allowed / 允许: each more than the one before / 须递增")
    return found


def _served(config: Path) -> GatewayConfig:
    loaded = load(config)
    if loaded.jetstream is not None:
        fail('journal.kind = "jetstream": its workers send acks only, so nothing would go down / 该模式不支持升级')
    return loaded


def _chosen(config: Path, loaded: GatewayConfig, enterprises: list[str], names: list[str]) -> Mapping[str, str | None]:
    """The admitted terminals that were asked for, all if none was; with their boards."""
    registry = load_registry(loaded)
    chosen = set(names)
    if enterprises:
        known = {one.id: one for one in load_enterprises(config, loaded)}
        if unknown := [one for one in enterprises if one not in known]:
            fail(*(f"{one}: no such enterprise / 没有此企业; see enterprises.toml" for one in unknown))
        chosen |= set(terminals_of(known[one] for one in enterprises))
    if unknown := sorted(one for one in names if registry.get(one) is None):
        fail(*(f"{one}: not admitted / 未登记; see terminals.toml" for one in unknown))
    found = {
        one.id: one.board
        for one in registry.all()
        if one.revoked_s is None and (one.id in chosen or not (chosen or enterprises))
    }
    if not found:
        fail("no terminal is admitted / 没有已登记的终端")
    return found


def _read(config: Path, loaded: GatewayConfig, file: Path) -> Bundle:
    """The bundle, checked."""
    if loaded.update_keys is None:
        fail(f"{config}: update_keys: missing; the file that says who signs releases / 缺少发布公钥文件 update_keys")
    try:
        points = bundles.load_keys(Path(loaded.update_keys))
        with file.open("rb") as stream:
            data = stream.read(BUNDLE_BYTES_MAX + 1)
        return bundles.checked(data, points, SystemClock().now_ms() // 1000)
    except OSError as error:
        fail(f"{error.filename or file}: can't be read / 无法读取: {error.strerror}")
    except ConfigError as error:
        fail(*(str(problem) for problem in error.problems))
    except UpdateError as error:
        fail(f"{file}: refused / 拒绝: {error}")


def _begun(loaded: GatewayConfig, bundle: Bundle, boards: Mapping[str, str | None], terms: Terms) -> order.Begun:
    try:
        return order.begin(Path(loaded.data_dir), bundle, boards, terms, SystemClock().now_ms())
    except (NobodyError, BusyError, UpdateError) as error:
        fail(f"release {bundle.number}: {error}")
    except (StoreUnavailableError, NewerSchemaError) as error:
        fail(f"{type(error).__name__}: {error}")


def _opened(config: Path, number: int | None, state: str) -> tuple[Store, Rollout]:
    """The store, and the rollout that is meant: the only one in this state where no number is given."""
    try:
        store = Store(Path(_served(config).data_dir))
    except (StoreUnavailableError, NewerSchemaError) as error:
        fail(f"{type(error).__name__}: {error}")
    with store.reading() as connection:
        found = [one for one in rollouts.unfinished(connection) if one.state == state and number in {None, one.id}]
    if len(found) != 1:
        store.close()
        which = ", ".join(str(one.id) for one in found)
        fail(f"which one / 哪一个: {which}" if found else f"no such rollout is {state} / 没有该状态的任务")
    return store, found[0]
