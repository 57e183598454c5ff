"""What the end-to-end tests share: real parts of the bench, put together by hand."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.journal.reader import Reader
from hil import wiring
from hil.bench import MOSQUITTO, VM
from hil.broker import Broker
from hil.clock import ScaledClock
from hil.gateway import Gateway
from hil.ports import free_port
from hil.scenario import Scenario, load
from hil.terminal import Terminal


class Parts:
    """Broker, gateway and a provisioned terminal in real time, nothing started; no meter answers."""

    def __init__(self, folder: Path, broker: Broker, uplink: dict[str, int], uart: Path) -> None:
        scenario: Scenario = load("platform_silent")
        now_ms = time.time_ns() // 1_000_000
        clock = ScaledClock(time.time_ns(), now_ms, 1)
        (plan,) = scenario.terminals
        ports = wiring.Ports(broker.port, free_port())
        config = wiring.write_gateway(scenario, folder / "gateway", ports)
        self.broker = broker
        self.gateway = Gateway(config, clock)
        self.terminal = Terminal(VM, folder / "terminal", clock, uart, "set")
        self.terminal.provision(
            wiring.terminal_json(scenario, plan, ports, uplink=uplink), wiring.key_json(scenario.seed)
        )


@contextmanager
def parts(folder: Path, uplink: dict[str, int]) -> Iterator[Parts]:
    """The parts, all of them ended on the way out."""
    master, slave = os.openpty()
    try:
        with Broker(MOSQUITTO, folder / "broker") as broker:
            made = Parts(folder, broker, uplink, Path(os.ttyname(slave)))
            with made.gateway, made.terminal:
                yield made
    finally:
        os.close(master)
        os.close(slave)


def times_in_journal(gateway: Gateway, epoch: int) -> Counter[int]:
    """How often each seq of the epoch is in the journal."""
    reader = Reader(gateway.data)
    try:
        return Counter(one.seq for one in reader.records_after(0, 1 << 30) if one.epoch == epoch)
    finally:
        reader.close()
