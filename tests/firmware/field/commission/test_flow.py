"""A commissioning that is broken off anywhere goes on there, and its file holds what it needs and no secret."""

import errno
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from firmware.field import site
from firmware.field.board import flash
from firmware.field.board.errors import BoardRefusedError, BoardSilentError, PortError
from firmware.field.bus.reach import ReachError
from firmware.field.cli import app
from firmware.field.commission import flow, provision, session, steps
from firmware.field.commission.session import Session
from firmware.field.commission.steps import Step, other_meters
from firmware.field.commission.work import Signer, Work
from firmware.field.outcome import Finding, Outcome, failed, passed
from hil.board.rom_loader import Chip, on_pty
from tests.firmware.field.board.firmware_files import esp_file
from tests.firmware.field.plans import laid_out

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
FINDING = Finding("loose", "a wire is loose", "有线松动", "fasten it", "拧紧")


@pytest.fixture
def work(tmp_path: Path) -> Work:
    found = site.load(laid_out(tmp_path), now=NOW)
    signer = Signer("li.wei", Ed25519PrivateKey.from_private_bytes(b"t" * 32))
    return Work(found, found.terminal(None), "/dev/none", tmp_path, signer, lambda: NOW, lambda _: None)


def steps_of(done: list[str], broken: dict[str, Exception | Outcome]) -> list[Step]:
    """Three steps that say in `done` that they ran; a broken one raises, or ends so."""

    def step(name: str) -> Step:
        def run(_: Work, kept: Session) -> Outcome:
            done.append(name)
            found = broken.get(name)
            if isinstance(found, Exception):
                raise found
            kept.facts[name] = len(done)
            return found or passed(name, at=len(done))

        return Step(name, name, run)

    return [step(name) for name in ("one", "two", "three")]


def played(work: Work, kept: Session, every: list[Step], start: str | None = None) -> list[tuple[str, str]]:
    wanted = flow.todo(kept, start, every)
    return [(step.name, outcome.state) for step, outcome, _ in flow.run(work, kept, wanted, time.monotonic, every)]


def test_it_goes_on_with_the_step_that_failed_and_repeats_none_that_passed(work: Work) -> None:
    """P-305"""
    done: list[str] = []
    broken: dict[str, Exception | Outcome] = {"two": failed("two", FINDING)}
    path = work.file("session.json")
    assert played(work, session.begun(path, "T0001"), steps_of(done, broken)) == [("one", "passed"), ("two", "failed")]
    again = session.begun(path, "T0001")
    assert (again.outcomes["two"].findings, again.facts) == ((FINDING,), {"one": 1, "two": 2})
    assert played(work, again, steps_of(done, {})) == [("two", "passed"), ("three", "passed")]
    assert done == ["one", "two", "two", "three"]
    kept = session.begun(path, "T0001")
    assert flow.todo(kept, None, steps_of([], {})) == []
    assert played(work, kept, steps_of([], {}), "two") == [("two", "passed"), ("three", "passed")]
    assert played(work, kept, steps_of([], {"one": failed("one", FINDING)}), "one") == [("one", "failed")]
    assert not session.begun(path, "T0001").is_done("two")  # what stood on an earlier `one` is done again


def test_a_step_that_is_cut_off_halfway_is_not_done_and_leaves_nothing_of_before(work: Work) -> None:
    """P-305"""
    path = work.file("session.json")
    kept = session.begun(path, "T0001")
    kept.facts = {"board": {}, "enrolment": "old", "generation": 1, "first_record": {"epoch": 1, "seq": 1}}
    for step in steps.STEPS:
        kept.keep(passed(step.name), "2026-03-01T08:00:00Z")

    def cut(*_: object) -> Outcome:
        raise KeyboardInterrupt

    every = [step._replace(run=cut) if step.name == "provision" else step for step in steps.STEPS]
    with pytest.raises(KeyboardInterrupt):
        played(work, kept, every, "provision")
    again = session.begun(path, "T0001")
    assert again.facts == {"board": {}, "generation": 1}
    for start in (None, "provision", "report"):  # and no step is passed over
        assert [step.name for step in flow.todo(again, start)] == [step.name for step in steps.STEPS[3:]]


def test_a_plan_that_was_changed_is_written_to_the_board_anew(work: Work, tmp_path: Path) -> None:
    """P-305"""
    kept = session.begun(work.file("session.json"), "T0001")
    assert not flow.is_of_another_plan(work, kept)  # nothing has been written yet
    kept.facts = {"planned": provision.planned(work), "first_record": {"epoch": 1, "seq": 1}}
    for step in steps.STEPS:
        kept.keep(passed(step.name), "2026-03-01T08:00:00Z")
    assert not flow.is_of_another_plan(work, session.begun(kept.path, "T0001"))
    for edit in (("address = 1\n", "address = 7\n"), ("ct_ratio = 80 ", "ct_ratio = 60 ")):
        found = site.load(laid_out(tmp_path, edit), now=NOW)
        changed = replace(work, site=found, terminal=found.terminal(None))
        old = session.begun(kept.path, "T0001")
        assert flow.is_of_another_plan(changed, old)
        assert flow.todo(old, None)[0].name == "provision"
        assert old.facts == {}


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (BoardSilentError("no prompt / 无提示符"), "no_answer", 3),
        (PortError("held / 被占用"), "no_answer", 3),
        (ReachError("no adapter / 无适配器"), "no_answer", 3),
        (BoardRefusedError("the board says no / 拒绝"), "board_refused", 4),
        (OSError(errno.ENOSPC, "full"), "file", 1),
    ],
)
def test_what_is_in_the_way_is_an_outcome_and_a_fault_of_ours_is_none(
    work: Work, error: Exception, code: str, status: int
) -> None:
    """P-305"""
    kept = session.begun(work.file("session.json"), "T0001")
    assert played(work, kept, steps_of([], {"two": error})) == [("one", "passed"), ("two", "failed")]
    found = kept.outcomes["two"]
    assert (found.findings[0].code, found.exit_status) == (code, status)
    with pytest.raises(ZeroDivisionError):
        played(work, kept, steps_of([], {"two": ZeroDivisionError()}))
    assert session.begun(work.file("session.json"), "T0001").is_done("one")


def test_a_cut_while_the_session_is_kept_leaves_the_one_before(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-305"""
    path = work.file("session.json")
    kept = session.begun(path, "T0001")
    kept.keep(passed("one"), "2026-03-01T08:00:00Z")
    before = path.read_bytes()
    for name in ("fsync", "replace"):
        with monkeypatch.context() as cut:
            cut.setattr(*_place(name), _refuse)
            with pytest.raises(OSError, match="cut"):
                kept.keep(passed("two"), "2026-03-01T08:01:00Z")
        assert path.read_bytes() == before
    assert [one.name for one in work.folder.iterdir() if one.suffix == ".part"] == []


def _place(name: str) -> tuple[object, str]:
    return (os, "fsync") if name == "fsync" else (Path, "replace")


def _refuse(*_: object) -> None:
    raise OSError(errno.EIO, "cut")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda text: f"[{text}]",
        lambda _: '"a text"',
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: text.replace('"began"', '"begun"'),
        lambda text: text.replace('"step": "one"', '"stop": "one"'),
    ],
)
def test_a_file_that_is_no_session_or_of_another_terminal_is_said_and_left_alone(
    work: Work, damage: Callable[[str], str]
) -> None:
    """P-305"""
    path = work.file("session.json")
    session.begun(path, "T0001").keep(passed("one"), "2026-03-01T08:00:00Z")
    with pytest.raises(session.SessionError, match="of terminal T0001, not T0002"):
        session.begun(path, "T0002")
    text = damage(path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    with pytest.raises(session.SessionError, match="move it away"):
        session.begun(path, "T0001")
    assert path.read_text(encoding="utf-8") == text


def test_outcomes_are_json_and_come_back_the_same(work: Work) -> None:
    found = Outcome("one", "cannot_tell", (FINDING,), {"points": [{"point": 1}]}, 3)
    assert Outcome.from_json(json.loads(json.dumps(found.as_json()))) == found
    assert list(found.lines()) == [
        "one: cannot_tell / 无法判断",
        "  a wire is loose / 有线松动",
        "    do / 处理: fasten it / 拧紧",
    ]


def test_a_meter_of_another_number_than_the_plan_says_is_named(tmp_path: Path) -> None:
    """P-305"""
    file = laid_out(tmp_path, ("address = 1\n", 'address = 1\nserial = "000000007001"\n'))
    points = site.load(file, now=NOW).terminal(None).points
    read = [{"point": 1, "identity": {"serial": 7001}}, {"point": 2, "identity": {"serial": 9}}]
    assert list(other_meters(points, read)) == []  # of the second the plan says nothing
    assert list(other_meters(points, [{"point": 1, "identity": {}}])) == []  # a meter that tells no number
    (found,) = other_meters(points, [{"point": 1, "identity": {"serial": 7002}}])
    assert (found.code, "7002" in found.en, "7002" in found.zh) == ("other_meter", True, True)


def test_a_board_is_flashed_with_what_the_technician_brought_or_left_as_it_is(work: Work, tmp_path: Path) -> None:
    """P-305"""
    step, kept = steps.STEPS[0], session.begun(work.file("session.json"), "T0001")
    left = steps.attempt(step, work, kept)
    assert (step.name, left.state, left.findings[0].code) == ("flash", "skipped", "no_firmware")
    (tmp_path / "other.bin").write_bytes(b"no firmware")
    refused = steps.attempt(step, replace(work, firmware=tmp_path / "other.bin"), kept)
    assert (refused.findings[0].code, refused.exit_status) == ("board_refused", 4)


def test_a_dry_run_says_what_is_left_and_asks_for_no_password(tmp_path: Path) -> None:
    """P-305: nor does it want a board; a key that is not there is told all the same."""
    key, plan = tmp_path / "li.wei.pem", str(laid_out(tmp_path))
    assert CliRunner().invoke(app, ["technician-key", str(key)], input="open sesame\nopen sesame\n").exit_code == 0
    for command, left in (("commission", [one.name for one in steps.STEPS]), ("provision", ["provision"])):
        told = CliRunner().invoke(app, [command, plan, "--key", str(key), "--dry-run", "--json"])
        assert (told.exit_code, json.loads(told.stdout)["todo"]) == (0, left), told.output
    assert CliRunner().invoke(app, ["report", plan, "--key", str(tmp_path / "no.pem"), "--dry-run"]).exit_code == 2
    unknown = CliRunner().invoke(app, ["provision", plan, "--key", str(key), "--photo", "cabinet.jpg"])
    assert (unknown.exit_code, "--photo" in unknown.output) == (2, True)  # of no use to it


def test_the_flash_step_takes_the_file_of_the_plans_board_with_the_application(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-350: onto a new chip both; a file for another chip is told before a byte is written."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    monkeypatch.setattr(flash, "Options", partial(flash.Options, stub=False))  # the emulated chip runs no code
    file, chip = tmp_path / "ESP32_GENERIC_S3.bin", Chip()
    kept = session.begun(tmp_path / "session.json", work.terminal.id)
    with on_pty(chip) as port:
        file.write_bytes(esp_file(chip_id=5))
        other = steps.flash(replace(work, port=port, firmware=file), kept)
        assert (other.exit_status, other.findings[0].code, chip.written) == (4, "other_firmware", 0)
        file.write_bytes(esp_file())
        done = steps.flash(replace(work, port=port, firmware=file), kept)
    assert (done.state, done.data["application"]) == ("passed", "image")
