"""`wattline gateway admit`, `revoke`, `sealing-key`: which terminals count, and whose word about them does."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway import lock, registry, registry_edit
from gateway.cli_common import AsJson, Config, examples, fail, load, print_json
from gateway.commissioning import admission, sealing_key, taking
from gateway.config import GatewayConfig
from gateway.database import NewerSchemaError
from gateway.files import WATCH_EVERY_S
from gateway.journal.rows import OlderSchemaError
from protocol.host import sealing, signed
from protocol.host.strict import ConfigError, convert

DOCUMENT = ".json"  # no terminal's id ends so: it has no dot


def admit(
    config: Config,
    what: Annotated[
        str,
        typer.Argument(
            metavar="TERMINAL|FILE.json", help="An id, or what a technician sent. 终端编号，或登记文件、投运报告"
        ),
    ],
    key_file: Annotated[
        str | None,
        typer.Option(
            help="With an id: 64 hex digits, mode 600; a relative name is from terminals.toml's folder. 密钥文件"
        ),
    ] = None,
    generation: Annotated[int, typer.Option(min=1, max=255, help="The key's generation. 密钥代号")] = 1,
    point: Annotated[
        list[str] | None,
        typer.Option(metavar="NUMBER:NAME:KIND[:RATED_W]", help="A measured point; again for each. 测点，可重复"),
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="With an id: esp32s3, rp2; releases for others are not offered. 板型")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take a terminal into terminals.toml; a running gateway sees it within seconds, at SIGHUP at once. 登记终端

    The file is replaced as a whole, and only if the result is valid. Of a technician's enrolment come terminal, board,
    points and key; of the report what was commissioned: meters, ratios, and from when on windows are due.
    """
    loaded = load(config)
    if what.endswith(DOCUMENT):
        if key_file is not None or point or board is not None:
            raise typer.BadParameter("with a file: no --key-file, --point, --board / 导入文件时不需要这些选项")
        told = _document(loaded, Path(what))
    elif key_file is None:
        raise typer.BadParameter("--key-file: with a terminal's id it must be there / 缺少 --key-file")
    else:
        keys = [{"generation": generation, "file": key_file}]
        row = {"id": what, "keys": keys, "points": [_point(text) for text in point or []]}
        told = _by_hand(loaded, row | ({"board": board} if board is not None else {}))
    pid = lock.running_pid(Path(loaded.data_dir))
    if as_json:
        print_json({**told, "reload_pid": pid})
        return
    typer.echo(f"{told['admitted']}: {told.get('document', 'terminal')}: admitted / 已登记 -> {loaded.terminals}")
    typer.echo(f"next / 下一步: kill -HUP {pid}" if pid else "the gateway does not run / 网关未运行")


def revoke(
    config: Config,
    terminal: Annotated[str, typer.Argument(help="Its id. 终端编号")],
    as_json: AsJson = False,
) -> None:
    """Refuse a terminal from now on: its keys count no more. 吊销终端

    Marks it as revoked in terminals.toml; a running gateway refuses it within seconds, without a restart. What it sent
    before stays in the journal. To take it back, give it a new key and delete the line `revoked`.
    """
    loaded = load(config)
    try:
        registry_edit.revoke(Path(loaded.terminals), terminal, datetime.now(UTC))
    except (ConfigError, OSError) as error:
        fail(*str(error).splitlines())
    pid = lock.running_pid(Path(loaded.data_dir))
    if as_json:
        print_json({"revoked": terminal, "running_pid": pid})
        return
    typer.echo(f"{terminal}: revoked / 已吊销 -> {loaded.terminals}")
    typer.echo(
        f"the gateway (pid {pid}) sees it within {WATCH_EVERY_S:.0f} s / 运行中的网关将在数秒内生效"
        if pid
        else "the gateway does not run / 网关未运行"
    )


def sealing_key_(config: Config, as_json: AsJson = False) -> None:
    """The public key that site plans name, so that terminals' keys reach this gateway alone. 网关公钥，供现场计划使用

    At the first call the key pair is made; its private part stays in a file beside gateway.toml, mode 600: keep a copy.
    """
    loaded = load(config)
    path = Path(loaded.commissioning.sealing_key_file)
    try:
        public = sealing.public_hex(sealing_key.make(path, registry.wrapping_at(Path(loaded.terminals))))
    except (OSError, ValueError, ConfigError) as error:
        fail(f"{path}: {error}")
    print_json({"sealing_key": public}) if as_json else typer.echo(public)


def _by_hand(loaded: GatewayConfig, row: dict[str, Any]) -> dict[str, Any]:
    path = Path(loaded.terminals)
    try:
        with registry_edit.alone(path):
            registry_edit.add(path, convert(row, registry.TerminalEntry, path))
    except (ConfigError, OSError) as error:
        fail(*str(error).splitlines())
    return {"admitted": row["id"]}


def _document(loaded: GatewayConfig, path: Path) -> dict[str, Any]:
    """Take what a technician sent, or end the command with why it is not taken."""
    try:
        with path.open("rb") as file:
            data = file.read(signed.BYTES_MAX + 1)
    except OSError as error:
        fail(f"{path}: can't be read / 无法读取: {error.strerror}")
    try:
        terminal, kind = taking.take(loaded, data, datetime.now(UTC))
    except admission.RefusedError as error:
        fail(f"{path}: {error.reason}: {error}")
    except (ConfigError, OSError, ValueError, sqlite3.Error, OlderSchemaError, NewerSchemaError) as error:
        fail(*str(error).splitlines())
    return {"admitted": terminal, "document": kind}


def _point(text: str) -> dict[str, Any]:
    """A point as the file has it; what is wrong with its parts is said by the file's own checks."""
    parts = text.split(":")
    if len(parts) not in {3, 4} or not all(part.isascii() and part.isdigit() for part in parts[:1] + parts[3:]):
        raise typer.BadParameter(
            f"{text!r}: allowed / 允许: NUMBER:NAME:KIND[:RATED_W], as 1:furnace:production:250000"
        )
    found: dict[str, Any] = {"number": int(parts[0]), "name": parts[1], "kind": parts[2]}
    return {**found, "rated_power_w": int(parts[3])} if len(parts) == 4 else found


def register(app: typer.Typer) -> None:
    """Add the commands to `wattline gateway`."""
    app.command(
        epilog=examples(
            "admit --config gateway.toml T0042 --key-file keys/T0042.hex --point 1:furnace:production:250000",
            "admit --config gateway.toml T0042.enrolment.json",
            "admit --config gateway.toml T0042.report.json",
        )
    )(admit)
    app.command(epilog=examples("revoke --config gateway.toml T0042", "revoke --config gateway.toml T0042 --json"))(
        revoke
    )
    app.command(name="sealing-key", epilog=examples("sealing-key --config gateway.toml"))(sealing_key_)
