"""terminals.toml: loaded whole or not at all, reloaded while running, extended by `admit`."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import registry
from gateway.cli import app
from hil.broker import Broker
from protocol.host.strict import ConfigError
from tests.gateway.support import ROOT, Device, Sender, window, write_config, write_key

STRANGER = Sender("T0009", b"s" * 32)


def run(*arguments: str) -> tuple[int, str, str]:
    answer = CliRunner().invoke(app, list(arguments))
    return answer.exit_code, answer.stdout, answer.stderr


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_key(tmp_path / "T0009.hex", STRANGER.secret)
    return write_config(tmp_path, 1883, [Sender()])


def admit(config: Path, *more: str) -> tuple[int, str, str]:
    return run("admit", "--config", str(config), "T0009", "--key-file", "T0009.hex", *more)


def test_a_key_is_never_shown(config: Path) -> None:
    loaded = registry.load(config.parent / "terminals.toml")
    assert Sender().secret.hex() not in repr(loaded.get("T0001"))
    assert repr(Sender().secret)[2:-1] not in repr(loaded.get("T0001"))


def test_admit_adds_a_terminal_that_loads(config: Path) -> None:
    """P-341"""
    status, said, _ = admit(
        config, "--point", '1:风机 "A":treatment:5000', "--point", "2:furnace:production", "--board", "rp2"
    )
    assert (status, "admitted" in said) == (0, True)
    one = registry.load(config.parent / "terminals.toml").get("T0009")
    assert one is not None
    assert one.board == "rp2"
    assert [(point.name, point.kind, point.rated_power_w) for point in one.points.values()] == [
        ('风机 "A"', "treatment", 5000),
        ("furnace", "production", None),
    ]
    assert registry.load(config.parent / "terminals.toml").get("T0001") is not None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--key-file", "none.hex"], "can't be read"),
        (["--point", "1:a:production", "--point", "1:b:treatment"], "already that of"),
        (["--point", "40:a:production"], "1 to 32"),
        (["--point", "1:a:factory"], '"treatment"'),
    ],
)
def test_admit_leaves_the_file_alone_if_the_result_would_not_load(config: Path, more: list[str], said: str) -> None:
    before = (config.parent / "terminals.toml").read_bytes()
    status, _, error = admit(config, *more)
    assert (status, said in error) == (1, True)
    assert (config.parent / "terminals.toml").read_bytes() == before
    assert not list(config.parent.glob(".terminals*"))


def test_admit_twice_is_refused(config: Path) -> None:
    assert admit(config)[0] == 0
    status, _, error = admit(config)
    assert (status, "T0009: already that of terminal[1]" in error) == (1, True)


def test_a_point_that_makes_no_sense_is_wrong_usage(config: Path) -> None:
    assert admit(config, "--point", "furnace")[0] == 2


def test_a_reload_with_wrong_files_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "terminals.toml"
    path.write_text("[[terminal]]\n")
    with pytest.raises(ConfigError, match=r"terminal\[0\].id: missing"):
        registry.load(path)


@pytest.mark.slow
def test_a_running_gateway_takes_what_is_admitted_at_sighup_and_ends_at_sigterm(tmp_path: Path, broker: Broker) -> None:
    """P-37, P-407: The real process: ready line, SIGHUP, a second gateway on the same data, SIGTERM."""
    config = write_config(tmp_path, broker.port, [Sender()])
    write_key(tmp_path / "T0009.hex", STRANGER.secret)
    command = [sys.executable, "-c", "from gateway.cli import app; app()", "run", "--config", str(config)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"] is True
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 ", limits), limits
        second = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
        assert (second.returncode, b"another gateway" in second.stderr) == (1, True)
        status, said, _ = admit(config, "--json")
        assert (status, json.loads(said)) == (0, {"admitted": "T0009", "reload_pid": process.pid})
        os.kill(process.pid, signal.SIGHUP)
        terminal = Device(broker.port, "T0009")
        deadline = time.monotonic() + 60
        while b'"reloaded"' not in (tmp_path / "log").read_bytes() and time.monotonic() < deadline:
            time.sleep(0.02)
        terminal.publish("T0009", STRANGER.frame([window(1)]))
        assert STRANGER.open_ack(terminal.down(1)[0]).durable == [(1, 1)]
        terminal.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
