"""`wattline gateway console`, `console-user`, `console-audit`: the console, who may use it, and who did what."""

import getpass
import importlib.util
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from gateway import memory
from gateway.cli_common import NOT_WELL, AsJson, Config, examples, fail, load, print_json, time_text
from gateway.clock import SystemClock
from gateway.console import users
from gateway.console.audit import Audit
from gateway.console.house import House
from gateway.console.users import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, RoleName, UserEntry
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.files import read_password
from protocol.host.printable import printable
from protocol.host.strict import ConfigError

PasswordFile = Annotated[
    Path | None, typer.Option(help="Its first line is the password; asked for if left out. 密码文件")
]


def console(config: Config, as_json: AsJson = False) -> None:
    """Serve the console on loopback until SIGTERM or Ctrl-C. A process beside `run` and `watch`. 网页控制台

    Needs `console.users` in gateway.toml; `console-user` makes that file. Prints its address once it can be opened.
    """
    memory.leave_no_core()
    loaded = load(config)
    if loaded.console.users is None:
        fail(f"{config}: console.users: missing; it names the file of those who may log in / 缺少 console.users")
    try:
        from gateway.console import server  # noqa: PLC0415  what it needs comes with the extra `console`
    except ImportError:
        fail("starlette and uvicorn are missing / 缺少依赖: pip install 'wattline[console]'")
    if loaded.console.oidc is not None and importlib.util.find_spec("authlib") is None:
        fail("console.oidc: authlib is missing / 缺少依赖: pip install 'wattline[oidc]'")
    try:
        server.serve(
            House(loaded, config.resolve(), SystemClock()),
            users.load(Path(loaded.console.users)),
            lambda address, _stop: _say_ready(address, as_json=as_json),
        )
    except ConfigError as error:
        fail(*(str(problem) for problem in error.problems))
    except KeyboardInterrupt:
        typer.echo("ended / 已结束", err=True)
    except OSError as error:
        fail(f"{loaded.console.host}:{loaded.console.port}: {error}")


def console_user(
    config: Config,
    name: Annotated[str, typer.Argument(help="1 to 32 of A-Z a-z 0-9 _ -. 用户名")],
    role: Annotated[RoleName, typer.Option(help="What it may do. 权限")] = "viewer",
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a user of the console, or give one another role and password; the console takes it at its next start. 用户

    The password is asked for, and only its scrypt hash is kept.
    """
    loaded = load(config)
    if loaded.console.users is None:
        fail(f"{config}: console.users: missing; name a file there / 缺少 console.users")
    password = _password(password_file)
    if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
        fail(f"a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters / 密码长度不符")
    try:
        count = users.put(Path(loaded.console.users), UserEntry(name=name, role=role, password=users.hashed(password)))
    except (ConfigError, OSError) as error:
        fail(*str(error).splitlines())
    if as_json:
        print_json({"user": name, "role": role, "users": count})
    else:
        typer.echo(f"{name}: {role}; {count} users / 个用户")


def console_audit(
    config: Config,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, newest first. 最多条数")] = 50,
    as_json: AsJson = False,
) -> None:
    """Who changed what by the console, and whether the log is whole: each row is chained to the one before. 操作日志

    Ends with 1 if a row was edited, deleted or put in. Keep `head` elsewhere: it tells whether the end was cut off.
    """
    try:
        with closing(Audit(Path(load(config).data_dir))) as audit:
            entries, faults, head = audit.newest(limit), list(audit.faults()), audit.head()
    except (StoreUnavailableError, NewerSchemaError) as error:
        fail(str(error))
    if as_json:
        print_json({"head": head, "faults": faults, "entries": [one._asdict() for one in entries]})
    else:
        for one in entries:
            typer.echo(printable(f"{time_text(one.at_ms)}  {one.who:<16}  {one.status}  {one.action}  {one.asked}"))
        for fault in faults:
            typer.echo(fault)
        typer.echo(f"head / 链首: {head}")
    if faults:
        raise typer.Exit(NOT_WELL)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("console", epilog=examples("console --config gateway.toml"))(console)
    app.command(
        "console-user",
        epilog=examples("console-user --config gateway.toml wang --role operator"),
    )(console_user)
    app.command("console-audit", epilog=examples("console-audit --config gateway.toml --json"))(console_audit)


def _say_ready(address: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"ready": True, "console": address})
    else:
        typer.echo(f"console / 控制台: {address}  (Ctrl-C ends it / 按 Ctrl-C 结束)")


def _password(file: Path | None) -> str:
    if file is None:
        return getpass.getpass("password / 密码: ")
    try:
        return (read_password(str(file)) or "").partition("\n")[0].rstrip("\r")
    except OSError as error:
        fail(f"{file}: no password in it / 无法读取密码: {error.strerror}")
