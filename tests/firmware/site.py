"""A site for the terminal's tests: Debian's mosquitto, the terminal on the real VM, a bus on which nobody answers."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from gateway.pki.authority import Issued
from hil.authority import Authority
from hil.broker import Broker
from hil.clock import ScaledClock
from hil.terminal import DEVICE, Terminal
from protocol import mac
from tests.firmware.gateway_double import gateway_double

REPO = Path(__file__).resolve().parents[2]
SECRET = bytes(range(32))
KEY = mac.Key(SECRET, 1)
NAME = "T-77"
BROKER = "localhost"
Rtc = Literal["set", "none", "dead"]
START_MS = 1_790_000_100_000


class Tls:
    """An authority, the broker's certificate of it, and the terminal's with its files."""

    def __init__(self, client: Issued | None = None) -> None:
        self.authority = Authority()
        self.server = self.authority.issue(BROKER)
        self.client = client or self.authority.issue(NAME)
        self.files = self.authority.terminal_files(self.client)


class Site:
    """A broker, and a terminal with a bus on which nobody answers; nothing is started."""

    def __init__(
        self,
        folder: Path,
        uart: Path,
        vm: str,
        factor: int,
        rtc: Rtc,
        tls: Tls | None,
        *,
        program: Path | None,
        root: Path,
    ) -> None:
        self.clock = ScaledClock(time.time_ns(), time.time_ns() // 1_000_000 if rtc == "dead" else START_MS, factor)
        self.tls = tls
        self.uart = uart
        server = tls.authority.server_files(tls.server, folder / "server") if tls else None
        self.broker = Broker(REPO / "build/mosquitto/mosquitto", folder / "broker", tls=server)
        micropython = REPO / "build" / vm / "micropython"
        self.terminal = Terminal(micropython, folder / "terminal", self.clock, uart, rtc, program, root)

    def provision(
        self,
        keepalive_s: int = 60,
        port: int = 0,
        sntp_port: int = 0,
        sample_interval_s: int = 60,
        files: Mapping[str, bytes] | None = None,
        **uplink: int,
    ) -> None:
        """`port`: of what stands between terminal and broker; `files`: more of them."""
        meter = {"address": 1, "profile": "dtsu666", "point": 1, "ct_ratio": 1, "pt_ratio": 1, "timeout_ms": 20}
        mqtt: dict[str, Any] = {"host": "127.0.0.1", "port": port or self.broker.port, "keepalive_s": keepalive_s}
        if self.tls:
            mqtt |= {"port": port or self.broker.tls_port, "tls": {"server_name": BROKER}}
        config: dict[str, Any] = {
            "terminal": NAME,
            "sample_interval_s": sample_interval_s,
            "buses": [{"uart": 0, "baud": 9600, "parity": "N", "stop": 1, "meters": [meter]}],
            "points": [{"number": 1, "name": "furnace", "kind": "production", "run_threshold_w": 500}],
            "mqtt": mqtt,
            "uplink": {"ack_timeout_ms": 500, "unacked_frames": 8, "records_per_frame": 8, **uplink},
        }
        if sntp_port:
            config["sntp"] = {"host": "127.0.0.1", "port": sntp_port}
        files = {**(self.tls.files if self.tls else {}), **(files or {})}
        self.terminal.provision(config, {"generation": 1, "secret": SECRET.hex()}, files)

    def prefill(self, count: int) -> tuple[int, int]:
        """(epoch, last number)."""
        told = json.loads(self.terminal.run_vm("prefill.py", str(self.terminal.image), str(count)).splitlines()[-1])
        return told["epoch"], told["last"]

    def pending(self) -> list[int]:
        """What the log of the terminal, which must not run, still has to tell."""
        lines = self.terminal.run_vm("log_dump.py", str(self.terminal.image), "252").splitlines()
        return [json.loads(line)["seq"] for line in lines[1:]]

    def gateway(self, key: mac.Key = KEY):  # type: ignore[no-untyped-def]
        return gateway_double(self.broker.port, NAME, key, self.clock.now_ms)


@contextmanager
def site(
    folder: Path,
    vm: str = "vm64",
    factor: int = 1,
    rtc: Rtc = "set",
    tls: Tls | None = None,
    *,
    program: Path | None = None,
    root: Path = DEVICE,
) -> Iterator[Site]:
    master, slave = os.openpty()
    try:
        made = Site(folder, Path(os.ttyname(slave)), vm, factor, rtc, tls, program=program, root=root)
        with made.broker, made.terminal:
            yield made
    finally:
        os.close(master)
        os.close(slave)
