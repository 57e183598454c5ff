"""The benchmarks' processes: started, and what they have used by the kernel's own count."""

import os
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from hil.process import Process

READY_S = 90.0  # a busy machine imports slowly; a load makes its messages beforehand


def started(module: str, words: Iterable[object], folder: Path, running: ExitStack) -> Process:
    """`python -m hil.benchmarks.MODULE WORDS`, once it is ready; `running` ends it. Raises BenchError."""
    name = module.rpartition(".")[2]
    command = [sys.executable, "-m", f"hil.benchmarks.{module}", *map(str, words)]
    process = running.enter_context(Process(name, command, folder / f"{name}.log"))
    process.start()
    process.wait_for_line(r'^\{"ready": true', READY_S)
    return process


def cpu_s(pid: int) -> float:
    """CPU time of a process and all its threads, ended ones included: user and system, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int, *, peak: bool = False) -> float:
    """Memory of a process: now, or the most it ever had."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    name = "VmHWM" if peak else "VmRSS"
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def written_bytes(pid: int) -> int:
    """What a process has had written to the disk, by the kernel's count of its pages."""
    lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))
