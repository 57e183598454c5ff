"""Each step as the flow runs it: what it takes of the work and the steps before, and what it leaves for the others.

Each leaves the board at its prompt, where nothing asks the meters and no start is interrupted; `test` starts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from firmware import image, root_image
from firmware.field import files
from firmware.field.board import application
from firmware.field.board import flash as flashing
from firmware.field.board import identify as identifying
from firmware.field.board import install as installing
from firmware.field.board.errors import BoardError, BoardRefusedError
from firmware.field.board.link import Link
from firmware.field.bus import opening, points
from firmware.field.bus import steps as bus_steps
from firmware.field.bus.points import Planned
from firmware.field.bus.reach import Reach, ReachError
from firmware.field.bus.through_terminal import ThroughTerminal
from firmware.field.commission import console, provision, report, upload, words
from firmware.field.commission.held import held
from firmware.field.commission.session import Session
from firmware.field.commission.work import Work
from firmware.field.outcome import BAD, NO_ANSWER, REFUSED, Finding, Outcome, passed
from firmware.field.site.plan import Point
from firmware.field.wiring import steps as wiring_steps


class Step(NamedTuple):
    """A step of the work. zh: its name. run: raises BoardError, ReachError, OSError, ValueError."""

    name: str
    zh: str
    run: Callable[[Work, Session], Outcome]


def flash(work: Work, session: Session) -> Outcome:
    """MicroPython on the board, if the technician brought a file of it; with the application, if it has no files."""
    del session
    if work.firmware is None:
        return Outcome("flash", "skipped", (words.NO_FIRMWARE,))
    board, chip = work.terminal.board, flashing.chip_of(work.firmware)
    if identifying.BOARD_OF_CHIP.get(chip) != board:
        return Outcome("flash", "failed", (words.other_firmware(work.firmware.name, chip, board),), {}, REFUSED)
    with application.of_board(board, work.image) as ours:
        return flashing.run(
            work.firmware,
            work.port,
            None,
            flashing.Options(),
            lambda at, of: work.tell(f"{100 * at // max(1, of):3d} %"),
            partial(root_image.make, ours.folder),
        )


def identify(work: Work, session: Session) -> Outcome:
    """Which board it is; keeps facts["board"]."""
    with closing(Link(work.port)) as link:
        found = identifying.over(link)
    session.facts["board"] = {
        "kind": found.board or found.machine,
        "uid": found.chip_id or "-",
        "micropython": found.micropython or "-",
        "firmware": identifying.version_text(found.version) if found.version else "-",
    }
    if found.board != work.terminal.board:
        return Outcome("identify", "failed", (words.other_board(found.machine, work.terminal.board),), {}, REFUSED)
    return passed("identify", **session.facts["board"])


def install(work: Work, session: Session) -> Outcome:
    """The application of this version on the board, what differs only."""
    board = work.terminal.board
    with application.of_board(board, work.image) as ours, closing(Link(work.port)) as link:
        installing.refuse_unfit(identifying.over(link), board, ours.version, cross=False, older=False)
        todo = installing.plan(link, ours.folder)
        installing.carry_out(link, todo, ours.folder, lambda name, at, of: work.tell(f"{100 * at // of:3d} % {name}"))
    session.facts["board"]["firmware"] = identifying.version_text(ours.version)
    return passed(
        "install", version=list(ours.version), written=len(todo.put), removed=len(todo.remove), same=todo.same
    )


def provide(work: Work, session: Session) -> Outcome:
    """The terminal's files; keeps facts["generation"], that of before if none is said, ["enrolment"], ["planned"]."""
    generation = int(work.generation or session.facts.get("generation", 1))
    session.facts["generation"] = generation
    with closing(Link(work.port)) as link:
        outcome = provision.run(link, work, generation)
    if outcome.is_done:
        session.facts |= {"enrolment": outcome.data["enrolment"], "planned": provision.planned(work)}
    return outcome


def scan(work: Work, session: Session) -> Outcome:
    """Who answers on the bus, until all planned meters were found."""
    del session
    planned = _planned(work)
    with _bus(work) as reach:
        return bus_steps.run_scan(reach, planned, tell=lambda one: work.tell(f"{one.found} found / 已发现"))


def live(work: Work, session: Session) -> Outcome:
    """What the planned meters read; whether each is the one that the plan names, where it names one."""
    del session
    with _bus(work) as reach:
        found = bus_steps.run_live(reach, _planned(work), lambda one, _: work.tell(one.title))
    others = list(other_meters(work.terminal.points, found.data["points"]))
    return replace(found, state="failed", findings=(*found.findings, *others)) if others else found


def other_meters(planned: Sequence[Point], read: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Points whose meter has another number than the plan says. read: as bus.snapshot.Snapshot tells it."""
    serials = {one["point"]: one["identity"].get("serial") for one in read}
    for point in planned:
        found = serials.get(point.number)
        if point.serial is not None and found is not None and int(point.serial) != found:
            yield words.other_meter(point.number, point.name, point.serial, found)


def check_wiring(work: Work, session: Session) -> Outcome:
    """Whether the meters are wired as planned, at a moment of load."""
    del session
    with _bus(work) as reach:
        return wiring_steps.run_check(reach, _planned(work), work.ask)


def test(work: Work, session: Session) -> Outcome:
    """A record that the gateway has acknowledged; keeps facts["first_record"]."""
    Link(work.port).restart()
    outcome = upload.judge(console.lines(work.port, work.timeout_s), work.tell)
    if outcome.is_done:
        session.facts["first_record"] = {"epoch": outcome.data["epoch"], "seq": outcome.data["seq"]}
    return outcome


STEPS: Sequence[Step] = (
    Step("flash", "烧录固件", flash),
    Step("identify", "识别板子", identify),
    Step("install", "安装应用", install),
    Step("provision", "写入身份与配置", provide),
    Step("scan", "搜索电表", scan),
    Step("live", "读取实时值", live),
    Step("check-wiring", "检查接线", check_wiring),
    Step("test", "测试上报", test),
    Step("report", "报告与标签", report.run),
)


SKIPPABLE = ("scan", "check-wiring")  # what a report can do without, and says so


def skipped(step: Step, before: Outcome | None) -> Outcome:
    """A step that the technician does without. before: what it came to when it was tried; its findings stay."""
    found = before or Outcome(step.name, "skipped")
    findings = [one for one in found.findings if one.code != words.SKIPPED.code]
    return Outcome(step.name, "skipped", (*findings, words.SKIPPED), found.data)


def attempt(step: Step, work: Work, session: Session) -> Outcome:
    """The step's outcome, also where a port, a cable, a board or a file is in its way."""
    try:
        return step.run(work, session)
    except BoardRefusedError as error:
        return _in_the_way(step, "board_refused", error, REFUSED)
    except (BoardError, ReachError) as error:
        return _in_the_way(step, "no_answer", error, NO_ANSWER)
    except image.ImageError as error:
        return _in_the_way(step, "image", error, BAD)
    except OSError as error:
        return _in_the_way(step, "file", files.trouble(error), BAD)


@contextmanager
def _bus(work: Work) -> Iterator[Reach]:
    """The meters' buses by the laptop's adapters, with the board quiet; without any the board asks itself.

    Raises BoardError, ReachError.
    """
    if work.bus_ports:
        with held(work.port), opening.opened(work.bus_ports) as reach:
            yield reach
        return
    with ThroughTerminal(work.port, work.terminal.bus[0].uart, stays=True) as reach:
        yield reach


def _planned(work: Work) -> list[Planned]:
    return points.of_terminal(work.site, work.terminal)


def _in_the_way(step: Step, code: str, error: Exception | str, status: int) -> Outcome:
    en, _, zh = str(error).partition(" / ")
    return Outcome(step.name, "failed", (Finding(code, en, zh or en),), {}, status)
