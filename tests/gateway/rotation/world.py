"""A gateway's stages with its changes of keys, on real stores; and terminals with the real terminal.keys."""

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

from terminal import keys

from gateway.registry import Registry, Terminal
from gateway.rotation import changes, keyring
from gateway.rotation.changes import Change
from gateway.rotation.desk import Desk
from gateway.rotation.store import Store, looking
from protocol import down
from protocol.errors import FrameError
from tests.gateway.support import NOW_S, Sender, StillClock, write_key
from tests.gateway.wanted import world

SECONDS = 60  # that a terminal computes on a key at most
MINUTE_S = 60


class House(world.House):
    """The pipeline with its stores, restarted as often as one likes; key files beside it, as an operator has them."""

    def open(self) -> None:
        super().open()
        if not hasattr(self, "laid"):
            self.laid = Registry([self._with_file(one) for one in self.registry.all()])
        self.rotation = Desk(self.folder, self.laid, self.around)
        self.pipeline.desks = [self.wanted, self.rotation]

    def close(self) -> None:
        self.rotation.close()
        super().close()

    def step(self, seconds: int = 0) -> None:
        super().step(seconds)
        self.rotation.step()

    def hear(self, name: str, *frames: bytes) -> list[bytes]:
        self.registry = self.rotation.registry
        found = super().hear(name, *frames)
        self.rotation.step()
        return found

    def order(self, *names: str) -> None:
        """As the command does it: another connection writes."""
        store = Store(self.folder)
        with store.writing() as connection:
            agreed = keyring.newest(connection)
            for name in names:
                newest = max(agreed.get(name, 0), *self.states(name))
                changes.order(connection, name, newest, self.clock.now_ms(), 0)
        store.close()
        self.step(1)

    def change(self, name: str) -> Change:
        with looking(self.folder) as connection:
            assert connection is not None
            found = changes.of_terminal(connection, name)
            assert found is not None
            return found

    def states(self, name: str) -> list[int]:
        """The generations that open what this terminal sends."""
        found = self.rotation.registry.get(name)
        return sorted(found.states) if found else []

    def _with_file(self, one: Terminal) -> Terminal:
        file = self.folder / f"{one.id}.hex"
        if not file.exists():
            write_key(file, b"k" * 32)
        return Terminal(one.id, one.states, one.points, key_files={1: file})


class Changing(Sender):
    """A terminal whose keys are those of the firmware's module."""

    keys: keys.Keys

    def open_down(self, data: bytes) -> Any:
        return down.open_down(data, self.name, self.keys.known)


class Box(world.Box):
    """A terminal that changes its key as the firmware does; its flash is a folder."""

    def __init__(self, name: str, folder: Path, clock: StillClock, seed: int = 0) -> None:
        super().__init__(Changing(name), clock)
        self.data_dir = str(folder)
        folder.mkdir()
        self.chance = random.Random(seed)
        (folder / "key").write_text(json.dumps({"generation": 1, "secret": self.sender.secret.hex()}))
        self.start()

    def start(self) -> None:
        """A start, as after a power cut."""
        self.sender.boot_id += 1
        self.keys = keys.Keys(self, self.sender.name, lambda *_: None)
        self.keys.tell(lambda code, _point, values: self.say(code, *values))
        self.sender.key, self.sender.keys = self.keys.key, self.keys  # type: ignore[attr-defined]

    def random_bytes(self, count: int) -> bytes:
        return self.chance.randbytes(count)

    def compute(self) -> None:
        """Half a minute passes."""
        for _ in range(SECONDS):
            self.keys.due()

    def obey(self, data: bytes) -> Any:
        found = self.sender.open_down(data)
        self.keys.heard(found.generation)
        if isinstance(found, down.KeyOffer | down.KeyUse):
            if found.echo == (self.sender.boot_id, self.sender.uptime_ms):
                self.keys.take(found)
                self.sender.key = self.keys.key
        else:
            super().obey(data)
        return found

    def hears(self, data: bytes) -> None:
        """What comes down, if this terminal can open it."""
        with suppress(FrameError):
            self.obey(data)

    @property
    def secret(self) -> tuple[int, str]:
        found = json.loads((Path(self.data_dir) / "key").read_text())
        return found["generation"], found["secret"]


def fleet(folder: Path, *names: str) -> tuple[House, dict[str, Box]]:
    clock = StillClock(NOW_S)
    boxes = {name: Box(name, folder / f"flash-{name}", clock) for name in names}
    house = House(folder, clock, *(one.sender for one in boxes.values()))
    return house, boxes


def talk(house: House, box: Box, seconds: int = MINUTE_S) -> list[Any]:
    """The box has something to say, and hears the answers; then it computes."""
    if not box.pending:
        box.append()
    found = [box.obey(data) for data in house.hear(box.sender.name, box.frame())]
    box.compute()
    house.step(seconds)
    return found
