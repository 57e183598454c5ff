"""The way between two parts of the bench that talk over TCP, as a process of its own (hil/proxy.py)."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

from hil.control import obeyed, order
from hil.process import Process
from hil.weather import PROFILES, Weather

START_S = 20.0  # a busy machine imports slowly


class Link:
    """Passes on what comes to `port`, once it is started, to the target on loopback."""

    def __init__(self, folder: Path, target_port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = 0
        self._weather = Weather()  # as set_up and set_profile have it
        self._control = folder / "control.jsonl"
        command = [sys.executable, "-m", "hil.proxy", "--target", str(target_port), "--control", str(self._control)]
        self.process = Process("link", command, folder / "link.log")

    def start(self) -> int:
        """Start it; returns the port to connect to."""
        self.process.start()
        self.port = int(self.process.wait_for_line(r'^\{"port": (\d+)\}$', START_S)[1])
        return self.port

    def set(self, **weather: object) -> None:
        """Change how bytes travel: hil.weather.Weather's fields, or `profile`."""
        order(self._control, weather)

    def lead_to(self, port: int) -> None:
        """End all connections; those to come go to this port on loopback."""
        order(self._control, {"target": port})
        self.cut()

    def set_up(self, *, up: bool) -> None:
        """Let nothing pass and end nothing, or let it pass again."""
        self._weather = replace(self._weather, flowing=up)
        self.set(**asdict(self._weather))

    def set_profile(self, name: str) -> None:
        """As fast as a network of hil.weather.PROFILES."""
        self._weather = replace(PROFILES[name], flowing=self._weather.flowing)
        self.set(**asdict(self._weather))

    def cut(self) -> None:
        """End all connections without a word."""
        order(self._control, {"cut": True})

    def break_after(self, count: int | None) -> None:
        """End all connections, and the next one when so many bytes have passed up; None: no later one any more."""
        self.cut()
        self.cut_after([] if count is None else [(True, count)])

    def cut_after(self, cuts: list[tuple[bool, int]]) -> None:
        """Cut each of the connections to come, in their order, after so many bytes (True: on their way up)."""
        order(self._control, {"cuts": cuts})

    def obeyed(self) -> None:
        """Return once all that was set and ordered here is so. Raises BenchError."""
        obeyed(self._control, self.process)

    def ended(self) -> list[dict[str, Any]]:
        """The connections that have ended: number, bytes passed up and down, how it ended."""
        rows = [json.loads(line) for line in self.process.text().splitlines() if line.startswith('{"connection"')]
        return sorted(rows, key=lambda row: int(row["connection"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
