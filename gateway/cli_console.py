"""`wattline gateway console` and `console-user`: the console, and who may use it."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli_common import AsJson, Config, examples, fail, load, print_json
from gateway.clock import SystemClock
from gateway.console import users
from gateway.console.house import House
from gateway.console.users import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, RoleName, UserEntry
from protocol.host.strict import ConfigError

PasswordFile = Annotated[
    Path | None, typer.Option(help="Its first line is the password; asked for if left out. 密码文件")
]


def console(config: Config, as_json: AsJson = False) -> None:
    """Serve the console on loopback until SIGTERM or Ctrl-C. A process beside `run` and `watch`. 网页控制台

    Needs `[console] users` in gateway.toml; `console-user` makes that file. Prints its address once it can be opened.
    """
    loaded = load(config)
    if loaded.console.users is None:
        fail(f"{config}: console.users: missing; it names the file of those who may log in / 缺少 console.users")
    try:
        from gateway.console import server  # noqa: PLC0415  what it needs comes with the extra `console`
    except ImportError:
        fail("starlette and uvicorn are missing / 缺少依赖: pip install 'wattline[console]'")
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


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("console", epilog=examples("console --config gateway.toml"))(console)
    app.command(
        "console-user",
        epilog=examples("console-user --config gateway.toml wang --role operator"),
    )(console_user)


def _say_ready(address: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"ready": True, "console": address})
    else:
        typer.echo(f"console / 控制台: {address}  (Ctrl-C ends it / 按 Ctrl-C 结束)")


def _password(file: Path | None) -> str:
    if file is None:
        return getpass.getpass("password / 密码: ")
    try:
        return file.read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError, UnicodeDecodeError) as error:
        fail(f"{file}: no password in it / 无法读取密码: {error}")
