"""`wattline gateway`: run and look after a gateway.

Exit codes everywhere: 0 done; 1 not done or not all well, for the reason printed; 2 wrong usage.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer

from gateway import app as application
from gateway import config as configuration
from gateway import registry
from gateway.config import GatewayConfig
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.forward import outbox
from gateway.journal.reader import Reader
from gateway.quarantine.quarantine import Kept, QuarantineReader
from gateway.strict import ConfigError, convert
from protocol.errors import REASONS

NOT_WELL = 1
EXIT_CODES = "Exit codes / 退出码: 0 done, 1 not done or not all well (reason printed), 2 wrong usage."

app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False)
quarantine_app = typer.Typer(no_args_is_help=True, help="Refused frames, kept with their reason. 隔离区：被拒绝的报文")
app.add_typer(quarantine_app, name="quarantine")

Config = Annotated[Path, typer.Option("--config", help="gateway.toml. 网关配置文件")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output. 输出 JSON")]


@app.callback()
def _group() -> None:
    """Receive, verify, keep and forward readings. 网关：接收、核验、保存、转发"""


def _examples(*lines: str) -> str:
    return "Examples / 示例:\n\n" + "\n\n".join(f"  wattline gateway {line}" for line in lines) + f"\n\n{EXIT_CODES}"


@app.command(epilog=_examples("run --config gateway.toml", "check --config gateway.toml && wattline gateway run ..."))
def run(config: Config) -> None:
    """Run the gateway until SIGTERM; SIGHUP reloads terminals and keys. 运行网关

    Prints {"ready": true, "metrics_port": N} once frames can come in; logs are JSON lines on standard error.
    """
    try:
        application.run(config)
    except ConfigError as error:
        _fail(*(str(problem) for problem in error.problems))
    except (application.AlreadyRunningError, StoreUnavailableError, NewerSchemaError, OSError) as error:
        _fail(f"{type(error).__name__}: {error}")


@app.command(epilog=_examples("check --config gateway.toml", "check --config gateway.toml --json"))
def check(config: Config, as_json: AsJson = False) -> None:
    """Check every file that the gateway would read, without touching the network. 检查配置，不连接网络"""
    try:
        loaded = application.Loaded(config)
    except ConfigError as error:
        if as_json:
            rows = [{"file": str(one.file), "key": one.key, "problem": one.text} for one in error.problems]
            _print_json({"ok": False, "problems": rows})
        else:
            for problem in error.problems:
                typer.echo(str(problem))
            typer.echo(f"{len(error.problems)} problem(s) / 个问题")
        raise typer.Exit(NOT_WELL) from error
    terminals, sinks = len(loaded.registry), [sink.name for sink in loaded.config.sink]
    if as_json:
        _print_json({"ok": True, "problems": [], "terminals": terminals, "sinks": sinks})
    else:
        typer.echo(f"ok / 配置正确: {terminals} terminals, sinks: {', '.join(sinks) or '-'}")


@app.command(epilog=_examples("status --config gateway.toml", "status --config gateway.toml --json"))
def status(config: Config, as_json: AsJson = False) -> None:
    """What the journal, quarantine and sinks hold now; the gateway may run or not. 状态"""
    loaded = _load(config)
    folder = Path(loaded.data_dir)
    reader = _journal(folder)
    newest, found = reader.last_id(), {"journal": reader.counts(), **_quarantine_status(folder), "sinks": {}}
    reader.close()
    for sink in loaded.sink:
        state = outbox.status(folder, sink.name)
        found["sinks"][sink.name] = {**state, "lag": newest - cast("int", state["confirmed"])}
    if as_json:
        _print_json(found)
        return
    for section in ("journal", "quarantine", "unknown"):
        typer.echo(f"{section}: {_line(found[section])}")
    for name, state in found["sinks"].items():
        typer.echo(f"sink {name}: {_line(state)}")


@quarantine_app.command("list", epilog=_examples("quarantine list --config gateway.toml --reason mac --limit 20"))
def quarantine_list(
    config: Config,
    source: Annotated[str | None, typer.Option(help="Of this terminal only. 仅此终端")] = None,
    reason: Annotated[str | None, typer.Option(help="Of this reason only, e.g. mac. 仅此原因")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, newest first. 最多条数")] = 50,
    as_json: AsJson = False,
) -> None:
    """Refused frames, the newest first. 列出被拒绝的报文"""
    store = _quarantine(_load(config))
    rows = [_kept_row(kept) for kept in store.newest(limit, source, reason)]
    counts = store.counts()
    store.close()
    if as_json:
        _print_json({"counts": counts, "refused": rows})
        return
    for row in rows:
        typer.echo(f"{row['id']:>8}  {row['received']}  {row['source'] or '-':<32}  {row['reason']} @{row['offset']}")
    typer.echo(f"kept / 共: {_line(counts)}")


@quarantine_app.command("show", epilog=_examples("quarantine show --config gateway.toml 17"))
def quarantine_show(
    config: Config,
    number: Annotated[int, typer.Argument(metavar="ID", help="As listed. 列表中的编号")],
    as_json: AsJson = False,
) -> None:
    """One refused frame with its bytes. 显示一条被拒绝的报文"""
    store = _quarantine(_load(config))
    kept = store.get(number)
    store.close()
    if kept is None:
        _fail(f"{number}: no such frame in quarantine / 隔离区没有此编号; see `wattline gateway quarantine list`")
    row = {**_kept_row(kept), "data": kept.refused.data.hex()}
    if as_json:
        _print_json(row)
        return
    for name, value in row.items():
        typer.echo(f"{name:>9}: {value}")
    typer.echo(f"     next: wattline explain --protocol frame {row['data'][:16]}...")


@app.command(epilog=_examples("unknown --config gateway.toml", "admit --config gateway.toml T0042 --key-file ..."))
def unknown(config: Config, as_json: AsJson = False) -> None:
    """Terminals that send and are not admitted, the one heard last first. 列出未登记的终端"""
    loaded = _load(config)
    admitted = _registry(loaded)
    store = _quarantine(loaded)
    rows = [
        {"terminal": one.source, "first": _time(one.first_ms), "last": _time(one.last_ms), "frames": one.frames}
        for one in store.unknown()
        if admitted.get(one.source) is None
    ]
    store.close()
    if as_json:
        _print_json({"unknown": rows})
        return
    for row in rows:
        typer.echo(f"{row['terminal']:<32}  {row['frames']} frames  {row['first']} .. {row['last']}")
    typer.echo(f"{len(rows)} not admitted / 个终端未登记")


@app.command(
    epilog=_examples(
        "admit --config gateway.toml T0042 --key-file keys/T0042.hex --point 1:furnace:production:250000",
    )
)
def admit(
    config: Config,
    terminal: Annotated[str, typer.Argument(help="Its id, as `unknown` lists it. 终端编号")],
    key_file: Annotated[
        str, typer.Option(help="64 hex digits, mode 600; a relative name is from terminals.toml's folder.")
    ],
    generation: Annotated[int, typer.Option(min=1, max=255, help="The key's generation. 密钥代号")] = 1,
    point: Annotated[
        list[str] | None,
        typer.Option(metavar="NUMBER:NAME:KIND[:RATED_W]", help="A measured point; again for each. 测点，可重复"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a terminal to terminals.toml; a running gateway takes it in at SIGHUP. 登记终端

    The file is replaced as a whole, and only if the result is valid.
    """
    loaded = _load(config)
    path = Path(loaded.terminals)
    row = {
        "id": terminal,
        "keys": [{"generation": generation, "file": key_file}],
        "points": [_point(text) for text in point or []],
    }
    try:
        registry.admit(path, convert(row, registry.TerminalEntry, path))
    except (ConfigError, OSError) as error:
        _fail(*str(error).splitlines())
    pid = application.running_pid(Path(loaded.data_dir))
    if as_json:
        _print_json({"admitted": terminal, "reload_pid": pid})
        return
    typer.echo(f"{terminal}: admitted / 已登记 -> {path}")
    typer.echo(f"next / 下一步: kill -HUP {pid}" if pid else "the gateway does not run / 网关未运行")


def _point(text: str) -> dict[str, Any]:
    """A point as the file has it; what is wrong with its parts is said by the file's own checks."""
    parts = text.split(":")
    if len(parts) not in {3, 4} or not all(part.isascii() and part.isdigit() for part in parts[:1] + parts[3:]):
        raise typer.BadParameter(
            f"{text!r}: allowed / 允许: NUMBER:NAME:KIND[:RATED_W], as 1:furnace:production:250000"
        )
    found: dict[str, Any] = {"number": int(parts[0]), "name": parts[1], "kind": parts[2]}
    return {**found, "rated_power_w": int(parts[3])} if len(parts) == 4 else found


def _load(path: Path) -> GatewayConfig:
    try:
        return configuration.load(path)
    except ConfigError as error:
        _fail(*(str(problem) for problem in error.problems))


def _registry(loaded: GatewayConfig) -> registry.Registry:
    try:
        return registry.load(Path(loaded.terminals))
    except ConfigError as error:
        _fail(*(str(problem) for problem in error.problems))


def _journal(folder: Path) -> Reader:
    try:
        return Reader(folder)
    except sqlite3.OperationalError:
        _fail(f"{folder}: no journal yet; run the gateway first / 尚无日志库，请先运行网关")


def _quarantine(loaded: GatewayConfig) -> QuarantineReader:
    try:
        return QuarantineReader(Path(loaded.data_dir))
    except sqlite3.OperationalError:
        _fail(f"{loaded.data_dir}: no quarantine yet; run the gateway first / 尚无隔离区，请先运行网关")


def _quarantine_status(folder: Path) -> dict[str, Any]:
    try:
        store = QuarantineReader(folder)
    except sqlite3.OperationalError:
        return {"quarantine": {}, "unknown": {"terminals": 0}}
    found = {"quarantine": store.counts(), "unknown": {"terminals": len(store.unknown())}}
    store.close()
    return found


def _kept_row(kept: Kept) -> dict[str, Any]:
    one = kept.refused
    return {
        "id": kept.id,
        "received": _time(one.received_ms),
        "source": one.source,
        "topic": one.topic,
        "reason": one.reason,
        "meaning": REASONS[one.reason][1] if one.reason in REASONS else "see gateway/verify.py",
        "offset": one.offset,
        "length": one.length,
    }


def _time(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _line(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "-"


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))


def _fail(*lines: str) -> NoReturn:
    _echo_errors(lines)
    raise typer.Exit(NOT_WELL)


def _echo_errors(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line, err=True)
