"""The bench of a real board: what holds it, what is wrong with its file, its relay, what failed on it last."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from firmware.field.board import link, raw_repl
from hil import cli, scenario
from hil.board import console, first, lock, ports
from hil.board.bench_file import Console, Power, read
from hil.board.power import power_of
from hil.ports import free_port
from hil.process import BenchError
from protocol.host.strict import ConfigError

FILE = """\
name = "shelf_2"
board = "esp32s3"
[console]
port = "{console}"
[meters]
port = "{meters}"
[power]
kind = "command"
on = ["true"]
off = ["false"]
[[wire]]
from = "board GPIO17"
to = "MAX3485 DI"
"""


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    """A pty: its slave's descriptor and name."""
    master, slave = os.openpty()
    yield slave, os.ttyname(slave)
    os.close(master)
    os.close(slave)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A bench's file, with two ptys for ports."""
    held = [*os.openpty(), *os.openpty()]
    made = tmp_path / "bench.toml"
    console, meters = (os.ttyname(slave) for slave in held[1::2])
    made.write_text(FILE.format(console=console, meters=meters), encoding="utf-8")
    yield made
    for one in held:
        os.close(one)


def test_who_holds_the_bench_is_said(file: Path) -> None:
    """P-219: by pid, user and purpose; and it is free again at once."""
    with lock.held(file, "wattline hil run day"):
        with (
            pytest.raises(BenchError, match=rf"{os.getpid()} \(.*since.*wattline hil run day"),
            lock.held(file, "mine"),
        ):
            pass
        held = CliRunner().invoke(cli.app, ["bench", str(file)])
        assert held.exit_code == 1
        assert str(os.getpid()) in held.output
    free = CliRunner().invoke(cli.app, ["bench", str(file)])
    assert (free.exit_code, "board GPIO17 -> MAX3485 DI" in free.output) == (0, True)


def test_a_lock_is_gone_with_its_process(file: Path) -> None:
    """P-219: however that ends."""
    program = (
        f"from hil.board import lock; import pathlib, sys, time; held = lock.held(pathlib.Path({str(file)!r}), 'x')"
    )
    program += "; held.__enter__(); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BenchError, match=str(other.pid)), lock.held(file, "mine"):
            pass
        other.kill()
        other.wait(30)
    with lock.held(file, "mine"):
        assert str(os.getpid()) in lock.who_holds(file)


def test_which_process_holds_a_port_is_said(line: tuple[int, str]) -> None:
    """P-219: and one that is not there is told from one that is busy."""
    slave, name = line
    with subprocess.Popen(["sleep", "60"], stdin=slave) as other:
        with pytest.raises(BenchError, match=rf"{name} is held by.* {other.pid} \(sleep, "):
            ports.check([Path(name)])
        other.kill()
    ports.check([Path(name)])
    with pytest.raises(BenchError, match="is it plugged in"):
        ports.check([Path("/dev/pts/no_such_port")])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('kind = "command"', 'kind = "modbus"'), "port or host"),
        (('on = ["true"]', ""), "on and off"),
        (('name = "shelf_2"', 'name = "Shelf"'), "name"),
        (("[meters]\nport", '[meters]\nport = "COM3" # '), "meters.port"),
        (("[[wire]]", 'colour = "red"\n[[wire]]'), "colour"),
    ],
)
def test_what_is_wrong_with_a_benchs_file_is_named(file: Path, change: tuple[str, str], said: str) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        read(file)


def test_a_port_that_is_there_twice_is_named(file: Path) -> None:
    found = read(file)
    text = file.read_text(encoding="utf-8").replace(found.meters.port, found.console.port)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="twice"):
        read(file)


def test_a_supply_that_does_not_switch_ends_the_run() -> None:
    for plan in (
        Power("modbus", host="127.0.0.1", tcp_port=free_port()),
        Power("command", on=["false"], off=["true"]),
        Power("command", on=["/no/such/program"], off=["true"]),
    ):
        with pytest.raises(BenchError):
            power_of(plan).switch(on=True)
    power_of(Power("none")).switch(on=True)
    with pytest.raises(BenchError, match="no relay"):
        power_of(Power("none")).switch(on=False)


def test_a_console_that_says_nothing_ends_the_run(line: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "READY_S", 0.2)
    monkeypatch.setattr(link, "_START_S", 0.2)
    monkeypatch.setattr(raw_repl, "PROMPT_S", 0.3)
    with pytest.raises(BenchError, match=r"no prompt"):
        console.put(Console(line[1]), {}, reset=False)


def test_what_failed_is_played_first_until_it_passes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-219: nothing else is played while it fails."""
    verdicts = {"broker_outage": False, "terminal_kill": True}
    played: list[str] = []

    def play(chosen: scenario.Scenario, _out: Path, _again: str, *, as_json: bool) -> bool:
        assert (chosen.target, chosen.bench) == ("board", str(file))
        played.append(chosen.name)
        return verdicts[chosen.name]

    monkeypatch.setattr(cli, "_play", play)

    def run(name: str) -> int:
        played.clear()
        return CliRunner().invoke(cli.app, ["run", name, "--bench", str(file)]).exit_code

    assert (run("broker_outage"), played) == (1, ["broker_outage"])
    assert (run("terminal_kill"), played) == (1, ["broker_outage"])
    verdicts["broker_outage"] = True
    assert (run("terminal_kill"), played) == (0, ["broker_outage", "terminal_kill"])
    assert first.remembered(file) is None
    assert (run("terminal_kill"), played) == (0, ["terminal_kill"])


def test_a_board_without_a_bench_is_refused() -> None:
    result = CliRunner().invoke(cli.app, ["run", "terminal_kill", "--target", "board"])
    assert result.exit_code == 2
    assert "--bench" in result.output
