"""`wattline gateway pki`: a fleet's own certificate authority."""

import getpass
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from gateway.cli_common import AsJson, examples, fail, print_json
from gateway.files import read_password, write_durably
from gateway.pki import broker
from gateway.pki.authority import CLIENT, SERVER, Authority
from gateway.pki.folder import Folder, PkiError
from protocol.host.tables import is_terminal_id

app = typer.Typer(no_args_is_help=True, help="A certificate authority for terminals and brokers. 证书机构")

T = TypeVar("T")
At = Annotated[Path, typer.Option("--folder", help="Of the authority; keep it off the broker's machine. 证书机构目录")]
Out = Annotated[Path, typer.Option(help="For certificate and key. 输出目录")]
PassFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="Its first line; else it is asked for. 口令文件"),
]
Days = Annotated[int | None, typer.Option(min=1, max=36_500, help="It ends then; else with the authority. 有效天数")]
HERE = Path("pki")


@app.command(epilog=examples("pki init --name 'County X terminals'"))
def init(
    name: Annotated[str, typer.Option(help="Of the authority, in its certificate. 名称")] = "Wattline",
    folder: At = HERE,
    passphrase_file: PassFile = None,
) -> None:
    """Make an authority; its key is encrypted with a passphrase. 创建证书机构"""
    _done(lambda: Folder(folder).create(name, _passphrase(passphrase_file), _now()))
    typer.echo(f"{folder}: made / 已创建; next / 下一步: pki broker HOST --out DIR")


@app.command("terminal", epilog=examples("pki terminal T0042 --out T0042"))
def terminal_(
    name: Annotated[str, typer.Argument(help="Its id. 终端编号")],
    out: Out,
    days: Days = None,
    folder: At = HERE,
    passphrase_file: PassFile = None,
    as_json: AsJson = False,
) -> None:
    """A certificate and key for a terminal: client.der, client.key.der, ca.der. 签发终端证书"""
    if not is_terminal_id(name) or name == broker.GATEWAY:
        fail(f"{name}: no terminal's id / 不是终端编号")
    _issue(folder, passphrase_file, name, out, end=_end(days), as_json=as_json, is_server=False)


@app.command(epilog=examples("pki renew T0042 --out renewed", "pki renew --all --days 730 --out renewed"))
def renew(
    out: Annotated[Path, typer.Option(help="Of NAME.der, a file a terminal. 输出目录")],
    name: Annotated[list[str] | None, typer.Argument(metavar="[TERMINAL]...", help="Their ids. 终端编号")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All that have one that counts. 全部")] = False,
    days: Days = None,
    folder: At = HERE,
    passphrase_file: PassFile = None,
    as_json: AsJson = False,
) -> None:
    """Other certificates over terminals' own keys, with who is to be believed: for `rotate --certificates`. 续期"""
    if every == bool(name):
        raise typer.BadParameter("terminals, or --all / 终端编号与 --all 二选一")
    own, place, unread = _opened(folder, passphrase_file), Folder(folder), list[PkiError]()
    known = _done(lambda: list(place.known(unread.append))) if every else []
    rows = []
    for one in name or sorted({one.name for one in known if not (one.is_server or one.revoked_s)}):
        made = _done(lambda one=one: place.renew(own, one, _end(days), out, _now()))  # type: ignore[misc]
        rows.append({"renewed": one, "serial": f"{made.serial_number:x}", "end": made.not_valid_after_utc.isoformat()})
    if as_json:
        print_json({"renewed": rows})
    else:
        typer.echo(f"{len(rows)} renewed / 已续期 -> {out}; next / 下一步: rotate --certificates {out} --all")
    _tell(unread)


@app.command("roll-ca", epilog=examples("pki roll-ca --name 'County X terminals 2'", "pki roll-ca --finish"))
def roll_ca(
    name: Annotated[str | None, typer.Option(help="Of the next authority. 新机构名称")] = None,
    *,
    finish: Annotated[bool, typer.Option("--finish", help="Believe the next one alone. 完成更换")] = False,
    folder: At = HERE,
    passphrase_file: PassFile = None,
) -> None:
    """Another authority, without a visit: it issues from now on, and both are believed until --finish. 更换证书机构

    The order stands in docs/operating-a-gateway.md. The key of the one before is gone after --finish.
    """
    if finish == bool(name):
        raise typer.BadParameter("--name, or --finish / --name 与 --finish 二选一")
    passphrase = _passphrase(passphrase_file)
    if name:
        _done(lambda: Folder(folder).roll(name, passphrase, _now()))
    else:
        _done(lambda: Folder(folder).finish(passphrase, _now()))
    text = "authorities.pem to the broker as ca.pem, and revoked.pem; restart it / 复制到服务器并重启"
    typer.echo(f"{folder}: done / 已完成; next / 下一步: {text}; then `pki renew --all`")


@app.command("broker", epilog=examples("pki broker mqtt.example.org --out broker"))
def broker_(
    name: Annotated[str, typer.Argument(metavar="HOST", help="The name or address terminals reach it by. 主机名")],
    out: Out,
    folder: At = HERE,
    passphrase_file: PassFile = None,
    as_json: AsJson = False,
) -> None:
    """A certificate and key for a broker: server.pem, server.key, ca.pem. 签发服务器证书"""
    _issue(folder, passphrase_file, name, out, as_json=as_json, is_server=True)


@app.command(epilog=examples("pki revoke T0042"))
def revoke(
    name: Annotated[str, typer.Argument(help="Whose certificates count no more. 名称")],
    folder: At = HERE,
    passphrase_file: PassFile = None,
    as_json: AsJson = False,
) -> None:
    """All certificates of a name count no more, once the broker has revoked.pem and got SIGHUP. 吊销证书"""
    own = _opened(folder, passphrase_file)
    serials = _done(lambda: Folder(folder).revoke(own, name, _now()))
    if as_json:
        print_json({"revoked": name, "serials": [f"{one:x}" for one in serials]})
    else:
        typer.echo(f"{name}: {len(serials)} revoked / 已吊销 -> {folder / 'revoked.pem'}")
        typer.echo("next / 下一步: copy it to the broker, then send mosquitto SIGHUP / 复制到服务器并重载")


@app.command("list", epilog=examples("pki list --json"))
def list_(folder: At = HERE, as_json: AsJson = False) -> None:
    """What was issued. 列出已签发证书"""
    unread = list[PkiError]()
    found = _done(lambda: list(Folder(folder).known(unread.append)))
    if as_json:
        rows = [
            {
                **one._asdict(),
                "serial": f"{one.serial:x}",
                "end": one.end.isoformat(),
                "revoked_s": one.revoked_s or None,
            }
            for one in found
        ]
        print_json({"issued": rows})
    for one in [] if as_json else found:
        state = "revoked / 已吊销" if one.revoked_s else f"until {one.end:%Y-%m-%d}"
        typer.echo(f"{one.name:<32}  {'server' if one.is_server else 'terminal'}  {one.serial:x}  {state}")
    _tell(unread)


@app.command("broker-config", epilog=examples("pki broker-config --terminals 7056 --out /etc/mosquitto/wattline"))
def broker_config(
    terminals: Annotated[int, typer.Option(min=1, max=100_000, help="Of the fleet. 终端数")],
    out: Annotated[Path, typer.Option(help="For both files. 输出目录")],
    port: Annotated[int, typer.Option(min=1, max=65_535, help="For terminals. 终端端口")] = 8883,
    gateway_port: Annotated[int, typer.Option(min=1, max=65_535, help="For the gateway, on loopback. 网关端口")] = 1883,
) -> None:
    """mosquitto.conf and wattline.acl for a fleet, with bounds that fit it. 生成 mosquitto 配置"""

    def write() -> None:
        out.mkdir(parents=True, exist_ok=True)
        text = broker.configuration(terminals, out.resolve(), port, gateway_port)
        write_durably(out / "mosquitto.conf", text.encode())
        write_durably(out / "wattline.acl", broker.ACL.encode())

    _done(write)
    typer.echo(f"{out / 'mosquitto.conf'}, {out / 'wattline.acl'}: written / 已生成")


def register(group: typer.Typer) -> None:
    """Add the commands."""
    group.add_typer(app, name="pki")


def _issue(
    folder: Path,
    file: Path | None,
    name: str,
    out: Path,
    *,
    as_json: bool,
    is_server: bool,
    end: datetime | None = None,
) -> None:
    own = _opened(folder, file)
    issued = _done(lambda: Folder(folder).issue(own, name, SERVER if is_server else CLIENT, out, _now(), end))
    serial = f"{issued.certificate.serial_number:x}"
    print_json({"issued": name, "serial": serial}) if as_json else typer.echo(f"{name}: {serial} -> {out}")


def _end(days: int | None) -> datetime | None:
    """When a certificate ends; None: with the authority."""
    return None if days is None else _now() + timedelta(days=days)


def _now() -> datetime:
    return datetime.now(UTC)


def _tell(unread: list[PkiError]) -> None:
    """Of certificates that can't be read: all else is done by then."""
    if unread:
        fail("\n".join(map(str, unread)))


def _opened(folder: Path, file: Path | None) -> list[Authority]:
    return _done(lambda: Folder(folder).open(_passphrase(file)))


def _done(work: Callable[[], T]) -> T:
    try:
        return work()
    except (PkiError, OSError, ValueError) as error:
        fail(str(error))


def _passphrase(file: Path | None) -> str:
    if file is None:
        return getpass.getpass("passphrase / 口令: ")
    return (_done(lambda: read_password(str(file))) or "").partition("\n")[0].rstrip("\r")
