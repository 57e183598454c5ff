"""A release over the air, on real parts: VM, broker and gateway; cut in the middle of its way, and of its writing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.updates import rollouts, stages
from gateway.updates.rollouts import Member
from gateway.updates.store import looking
from hil import runner, scenario
from hil.report.result import Report
from hil.scenario import Fault, Scenario
from hil.target import Target
from hil.targets import open_target

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
CUT_AT_BYTES = 32_000
OFF_MS = 180_000


def played(
    chosen: Scenario, folder: Path, monkeypatch: pytest.MonkeyPatch, look: Callable[[Target], None]
) -> tuple[Report, dict[str, Member]]:
    """The report, and how the terminals stand in the end; `look` is called again and again meanwhile."""
    targets: list[Target] = []

    @contextmanager
    def seen(*args: Any) -> Iterator[Target]:
        with open_target(*args) as one:
            targets.append(one)
            yield one

    monkeypatch.setattr(runner, "open_target", seen)
    report = runner.run(chosen, folder, lambda share, _text: look(targets[0]) if share > 0 else None).report
    return report, standing(folder)


def standing(folder: Path) -> dict[str, Member]:
    with looking(folder / "gateway/data") as connection:
        found = rollouts.every(connection) if connection is not None else []
        return {one.terminal: one for one in rollouts.members(connection, found[0].id)} if connection and found else {}


def test_a_terminal_takes_a_release_though_its_link_and_its_mains_are_cut_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-276: no reading is lost or doubled, and it says the new version."""
    base = scenario.load("firmware_update")
    cuts = Fault(what="link_cut", at="08:16", lasts="90 min", every="10 min", bytes=700)
    points = [point for point in base.points if point.terminal == "T0001"]
    update = msgspec.structs.replace(base.updates[0], at="08:18", canary=100)
    chosen = msgspec.structs.replace(
        base, hours=4, terminals=base.terminals[:1], points=points, updates=[update], faults=[cuts], expect=[]
    )
    cut: list[tuple[int, int]] = []  # (bytes stored, virtual ms) when the mains were
    back: list[int] = []

    def look(target: Target) -> None:
        terminal, stored = target.terminals["T0001"], [one.stored_bytes for one in standing(tmp_path / "run").values()]
        if not cut and stored and stored[0] >= CUT_AT_BYTES:
            terminal.kill()
            cut.append((stored[0], target.now_ms()))
        elif cut and not back and target.now_ms() >= cut[0][1] + OFF_MS:
            terminal.start()
            back.append(target.now_ms())

    report, members = played(chosen, tmp_path / "run", monkeypatch, look)
    assert [(one.code, one.text, one.cause) for one in report.findings] == []
    assert (report.windows.lost, report.windows.duplicated, report.windows.invented) == (0, 0, 0)
    assert [one.firmware for one in report.terminals] == [["1.0.0", "2.0.0"]]
    assert [one.state for one in members.values()] == [stages.GOOD]
    assert cut
    assert back
    slots = tmp_path / "run/terminals/T0001/root"
    assert (slots / "a/terminal/app.mpy").read_bytes() == (slots / "terminal/app.mpy").read_bytes()
