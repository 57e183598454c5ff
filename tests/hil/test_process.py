"""Processes of the bench: watched by their log, and none outlives the bench."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hil.process import BenchError, Process

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_process_is_started_killed_and_started_again_in_one_log(tmp_path: Path) -> None:
    with Process("sleeper", SLEEP, tmp_path / "log") as process:
        for starts in (1, 2):
            process.start()
            process.wait_for_line("up\\s+" * starts, 60)
            assert process.running
            process.kill()
            assert process.status == -signal.SIGKILL
        assert process.text().split() == ["up", "up"]


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    with Process("deaf", DEAF, tmp_path / "log") as process:
        process.start()
        process.wait_for_line("up", 60)
        process.stop(timeout_s=0.2)
        assert not process.running


def test_a_process_that_ends_too_soon_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with Process("dying", [sys.executable, "-c", "print('no such thing')"], tmp_path / "log") as process:
        process.start()
        with pytest.raises(BenchError, match="no such thing"):
            process.wait_for_line("ready", 60)


def test_no_process_outlives_a_bench_that_is_killed(tmp_path: Path) -> None:
    """P-52: kill -9 of the bench ends its children, by the kernel."""
    script = (
        "import sys, time; from pathlib import Path; from hil.process import Process\n"
        f"p = Process('child', {SLEEP!r}, Path({str(tmp_path / 'log')!r})); p.start()\n"
        "print(p._child.pid, flush=True); time.sleep(60)"
    )
    bench = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert bench.stdout is not None
    child = int(bench.stdout.readline())
    assert alive(child)
    os.kill(bench.pid, signal.SIGKILL)
    bench.wait()
    bench.stdout.close()
    deadline = time.monotonic() + 60
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(child)
