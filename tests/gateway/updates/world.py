"""A gateway's stages with its rollouts, on real stores; and terminals that take releases as UPDATES.md says."""

import random
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway.updates import bundles, order, rollouts
from gateway.updates.desk import Desk
from gateway.updates.order import Terms
from gateway.updates.rollouts import Member, Rollout
from gateway.updates.store import Store, looking
from protocol import down, record, update
from tests.gateway.support import NOW_S, Sender, StillClock
from tests.gateway.wanted import world
from tests.protocol.forge import p256
from tests.protocol.forge.bundles import Release, point_of

HOUR_MS = 3_600_000
TERMS = Terms((20, 60, 100), 0, HOUR_MS)
PROGRESS_BYTES = 16_000
POINTS = [point_of(p256.SECRET)]
_FILES = {f"terminal/m{at:02}.mpy": random.Random(at).randbytes(9_000) for at in range(5)}


def release(number: int = NOW_S, **other: Any) -> bytes:
    """A bundle's file."""
    values = {"number": number, "best_before_s": NOW_S + 10**8, "files": _FILES, **other}
    return Release(**values).bundle()


def names(count: int) -> list[str]:
    return [f"T{number:04}" for number in range(1, count + 1)]


class House(world.House):
    """The pipeline with its stores, restarted as often as one likes."""

    def open(self) -> None:
        super().open()
        self.updates = Desk(self.folder, self.around)
        self.pipeline.desks = [self.wanted, self.updates]
        self.updates.step()

    def close(self) -> None:
        self.updates.close()
        super().close()

    def step(self, seconds: int = 0) -> None:
        super().step(seconds)
        self.updates.step()

    def hear(self, name: str, *frames: bytes) -> list[bytes]:
        found = super().hear(name, *frames)
        self.updates.step()
        return found

    def begin(self, some: Sequence[str], data: bytes | None = None, terms: Terms = TERMS) -> order.Begun:
        """As the command does it: another connection writes."""
        bundle = bundles.checked(data or release(), POINTS, self.clock.now_s)
        return order.begin(self.folder, bundle, dict.fromkeys(some), terms, self.clock.now_ms())

    def command(self, act: Callable[..., Any], *more: Any) -> Any:
        """What a command does to the only rollout that is open."""
        store = Store(self.folder)
        with closing(store), store.writing() as connection:
            (one,) = rollouts.unfinished(connection)
            return act(connection, one, *more, self.clock.now_ms())

    def stand(self, rollout: int = 1) -> tuple[Rollout, dict[str, Member]]:
        with looking(self.folder) as connection:
            assert connection is not None
            (one,) = [one for one in rollouts.every(connection) if one.id == rollout]
            return one, {member.terminal: member for member in rollouts.members(connection, rollout)}


class Taker(world.Box):
    """A terminal with a place for releases. good: whether what it takes is heard of by an ack; else it goes back."""

    def __init__(self, name: str, clock: StillClock, *, good: bool = True, refuses: int = 0) -> None:
        super().__init__(Sender(name), clock)
        self.good, self.refuses = good, refuses
        self.newest = self.in_force = self.told = 0
        self.manifest: update.Manifest | None = None
        self.stored, self.next_told = bytearray(), 0
        self.trial = 0
        self.taken: dict[int, bytes] = {}
        self.offered_ms: list[int] = []
        self.misfit_ms = -10_000

    def restart(self, cause: int = 1) -> None:
        self.sender.boot_id += 1
        self.sender.uptime_ms = 1000
        self.manifest, self.stored = None, bytearray()
        goes_back = self.trial and not self.good
        runs = self.in_force if goes_back else self.trial or self.in_force
        self.say(record.BOOT, cause, 1000, 0, runs, int(bool(self.trial and not goes_back)))
        if goes_back:
            self.say(record.UPDATE_ROLLED_BACK, self.trial, self.in_force, record.BACK_NO_ACK)
            self.trial = 0

    def obey(self, data: bytes) -> Any:
        found = self.sender.open_down(data)
        if isinstance(found, down.Offer):
            self._offered(found)
        elif isinstance(found, down.Chunk):
            self._chunk(found)
        elif isinstance(found, down.Abort):
            if self.manifest and self.manifest.number == found.number:
                self.manifest, self.stored = None, bytearray()
        else:
            super().obey(data)
            if self.trial and self.good:
                self.say(record.UPDATE_GOOD, self.trial)
                self.in_force, self.trial = self.trial, 0
        return found

    def _offered(self, offer: down.Offer) -> None:
        self.offered_ms.append(self.clock.now_ms())
        self.told = max(self.told, offer.vouched)
        manifest = update.read_manifest(update.signed_of(offer.signed).payload)
        here = update.Here("unix", 1, max(self.newest, self.told - 1), None, self.clock.now_s, 10**6)
        reason = self.refuses or update.refusal(manifest, here, self.told)
        if reason:
            self.say(record.UPDATE_REFUSED, manifest.number, reason, self.newest)
            return
        if self.manifest != manifest:
            self.manifest, self.stored, self.next_told = manifest, bytearray(), PROGRESS_BYTES
        self._progress()

    def _progress(self) -> None:
        assert self.manifest is not None
        self.say(record.UPDATE_PROGRESS, self.manifest.number, len(self.stored), self.manifest.payload_bytes)

    def _chunk(self, chunk: down.Chunk) -> None:
        if self.manifest is None or self.manifest.number != chunk.number:
            return
        new = chunk.content[max(0, len(self.stored) - chunk.offset) :]
        if chunk.offset > len(self.stored) or not new:
            if self.clock.now_ms() - self.misfit_ms >= 10_000:
                self.misfit_ms = self.clock.now_ms()
                self._progress()
            return
        self.stored += new
        if len(self.stored) == self.manifest.payload_bytes:
            self._progress()
            self._take()
        elif len(self.stored) >= self.next_told:
            self.next_told = len(self.stored) + PROGRESS_BYTES
            self._progress()

    def _take(self) -> None:
        assert self.manifest is not None
        number = self.manifest.number
        self.taken[number] = bytes(self.stored)
        self.newest = self.trial = number
        good, self.good = self.good, True
        self.restart(19)
        self.good = good
        self.say(record.UPDATE_TAKEN, number)
        if not self.good:
            self.restart(3)


class Fleet:
    """A house and its terminals, which are heard once a minute, and again at once while they have something to say."""

    def __init__(self, folder: Path, count: int = 10, **terminals: dict[str, Any]) -> None:
        self.clock = StillClock(NOW_S)
        self.takers = {name: Taker(name, self.clock, **terminals.get(name, {})) for name in names(count)}
        self.house = House(folder, self.clock, *(one.sender for one in self.takers.values()))
        self.away: set[str] = set()
        self.most_under_way = 0

    def minute(self, lose: Callable[[Any], bool] = lambda _: False) -> None:
        """Everybody who is there is heard; what they then have to say too."""
        for name, taker in self.takers.items():
            if name in self.away:
                continue
            taker.append()
            for _ in range(40):
                if not taker.pending:
                    break
                world.talk(self.house, taker, lose)
                self._pass_on(name, lose)
                self.most_under_way = max(
                    self.most_under_way, self.house.updates._pacing.under_way(self.clock.now_ms())
                )
        self.house.step(60)

    def _pass_on(self, heard: str, lose: Callable[[Any], bool]) -> None:
        """What others were given, who waited in turn until this one was heard."""
        for name, data in list(self.house.down):
            taker = self.takers[name]
            if name != heard and name not in self.away and not lose(taker.sender.open_down(data)):
                taker.obey(data)

    def until(self, *states: str, minutes: int = 100) -> None:
        """Let time pass, five minutes a time, until the rollout is in one of these states."""
        for _ in range(0, minutes, 5):
            self.minute()
            self.clock.now_s += 240
            if self.house.stand()[0].state in states:
                return
        raise AssertionError(self.house.stand())

    def states(self, rollout: int = 1) -> dict[str, str]:
        return {name: member.state for name, member in self.house.stand(rollout)[1].items()}
