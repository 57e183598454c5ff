"""A scenario on the target `sim`: the same faults and oracle as on `unix`, in this process and in virtual time."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hil import updates
from hil.oracle.evidence import Finding
from hil.platform import mode_of
from hil.scenario import Scenario, Update
from hil.sim.board import Board
from hil.sim.checks import ViolationError
from hil.sim.loop import StuckError
from hil.sim.world import World
from hil.target import StoppedError
from hil.versions import versions

MEMORY = Path("/dev/shm")  # noqa: S108  a folder made by mkdtemp in it; syncs cost nothing there


class Platform:
    """hil.target.PlatformPart over the emulator in the loop."""

    def __init__(self, world: World) -> None:
        self._world = world

    def obey(self, mode: str, **more: object) -> None:
        """Change how it behaves."""
        self._world.set_platform(mode_of({"mode": mode, **more}))


class Sim:
    """hil.target.Target over a world. Crashes are told once."""

    factor = 0
    tick_ms = 900_000
    look_ms = 60_000
    drain_ms = 3_600_000  # an uplink whose gateway was away tries every 5 minutes, a sink every minute
    lag_ms = 0
    tolerance_ms = 2_000  # of a clock that counts whole seconds; the bench's own instants are exact
    boot_ms = 5_000

    def __init__(self, world: World) -> None:
        self.world = world
        self.scenario = world.scenario
        self.broker = world.broker
        self.gateway = world.gateway
        self.terminals = world.terminals
        self.platform = Platform(world)
        self.stranger = world.stranger
        self.journal_file = world.gateway.data / "journal.sqlite3"
        self.uploads_file = world.uploads_file
        self._told = 0

    @property
    def is_misled(self) -> bool:
        """Whether the gateway's own clock was made to tell a wrong time."""
        return self.gateway.clock.was_stepped

    def bring_up(self, absent: set[str]) -> None:
        """Start everything but `absent`."""
        self.world.start(absent)

    def now_ms(self) -> int:
        """Virtual Unix ms."""
        return self.world.now_ms()

    def advance(self, to_ms: int) -> list[str]:
        """Let virtual time come to this instant. Raises StoppedError at the first check that fails on the way."""
        with _stopping():
            self.world.run_until(to_ms)
        crashes = self.world.crashes()
        new, self._told = crashes[self._told :], len(crashes)
        return new

    def roll_out(self, update: Update) -> None:
        """A release whose files say what runs goes to all terminals."""
        files = updates.simulated_files(update.release)
        updates.roll_out(self.scenario, update, Board.name, files, self.gateway.data, self.now_ms())

    def uploaded_ms(self, t_ms: int) -> int:
        """There is one clock."""
        return t_ms

    def versions(self) -> dict[str, str]:
        """Of what takes part."""
        return versions()

    def digest(self) -> str:
        """The trace's."""
        return self.world.trace.digest()

    def end(self) -> None:
        """End everything."""
        for terminal in self.terminals.values():
            terminal.kill()
        with _stopping():
            self.gateway.stop()
        self.advance(self.now_ms() + 1_000)


@contextmanager
def _stopping() -> Iterator[None]:
    """What ends a run before its time, in everybody's words. Raises StoppedError."""
    try:
        yield
    except ViolationError as error:
        raise StoppedError(error.finding) from error
    except StuckError as error:
        raise StoppedError(Finding(6, "stuck", str(error))) from error


@contextmanager
def open_sim(scenario: Scenario, folder: Path) -> Iterator[Sim]:
    """The scenario's world, with its files in memory; what is left of them goes to `folder`, made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with in_memory() as scratch, (folder / "trace.txt").open("w", encoding="utf-8") as trace:
        with World(scenario, scratch, trace.write) as world:
            yield Sim(world)
        shutil.copytree(scratch, folder, dirs_exist_ok=True)


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder that is gone afterwards, in memory where this machine has such a place."""
    where = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="wattline-sim-", dir=where) as folder:
        yield Path(folder)
