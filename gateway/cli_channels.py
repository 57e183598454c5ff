"""`wattline gateway channels`: whom the watch tells of alarms, how that goes, and whether it would arrive."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli_common import (
    NOT_WELL,
    AsJson,
    AsLines,
    Config,
    examples,
    fail,
    load,
    load_channels,
    load_enterprises,
    print_json,
    time_text,
)
from gateway.cli_damage import App
from gateway.clock import SystemClock
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.watch.dispatch.channels import AnyChannel
from gateway.watch.dispatch.dispatcher import sender_of
from gateway.watch.dispatch.message import trial
from gateway.watch.dispatch.post import Post, Standing
from gateway.watch.dispatch.sender import REFUSED, ChangesRefusedError, ChannelError
from gateway.watch.enterprises import Enterprise
from protocol.host.printable import printable

app = App(no_args_is_help=True, help="Whom alarms are told to, and how that goes. 报警通道")
Named = Annotated[str, typer.Argument(metavar="NAME", help="As channels.toml has it. 通道名称")]


@app.command(
    "list", epilog=examples("channels list --config gateway.toml", "channels list --config gateway.toml --json")
)
def list_(config: Config, as_json: AsLines = False) -> None:
    """Each channel: how it is, what it was told, what waits. Ends with 1 if one is not well. 列出通道"""
    (channels, _), is_well = _channels(config), True
    try:
        with closing(Post(Path(load(config).data_dir))) as post:
            for one in channels:
                standing = post.standing(one)
                print_json(_as_json(one, standing)) if as_json else typer.echo(printable(_as_text(one, standing)))
                is_well &= not standing.reason
    except (StoreUnavailableError, NewerSchemaError) as error:
        fail(str(error))
    if not is_well:
        raise typer.Exit(NOT_WELL)


@app.command("test", epilog=examples("channels test --config gateway.toml duty"))
def try_(config: Config, name: Named, as_json: AsJson = False) -> None:
    """Send a test message over a channel, now, and say what came of it. 测试通道"""
    channels, known = _channels(config)
    entry = next((one for one in channels if one.name == name), None)
    if entry is None:
        fail(f"{name}: no such channel / 没有此通道: {', '.join(one.name for one in channels) or '-'}")
    clock, reason, text = SystemClock(), "", "confirmed / 已确认"
    message = trial(clock.now_ms())
    try:
        sender_of(entry, clock, Path(load(config).data_dir), known).send(message)
    except ChannelError as error:
        reason, text = error.reason, str(error)
    except ChangesRefusedError as error:
        reason, text = REFUSED, str(error)
    if as_json:
        print_json({"channel": name, "id": message.id, "ok": not reason, "reason": reason, "detail": text})
    else:
        said = f"{name}: {reason}: {text}" if reason else f"{name}: {text} ({message.id})"
        typer.echo(printable(said), err=bool(reason))
    if reason:
        raise typer.Exit(NOT_WELL)


def _channels(config: Path) -> tuple[tuple[AnyChannel, ...], list[Enterprise]]:
    loaded = load(config)
    if loaded.channels is None:
        fail(f"{config}: channels: missing; it names the file that says whom to tell / 缺少 channels")
    known = load_enterprises(config, loaded) if loaded.enterprises else []
    return load_channels(loaded, known).channels, known


def _as_json(one: AnyChannel, standing: Standing) -> dict[str, object]:
    found: dict[str, object] = {"name": one.name, "kind": one.__struct_config__.tag, "state": _state(standing)}
    counts = standing._asdict()
    since_ms = counts.pop("since_ms")
    return found | counts | {"since": None if since_ms is None else time_text(since_ms)}


def _as_text(one: AnyChannel, standing: Standing) -> str:
    detail = f": {standing.reason}: {standing.detail}" if standing.reason else ""
    counts = ", ".join(
        f"{name} {getattr(standing, name)}" for name in ("waiting", "told", "digests", "given_up", "lost")
    )
    return f"{one.name:<16}  {one.__struct_config__.tag:<8}  {_state(standing)}  {counts}{detail}"


def _state(standing: Standing) -> str:
    return "not started" if standing.since_ms is None else "failing" if standing.reason else "ok"
