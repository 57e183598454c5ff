"""Journal to platform: the whole gateway, a real broker, the HJ 212 platform as a process of its own."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.forward.outbox import status
from hil.broker import Broker
from hil.platform_ledger import Ledger, load
from hil.process import Process
from tests.gateway.support import NOW_S, Device, Running, Sender, event, window, write_config

MN = "010000A8900016F000169DC0"
MAPPING = f"""
[[station]]
terminal = "T0001"
mn = "{MN}"
st = "32"
pw = "831027"
[[station.item]]
point = 1
code = "i33200"
quantity = "p"
attributes = ["Min", "Avg", "Max"]
"""


class PlatformProcess:
    """hil.platform as a process."""

    def __init__(self, folder: Path) -> None:
        self.journal, self.control = folder / "platform.jsonl", folder / "platform.control"
        command = [sys.executable, "-m", "hil.platform", "--journal", str(self.journal), "--control", str(self.control)]
        self.process = Process("platform", command, folder / "platform.log")
        self.process.start()
        self.port = json.loads(self.process.wait_for_line(r"^\{.*\}$", 10).group())["port"]

    def obey(self, **mode: object) -> None:
        with self.control.open("a") as stream:
            stream.write(json.dumps(mode) + "\n")

    def ledger(self) -> Ledger:
        return load(self.journal)

    def wait_for(self, messages: int) -> Ledger:
        deadline = time.monotonic() + 20
        while self.ledger().counts.messages < messages and time.monotonic() < deadline:
            time.sleep(0.05)
        found = self.ledger()
        assert found.counts.messages == messages
        return found

    def sink(self) -> str:
        return (
            f'[[sink]]\nname = "province"\nkind = "hj212"\nhost = "127.0.0.1"\nport = {self.port}\n'
            'mapping = "platform.toml"\nanswer_timeout_ms = 300\nreconnect_min_ms = 10\nreconnect_max_ms = 200\n'
        )


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[PlatformProcess]:
    one = PlatformProcess(tmp_path)
    with one.process:
        yield one


def configure(folder: Path, broker: Broker, platform: PlatformProcess) -> Path:
    config = write_config(folder, broker.port, [Sender()], platform.sink())
    (folder / "platform.toml").write_text(MAPPING)
    return config


def windows(first: int, count: int) -> list[bytes]:
    return [window(seq, NOW_S - 900 * (count - index)) for index, seq in enumerate(range(first, first + count))]


def test_each_window_reaches_the_platform_once(
    tmp_path: Path,
    broker: Broker,
    platform: PlatformProcess,
    start: Callable[[Path], Running],
    device: Callable[..., Device],
) -> None:
    sender = Sender()
    running = start(configure(tmp_path, broker, platform))
    device().publish("T0001", sender.frame([*windows(1, 5), event(6)]))
    found = platform.wait_for(5)
    assert found.counts.duplicates == found.counts.conflicts == found.counts.qn_reused == 0
    assert {key[0] for key in found.values} == {MN}
    deadline = time.monotonic() + 10
    while running.metric("wattline_sink_delivered_records_total", sink="province") < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    state = status(tmp_path / "data", "province")
    assert (state["confirmed"], state["under_way"]) == (6, 0)
    assert state["counts"] == {"delivered": 5, "skipped_event": 1}
