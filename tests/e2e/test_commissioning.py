"""From a blank board to a commissioned terminal: the real VM by its raw REPL, meters on a bus, mosquitto, the gateway.

What was said is held against commissioning.txt. On a real bench the same test runs with WATTLINE_BENCH=bench.toml (the
bench's file: docs/bench.md) and WATTLINE_BOARD=esp32s3.
"""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from firmware.field.board.link import Link
from firmware.field.cli import app as field
from gateway import registry
from gateway.cli import app as gateway_cli
from gateway.commissioning import admission
from hil.bench import MOSQUITTO
from hil.board.bench_file import read
from hil.board.blank import blank_board
from hil.board.power import power_of
from hil.broker import Broker
from hil.clock import ScaledClock
from hil.gateway import Gateway
from hil.process import Process
from tests.protocol.host.altered import changed

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TRANSCRIPT = Path(__file__).with_name("commissioning.txt")
EXAMPLE = Path(__file__).parents[2] / "deploy" / "example" / "site.toml"
BOARD = os.environ.get("WATTLINE_BOARD", "unix")
METERS = [
    {"address": 1, "profile": "dtsu666", "ct_ratio": 80, "load": {"kind": "constant", "rated_w": 120_000}},
    {"address": 2, "profile": "dtsu666", "ct_ratio": 20, "load": {"kind": "constant", "rated_w": 12_000}},
]
# what differs from run to run, and what stands for it
VARYING = (
    (re.compile(r"\d+\.\d s\b"), "N s"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "DIGEST"),
    (re.compile(r"kill -HUP \d+"), "kill -HUP PID"),
)


class Place(NamedTuple):
    """A bench: its board's console, the emulated meters' port and speed, and this machine's address for the board."""

    console: str
    meters: str
    baud: int = 9600
    address: str = "127.0.0.1"
    password: str = "not used here"


class Site:
    """Everything but the technician: a board on a bench, its meters, a broker, a gateway; and what was said so far."""

    def __init__(self, folder: Path, bench: Place, broker: Broker) -> None:
        self.folder = folder
        self.bench = bench
        self.laptop, self.office = folder / "laptop", folder / "gateway"
        self.laptop.mkdir()
        self.office.mkdir()
        self._broker = broker
        (self.office / "terminals.toml").write_text("")
        (self.office / "gateway.toml").write_text(
            'data_dir = "data"\nterminals = "terminals.toml"\n[metrics]\nport = 0\n'
            f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
        )
        self.gateway = Gateway(self.office / "gateway.toml", ScaledClock(time.time_ns(), time.time_ns() // 10**6, 1))
        self.said = ""
        self.everything = ""

    def run(self, program: str, command: str, *arguments: object) -> tuple[int, str]:
        """A command as a person types it; kept as the transcript has it. Returns status and standard output."""
        app = field if program == "field" else gateway_cli
        given = [command, *(["--config", str(self.office / "gateway.toml")] if app is gateway_cli else [])]
        answer = CliRunner().invoke(app, [*given, *map(str, arguments)])
        assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
        line = " ".join(("wattline", program, command, *map(str, arguments)))
        self.said += f"$ {line}\n{answer.stdout}-> {answer.exit_code}\n"
        print(f"$ {line}\n{answer.output}-> {answer.exit_code}")  # with the time of each step, and what a terminal said
        self.everything += answer.output
        return answer.exit_code, answer.stdout

    def plan(self, sealing_key: str) -> Path:
        """The example's site plan, for this bench."""
        text = EXAMPLE.read_text(encoding="utf-8")
        key = re.search(r'sealing_key = "(\w+)"', text)
        assert key is not None
        text = text.replace(key[1], sealing_key).replace('host = "10.0.0.1"', f'host = "{self.bench.address}"')
        text = text.replace("port = 1883", f"port = {self._broker.port}")
        text = text.replace("baud = 9600", f"baud = {self.bench.baud}")
        text = text.replace('board = "esp32s3"', f'board = "{BOARD}"')
        file = self.laptop / "site.toml"
        file.write_text(text, encoding="utf-8")
        (self.laptop / "wifi-password.txt").write_text(self.bench.password)
        return file

    def transcript(self) -> str:
        """What was said, without what differs from run to run."""
        text = self.said
        varying = {
            self.laptop: "LAPTOP",
            self.office: "GATEWAY",
            self.bench.console: "BOARD",
            f"{self.bench.baud} 8N1": "BAUD 8N1",
            f", {BOARD}\n": ", KIND\n",
        }
        for place, name in varying.items():
            text = text.replace(str(place), name)
        for pattern, name in VARYING:
            text = pattern.sub(name, text)
        return text


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as running:
        bench = running.enter_context(_bench(tmp_path))
        _meters(running, tmp_path / "meters", bench)
        broker = running.enter_context(Broker(MOSQUITTO, tmp_path / "broker"))
        broker.start()
        yield Site(tmp_path, bench, broker)


@contextmanager
def _bench(folder: Path) -> Iterator[Place]:
    """A board that has power and, where it is the VM, nothing on it."""
    file = os.environ.get("WATTLINE_BENCH")
    if file is None:
        with blank_board(folder / "board") as board:
            yield Place(board.port, board.bus)
        return
    bench = read(Path(file))
    power = power_of(bench.power)
    power.switch(on=True)
    Link(bench.console.port, bench.console.baud, wait_start=True).close()
    password = str(bench.terminal.get("password", ""))
    yield Place(bench.console.port, bench.meters.port, bench.meters.baud, bench.network.address, password)
    power.switch(on=False)


def _meters(running: ExitStack, folder: Path, bench: Place) -> None:
    folder.mkdir()
    config = {"meters": METERS, "log": "served.jsonl", "port": bench.meters, "baud": bench.baud}
    (folder / "meters.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "hil.meters", "--config", str(folder / "meters.json")]
    clock = ScaledClock(time.time_ns(), time.time_ns() // 10**6, 1)
    process = running.enter_context(Process("meters", command, folder / "log", clock.env()))
    process.start()


def test_a_blank_board_becomes_a_terminal_that_the_gateway_verifies_as_commissioned(site: Site) -> None:
    """P-307, S-20, S-29"""
    office, laptop = site.office, site.laptop
    plan = site.plan(site.run("gateway", "sealing-key")[1].strip())
    known = site.run("field", "technician-key", laptop / "li.wei.pem", "--no-password")[1]
    (office / "technicians.toml").write_text(known)
    assert site.run("field", "plan", plan)[0] == 0
    with site.gateway:
        site.gateway.start()
        site.gateway.wait_until_ready()
        order = (plan, "--port", site.bench.console, "--key", laptop / "li.wei.pem")
        loads = ("--running", "1=120", "--running", "2=12")
        site.run("field", "commission", *order, "--dry-run")
        # nobody knows this terminal yet
        assert site.run("field", "commission", *order, *loads, "--timeout", 8)[0] == 4
        began = json.loads((laptop / "T0001.session.json").read_text())["ended"]
        assert site.run("gateway", "admit", laptop / "T0001.enrolment.json")[0] == 0
        _reload(site.gateway, office)
        # it goes on where it was
        (laptop / "cabinet.jpg").write_bytes(b"a picture")
        status, _ = site.run("field", "commission", *order, *loads, "--timeout", 40, "--photo", laptop / "cabinet.jpg")
        assert status == 0
        ended = json.loads((laptop / "T0001.session.json").read_text())["ended"]
        assert {name: at for name, at in ended.items() if name in began and name != "test"}.items() <= began.items()
        assert site.run("gateway", "admit", laptop / "T0001.report.json")[0] == 0
        assert site.run("gateway", "admit", laptop / "T0001.report.json")[0] == 1  # once
    _check_registry(office)
    _check_secret(site)
    _check_each_member_counts(site)
    if os.environ.get("WATTLINE_WRITE_EXPECTED"):
        TRANSCRIPT.write_text(site.transcript(), encoding="utf-8")
    assert site.transcript() == TRANSCRIPT.read_text(encoding="utf-8")


def _reload(gateway: Gateway, office: Path) -> None:
    """As the operator is told to."""
    said = len(gateway.process.text())
    pid = int((office / "data" / "gateway.lock").read_text())
    os.kill(pid, signal.SIGHUP)
    gateway.process.wait_for_line(r'"event": ?"reloaded"', 60, said)


def _check_registry(office: Path) -> None:
    found = registry.load(office / "terminals.toml").get("T0001")
    assert found is not None
    assert found.commissioned_s is not None
    assert [(one.kind, one.ct_ratio) for one in found.points.values()] == [("production", 80), ("treatment", 20)]
    assert [one.meter for one in found.points.values()] == [
        registry.Meter(ct_milli=80_000, pt_milli=1000),
        registry.Meter(ct_milli=20_000, pt_milli=1000),
    ]


def _check_each_member_counts(site: Site) -> None:
    """Of what was really sent, nothing can be another thing, be left out or be put in."""
    key = serialization.load_pem_private_key((site.laptop / "li.wei.pem").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    technicians = {"li.wei": key.public_key()}
    sent = {name: json.loads((site.laptop / f"T0001.{name}.json").read_bytes()) for name in ("enrolment", "report")}
    for name, document in sent.items():
        admission.open_document(json.dumps(document).encode(), technicians)
        others = list(changed(document["body"]))
        assert len(others) > {"enrolment": 20, "report": 100}[name]
        for body in others:
            with pytest.raises(admission.RefusedError) as refused:
                admission.open_document(json.dumps({**document, "body": body}).encode(), technicians)
            assert refused.value.reason == "signature", body
    assert sent["report"]["body"]["photos"]
    assert all(one["baseline"] for one in sent["report"]["body"]["points"])


def _check_secret(site: Site) -> None:
    """The terminal's key is on the board and at the gateway, and nowhere else."""
    secret = (site.office / "keys" / "T0001.1.hex").read_text().strip()
    assert secret not in site.everything
    for file in [*site.laptop.iterdir(), *site.office.glob("*.log")]:
        if file.exists():
            assert secret.encode() not in file.read_bytes(), file
            assert bytes.fromhex(secret) not in file.read_bytes(), file
