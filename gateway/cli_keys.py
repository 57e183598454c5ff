"""`wattline gateway keys`: the key files, sealed under a wrapping key that is kept somewhere else."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import typer

from gateway import registry_edit
from gateway.cli_common import NOT_WELL, AsJson, Config, examples, fail, load, print_json
from gateway.cli_damage import App
from gateway.keys import stock
from gateway.keys.stock import Stock, StockError
from gateway.keys.wrapping import CREDENTIAL, VARIABLE
from protocol.host.strict import ConfigError

app = App(no_args_is_help=True, help="Key files, sealed at rest. 密钥文件加密存放")
T = TypeVar("T")
MAKE = "(umask 077 && openssl rand -hex 32 > /etc/wattline-keys/wrapping.key)"


@app.command(epilog=examples("keys seal --config gateway.toml"))
def seal(config: Config, as_json: AsJson = False) -> None:
    """Seal every key file that is in plain, or under an older wrapping key. 加密全部密钥文件

    The gateway may run. Killed at any moment, it goes on when it is called again. What lay on the disk in plain may be
    found there, and in backups, for some time yet.
    """
    done = _alone(config, lambda found: _with_wrap(found).seal())
    _say("sealed", done, "已加密", as_json=as_json)


@app.command(epilog=examples("keys unseal --config gateway.toml"))
def unseal(config: Config, as_json: AsJson = False) -> None:
    """Lay every key file in plain; then the wrapping key is not needed any more. 解密全部密钥文件"""
    done = _alone(config, lambda found: found.unseal())
    _say("unsealed", done, "已解密", as_json=as_json)


@app.command(epilog=examples("keys rewrap --config gateway.toml"))
def rewrap(config: Config, as_json: AsJson = False) -> None:
    """Draw another wrapping key into the file that terminals.toml names, and seal every key file under it. 更换主密钥

    The earlier ones stay in the file, below it: backups of key files need them. Delete their lines when none does.
    """

    def work(found: Stock) -> int:
        if _with_wrap(found).wrapping_key_file is None:
            text = f"put the new one in front of the others in {found.wrapping.source}, restart, then `keys seal`"
            fail(f"no wrapping_key_file in terminals.toml: {text} / 请手工把新主密钥放在最前，重启后执行 keys seal")
        found.draw()
        return Stock(load(config)).seal()

    _say("sealed", _alone(config, work), "已用新主密钥加密", as_json=as_json)


@app.command(epilog=examples("keys check --config gateway.toml"))
def check(config: Config, as_json: AsJson = False) -> None:
    """Open every key file: how it lies there, and whether two have one key. 检查密钥文件

    Ends with 1 if one can't be opened, is in plain, lies under an older wrapping key, or has the same key as another.
    """
    found = _done(lambda: Stock(load(config)))
    states, equal = _done(found.counted)
    unread = _done(found.unread)
    counts = {state: states[state] for state in (stock.SEALED, stock.OLDER, stock.PLAIN)}
    is_well = not equal and not unread and not counts[stock.OLDER] and not counts[stock.PLAIN]
    if as_json:
        print_json({"ok": is_well, **counts, "unread": unread, "equal": equal, "wrapping_keys": len(found.wrapping)})
    else:
        source = found.wrapping.source or "no wrapping key / 没有主密钥"
        typer.echo(f"{source}: " + ", ".join(f"{state} {count}" for state, count in counts.items()))
        for text in unread:
            typer.echo(text)
        for names in equal:
            typer.echo(f"one key / 密钥相同: {', '.join(names)}; give each its own / 请分别更换")
    if not is_well:
        raise typer.Exit(NOT_WELL)


def register(group: typer.Typer) -> None:
    """Add the commands."""
    group.add_typer(app, name="keys")


def _alone(config: Path, work: Callable[[Stock], int]) -> int:
    """What is done while nobody else changes terminals.toml or admits a terminal; what has rotted is named beside."""
    loaded = load(config)

    def locked() -> int:
        with registry_edit.alone(Path(loaded.terminals)):
            done = work(Stock(loaded))
            for text in Stock(loaded).unread():
                typer.echo(f"{text}: left as it is / 未处理", err=True)
            return done

    return _done(locked)


def _with_wrap(found: Stock) -> Stock:
    if not found.wrapping:
        ways = f'wrapping_key_file = "FILE" in terminals.toml, the credential {CREDENTIAL}, or {VARIABLE}'
        fail(f"no wrapping key / 没有主密钥: {MAKE}, then name it / 然后指定: {ways}")
    return found


def _done(work: Callable[[], T]) -> T:
    try:
        return work()
    except (StockError, ConfigError, OSError) as error:
        fail(*str(error).splitlines())


def _say(word: str, count: int, text: str, *, as_json: bool) -> None:
    print_json({word: count}) if as_json else typer.echo(f"{count} {word} / {text}")
