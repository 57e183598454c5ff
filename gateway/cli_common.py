"""What the commands of `wattline gateway` share: options, how files are opened, how answers and failures are said."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

from gateway import config as configuration
from gateway import registry
from gateway.config import GatewayConfig
from gateway.gaps.source import Source
from gateway.journal.audit import Audit
from gateway.journal.journal import FILE
from gateway.journal.reader import Reader
from gateway.journal.spans import Spans
from gateway.quarantine import quarantine
from gateway.quarantine.quarantine import QuarantineReader
from gateway.watch import enterprises
from gateway.watch import rules as watch_rules
from gateway.watch.dispatch import channels as watch_channels
from gateway.watch.dispatch.channels import Channels
from gateway.watch.enterprises import Enterprise
from gateway.watch.rules import Rules
from protocol.host.printable import printable, printable_json
from protocol.host.strict import ConfigError

T = TypeVar("T")
NOT_WELL = 1
DAY_S = 86_400
ID_MAX = (1 << 63) - 1  # what SQLite numbers rows with
SPAN_DAYS_MAX = 3_660  # ten years: each quarter of an hour of it is looked at
EXIT_CODES = "Exit status / 退出码: 0 done, 1 not done or not all well (reason printed), 2 wrong usage."

CONFIG = typer.Option("--config", envvar="WATTLINE_CONFIG", help="gateway.toml. 网关配置文件")
Config = Annotated[Path, CONFIG]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output. 输出 JSON")]
AsLines = Annotated[bool, typer.Option("--json", help="A JSON object a line. 每行输出一个 JSON")]
From = Annotated[
    str | None, typer.Option("--from", help="First instant, ISO 8601; a day before --to if not said. 起始")
]
To = Annotated[str | None, typer.Option("--to", help="End, not included; now if not said. 结束时刻（不含）")]
UtcOffset = Annotated[
    int, typer.Option("--utc-offset", min=-12, max=14, help="Hours, of local time and of days. 当地时区")
]
OneTerminal = Annotated[str | None, typer.Option("--terminal", help="This one only. 仅此终端")]


def examples(*lines: str) -> str:
    """A command's epilog: how it is called, and what its exit codes mean."""
    return "Examples / 示例:\n\n" + "\n\n".join(f"  wattline gateway {line}" for line in lines) + f"\n\n{EXIT_CODES}"


def load(path: Path) -> GatewayConfig:
    """gateway.toml, or the end of the command with every problem that it has."""
    try:
        return configuration.load(path)
    except ConfigError as error:
        fail(*(str(problem) for problem in error.problems))


def load_registry(loaded: GatewayConfig) -> registry.Registry:
    """terminals.toml, likewise."""
    try:
        return registry.load(Path(loaded.terminals))
    except ConfigError as error:
        fail(*(str(problem) for problem in error.problems))


def asked_terminals(loaded: GatewayConfig, terminal: str | None) -> list[registry.Terminal]:
    """All terminals of terminals.toml, or the one that is asked for; the end of the command where there is none."""
    found = [one for one in load_registry(loaded).all() if terminal in {None, one.id}]
    if not found:
        fail(f"{terminal or ''}: not in {loaded.terminals} / 文件中没有此终端")
    return found


def load_enterprises(path: Path, loaded: GatewayConfig) -> list[Enterprise]:
    """enterprises.toml, likewise; path: of the gateway.toml that has to name it."""
    if loaded.enterprises is None:
        fail(f"{path}: enterprises: missing; it names the file that says what belongs together / 缺少 enterprises")
    try:
        return enterprises.load(Path(loaded.enterprises), load_registry(loaded))
    except ConfigError as error:
        fail(*(str(problem) for problem in error.problems))


def load_rules(loaded: GatewayConfig) -> Rules:
    """rules.toml, likewise, or what holds without one."""
    try:
        return watch_rules.load(Path(loaded.rules) if loaded.rules else None)
    except ConfigError as error:
        fail(*(str(problem) for problem in error.problems))


def load_channels(loaded: GatewayConfig, known: list[Enterprise]) -> Channels:
    """channels.toml, likewise, or none. known: the enterprises that there are."""
    path = Path(loaded.channels) if loaded.channels else None
    try:
        return watch_channels.load(path, load_registry(loaded), watch_channels.known(loaded, known))
    except ConfigError as error:
        fail(*(str(problem) for problem in error.problems))


def open_journal(folder: Path) -> Reader:
    """The journal, to read."""
    return _opened(folder, lambda: Reader(folder))


def open_spans(folder: Path) -> Spans:
    """The journal, to look back into."""
    return _opened(folder, lambda: Spans(folder))


def open_source(folder: Path, future_s: int) -> Source:
    """The gap ledger's facts."""
    return _opened(folder, lambda: Source(folder, future_s))


def open_audit(folder: Path) -> Audit:
    """The journal, to verify."""
    return _opened(folder, lambda: Audit(folder))


def _opened(folder: Path, open_it: Callable[[], T]) -> T:
    """The journal as `open_it` opens it, or the end of the command where there is none."""
    if not (folder / FILE).exists():
        fail(
            f"{folder}: no journal yet; run the gateway first / 尚无日志库，请先运行网关",
            'with journal.kind = "jetstream": ask where `wattline gateway follow` runs / 请在运行 follow 的机器上查询',
        )
    return open_it()


def open_quarantine(loaded: GatewayConfig) -> QuarantineReader:
    """The quarantine, to read."""
    folder = Path(loaded.data_dir)
    if not (folder / quarantine.FILE).exists():
        fail(f"{folder}: no quarantine yet; run the gateway first / 尚无隔离区，请先运行网关")
    return QuarantineReader(folder)


def time_text(unix_ms: int) -> str:
    """Unix milliseconds as ISO 8601, UTC."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> int:
    """Unix seconds of ISO 8601; without a zone it is UTC. Raises typer.BadParameter."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r}; allowed / 允许: 2026-03-01, 2026-03-01T08:00:00+08:00, 2026-03-01T00:00:00Z"
        ) from error
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def parse_span(from_: str | None, to: str | None, now_s: int, default_s: int = DAY_S) -> tuple[int, int]:
    """[from, to) in Unix seconds, of what `From` and `To` gave; default_s long without the first. Raises
    typer.BadParameter.
    """
    to_s = now_s if to is None else parse_time(to)
    from_s = to_s - default_s if from_ is None else parse_time(from_)
    if from_s >= to_s:
        raise typer.BadParameter("--from must be before --to / 起始时刻须早于结束时刻")
    if to_s - from_s > SPAN_DAYS_MAX * DAY_S:
        raise typer.BadParameter(f"at most {SPAN_DAYS_MAX} days / 时段最长 {SPAN_DAYS_MAX} 天")
    return from_s, to_s


def line_text(values: Mapping[str, object]) -> str:
    """Names and values on one line."""
    return ", ".join(f"{name} {printable(value)}" for name, value in values.items()) or "-"


def print_json(value: object) -> None:
    """One JSON document on a line of standard output."""
    typer.echo(printable_json(value))


def fail(*lines: str) -> NoReturn:
    """Say why on standard error, and end with 1."""
    for line in "\n".join(lines).split("\n"):
        typer.echo(printable(line), err=True)
    raise typer.Exit(NOT_WELL)
