"""A child process of the bench: watched by its log, and ended by its own pid, whatever happens to the bench."""

import ctypes
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded here: between fork and exec nothing may be loaded


class BenchError(Exception):
    """The bench itself could not do what the scenario asks: what, where, what next."""


def _die_with_parent() -> None:
    """In the child, before exec: the kernel kills it when the bench's process ends, even by kill -9."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program that can be started again and again; each start appends to the same log file."""

    def __init__(self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.env = {**os.environ, **(env or {})}
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """Of the last start; 0 before the first."""
        return 0 if self._child is None else self._child.pid

    @property
    def status(self) -> int | None:
        """The exit status of the last start; None while it runs or before the first."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Start it; it must not be running."""
        if self.running:
            raise BenchError(f"{self.name} runs already / 已在运行")
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  (the bench starts children from its only thread)
            )

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._child is not None and self.running:
            self._child.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would: kill -9."""
        self._end(signal.SIGKILL, 10)

    def stop(self, timeout_s: float = 10, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end; kill it if it has not after timeout_s."""
        self._end(how, timeout_s)

    def wait_for_line(self, pattern: str, timeout_s: float, start: int = 0) -> re.Match[str]:
        """The first match of pattern in the log after byte `start`, once it is there. Raises BenchError."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = re.search(pattern, self.text(start), re.MULTILINE)
            if found:
                return found
            if not self.running:
                raise BenchError(f"{self.name} ended with status {self.status} / 进程已退出: {self.tail()}")
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} was not ready within {timeout_s:g} s / 启动超时: {self.tail()}")
            time.sleep(0.02)

    def text(self, start: int = 0) -> str:
        """What it has printed so far, from byte `start` on."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(start)
            return log.read().decode("utf-8", "replace")

    def tail(self) -> str:
        """Its last lines, for an error message, and where the whole is."""
        lines = self.text().strip().splitlines()[-5:]
        return " | ".join(lines) + f" (log: {self.log})"

    def _end(self, how: signal.Signals, timeout_s: float) -> None:
        child = self._child
        if child is None:
            return
        if child.poll() is None:
            child.send_signal(how)
        try:
            child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
