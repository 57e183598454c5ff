"""What a process has used, by the kernel's own count."""

import os
from pathlib import Path


def cpu_s(pid: int) -> float:
    """CPU time of a process and all its threads, ended ones included: user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int, *, peak: bool = False) -> float:
    """Memory of a process: now, or the most it ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    name = "VmHWM" if peak else "VmRSS"
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))
