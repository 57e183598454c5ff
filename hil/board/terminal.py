"""A real terminal as a part of the target: its console, its supply, and the meters on its bus."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from hil.board import console
from hil.board.bench_file import BenchFile
from hil.board.power import power_of
from hil.link import Link
from hil.lives import Lives
from hil.meter_bus import MeterBus
from hil.oracle.evidence import Life
from hil.oracle.sources import read_rows
from hil.process import BenchError, Process

START_S = 20.0


class BoardTerminal:
    """hil.target.TerminalPart over a board."""

    def __init__(self, bench: BenchFile, bus: MeterBus, link: Link, folder: Path, *, knows_time: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.link = link
        self._bench = bench
        self._bus = bus
        self._knows_time = knows_time
        self._power = power_of(bench.power)
        self._has_relay = bench.power.kind != "none"
        self._log = folder / "terminal.log"
        self._log.touch()
        command = [sys.executable, "-m", "hil.board.console", "--port", bench.console.port]
        command += ["--baud", str(bench.console.baud), "--log", str(self._log)]
        self._recorder = Process("console", command, folder / "console.log")
        self._lives = Lives(bus.clock, self._log.read_bytes)

    def provision(self, config: Mapping[str, Any], key: Mapping[str, Any]) -> None:
        """Put configuration and key on the board, which then has no power; without a relay it starts anew at once.

        Raises BenchError.
        """
        files = {"terminal.json": json.dumps(config).encode(), "key": json.dumps(key).encode()}
        if self._has_relay:
            self._power.switch(on=False)
        self._power.switch(on=True)
        console.put(self._bench.console, files, reset=not self._has_relay)
        if self._has_relay:
            self._power.switch(on=False)
        else:
            self._lives.begin(lambda: None)
        self._recorder.start()
        self._recorder.wait_for_line("^recording", START_S)

    def start(self) -> None:
        """Power on."""
        if not self._lives.running:
            self._lives.begin(lambda: self._power.switch(on=True))

    def kill(self) -> None:
        """Power cut; a board without a relay just goes on."""
        if self._lives.end() and self._has_relay:
            self._power.switch(on=False)

    def keep_alive(self) -> str | None:
        """A board starts itself again."""
        return None

    def copy_flash(self, other: Self) -> None:
        """Not without hands on the board. Raises BenchError."""
        del other
        raise BenchError("the flash of a board is not copied / 无法复制板上存储")

    def move_rtc(self, seconds: int) -> None:
        """Not without hands on the board. Raises BenchError."""
        raise BenchError(f"the clock of a board is not moved by {seconds} s / 无法调整板上时钟")

    @property
    def lives(self) -> list[Life]:
        """Its starts, each to its end or to now."""
        return self._lives.all(knows_time=self._knows_time)

    def served(self) -> list[dict[str, Any]]:
        """The rows of its meters' log."""
        return read_rows(self._bus.log)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.kill()
        finally:
            self._recorder.stop()
