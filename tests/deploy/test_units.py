"""Systemd's units: right, confined, and what they start works under what they allow."""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.console.users import UserEntry, hashed, put
from hil.broker import Broker
from hil.ports import free_port, wait_for_port
from hil.process import Process
from tests.deploy.sandbox import ANALYZE, settings
from tests.gateway.support import ROOT, Sender, mosquitto, takes_a_frame, write_config

UNITS = ROOT / "deploy/systemd"
SERVICES = sorted(UNITS.glob("*.service"))
THRESHOLD = 2.0  # of `systemd-analyze security`: 0 can do nothing, 10 everything; below 2 is "OK" or better
WAIT_S = 60.0
GATEWAY = UNITS / "wattline-gateway.service"


def test_units_come_back_by_themselves_and_keep_secrets() -> None:
    """P-237."""
    assert [one.stem.removeprefix("wattline-") for one in SERVICES] == ["backup", "console", "gateway", "watch"]
    for service in SERVICES:
        found = settings(service)
        assert (found["UMask"], found["User"]) == (["0077"], ["wattline"])
        if found["Type"] != ["oneshot"]:
            assert found["Restart"] == ["always"]
            assert "StartLimitIntervalSec=0" in service.read_text(encoding="utf-8")
    assert int(settings(GATEWAY)["LimitNOFILE"][0]) > 10_000  # the most connections that a sink may have


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.stem)
def test_units_name_commands_that_there_are(service: Path) -> None:
    """P-237: a follower's drop-in, too."""
    roles = [settings(UNITS / name)["Environment"][0] for name in (GATEWAY.name, "follower.conf")]
    assert roles == ["WATTLINE_ROLE=run", "WATTLINE_ROLE=follow"]
    for role in roles:
        text = service.read_text(encoding="utf-8").replace("${WATTLINE_ROLE}", role.partition("=")[2])
        for line in re.findall(r"(?m)^Exec\w+=.*\bwattline gateway (.*)$", text):
            words = line.split()
            done = CliRunner().invoke(app, [words[0], "--help"])
            assert done.exit_code == 0, done.output
            assert {word for word in words if word.startswith("--")} <= set(done.output.split()), words


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """P-237: each with its drop-ins; the timer starts the backup."""
    for one in UNITS.iterdir():
        text = one.read_text(encoding="utf-8").replace("/usr/bin/wattline", f"{ROOT}/.venv/bin/wattline")
        if one.suffix != ".conf":
            (tmp_path / one.name).write_text(text, encoding="utf-8")
            continue
        drop_ins = tmp_path / f"{GATEWAY.name}.d"
        drop_ins.mkdir(exist_ok=True)
        (drop_ins / one.name).write_text(text, encoding="utf-8")
    files = [str(one) for one in tmp_path.iterdir() if one.is_file()]
    done = subprocess.run([ANALYZE, "verify", "--man=no", *files], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if "wattline" in line], done.stderr
    assert (tmp_path / "wattline-backup.timer").exists()


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.stem)
def test_what_a_unit_may_do_is_little(service: Path) -> None:
    """P-384: as systemd itself rates it; the figures stand in the operator's manual."""
    done = subprocess.run(
        [ANALYZE, "security", "--offline=true", "--no-pager", str(service)], capture_output=True, text=True, check=True
    )
    found = re.search(r"exposure level for (\S+): ([\d.]+) ", done.stdout)
    assert found, done.stdout
    assert float(found[2]) <= THRESHOLD, done.stdout
    manual = (ROOT / "docs/operating-a-gateway.md").read_text(encoding="utf-8")
    assert re.search(rf"\| `{re.escape(found[1])}` \| \d\.\d \|", manual), f"{found[1]} {found[2]}: not in the manual"


class Confined:
    """Starts what a unit starts, under what it allows, with its files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, name: str, *more: str) -> list[str]:
        """The unit's ExecStart, confined."""
        unit = UNITS / f"wattline-{name}.service"
        (line,) = settings(unit)["ExecStart"]
        for old, new in (
            ("/usr/bin/wattline", f"{ROOT}/.venv/bin/wattline"), ("${WATTLINE_ROLE}", "run"), ("%%", "%"),
            ("/etc/wattline", str(self.folder)), ("/var/backups/wattline", f"{self.folder}/backups"),
        ):  # fmt: skip
            line = line.replace(old, new)
        found = re.fullmatch(r"/bin/sh -c '(.*)'", line)
        words = ["/bin/sh", "-c", found[1]] if found else line.split()
        return [sys.executable, "-m", "tests.deploy.sandbox", str(unit), *words, *more]

    def run(self, name: str, *more: str) -> None:
        """To its end, which is a good one."""
        done = subprocess.run(self.command(name, *more), cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.e2e
@pytest.mark.untimed
def test_what_the_units_start_works_under_what_they_allow(tmp_path: Path) -> None:
    """P-384: a frame is acknowledged, the watch looks, a backup is made, the console answers."""
    sender, confined, port = Sender(), Confined(tmp_path), free_port()
    with Broker(mosquitto(), tmp_path / "broker") as broker:
        broker.start()
        config = write_config(tmp_path, broker.port, [sender])
        text = 'enterprises = "enterprises.toml"\n' + config.read_text()
        config.write_text(f'{text}[console]\nusers = "users.toml"\nport = {port}\n')
        (tmp_path / "enterprises.toml").write_text("")
        put(tmp_path / "users.toml", UserEntry(name="wang", role="viewer", password=hashed("a password, long")))
        (tmp_path / "backups").mkdir()
        with Process("gateway", confined.command("gateway"), tmp_path / "gateway.log") as gateway:
            gateway.start()
            takes_a_frame(gateway, broker.port, sender)
            confined.run("watch", "--once")
            confined.run("backup")
            gateway.stop()
        assert [one.name for one in (tmp_path / "backups").glob("*/journal.sqlite3")] == ["journal.sqlite3"]
        with Process("console", confined.command("console"), tmp_path / "console.log") as console:
            console.start()
            wait_for_port(console, port)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=WAIT_S) as answer:
                assert b"Wattline" in answer.read()


def test_the_sandbox_refuses_what_a_unit_does_not_allow() -> None:
    """P-384: the test above can fail."""
    attempts = (
        "os.chroot('/')", "os.setpriority(0, 0, 5)", "mmap.mmap(-1, 4096, prot=7)", "socket.socket(socket.AF_NETLINK)",
    )  # fmt: skip
    for attempt in attempts:
        text = f"import mmap, os, socket\ntry:\n    {attempt}\nexcept OSError:\n    raise SystemExit(9)"
        confined = [sys.executable, "-m", "tests.deploy.sandbox", str(GATEWAY), sys.executable, "-c", text]
        done = subprocess.run(confined, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 9, (attempt, done.stderr)
