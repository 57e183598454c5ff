"""The HJ 212 platform as a process of its own."""

import json
import sys
import time
from pathlib import Path

from hil.control import obeyed, order
from hil.platform_ledger import Ledger, load
from hil.process import Process

MN = "010000A8900016F000169DC0"


class PlatformProcess:
    """hil.platform as a process."""

    def __init__(self, folder: Path) -> None:
        self.journal, self.control = folder / "platform.jsonl", folder / "platform.control"
        command = [sys.executable, "-m", "hil.platform", "--journal", str(self.journal), "--control", str(self.control)]
        self.process = Process("platform", command, folder / "platform.log")
        self.process.start()
        self.port = json.loads(self.process.wait_for_line(r"^\{.*\}$", 60).group())["port"]

    def obey(self, **mode: object) -> None:
        """Return once it does."""
        order(self.control, mode)
        obeyed(self.control, self.process)

    def ledger(self) -> Ledger:
        return load(self.journal)

    def wait_for(self, messages: int) -> Ledger:
        deadline = time.monotonic() + 60
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
