"""`wattline gateway rotate`: other keys and certificates for terminals, without a visit; how far each has come."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli_common import AsJson, Config, examples, fail, load, load_registry, print_json, time_text
from gateway.clock import SystemClock
from gateway.config import GatewayConfig
from gateway.database import NewerSchemaError, StoreUnavailableError, schema_version
from gateway.registry import Terminal
from gateway.rotation import certificates as renewal
from gateway.rotation import changes, keyring
from gateway.rotation.changes import Change, ExhaustedError
from gateway.rotation.store import CERTIFICATES_SINCE, Store, looking
from gateway.wanted import configurations
from gateway.wanted.configurations import Version

HOUR_MS = 3_600_000
PACE = 600  # terminals an hour: a fleet of 7,056 in twelve hours, and a fault is seen before it is everywhere

Terminals = Annotated[list[str] | None, typer.Argument(metavar="[TERMINAL]...", help="Their ids. 终端编号")]
All = Annotated[bool, typer.Option("--all", help="Every admitted terminal. 全部终端")]
Pace = Annotated[int, typer.Option(min=1, max=100_000, help="Terminals an hour, at most. 每小时终端数")]
Withdraw = Annotated[bool, typer.Option("--withdraw", help="Offer no key to these any more. 撤回")]
Certificates = Annotated[
    Path | None, typer.Option("--certificates", help="DIR of NAME.der, as `pki renew` makes them: send these. 证书目录")
]
Row = dict[str, Any]


def rotate(
    config: Config,
    terminal: Terminals = None,
    *,
    every: All = False,
    pace: Pace = PACE,
    withdraw: Withdraw = False,
    certificates: Certificates = None,
    as_json: AsJson = False,
) -> None:
    """Have terminals change to another frame key; without a terminal, show how far each change has come. 更换密钥与证书

    With --certificates: have them take those instead. A terminal tries them for an hour, and goes back to its own if
    the gateway is not heard by then.

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
        chosen = _chosen(loaded, terminal or [])
        if certificates is None:
            _ordered(loaded, chosen, pace)
        else:
            _sent(loaded, chosen, certificates, pace)
    _show(Path(loaded.data_dir), terminal or [], as_json=as_json)


def _show(folder: Path, names: list[str], *, as_json: bool) -> None:
    keys, documents = shown(folder, names), shown_certificates(folder, names)
    if as_json:
        print_json({"keys": keys, "certificates": documents})
        return
    for row in [*keys, *documents]:
        typer.echo(_text(row))
    if not keys and not documents:
        typer.echo("nothing was ever changed / 没有更换过密钥或证书")


def shown(folder: Path, names: list[str]) -> list[Row]:
    """The last change of each of these terminals, or of all."""
    with looking(folder) as connection:
        found = [] if connection is None else changes.every(connection)
    return [_row(one) for one in found if not names or one.terminal in names]


def shown_certificates(folder: Path, names: list[str]) -> list[Row]:
    """The newest certificates of each of these terminals, or of all, that were ordered."""
    with looking(folder) as connection:
        if connection is None or schema_version(connection) < CERTIFICATES_SINCE:
            return []
        in_force = configurations.in_force(connection)
        found = [one for one in configurations.last_of_each(connection) if not names or one.terminal in names]
    return [_certificates_row(one, in_force) for one in found]


def _chosen(loaded: GatewayConfig, names: list[str]) -> list[Terminal]:
    """These terminals, or all that are admitted; the end of the command for what is not."""
    registry = load_registry(loaded)
    unknown = [name for name in names if registry.get(name) is None]
    if unknown:
        fail(*(f"{name}: not admitted / 未登记; see terminals.toml" for name in unknown))
    return [one for one in registry.all() if one.revoked_s is None and (not names or one.id in names)]


def _sent(loaded: GatewayConfig, chosen: list[Terminal], source: Path, pace: int) -> None:
    """Order the certificates of these terminals; all of them or none."""
    now_ms, documents, problems = SystemClock().now_ms(), dict[str, bytes](), list[str]()
    for one in chosen:
        file = source / f"{one.id}.der"
        try:
            documents[one.id] = file.read_bytes()
            renewal.check(documents[one.id], one.id, datetime.fromtimestamp(now_ms / 1000, UTC))
        except OSError as error:
            problems.append(f"{file}: can't be read / 无法读取: {error.strerror}; make it by `pki renew`")
        except renewal.CertificatesError as error:
            problems.append(f"{file}: {error}")
    if problems:
        fail(*problems)
    try:
        store = Store(Path(loaded.data_dir))
        with closing(store), store.writing() as connection:
            for number, (name, document) in enumerate(documents.items()):
                due_ms = now_ms + number * HOUR_MS // pace
                configurations.order(connection, name, document, now_ms, due_ms)
    except (StoreUnavailableError, NewerSchemaError, OSError) as error:
        fail(f"{type(error).__name__}: {error}")


def _ordered(loaded: GatewayConfig, chosen: list[Terminal], pace: int) -> None:
    """Order another key for each of these that can have one; the end of the command where one can't."""
    now_ms, exhausted = SystemClock().now_ms(), list[str]()
    try:
        store = Store(Path(loaded.data_dir))
        with closing(store), store.writing() as connection:
            agreed = keyring.newest(connection)
            for number, one in enumerate(chosen):
                newest = max([agreed.get(one.id, 0), *one.states])
                try:
                    changes.order(connection, one.id, newest, now_ms, now_ms + number * HOUR_MS // pace)
                except ExhaustedError:  # a terminal says itself how high it is: it must not keep the others from theirs
                    exhausted.append(one.id)
    except (StoreUnavailableError, NewerSchemaError, OSError) as error:
        fail(f"{type(error).__name__}: {error}")
    if exhausted:
        text = (
            f"{changes.ROTATED_MAX} is the last generation over the air, those above are technicians': runbook, Keys / "
            f"无线更换止于第 {changes.ROTATED_MAX} 代，其后仅供现场使用，见运维处置手册“密钥”"
        )
        fail(*(f"{name}: {text}" for name in exhausted))


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


def _certificates_row(one: Version, in_force: dict[str, int]) -> Row:
    found: Row = {
        "terminal": one.terminal,
        "version": one.version,
        "state": one.state,
        "in_force": in_force.get(one.terminal),
        "end": renewal.end_of(one.document).isoformat(),
        "since": time_text(one.said_ms or one.ordered_ms),
        "sent": one.sent,
    }
    if one.reason is not None:
        found |= {"reason": one.reason, "meaning": renewal.REASONS.get(one.reason, "unknown / 未知")}
    return found


def _text(row: Row) -> str:
    meaning = f"  {row['reason']}, {row['meaning']}" if "meaning" in row else ""
    what = (
        f"generation {row['generation']}" if "generation" in row else f"certificates {row['version']} to {row['end']}"
    )
    words = f"{what}  {row['state']} since {row['since']}, sent {row['sent']} times"
    return f"{row['terminal']}  {words}{meaning}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "rotate",
        epilog=examples(
            "rotate --config gateway.toml T0042",
            "rotate --config gateway.toml --all --pace 600",
            "rotate --config gateway.toml --all --certificates renewed",
            "rotate --config gateway.toml --json",
        ),
    )(rotate)
