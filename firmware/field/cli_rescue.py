"""`wattline field doctor`, `logs`, `pull`, `backup`, `restore`, `replace`: a terminal in trouble, over its console."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from firmware.field import files
from firmware.field.board.link import BAUD, Link
from firmware.field.cli_board import EXIT, AsJson, Baud, DryRun, Port, chosen, finish, say, told
from firmware.field.outcome import Finding, Outcome, passed
from firmware.field.rescue import asking, doctor, keeping
from protocol import record
from protocol.host import pulled
from protocol.host.event_names import EVENT_NAMES
from protocol.host.printable import printable_json

_RECORDS_MAX = 5000  # a week of one terminal
Out = Annotated[Path | None, typer.Option(dir_okay=False, help="Where to; named by the terminal if left out. 输出文件")]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What `backup` made. 备份文件")]


def doctor_(port: Port = None, baud: Baud = BAUD, as_json: AsJson = False) -> None:
    """One page to paste into a ticket: a finding and an advice for each thing; no secret in it. 诊断终端"""
    with _asked(port, baud) as link:
        facts = asking.facts(link)
        records = asking.newest_records(link, facts["next"] - 1)
        outcome = doctor.judge(facts, records, int(time.time()))
    if not as_json:
        say(f"{link.port}  {printable_json(facts)}")
    finish(outcome, as_json=as_json)


def logs(
    port: Port = None,
    baud: Baud = BAUD,
    records: Annotated[
        int, typer.Option(min=1, max=_RECORDS_MAX, help="How many of the newest. 条数")
    ] = asking.RECORDS,
    as_json: AsJson = False,
) -> None:
    """The newest records of its log in words: windows in short, events with their values. 查看终端日志"""
    with _asked(port, baud) as link:
        found = asking.newest_records(link, asking.facts(link)["next"] - 1, records)
    for one in found:
        row = _row(one)
        typer.echo(json.dumps(row) if as_json else "  ".join(str(value) for value in row.values()))


def pull(port: Port = None, baud: Baud = BAUD, out: Out = None, as_json: AsJson = False) -> None:
    """All that the gateway has not acknowledged, as frames that it seals, for `wattline gateway take`. 取走记录

    The records stay on the terminal until the gateway acknowledges them to itself; what it sends then are repetitions.
    """
    with _asked(port, baud) as link:
        terminal = asking.terminal_name(link)
        place = out or Path(f"{terminal}.frames")
        part = place.with_name(place.name + ".part")
        frames = records = 0
        with part.open("wb") as file:
            for count, frame in asking.pending_frames(link):
                file.write(pulled.line(pulled.Pulled(terminal, frame)))
                frames, records = frames + 1, records + count
        part.replace(place)
    finding = Finding("pulled", f"{records} records in {place}", f"已取出 {records} 条记录：{place}")
    finish(passed("pull", finding, file=str(place), frames=frames, records=records), as_json=as_json)


def backup(port: Port = None, baud: Baud = BAUD, out: Out = None, as_json: AsJson = False) -> None:
    """Its configuration in a file; no key, no password, no record: `pull` takes those. 备份终端配置"""
    with _asked(port, baud) as link:
        found = keeping.take(link, *_whose(link))
        place = out or Path(f"{found.terminal}.backup.zip")
        files.write(place, keeping.pack(found))
    finding = Finding("kept", f"{len(found.files)} files of {found.terminal} in {place}", f"已备份到 {place}")
    finish(passed("backup", finding, file=str(place), names=sorted(found.files)), as_json=as_json)


def restore(file: File, port: Port = None, baud: Baud = BAUD, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """A backup back on the board that it is of. 恢复终端配置"""
    finish(_put_back("restore", file, (port, baud), dry_run=dry_run), as_json=as_json)


def replace(file: File, port: Port = None, baud: Baud = BAUD, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """A backup onto another board that takes a terminal's place: after `install` and `provision` of it. 更换硬件

    Its log begins with an epoch of its own, which the gateway sees begin. What the old one still has, `pull` takes.
    """
    finish(_put_back("replace", file, (port, baud), dry_run=dry_run), as_json=as_json)


def _put_back(step: str, file: Path, where: tuple[str | None, int], *, dry_run: bool) -> Outcome:
    with _asked(*where) as link:
        found = keeping.unpack(file.read_bytes(), file.name)
        folder, terminal, chip_id = _whose(link)
        keeping.refuse_unfit(found, terminal, chip_id, is_replacement=step == "replace")
        names = sorted(found.files) if dry_run else keeping.put(link, folder, found)
    if dry_run:
        finding = Finding("would_change", f"would be put on {terminal}", f"将写入终端 {terminal}")
    else:
        finding = Finding(
            "restored", f"{len(names)} files put on {terminal}", f"已向 {terminal} 写入 {len(names)} 个文件"
        )
    return passed(step, finding, names=names)


def _whose(link: Link) -> tuple[str, str, str | None]:
    """(the data's folder, terminal, chip)."""
    terminal = asking.terminal_name(link)
    folder, chip_id = json.loads(link.run(asking.WHERE))
    return folder, terminal, chip_id


@contextmanager
def _asked(port: str | None, baud: int) -> Iterator[Link]:
    with told(), Link(chosen(port), baud) as link:
        yield link


def _row(one: record.Record) -> dict[str, Any]:
    body = one.body
    at_s = body.time_s if one.type == record.EVENT else body.start_s
    head = {"seq": one.seq, "time": datetime.fromtimestamp(at_s, UTC).isoformat() if at_s else None, "boot": body.boot}
    if one.type == record.WINDOW:
        read = sum(isinstance(reading, record.Reading) for reading in body.readings)
        return {**head, "what": "window", "points": read, "of": len(body.readings)}
    name, meanings = EVENT_NAMES.get(body.code, (f"code {body.code}", ()))
    return {**head, "what": name, "point": body.point, "values": dict(zip(meanings, body.values, strict=False))}


def register(app: typer.Typer) -> None:
    """Add the commands to `wattline field`."""

    def add(name: str, function: Any, example: str, status: str = EXIT) -> None:
        app.command(name, epilog=f"Examples / 示例:\n\n  wattline field {example}\n\n{status}")(function)

    add("doctor", doctor_, "doctor --port COM3", EXIT.replace("0 done", "0 all is well, 1 something is wrong"))
    add("logs", logs, "logs --records 500")
    add("pull", pull, "pull --out T0042.frames")
    add("backup", backup, "backup --port /dev/ttyUSB0")
    add("restore", restore, "restore T0042.backup.zip --dry-run")
    add("replace", replace, "replace T0042.backup.zip")
