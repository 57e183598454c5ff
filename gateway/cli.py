"""`wattline gateway`: run and look after a gateway.

Exit status everywhere: 0 done; 1 not done or not all well, for the reason printed; 2 wrong usage.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway import app as application
from gateway import (
    cli_admit,
    cli_alarms,
    cli_audit,
    cli_backup,
    cli_channels,
    cli_configure,
    cli_console,
    cli_export,
    cli_forward,
    cli_gaps,
    cli_honesty,
    cli_keys,
    cli_linkage,
    cli_monthly,
    cli_pki,
    cli_quarantine,
    cli_reconcile,
    cli_refused,
    cli_rotate,
    cli_status,
    cli_tail,
    cli_take,
    cli_thresholds,
    cli_update,
    lock,
)
from gateway.backup import upgrade
from gateway.backup.stores import BackupError
from gateway.cli_common import (
    NOT_WELL,
    AsJson,
    Config,
    examples,
    fail,
    load,
    load_registry,
    open_quarantine,
    print_json,
    time_text,
)
from gateway.cli_damage import App
from gateway.clock import SystemClock
from gateway.database import NewerSchemaError, StoreUnavailableError
from protocol.host.strict import ConfigError, Problem

app = App(no_args_is_help=True, pretty_exceptions_show_locals=False)
app.add_typer(cli_quarantine.app, name="quarantine")
cli_admit.register(app)
cli_status.register(app)
cli_gaps.register(app)
cli_linkage.register(app)
cli_thresholds.register(app)
cli_alarms.register(app)
app.add_typer(cli_channels.app, name="channels")
cli_honesty.register(app)
cli_keys.register(app)
cli_export.register(app)
cli_backup.register(app)
cli_configure.register(app)
cli_tail.register(app)
cli_take.register(app)
cli_console.register(app)
cli_monthly.register(app)
cli_pki.register(app)
cli_audit.register(app)
cli_forward.register(app)
cli_reconcile.register(app)
cli_refused.register(app)
cli_update.register(app)
cli_rotate.register(app)


@app.callback()
def _group() -> None:
    """Receive, verify, keep and forward readings. 网关：接收、核验、保存、转发"""


@app.command(epilog=examples("run --config gateway.toml", "check --config gateway.toml && wattline gateway run ..."))
def run(config: Config, as_json: AsJson = False) -> None:
    """Run the gateway until SIGTERM; SIGHUP reloads terminals and keys. 运行网关

    Prints {"ready": true, "metrics_port": N} once frames can come in; logs are JSON lines on standard error. It prints
    nothing else: --json changes nothing.
    """
    del as_json
    _run(config, follow=False)


@app.command(epilog=examples("follow --config follower.toml", "status --config follower.toml"))
def follow(config: Config, as_json: AsJson = False) -> None:
    """Follow the stream of the workers until SIGTERM: a journal here, and on it sinks and all commands. 跟随日志流

    For journal.kind = "jetstream": on any machine, with a data_dir of its own, which is made from the stream where it
    is new. Prints {"ready": true, "metrics_port": N}; logs are JSON lines on standard error; --json changes nothing.
    """
    del as_json
    _run(config, follow=True)


def _run(config: Path, *, follow: bool) -> None:
    try:
        application.run(config, follow=follow)
    except ConfigError as error:
        fail(*(str(problem) for problem in error.problems))
    except (lock.AlreadyRunningError, StoreUnavailableError, NewerSchemaError, BackupError, OSError) as error:
        fail(f"{type(error).__name__}: {error}")


@app.command(epilog=examples("check --config gateway.toml", "check --config gateway.toml --strict --json"))
def check(
    config: Config,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings too end with 1. 有警告也返回 1")] = False,
    as_json: AsJson = False,
) -> None:
    """Check every file that the gateway would read, without touching the network. 检查配置，不连接网络

    Also whether it can work on what data_dir holds, which it leaves as it is. Problems keep the gateway from starting;
    warnings do not: keys that are not sealed, terminals that no sink has a station for, enterprises that the watch
    can't use.
    """
    try:
        loaded = application.Loaded(config)
        upgrade.refuse(Path(loaded.config.data_dir))
    except ConfigError as error:
        _say_checked(error.problems, [], as_json=as_json)
        raise typer.Exit(NOT_WELL) from error
    except (NewerSchemaError, BackupError) as error:
        _say_checked([Problem(config, "data_dir", str(error))], [], as_json=as_json)
        raise typer.Exit(NOT_WELL) from error
    warnings = loaded.warnings(config, SystemClock().now_ms() // 1000)
    terminals, sinks = len(loaded.registry), [sink.name for sink in loaded.config.sink]
    _say_checked([], warnings, as_json=as_json, more={"terminals": terminals, "sinks": sinks})
    if not as_json:
        typer.echo(f"ok / 配置正确: {terminals} terminals, sinks: {', '.join(sinks) or '-'}")
    if warnings and strict:
        raise typer.Exit(NOT_WELL)


def _say_checked(
    problems: list[Problem], warnings: list[Problem], *, as_json: bool, more: dict[str, Any] | None = None
) -> None:
    if as_json:
        found = {
            kind: [{"file": str(one.file), "key": one.key, "problem": one.text} for one in rows]
            for kind, rows in (("problems", problems), ("warnings", warnings))
        }
        print_json({"ok": not problems, **found, **(more or {})})
        return
    for problem in problems:
        typer.echo(str(problem))
    if problems:
        typer.echo(f"{len(problems)} problem(s) / 个问题")
    for warning in warnings:
        typer.echo(f"warning / 警告: {warning}")


@app.command(epilog=examples("unknown --config gateway.toml", "admit --config gateway.toml T0042 --key-file ..."))
def unknown(config: Config, as_json: AsJson = False) -> None:
    """Terminals that send and are not admitted, the one heard last first. 列出未登记的终端"""
    loaded = load(config)
    admitted = load_registry(loaded)
    store = open_quarantine(loaded)
    rows = [
        {
            "terminal": one.source,
            "revoked": admitted.revoked(one.source) is not None,
            "first": time_text(one.first_ms),
            "last": time_text(one.last_ms),
            "frames": one.frames,
        }
        for one in store.unknown()
        if admitted.get(one.source) is None
    ]
    store.close()
    if as_json:
        print_json({"unknown": rows})
        return
    for row in rows:
        state = "  revoked / 已吊销" if row["revoked"] else ""
        typer.echo(f"{row['terminal']:<32}  {row['frames']} frames  {row['first']} .. {row['last']}{state}")
    typer.echo(f"{len(rows)} not admitted / 个终端未登记")
