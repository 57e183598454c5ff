"""`wattline gateway backup`, `restore` and `upgrade`."""

import sqlite3
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway import lock
from gateway.backup import upgrade as upgrading
from gateway.backup.backup import backup as make
from gateway.backup.restore import restore as put_back
from gateway.backup.stores import BackupError
from gateway.cli_common import AsJson, Config, examples, fail, load, print_json, time_text
from gateway.clock import SystemClock
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.rotation import ahead
from gateway.rotation import store as rotation


def backup(
    config: Config,
    out: Annotated[Path, typer.Option("--out", help="The folder to make; it must not exist yet. 备份目录（新建）")],
    as_json: AsJson = False,
) -> None:
    """Copy journal, quarantine and sinks' state, while the gateway runs or not. 备份

    Everything acknowledged before the call is in it. Keys and configuration are not: back them up by themselves.
    """
    loaded = load(config)
    try:
        found = make(Path(loaded.data_dir), out, SystemClock().now_ms)
    except BackupError as error:
        fail(str(error))
    size = sum(one.bytes for one in found.files)
    if as_json:
        print_json({"backup": str(out), "bytes": size, **msgspec.to_builtins(found)})
    else:
        files = ", ".join(one.name for one in found.files)
        typer.echo(f"{out}: {files}; {size} bytes; up to record {found.last_record} / 备份完成")


def restore(
    config: Config,
    from_: Annotated[Path, typer.Option("--from", help="A folder that `backup` made. 备份目录")],
    force: Annotated[
        Path | None,
        typer.Option("--force", metavar="DATA_DIR", help="Replace what this data_dir holds. 替换此目录中的数据"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup into data_dir, all of it or nothing; neither the gateway nor a watch may run. 恢复

    What the gateway acknowledged after the backup is gone, unless a terminal still holds it. Replaced files are kept
    aside, in data_dir/replaced-TIME. unheard: terminals that changed their keys after the backup, as far as can be seen
    in what was replaced.
    """
    loaded = load(config)
    data_dir = Path(loaded.data_dir)
    if force is not None and force.resolve() != data_dir.resolve():
        fail(f"--force {force}: data_dir is {data_dir} / 与配置中的 data_dir 不一致")
    try:
        with lock.held(data_dir), lock.watch_lock(data_dir, alone=True):
            found, aside = put_back(from_, data_dir, SystemClock().now_ms(), force=force is not None)
    except (BackupError, lock.AlreadyRunningError, OSError) as error:
        fail(str(error))
    made, unheard = time_text(found.began_ms), _unheard(aside, data_dir)
    if as_json:
        print_json(
            {
                "restored": str(data_dir),
                "made": made,
                "last_record": found.last_record,
                "files": [one.name for one in found.files],
                "replaced": None if aside is None else str(aside),
                "unheard": unheard,
            }
        )
        return
    typer.echo(f"{data_dir}: as of {made}, up to record {found.last_record} / 已恢复至备份时刻")
    if aside is not None:
        typer.echo(f"what was there is in / 原有数据移至: {aside}")
    if unheard:
        typer.echo(
            f"changed their keys since, and can't be heard / 此后更换过密钥、无法接收的终端: {', '.join(unheard)}"
        )
        typer.echo(f"before the gateway starts / 启动网关前执行: cp -p {aside}/{rotation.FILE}* {data_dir}/")
    typer.echo(
        "once terminals have sent, `check` names those whose keys are newer than the backup"
        " / 终端上传后，`check` 会列出密钥比备份新的终端"
    )


def _unheard(aside: Path | None, data_dir: Path) -> list[str]:
    """The terminals whose keys were replaced by older ones; what is said where that can't be seen any more."""
    try:
        return [] if aside is None else ahead.than(aside, data_dir)
    except sqlite3.Error as error:
        typer.echo(f"{aside}/{rotation.FILE}: can't be read / 无法读取: {error}", err=True)
        return []


def upgrade(
    config: Config,
    copy_to: Annotated[
        Path | None, typer.Option(help="Where the copy goes; it must not exist yet. data_dir if left out. 副本目录")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy stores of an older version and migrate them, as the next start would; the gateway must not run. 升级数据库

    For where data_dir's disk has no room for the copy. `restore --from` the copy is the way back to the older version.
    """
    data_dir = Path(load(config).data_dir)
    try:
        with lock.held(data_dir):
            copy = upgrading.prepare(data_dir, SystemClock().now_ms, copy_to)
    except (BackupError, NewerSchemaError, StoreUnavailableError, lock.AlreadyRunningError, OSError) as error:
        fail(str(error))
    if as_json:
        print_json({"upgraded": copy is not None, "copy": None if copy is None else str(copy)})
    elif copy is None:
        typer.echo(f"{data_dir}: nothing is older / 无需升级")
    else:
        typer.echo(f"{data_dir}: upgraded; what was before is in / 已升级，原数据副本: {copy}")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup", epilog=examples("backup --config gateway.toml --out /backup/2026-03-01"))(backup)
    app.command(
        "restore",
        epilog=examples(
            "restore --config gateway.toml --from /backup/2026-03-01",
            "restore --config gateway.toml --from /backup/2026-03-01 --force /srv/wattline/data",
        ),
    )(restore)
    app.command(
        "upgrade",
        epilog=examples(
            "upgrade --config gateway.toml", "upgrade --config gateway.toml --copy-to /mnt/other/before-upgrade"
        ),
    )(upgrade)
