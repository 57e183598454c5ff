"""The terminal on the real VM as a Modbus server: read by mbpoll, fetched from by the real gateway."""

import os
import re
import socket
import subprocess
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hil import wiring
from hil.bench import VM, Bench
from hil.clock import ScaledClock
from hil.gateway import Gateway
from hil.ports import free_port
from hil.scenario import TERMINAL, Point, Scenario, load
from hil.scenario import Terminal as Plan
from hil.terminal import Terminal
from protocol import mailbox
from tests.e2e.parts import times_in_journal
from tests.firmware.live_flash import freed
from tests.gateway.support import wait_until

pytestmark = [pytest.mark.e2e]
REPO = Path(__file__).resolve().parents[2]
MBPOLL = REPO / "build/tools/mbpoll"


class Wire:
    """A serial line: two ptys and what carries bytes between them."""

    def __init__(self) -> None:
        self._pairs = [os.openpty() for _ in range(2)]
        for _, slave in self._pairs:
            tty.setraw(slave)
        self.ends = [os.ttyname(slave) for _, slave in self._pairs]
        for source, target in (self._pairs, self._pairs[::-1]):
            threading.Thread(target=self._carry, args=(source[0], target[0]), daemon=True).start()

    @staticmethod
    def _carry(source: int, target: int) -> None:
        try:
            while data := os.read(source, 4096):
                os.write(target, data)
        except OSError:
            return

    def close(self) -> None:
        for master, slave in self._pairs:
            os.close(slave)
            os.close(master)


class Made:
    """A terminal whose uplink is Modbus, and a gateway that is to fetch from it; nothing is started."""

    def __init__(self, folder: Path, wire: Wire | None) -> None:
        plain = load("platform_silent")
        scenario = msgspec.structs.replace(plain, terminals=[Plan(TERMINAL, "modbus_tcp")])
        (plan,) = scenario.terminals
        self.clock = ScaledClock(time.time_ns(), time.time_ns() // 1_000_000, 1)
        self.port = free_port()
        self.terminal = Terminal(VM, folder / "terminal", self.clock, folder / "no-meters", "set")
        ports = wiring.Ports(1, free_port(), {TERMINAL: self.port})
        config: dict[str, Any] = wiring.terminal_json(scenario, plan, ports)
        self.config = wiring.write_gateway(scenario, folder / "gateway", ports)
        if wire:
            self.terminal.process.env["WATTLINE_UART1"] = wire.ends[0]
            config["modbus"] = {"unit": wiring.UNIT, "uart": 1, "baud": 115200, "parity": "N", "stop": 1}
            tcp = f'host = "127.0.0.1"\nport = {self.port}\n'
            text = self.config.read_text()
            assert tcp in text
            self.config.write_text(text.replace(tcp, f'serial = "{wire.ends[1]}"\nbaud = 115200\n'))
        self.terminal.provision(config, wiring.key_json(scenario.seed))
        self.gateway = Gateway(self.config, self.clock)


@contextmanager
def made(folder: Path, wire: Wire | None = None) -> Iterator[Made]:
    one = Made(folder, wire)
    with one.terminal, one.gateway:
        yield one


def asked(port: int, *more: str) -> "subprocess.CompletedProcess[str]":
    """mbpoll, at its end."""
    where = ["-m", "tcp", "-p", str(port), "-a", str(wiring.UNIT), "-0", "-1", "-q", "-o", "5"]
    command = [str(MBPOLL), *where, *more, "127.0.0.1"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def mbpoll(port: int, *more: str) -> dict[int, str]:
    """What mbpoll prints, by register."""
    done = asked(port, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    return {int(at): value for at, value in re.findall(r"^\[(\d+)\]:\s+(\S+)", done.stdout, re.MULTILINE)}


def test_mbpoll_reads_live_values_and_the_mailboxs_identity(tmp_path: Path) -> None:
    """P-98: with a master that nobody here wrote."""
    with made(tmp_path) as one:
        one.terminal.start()
        one.terminal.process.wait_for_line("modbus: unit 7 on port", 60)
        wait_until(lambda: listening(one.port), "it listens")
        assert mbpoll(one.port, "-t", "4:hex", "-r", "0", "-c", "4") == {
            0: "0x574C",
            1: "0x0001",
            2: "0x0002",
            3: "0x0040",
        }
        point = mbpoll(one.port, "-t", "4:float", "-B", "-r", "102", "-c", "2")
        assert point == {102: "nan", 104: "nan"}, "no meter answers: not a number, never 0"
        assert mbpoll(one.port, "-t", "4", "-r", "100", "-c", "1") == {100: "1"}
        identity = mbpoll(one.port, "-t", "4:hex", "-r", str(mailbox.IDENTITY), "-c", "1")
        assert identity == {mailbox.IDENTITY: "0x574C"}
        one.terminal.kill()


def test_a_terminal_over_mqtt_serves_its_live_map_beside_it(tmp_path: Path) -> None:
    """P-171: mbpoll reads what the meter shows while windows go over the broker; there is no mailbox beside it."""
    points = [Point("office", "other", "sdm630", 1, 6_000)]
    start = datetime(2026, 3, 2, tzinfo=UTC)
    plan = [Plan(TERMINAL, live_map=True)]
    scenario = Scenario("live", "", "", start, hours=24, factor=600, points=points, terminals=plan)
    with Bench(scenario, tmp_path / "run") as bench:
        bench.bring_up(set())
        wait_until(lambda: bench.gateway.windows() >= 1, "a window over MQTT")
        port, windows = bench.ports.modbus[TERMINAL], bench.gateway.windows()
        (power_w,) = {row["values"]["p_w"] for row in bench.terminals[TERMINAL].served()}
        assert mbpoll(port, "-t", "4:float", "-B", "-r", "102", "-c", "1") == {102: str(power_w)}
        assert mbpoll(port, "-t", "4", "-r", "100", "-c", "1") == {100: "2"}, "a point that was sampled"
        refused = asked(port, "-t", "4:hex", "-r", str(mailbox.IDENTITY), "-c", "1")
        assert refused.returncode != 0
        assert "Illegal data address" in refused.stderr
        wait_until(lambda: bench.gateway.windows() > windows, "the next window over MQTT")
        bench.end()
    assert bench.broker.published() >= 2


def test_who_opens_connections_and_keeps_them_takes_no_place_from_others(tmp_path: Path) -> None:
    """P-508: the one that asked longest ago is ended; those that go on asking, and whoever comes, are answered."""
    with made(tmp_path) as one:
        one.terminal.start()
        one.terminal.process.wait_for_line("modbus: unit 7 on port", 60)
        wait_until(lambda: listening(one.port), "it listens")
        with ExitStack() as opened:
            held = [opened.enter_context(socket.create_connection(("127.0.0.1", one.port), 30)) for _ in range(4)]
            assert all(answers(each) for each in held)
            assert answers(held[0])  # so that the second asked longest ago
            for number in range(1, 4):
                held.append(opened.enter_context(socket.create_connection(("127.0.0.1", one.port), 30)))
                assert answers(held[-1])
                assert held[number].recv(1) == b"", "it is ended"
                assert answers(held[0])
        one.terminal.kill()


def answers(caller: socket.socket) -> bool:
    """Whether a request for the live map's first register is answered."""
    caller.sendall(bytes((0, 1, 0, 0, 0, 6, wiring.UNIT, 3, 0, 0, 0, 1)))
    return caller.recv(64) == bytes((0, 1, 0, 0, 0, 5, wiring.UNIT, 3, 2)) + b"WL"


def listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("way", ["tcp", "rtu"])
def test_the_real_gateway_fetches_everything_and_its_acks_free_it(tmp_path: Path, way: str) -> None:
    """P-99: over Modbus TCP and over a serial line: the same frames, once each, and nothing is left."""
    wire = Wire() if way == "rtu" else None
    with made(tmp_path, wire) as one:
        printed = one.terminal.run_vm("prefill.py", str(one.terminal.image), "120")
        assert '"last": 120' in printed
        one.gateway.start()
        one.terminal.start()
        wait_until(lambda: one.gateway.counters().get("records_new", 0) >= 121, "121 records in the journal", 60)
        wait_until(lambda: freed(one.terminal, set(range(1, 122))), "the last ack")
        one.terminal.kill()
        one.gateway.stop()
        epochs = set(re.findall(r"epoch ([0-9a-f]{8})", one.terminal.process.text()))
        assert len(epochs) == 1
        times = times_in_journal(one.gateway, int(epochs.pop(), 16))
        assert [times[seq] for seq in range(1, 122)] == [1] * 121
        left = one.terminal.run_vm("log_dump.py", str(one.terminal.image), "252").splitlines()[1:]
        assert left == []
    if wire:
        wire.close()
