"""Each step as the flow runs it: what it takes of the work and the steps before, and what it leaves for the others.

Each leaves the board at its prompt, where nothing asks the meters and no start is interrupted; `test` starts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

from firmware.field.board.errors import BoardError, BoardRefusedError
from firmware.field.board.link import Link
from firmware.field.bus import opening, points
from firmware.field.bus import steps as bus_steps
from firmware.field.bus.points import Planned
from firmware.field.bus.reach import Reach, ReachError
from firmware.field.commission import console, provision, report, upload, words
from firmware.field.commission.held import held
from firmware.field.commission.session import Session
from firmware.field.commission.work import Work
from firmware.field.outcome import BAD, NO_ANSWER, REFUSED, Finding, Outcome, passed
from firmware.field.wiring import steps as wiring_steps

# What runs on a board: asked at the raw prompt, so that it is told whatever is installed or not.
_IDENTIFY = """
import sys, os, binascii
try:
    import machine
    uid = machine.unique_id()
except (ImportError, AttributeError):
    uid = b""
try:
    from terminal import image
    version = "%d.%d.%d" % image.VERSION
except ImportError:
    version = "-"
release = ".".join([str(one) for one in sys.implementation[1][:3]])
print(sys.platform, release, binascii.hexlify(uid).decode() or "-", version)
"""
_PLATFORMS = {"esp32s3": "esp32", "rp2": "rp2", "unix": "linux"}  # sys.platform of the boards of a plan


class Step(NamedTuple):
    """A step of the work. zh: its name. run: raises BoardError, ReachError, OSError, ValueError."""

    name: str
    zh: str
    run: Callable[[Work, Session], Outcome]


def identify(work: Work, session: Session) -> Outcome:
    """Which board it is; keeps facts["board"]."""
    with closing(Link(work.port)) as link:
        platform, micropython, uid, version = link.run(_IDENTIFY).decode().split()[-4:]
    session.facts["board"] = {"kind": work.terminal.board, "uid": uid, "micropython": micropython, "firmware": version}
    if platform != _PLATFORMS[work.terminal.board]:
        return Outcome("identify", "failed", (_other_board(platform, work.terminal.board),), {}, REFUSED)
    return passed("identify", **session.facts["board"])


def provide(work: Work, session: Session) -> Outcome:
    """The terminal's files; keeps facts["enrolment"] and facts["generation"]."""
    generation = int(session.facts.get("generation", work.generation))
    with closing(Link(work.port)) as link:
        outcome = provision.run(link, work, generation)
    if outcome.is_done:
        session.facts |= {"enrolment": outcome.data["enrolment"], "generation": generation}
    return outcome


def scan(work: Work, session: Session) -> Outcome:
    """Who answers on the bus, until all planned meters were found."""
    del session
    planned = _planned(work)
    with _bus(work) as reach:
        return bus_steps.run_scan(reach, planned, tell=lambda one: work.tell(f"{one.found} found / 已发现"))


def live(work: Work, session: Session) -> Outcome:
    """What the planned meters read."""
    del session
    with _bus(work) as reach:
        return bus_steps.run_live(reach, _planned(work), lambda one, _: work.tell(one.title))


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
    Step("identify", "识别板子", identify),
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
    except OSError as error:
        return _in_the_way(step, "file", error, BAD)


@contextmanager
def _bus(work: Work) -> Iterator[Reach]:
    """The meters' bus by the laptop's adapter, with the board quiet. Raises BoardError, ReachError."""
    if work.bus_port is None:
        raise ReachError("which adapter is on the meters' bus? --bus-port / 请用 --bus-port 指定电表总线适配器")
    with held(work.port), opening.opened(work.bus_port) as reach:
        yield reach


def _planned(work: Work) -> list[Planned]:
    return points.of_terminal(work.site, work.terminal)


def _in_the_way(step: Step, code: str, error: Exception, status: int) -> Outcome:
    en, _, zh = str(error).partition(" / ")
    return Outcome(step.name, "failed", (Finding(code, en, zh or en),), {}, status)


def _other_board(found: str, planned: str) -> Finding:
    return Finding(
        "other_board",
        f"this board runs MicroPython for {found}; the plan says {planned}",
        f"此板为 {found}，计划为 {planned}",
        "the right board, and the right port? else mend `board` in the plan",
        "请确认板子与端口，或更正计划中的 board",
    )
