"""The gateway is upgraded and put back under terminals that go on sending."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from gateway.backup import upgrade
from gateway.forward import outbox
from gateway.journal.reader import Reader
from hil import runner, scenario, wiring
from hil.bench import Bench
from hil.process import BenchError
from protocol.record import WINDOW
from tests import next_version
from tests.gateway.support import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class Operator:
    """Who upgrades the gateway of a bench at a third of the scenario, and goes back at two thirds."""

    def __init__(self, newer: Path) -> None:
        self.newer = newer
        self.said: list[str] = []
        self.confirmed: set[tuple[str, int]] = set()  # by the platform, before the upgrade: terminal, start
        self.back_s = 0  # when they went back
        self.bench: Bench
        self._todo: list[Callable[[], None]] = [self._upgrade, self._go_back]

    def look(self, share: float, _text: str) -> None:
        """Called again and again while the scenario goes on."""
        if self._todo and share > (3 - len(self._todo)) / 3:
            self._todo.pop(0)()

    def _upgrade(self) -> None:
        gateway = self.bench.gateway
        self._older = gateway.process.command
        gateway.stop()
        gateway.process.command = next_version.command(self.newer, next_version.BENCH, self._older[-1])
        gateway.start()
        gateway.wait_until_ready()
        self.said.append(gateway.process.text())

    def _go_back(self) -> None:
        gateway = self.bench.gateway
        gateway.stop()
        self.back_s = self.bench.now_ms() // 1000
        copy = gateway.data / upgrade.DONE
        with closing(Reader(copy)) as journal:
            rows = journal.records_after(0, outbox.settled(copy, wiring.SINK)[0])
        self.confirmed = {(one.terminal, one.start_s) for one in rows if one.type == WINDOW and one.start_s}
        gateway.process.command = self._older
        gateway.start()
        with pytest.raises(BenchError, match="ended with status 1"):
            gateway.wait_until_ready()
        gateway.stop()
        refused = gateway.process.text()
        self.said.append(refused)
        words = re.findall(r"(?m)^ +wattline gateway (restore --config) \S+ (.*)$", refused)[-1]
        again = next_version.command(None, next_version.PROGRAM, *words[0].split(), self._older[-1], *words[1].split())
        subprocess.run(again, cwd=ROOT, check=True, capture_output=True, timeout=120)
        gateway.start()
        gateway.wait_until_ready()


def _window_of(text: str) -> tuple[str, int]:
    """(terminal, start) of what the oracle found twice."""
    found = re.match(r"(\w+): platform: window (\d\d-\d\d [\d:]+)Z counts twice", text)
    assert found, text
    return found[1], int(datetime.fromisoformat(f"2026-{found[2]}+00:00").timestamp())


def test_an_upgrade_and_the_way_back_cost_no_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-385: two terminals, one over MQTT, one over Modbus; each store has another schema in the newer version. What
    the platform confirmed between upgrade and way back it gets again, and nothing else.
    """
    operator = Operator(next_version.make(tmp_path / "newer"))

    @contextmanager
    def open_and_tell(chosen: scenario.Scenario, folder: Path) -> Iterator[Bench]:
        with Bench(chosen, folder) as operator.bench:
            yield operator.bench

    monkeypatch.setattr(runner, "open_target", open_and_tell)
    chosen = msgspec.structs.replace(scenario.load("two_terminals"), faults=[], hours=6)
    report = runner.run(chosen, tmp_path / "run", operator.look).report
    print(operator.said, report)
    assert len(operator.said) == 2
    assert {one.code for one in report.findings} <= {"forward_twice"}
    twice = {_window_of(one.text) for one in report.findings}
    assert twice.isdisjoint(operator.confirmed)
    assert max((start_s for _, start_s in twice), default=0) < operator.back_s
    assert report.sinks["platform"].lost == 0
    assert (report.windows.lost, report.windows.duplicated, report.windows.invented) == (0, 0, 0)
    assert report.windows.journalled == report.windows.closed > 0
