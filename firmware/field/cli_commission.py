"""`wattline field commission` and its steps alone: provision, test, report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware.field import cli_site, cli_wiring, files
from firmware.field.board import ports
from firmware.field.board.errors import PortError
from firmware.field.bus import opening
from firmware.field.cli_board import AsJson, Port, chosen
from firmware.field.cli_install import Firmware, Image, refuse_uf2
from firmware.field.commission import flow, session, steps
from firmware.field.commission.session import Session, SessionError
from firmware.field.commission.steps import Step
from firmware.field.commission.work import Signer, Work
from firmware.field.outcome import BAD, NO_ANSWER, STATE_WORDS, Outcome
from firmware.field.record import technician
from firmware.field.site import Site, plan
from protocol.host.strict import ConfigError

EXIT = (
    "Exit status / 退出码: 0 done, 1 the step's finding is bad (it says what), 2 usage, "
    "3 port, cable or board does not answer, 4 the board or the gateway refused."
)
BusPorts = Annotated[
    list[str] | None,
    typer.Option(
        help="An RS-485 adapter on the meters' bus; of several buses 0=COM3, again for each; else the board asks. "
        "电表总线适配器串口；多条总线为 0=COM3，可重复"
    ),
]
Terminal = Annotated[str | None, typer.Option(help="Which terminal of the plan. 计划中的终端")]
Folder = Annotated[Path | None, typer.Option(help="Session, enrolment, report; the plan's if not said. 工作目录")]
Key = Annotated[Path, typer.Option(help="The technician's key, NAME.pem. 技术员密钥")]
Start = Annotated[str | None, typer.Option("--from", help="Begin with this step. 从该步骤开始")]
Skip = Annotated[
    list[str] | None, typer.Option(help=f"Do without: {', '.join(steps.SKIPPABLE)}; the report says so. 跳过步骤")
]
Photos = Annotated[list[Path] | None, typer.Option(help="A picture; its hash goes into the report. 照片，可重复")]
Note = Annotated[str, typer.Option(help="A line for the report. 备注")]
Erase = Annotated[bool, typer.Option("--erase", help="Another terminal's data on the board may go. 清除其他终端数据")]
Generation = Annotated[
    int | None, typer.Option(min=1, max=255, help="Of the key that is made; as before, or 1, if not said. 密钥代号")
]
Timeout = Annotated[float, typer.Option(min=5, max=3600, help="Of the test upload, seconds. 测试上报超时")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done. 只显示将要执行的步骤")]


@dataclass(frozen=True)
class Given:
    """The options of all the commands, each declared here alone; a command takes those that are of use to it."""

    file: cli_site.PlanFile
    key: Key
    port: Port = None
    terminal: Terminal = None
    bus_port: BusPorts = None
    firmware: Firmware = None
    image: Image = None
    folder: Folder = None
    start: Start = None
    skip: Skip = None
    running: cli_wiring.Running = None
    clamp: cli_wiring.Clamp = None
    uneven: cli_wiring.Uneven = None
    photo: Photos = None
    note: Note = ""
    erase: Erase = False
    generation: Generation = None
    timeout: Timeout = 120.0
    dry_run: DryRun = False
    as_json: AsJson = False


def commission(given: Given) -> int:
    """From a blank board to a terminal that the gateway has heard, step by step. 现场投运，一步到底

    What was broken off goes on there: call it again. Each step's outcome is kept in ID.session.json.
    """
    names = [step.name for step in steps.STEPS]
    if given.start is not None and given.start not in names:
        raise typer.BadParameter(f"{given.start}: one of / 可选: {', '.join(names)}", param_hint="--from")
    if unknown := set(given.skip or []) - set(steps.SKIPPABLE):
        raise typer.BadParameter(f"{unknown.pop()}: one of / 可选: {', '.join(steps.SKIPPABLE)}", param_hint="--skip")
    refuse_uf2(given.firmware)
    work = _work(given)
    kept = _session(work)
    return _do(given, work, kept, flow.todo(kept, given.start))


def provision(given: Given) -> int:
    """Identity, key, network, certificates, configuration onto the board; an enrolment. 写入身份与配置"""
    return _alone(given, "provision")


def test(given: Given) -> int:
    """Start the terminal, and wait until the gateway has acknowledged a record of it. 测试上报"""
    return _alone(given, "test")


def report(given: Given) -> int:
    """Make the signed report, its page and the label anew, out of the session. 生成签名报告与标签"""
    return _alone(given, "report")


def _alone(given: Given, name: str) -> int:
    """One step; the session keeps it as `commission` does."""
    work = _work(given, needs_board=name != "report")
    return _do(given, work, _session(work), [step for step in steps.STEPS if step.name == name])


def _do(given: Given, work: Work, kept: Session, wanted: Sequence[Step]) -> int:
    if given.dry_run:
        _say_wanted(work, kept, wanted, as_json=given.as_json)
        return 0
    return _run(work, kept, wanted, as_json=given.as_json)


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


def _work(given: Given, *, needs_board: bool = True) -> Work:
    """What the options say, checked; ends the command where it can't be used."""
    at = _port(given.port, dry_run=given.dry_run or not needs_board)
    site = cli_site.load_site(given.file)
    folder = given.folder or given.file.resolve().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        typer.echo(files.trouble(error), err=True)
        raise typer.Exit(2) from error
    terminal = _terminal(site, given.terminal)
    numbers = [one.number for one in terminal.points]
    return Work(
        site,
        terminal,
        at,
        folder,
        _signer(given.key, signs=not given.dry_run),
        lambda: datetime.now(UTC),
        _quiet if given.as_json else lambda line: typer.echo(f"    {line}", err=True),
        bus_ports=_bus_ports(given.bus_port or [], terminal),
        firmware=given.firmware,
        image=given.image,
        ask=cli_wiring.asker(numbers, given.running or [], given.clamp or [], given.uneven or [], quiet=given.as_json),
        skip=tuple(given.skip or ()),
        erase=given.erase,
        generation=given.generation,
        timeout_s=given.timeout,
        photos=tuple(given.photo or ()),
        note=given.note,
    )


def _bus_ports(ports: Sequence[str], terminal: plan.Terminal) -> dict[int, str]:
    """Which bus is at which adapter; with some all must be, or the board would have to ask and be quiet at once."""
    uarts = {bus.uart for bus in terminal.bus}
    try:
        found = opening.places(ports, uarts)
    except opening.PlaceError as error:
        raise typer.BadParameter(str(error), param_hint="--bus-port") from error
    if found and (missing := uarts - set(found)):
        raise typer.BadParameter(
            f"bus {min(missing)} has no adapter: name one for each, or none, and the board asks / "
            f"总线 {min(missing)} 未指定适配器：请为每条总线指定，或全部省略由板子读取",
            param_hint="--bus-port",
        )
    return found


def _terminal(site: Site, name: str | None) -> Any:
    try:
        return site.terminal(name)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


def _signer(path: Path, *, signs: bool) -> Signer:
    """The technician; signs: whether the key is needed, or a dry run asks for no password."""
    try:
        is_encrypted = technician.is_encrypted(path)
        if not signs:
            return Signer(technician.name_of(path), Ed25519PrivateKey.generate())
        secret: str = ""
        if is_encrypted:
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
    always, board = ("file", "key", "terminal", "folder", "dry_run", "as_json"), "port"
    taken: dict[Callable[[Given], int], tuple[tuple[str, ...], str]] = {
        commission: (
            tuple(signature(Given).parameters),
            "site.toml --port COM3 --key li.wei.pem --terminal T0001 --photo cabinet.jpg",
        ),
        provision: ((*always, board, "erase", "generation"), "site.toml --port /dev/ttyACM0 --key li.wei.pem"),
        test: ((*always, board, "timeout"), "site.toml --port COM3 --key li.wei.pem --json"),
        report: ((*always, "photo", "note"), "site.toml --key li.wei.pem --photo cabinet.jpg --note 'seal 00731'"),
    }
    for run, (names, call) in taken.items():
        app.command(name=run.__name__, epilog=f"Example / 示例:\n\n  wattline field {run.__name__} {call}\n\n{EXIT}")(
            _command(run, names)
        )


def _command(run: Callable[[Given], int], names: Sequence[str]) -> Callable[..., None]:
    """A command with these of Given's options: typer reads them off a signature."""

    def command(**given: Any) -> None:
        raise typer.Exit(run(Given(**given)))

    every = signature(Given, eval_str=True).parameters
    wanted = [one for name, one in every.items() if name in names]
    command.__signature__ = Signature(wanted)  # type: ignore[attr-defined]  # functions have one
    command.__annotations__ = {one.name: one.annotation for one in wanted}
    command.__doc__ = run.__doc__
    return command
