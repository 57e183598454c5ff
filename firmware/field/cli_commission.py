"""`wattline field commission` and its steps alone: provision, test, report; the label; the technician's key."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from firmware.field import cli_site, cli_wiring, files
from firmware.field.board import ports
from firmware.field.board.errors import PortError
from firmware.field.cli_board import Port, chosen
from firmware.field.cli_install import Firmware, Image, refuse_uf2
from firmware.field.commission import flow, session, steps
from firmware.field.commission.session import Session, SessionError
from firmware.field.commission.steps import Step
from firmware.field.commission.work import Signer, Work
from firmware.field.outcome import BAD, NO_ANSWER, STATE_WORDS, Outcome
from firmware.field.record import label, technician
from firmware.field.site import Site
from protocol.host import commissioning, signed
from protocol.host.strict import ConfigError, convert

EXIT = (
    "Exit status / 退出码: 0 done, 1 the step's finding is bad (it says what), 2 usage, "
    "3 port, cable or board does not answer, 4 the board or the gateway refused."
)
BusPort = Annotated[
    str | None, typer.Option(help="An RS-485 adapter on the meters' bus; else the board asks. 电表总线适配器串口")
]
Terminal = Annotated[str | None, typer.Option(help="Which terminal of the plan. 计划中的终端")]
Folder = Annotated[Path | None, typer.Option(help="Session, enrolment, report; the plan's if not said. 工作目录")]
Key = Annotated[Path, typer.Option(help="The technician's key, NAME.pem. 技术员密钥")]
Photo = Annotated[list[Path] | None, typer.Option(help="A picture; its hash goes into the report. 照片，可重复")]
Note = Annotated[str, typer.Option(help="A line for the report. 备注")]
Erase = Annotated[bool, typer.Option("--erase", help="Another terminal's data on the board may go. 清除其他终端数据")]
Generation = Annotated[
    int | None, typer.Option(min=1, max=255, help="Of the key that is made; as before, or 1, if not said. 密钥代号")
]
Timeout = Annotated[float, typer.Option(min=5, max=3600, help="Of the test upload, seconds. 测试上报超时")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done. 只显示将要执行的步骤")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object. 输出 JSON")]


@dataclass(frozen=True)
class Given:
    """What the options of any of the commands say."""

    file: Path
    terminal: str | None
    key: Path
    folder: Path | None = None
    port: str = ""
    bus_port: str | None = None
    erase: bool = False
    generation: int | None = None
    timeout_s: float = 120.0
    photos: tuple[Path, ...] = ()
    note: str = ""
    quiet: bool = False


def commission(  # noqa: PLR0913, PLR0917  (a command's options are its parameters)
    file: cli_site.PlanFile,
    key: Key,
    port: Port = None,
    terminal: Terminal = None,
    bus_port: BusPort = None,
    firmware: Firmware = None,
    image: Image = None,
    folder: Folder = None,
    start: Annotated[str | None, typer.Option("--from", help="Begin with this step. 从该步骤开始")] = None,
    skip: Annotated[
        list[str] | None, typer.Option(help=f"Do without: {', '.join(steps.SKIPPABLE)}; the report says so. 跳过步骤")
    ] = None,
    running: cli_wiring.Running = None,
    clamp: cli_wiring.Clamp = None,
    uneven: cli_wiring.Uneven = None,
    photo: Photo = None,
    note: Note = "",
    erase: Erase = False,
    generation: Generation = None,
    timeout: Timeout = 120.0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """From a blank board to a terminal that the gateway has heard, step by step. 现场投运，一步到底

    What was broken off goes on there: call it again. Each step's outcome is kept in ID.session.json.
    """
    names = [step.name for step in steps.STEPS]
    if start is not None and start not in names:
        raise typer.BadParameter(f"{start}: one of / 可选: {', '.join(names)}", param_hint="--from")
    if unknown := set(skip or []) - set(steps.SKIPPABLE):
        raise typer.BadParameter(f"{unknown.pop()}: one of / 可选: {', '.join(steps.SKIPPABLE)}", param_hint="--skip")
    refuse_uf2(firmware)
    at = _port(port, dry_run=dry_run)
    given = Given(
        file, terminal, key, folder, at, bus_port, erase, generation, timeout, tuple(photo or ()), note, as_json
    )
    work = _work(given)
    numbers = [one.number for one in work.terminal.points]
    ask = cli_wiring.asker(numbers, running or [], clamp or [], uneven or [], quiet=as_json)
    work = replace(work, ask=ask, skip=tuple(skip or ()), firmware=firmware, image=image)
    kept = _session(work)
    wanted = flow.todo(kept, start)
    if dry_run:
        _say_wanted(work, kept, wanted, as_json=as_json)
        raise typer.Exit(0)
    raise typer.Exit(_run(work, kept, wanted, as_json=as_json))


def provision(  # noqa: PLR0913, PLR0917  (a command's options are its parameters)
    file: cli_site.PlanFile,
    key: Key,
    port: Port = None,
    terminal: Terminal = None,
    folder: Folder = None,
    erase: Erase = False,
    generation: Generation = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Identity, key, network, certificates, configuration onto the board; an enrolment. 写入身份与配置"""
    given = Given(
        file, terminal, key, folder, _port(port, dry_run=dry_run), erase=erase, generation=generation, quiet=as_json
    )
    _one(given, "provision", dry_run=dry_run, as_json=as_json)


def upload_(  # noqa: PLR0913, PLR0917  (a command's options are its parameters)
    file: cli_site.PlanFile,
    key: Key,
    port: Port = None,
    terminal: Terminal = None,
    folder: Folder = None,
    timeout: Timeout = 120.0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Start the terminal, and wait until the gateway has acknowledged a record of it. 测试上报"""
    given = Given(file, terminal, key, folder, _port(port, dry_run=dry_run), timeout_s=timeout, quiet=as_json)
    _one(given, "test", dry_run=dry_run, as_json=as_json)


def report_(  # noqa: PLR0913, PLR0917  (a command's options are its parameters)
    file: cli_site.PlanFile,
    key: Key,
    terminal: Terminal = None,
    folder: Folder = None,
    photo: Photo = None,
    note: Note = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make the signed report, its page and the label anew, out of the session. 生成签名报告与标签"""
    given = Given(file, terminal, key, folder, photos=tuple(photo or ()), note=note, quiet=as_json)
    _one(given, "report", dry_run=dry_run, as_json=as_json)


def label_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A report, ID.report.json. 投运报告")],
    width: Annotated[float, typer.Option(min=20, max=200, help="In millimetres. 宽（毫米）")] = label.Size().width,
    height: Annotated[float, typer.Option(min=12, max=200, help="In millimetres. 高（毫米）")] = label.Size().height,
    dpi: Annotated[int, typer.Option(min=100, max=1200, help="Of the label printer. 打印分辨率")] = label.DPI,
) -> None:
    """A label of another size out of a report: ID.label.svg and ID.label.png beside it. 生成标签"""
    try:
        with file.open("rb") as stream:
            body = signed.parse(stream.read(signed.BYTES_MAX + 1)).body
        convert(body, commissioning.Report, file)
        shown = label.of_report(body, commissioning.digest(body))
    except (signed.SignedError, ConfigError, OSError) as error:
        typer.echo(f"{file}: no report / 不是投运报告: {error}", err=True)
        raise typer.Exit(1) from error
    size = label.Size(width, height)
    for kind, data in (("svg", label.svg(shown, size).encode()), ("png", label.png(shown, size, dpi))):
        path = file.parent / f"{shown['terminal']}.label.{kind}"
        files.write(path, data)
        typer.echo(path)


def technician_key(
    file: Annotated[Path, typer.Argument(help="NAME.pem: the technician's name, as li.wei.pem. 以姓名命名")],
    password: Annotated[
        bool, typer.Option("--password/--no-password", help="Ask for one; without, whoever has the file is you. 设口令")
    ] = True,
) -> None:
    """Make a technician's key; prints what the gateway's technicians.toml has of it. 生成技术员密钥"""
    secret: str = typer.prompt("Password / 口令", hide_input=True, confirmation_prompt=True) if password else ""
    try:
        public = technician.make(file, secret.encode() or None)
    except (technician.KeyFileError, OSError) as error:
        typer.echo(files.trouble(error) if isinstance(error, OSError) else str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(f'[[technician]]\nname = "{technician.name_of(file)}"\nkey = "{public}"')


def _one(given: Given, name: str, *, dry_run: bool, as_json: bool) -> None:
    """One step alone; the session keeps it as `commission` does."""
    work = _work(given)
    kept = _session(work)
    wanted = [step for step in steps.STEPS if step.name == name]
    if dry_run:
        _say_wanted(work, kept, wanted, as_json=as_json)
        raise typer.Exit(0)
    raise typer.Exit(_run(work, kept, wanted, as_json=as_json))


def _run(work: Work, kept: Session, wanted: Sequence[Step], *, as_json: bool) -> int:
    """Do the steps, telling each; the exit status."""
    rows: list[dict[str, Any]] = []
    last: Outcome | None = None
    try:
        for step, outcome, seconds in flow.run(work, kept, wanted, time.monotonic):
            rows.append({**outcome.as_json(), "seconds": round(seconds, 1)})
            last = outcome
            if not as_json:
                _say_done(step, outcome, seconds)
    except OSError as error:
        typer.echo(files.trouble(error), err=True)
        return BAD
    is_done = last is None or last.is_done
    if as_json:
        typer.echo(json.dumps({"terminal": work.terminal.id, "done": is_done, "steps": rows}, ensure_ascii=False))
    elif last is None:
        typer.echo("every step is done; --from STEP does it again / 所有步骤均已完成；--from 步骤 可重新执行")
    elif not is_done:
        typer.echo(
            f"What was done is kept; nothing is lost. Mend it and call this again: it goes on with {last.step} / "
            f"已完成的步骤均已保存；排除问题后重新运行本命令，将从 {last.step} 继续"
        )
    return 0 if last is None else last.exit_status


def _say_done(step: Step, outcome: Outcome, seconds: float) -> None:
    typer.echo(f"{step.name} {step.zh}: {outcome.state} / {STATE_WORDS[outcome.state]}, {seconds:.1f} s")
    for line in [one for finding in outcome.findings for one in finding.lines()]:
        typer.echo(f"  {line}")


def _say_wanted(work: Work, kept: Session, wanted: Sequence[Step], *, as_json: bool) -> None:
    done = [name for name in kept.outcomes if kept.is_done(name)]
    if as_json:
        found = {"terminal": work.terminal.id, "done": done, "todo": [step.name for step in wanted]}
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for name in done:
        typer.echo(f"{name}: done / 已完成 {kept.ended[name]}")
    for step in wanted:
        typer.echo(f"{step.name} {step.zh}: to do / 待执行")


def _work(given: Given) -> Work:
    """What the options say, checked; ends the command where it can't be used."""
    site = cli_site.load_site(given.file)
    folder = given.folder or given.file.resolve().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        typer.echo(files.trouble(error), err=True)
        raise typer.Exit(2) from error
    return Work(
        site,
        _terminal(site, given.terminal),
        given.port,
        folder,
        _signer(given.key),
        lambda: datetime.now(UTC),
        _quiet if given.quiet else lambda line: typer.echo(f"    {line}", err=True),
        bus_port=given.bus_port,
        erase=given.erase,
        generation=given.generation,
        timeout_s=given.timeout_s,
        photos=given.photos,
        note=given.note,
    )


def _terminal(site: Site, name: str | None) -> Any:
    try:
        return site.terminal(name)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


def _signer(path: Path) -> Signer:
    try:
        secret: str = ""
        if technician.is_encrypted(path):
            secret = typer.prompt(f"{path.name}: password / 口令", hide_input=True, err=True)
        return Signer(technician.name_of(path), technician.load(path, secret.encode() or None))
    except (technician.KeyFileError, OSError) as error:
        typer.echo(files.trouble(error) if isinstance(error, OSError) else str(error), err=True)
        raise typer.Exit(2) from error


def _session(work: Work) -> Session:
    try:
        kept = session.begun(work.file("session.json"), work.terminal.id)
    except (SessionError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if flow.is_of_another_plan(work, kept):
        typer.echo(
            "the plan is another than the board was provisioned by: from `provision` on all is done again / "
            "计划已更改，将从 provision 开始重新执行",
            err=True,
        )
    return kept


def _port(port: str | None, *, dry_run: bool) -> str:
    """The board's port, the only one if none was named, and nobody else's; a dry run needs none."""
    if dry_run:
        return port or ""
    found = chosen(port)
    try:
        ports.check(found)
    except PortError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NO_ANSWER) from error
    return found


def _quiet(_: str) -> None:
    """JSON alone."""


def register(app: typer.Typer) -> None:
    """Add the commands to `wattline field`."""
    what: dict[str, tuple[Callable[..., None], str]] = {
        "commission": (commission, "site.toml --port COM3 --key li.wei.pem --terminal T0001 --photo cabinet.jpg"),
        "provision": (provision, "site.toml --port /dev/ttyACM0 --key li.wei.pem"),
        "test": (upload_, "site.toml --port COM3 --key li.wei.pem --json"),
        "report": (report_, "site.toml --key li.wei.pem --photo cabinet.jpg --note 'seal 00731'"),
        "label": (label_, "T0001.report.json --width 62 --height 29 --dpi 300"),
        "technician-key": (technician_key, "li.wei.pem"),
    }
    for name, (function, call) in what.items():
        app.command(name=name, epilog=f"Example / 示例:\n\n  wattline field {name} {call}\n\n{EXIT}")(function)
