"""The terminal as a process of the bench: the real MicroPython VM, its flash in a file, straps in the environment."""

import json
import signal
import struct
import subprocess
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from hil.clock import ScaledClock
from hil.lives import Lives
from hil.oracle.evidence import Life
from hil.process import BenchError, Process

ROOT = Path(__file__).parent.parent
DEVICE = ROOT / "firmware" / "device"
HASTY = ROOT / "hil" / "vm" / "hasty.py"
WEDGING = ROOT / "hil" / "vm" / "wedging.py"
FAKETIME = ROOT / "build" / "tools" / "libfaketime.so.1"
DEAD_RTC_S = 946_684_800  # 2000-01-01
RTC_WRONG_S = 3 * 3600
_STRAPS = {"set": "set", "none": "none", "wrong": f"+{RTC_WRONG_S}"}
_RESET = "starting anew: "  # what a terminal says right before it resets itself (terminal/app.py)
PROVISION_S = 30  # formatting a new image takes under a second


class Terminal:
    """A terminal with its own flash image. `lives` are its starts so far, in virtual time.

    rtc: `set` by the terminal itself; `wrong`: by somebody else, hours ahead; `none` lost its power; `dead` did too,
    and then counts on from 2000-01-01, so that TLS sees that (in real time only, on the 64-bit VM). program: HASTY does
    not wait between attempts, WEDGING wedges when it is told to. root: the terminal's file system, the sources or what
    firmware.image made.
    """

    def __init__(
        self,
        vm: Path,
        folder: Path,
        clock: ScaledClock,
        uart: Path,
        rtc: Literal["set", "none", "wrong", "dead"],
        program: Path | None = None,
        root: Path = DEVICE,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.image = folder / "flash.img"
        self._vm = vm
        self._now_ms = clock.now_ms
        self._rtc_set = rtc == "set"
        self._rtc_file = folder / "rtc_added_s" if rtc == "dead" else None
        env = {
            "MICROPYPATH": f"{root}:.frozen" if root != DEVICE else f"{ROOT}:{DEVICE}:.frozen",
            "WATTLINE_FLASH": str(self.image),
            "WATTLINE_UART0": str(uart),
            **({"WATTLINE_RTC": _STRAPS[rtc], **clock.env()} if self._rtc_file is None else _dead_rtc(self._rtc_file)),
        }
        command = [str(vm), str(program or root / "main.py")]
        self.process = Process("terminal", command, folder / "terminal.log", env)
        self._lives = Lives(clock, lambda: self.process.text().encode())

    def provision(
        self, config: Mapping[str, Any], key: Mapping[str, Any], files: Mapping[str, bytes] | None = None
    ) -> None:
        """Make the flash image anew, with this configuration, key and files in it. Raises BenchError."""
        for file in (self.image, self.image.with_name(self.image.name + ".counters")):
            file.unlink(missing_ok=True)
        contents = {"terminal.json": json.dumps(config).encode(), "key": json.dumps(key).encode(), **(files or {})}
        if self._rtc_set:
            contents["rtc_set"] = rtc_set(self._now_ms() // 1000)
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
        self._lives.begin(self.process.start)

    def kill(self) -> None:
        """Power cut."""
        self._lives.end()
        self.process.kill()

    def keep_alive(self) -> str | None:
        """Start it again if it has ended by itself: a reset. Returns what to find in that, None while it runs."""
        if not self._lives.running or self.process.running:
            return None
        status = self.process.status
        self._lives.end(self._reset_ns())
        self.start(watchdog=status == -signal.SIGALRM)
        return None if status == 0 else f"the terminal ended with status {status}: {self.process.tail()}"

    def _reset_ns(self) -> int | None:
        """When it began to end by itself, in ns since 1970; None: it did not say so. The last that it says is that."""
        said = self.process.text().rstrip().rpartition("\n")[2]
        return self.process.log.stat().st_mtime_ns if _RESET in said else None

    @property
    def lives(self) -> list[Life]:
        """Its starts, each to its end or to now."""
        return self._lives.all(knows_time=self._rtc_set)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def rtc_set(unix_s: int) -> bytes:
    """The file by which a terminal remembers that it has set its RTC (terminal.rtc_memory): then it believes it."""
    body = struct.pack("<IH", unix_s, 0)
    return body + zlib.crc32(body).to_bytes(4, "little")


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
