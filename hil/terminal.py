"""The terminal as a process of the bench: the real MicroPython VM, its flash in a file, straps in the environment."""

import itertools
import json
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from hil.clock import ScaledClock
from hil.oracle.evidence import Life
from hil.process import BenchError, Process

ROOT = Path(__file__).parent.parent
DEVICE = ROOT / "firmware" / "device"
HASTY = ROOT / "hil" / "vm" / "hasty.py"
WEDGING = ROOT / "hil" / "vm" / "wedging.py"
FAKETIME = ROOT / "build" / "tools" / "libfaketime.so.1"
DEAD_RTC_S = 946_684_800  # 2000-01-01
_BOOT = re.compile(rb"^\S+ wattline \S+ boot (\d+) ", re.MULTILINE)
PROVISION_S = 30  # formatting a new image takes under a second


class Terminal:
    """A terminal with its own flash image. `lives` are its starts so far, in virtual time.

    rtc: `none` lost its power; `dead` did too, and then counts on from 2000-01-01, so that TLS sees that (in real time
    only, on the 64-bit VM). program: HASTY does not wait between attempts, WEDGING wedges when it is told
    to. root: the terminal's file system, the sources or what firmware.image made.
    """

    def __init__(
        self,
        vm: Path,
        folder: Path,
        clock: ScaledClock,
        uart: Path,
        rtc: Literal["set", "none", "dead"],
        program: Path | None = None,
        root: Path = DEVICE,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.image = folder / "flash.img"
        self._clock = clock
        self._vm = vm
        self._rtc_set = rtc == "set"
        self._starts: list[int] = []
        self._said: list[int] = []  # bytes of its log at each start
        self._ends: list[int] = []
        self._rtc_file = folder / "rtc_added_s" if rtc == "dead" else None
        env = {
            "MICROPYPATH": f"{root}:.frozen" if root != DEVICE else f"{ROOT}:{DEVICE}:.frozen",
            "WATTLINE_FLASH": str(self.image),
            "WATTLINE_UART0": str(uart),
            **({"WATTLINE_RTC": rtc, **clock.env()} if self._rtc_file is None else _dead_rtc(self._rtc_file)),
        }
        command = [str(vm), str(program or root / "main.py")]
        self.process = Process("terminal", command, folder / "terminal.log", env)

    def provision(
        self, config: Mapping[str, Any], key: Mapping[str, Any], files: Mapping[str, bytes] | None = None
    ) -> None:
        """Make the flash image anew, with this configuration, key and files in it. Raises BenchError."""
        for file in (self.image, self.image.with_name(self.image.name + ".counters")):
            file.unlink(missing_ok=True)
        contents = {"terminal.json": json.dumps(config).encode(), "key": json.dumps(key).encode(), **(files or {})}
        for name, content in contents.items():
            file = self.folder / name
            file.touch(mode=0o600)  # some of them are keys
            file.write_bytes(content)
        self.run_vm("provision.py", *(str(self.folder / name) for name in contents))

    def run_vm(self, script: str, *args: str) -> str:
        """Run one of hil/vm/'s scripts on the VM, with the terminal's straps; returns what it printed."""
        command = [str(self._vm), str(ROOT / "hil" / "vm" / script), *args]
        done = subprocess.run(
            command, env=self.process.env, capture_output=True, text=True, timeout=PROVISION_S, check=False
        )
        if done.returncode:
            raise BenchError(f"{script} failed / 失败: {done.stdout[-400:]}{done.stderr[-400:]}")
        return done.stdout

    def start(self, *, watchdog: bool = False) -> None:
        """Power on; or what the hardware does when the watchdog has ended the program."""
        self.process.env["WATTLINE_RESET"] = "watchdog" if watchdog else "power"
        if self._rtc_file is not None:
            self._rtc_file.write_text(f"{DEAD_RTC_S - int(time.time()):+d}\n", encoding="ascii")
        self._said.append(len(self.process.text().encode()))
        self.process.start()
        self._starts.append(self._clock.now_ms())

    def kill(self) -> None:
        """Power cut."""
        if len(self._ends) < len(self._starts):
            self._ends.append(self._clock.now_ms())
        self.process.kill()

    def keep_alive(self) -> str | None:
        """Start it again if it has ended by itself: a reset. Returns what to find in that, None while it runs."""
        if not self._starts or len(self._ends) == len(self._starts) or self.process.running:
            return None
        status = self.process.status
        self._ends.append(self._clock.now_ms())
        self.start(watchdog=status == -signal.SIGALRM)
        return None if status == 0 else f"the terminal ended with status {status}: {self.process.tail()}"

    @property
    def lives(self) -> list[Life]:
        """Its starts, each to its end or to now, and what it says that it counted each as: a busy machine starts the VM
        late, and the time alone would not tell which window is of which start.
        """
        ends = [*self._ends, *([self._clock.now_ms()] if len(self._ends) < len(self._starts) else [])]
        log = self.process.text().encode()
        said = [log[begin:end] for begin, end in itertools.pairwise([*self._said, len(log)])]
        boots = [int(found[1]) if (found := _BOOT.search(text)) else None for text in said]
        return [
            Life(from_ms, to_ms, self._rtc_set, boot)
            for from_ms, to_ms, boot in zip(self._starts, ends, boots, strict=True)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _dead_rtc(file: Path) -> dict[str, str]:
    """The straps of a clock that libfaketime shows: the host's and the seconds in the file."""
    if not FAKETIME.exists():
        raise BenchError(f"{FAKETIME} is not there: run `make setup` / 缺少工具，请先运行 make setup")
    return {
        "WATTLINE_RTC": f"file:{file}",
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
