"""Looks at the processes and files of a soak while it goes on."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

from hil.bench import Bench, Switchboard
from hil.process import Process
from hil.soak.growth import WARM_S, Grown, Sample, grown
from hil.target import Target

EVERY_S = 10.0
FILES_MAX = 100_000  # in the gateway's folder: more is a fault by itself
Key = tuple[str, str]  # whose, unit


class Watcher:
    """`look` is called often, and looks each EVERY_S. A process that was started again is another one.

    series: of each process its longest life, for a start near the end would hide what grew before it.
    """

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._at_s = 0.0
        self._pids: dict[str, int] = {}
        self._lives: dict[Key, list[Sample]] = {}  # those that go on
        self.series: dict[Key, list[Sample]] = {}

    def look(self, bench: Target) -> None:
        """What there is now, on the target `unix`."""
        assert isinstance(bench, Bench)
        now_s = time.monotonic() - self._began_s
        if now_s < self._at_s:
            return
        self._at_s = now_s + EVERY_S
        for name, process in _processes(bench):
            self.note(name, process.pid, now_s, dict(_of_process(process.pid)))
        for unit, value in _of_folder(bench):
            self.series.setdefault(("gateway's folder", unit), []).append(Sample(now_s, value))

    def note(self, name: str, pid: int, at_s: float, values: Mapping[str, float]) -> None:
        """What a process has at one time, by unit."""
        if self._pids.get(name) != pid:
            self._pids[name] = pid
            self._lives = {key: life for key, life in self._lives.items() if key[0] != name}
        for unit, value in values.items():
            life = self._lives.setdefault((name, unit), [])
            life.append(Sample(at_s, value))
            if len(life) > len(self.series.get((name, unit), [])):
                self.series[name, unit] = life

    def judged(self, warm_s: float = WARM_S) -> list[Grown]:
        """How each went in the longest life of its process."""
        return [grown(name, unit, samples, warm_s) for (name, unit), samples in sorted(self.series.items())]


def _processes(bench: Bench) -> Iterator[tuple[str, Process]]:
    parts = [("gateway", bench.gateway.process), ("broker", bench.broker.process)]
    terminals = ((name, one) for name, one in bench.terminals.items() if isinstance(one, Switchboard))
    parts += [(f"terminal {name}", one.process) for name, one in terminals]
    return ((name, process) for name, process in parts if process.running)


def _of_process(pid: int) -> Iterator[tuple[str, float]]:
    """Nothing of one that ends just now."""
    folder = Path(f"/proc/{pid}")
    try:
        words = dict(line.split(":", 1) for line in (folder / "status").read_text(encoding="ascii").splitlines())
        descriptors = len(os.listdir(folder / "fd"))  # noqa: PTH208  (no Path is needed of any)
    except OSError:
        return
    if "VmRSS" in words:  # not of one that has ended, and was not waited for
        yield "memory_mib", int(words["VmRSS"].split()[0]) / 1024
        yield "threads", int(words["Threads"])
        yield "descriptors", descriptors


def _of_folder(bench: Bench) -> Iterator[tuple[str, float]]:
    """The journal's file goes with its windows; its log beside it (-wal) is taken in again and again."""
    yield "files", sum(1 for _ in islice(bench.gateway.data.rglob("*"), FILES_MAX))
    journal = bench.journal_file
    if windows := bench.gateway.windows():
        yield "bytes_a_window", journal.stat().st_size / windows
    log = journal.with_name(journal.name + "-wal")
    with suppress(FileNotFoundError):
        yield "log_mib", log.stat().st_size / (1 << 20)
