"""A gateway's stages on real stores, with a clock that a test sets; and a terminal that obeys SPEC.md."""

import contextlib
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.config import QuarantineConfig, VerifyConfig
from gateway.database import StoreUnavailableError
from gateway.desk import Around
from gateway.intake import Delivery
from gateway.journal.journal import Journal
from gateway.logs import make_logger
from gateway.metrics import Metrics
from gateway.pipeline import Pipeline
from gateway.quarantine.quarantine import Quarantine
from gateway.registry import Registry
from gateway.replay import AnswersOnly
from gateway.shared_store import SharedStore
from gateway.verify import bounds_of
from gateway.wanted import configurations as c
from gateway.wanted.desk import Desk
from gateway.wanted.store import Store, looking
from protocol import ack, down, record
from tests.gateway.support import POINT, Sender, StillClock, event, terminal_of

DOCUMENT = b'{"sample_interval_s":10}'

UNMET_MAX = 16


class House:
    """The pipeline with its stores; restarted as often as one likes."""

    def __init__(self, folder: Path, clock: StillClock, *senders: Sender) -> None:
        self.folder, self.clock = folder, clock
        self.registry = Registry([terminal_of(one, {1: POINT}) for one in senders])
        self.down: list[tuple[str, bytes]] = []
        self.said = io.StringIO()
        self.open()

    def open(self) -> None:
        log = make_logger(self.clock, self.said)
        self.metrics = Metrics()
        self.journal = Journal(self.folder, VerifyConfig())
        self.quarantine = Quarantine(self.folder, QuarantineConfig())
        self.around = Around(self.clock, lambda: float(self.clock.now_s), self.metrics, log)
        self.wanted = Desk(self.folder, self.journal, self.around)
        self.pipeline = Pipeline(
            intake=AnswersOnly(self._answer),
            journal=self.journal,
            desks=[self.wanted],
            quarantine=self.quarantine,
            metrics=self.metrics,
            clock=self.clock,
            limits=bounds_of(VerifyConfig()),
            log=log,
            stop=threading.Event(),
        )

    def close(self) -> None:
        for store in (self.wanted, self.journal, self.quarantine):
            store.close()

    def restart(self) -> None:
        self.close()
        self.open()

    def step(self, seconds: int = 0) -> None:
        """Let time pass, and let the desk see it."""
        self.clock.now_s += seconds
        self.wanted.step()

    def hear(self, name: str, *frames: bytes) -> list[bytes]:
        """A batch of these; what goes down to the terminal for it."""
        self.down.clear()
        self.pipeline.process([Delivery(name, "", data, len(data), (0, 0)) for data in frames], self.registry)
        self.wanted.step()
        return [data for terminal, data in self.down if terminal == name]

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def _answer(self, messages: Sequence[tuple[str, bytes]]) -> int:
        self.down += messages
        return len(messages)


class Box:
    """A terminal: a log of which the oldest records may be gone, and what of it is pending."""

    def __init__(self, sender: Sender, clock: StillClock) -> None:
        self.sender, self.clock = sender, clock
        self.log: dict[int, bytes] = {}
        self.next_seq = 1
        self.pending: set[int] = set()
        self.asked: list[list[tuple[int, int]]] = []
        self.configured: list[down.Configuration] = []

    def append(self, **values: Any) -> int:
        seq = self.next_seq
        self.next_seq += 1
        self.log[seq] = event(seq, self.clock.now_s, **values)
        self.pending.add(seq)
        return seq

    def say(self, code: int, *values: int) -> int:
        return self.append(code=code, values=list(values))

    def drop(self, *seqs: int) -> None:
        for seq in seqs:
            self.log.pop(seq, None)
            self.pending.discard(seq)

    def frame(self, *seqs: int) -> bytes:
        """These records, or the newest that are pending."""
        chosen = seqs or tuple(sorted(self.pending)[-8:])
        return self.sender.frame([self.log[seq] for seq in sorted(chosen)])

    def obey(self, data: bytes) -> Any:
        """What a terminal does with a message; returns it."""
        found = self.sender.open_down(data)
        if isinstance(found, ack.Ack):
            done = {seq for first, last, *_ in [*found.durable, *found.refused] for seq in range(first, last + 1)}
            self.pending -= done
        elif found.echo != (self.sender.boot_id, self.sender.uptime_ms):
            raise AssertionError(f"an echo of another frame: {found}")
        elif isinstance(found, down.Configuration):
            self.configured.append(found)
        elif found.epoch == self.sender.epoch:
            self.asked.append(found.ranges)
            self._send_again(found.ranges)
        return found

    def _send_again(self, ranges: list[tuple[int, int]]) -> None:
        known = [seq for first, last in ranges for seq in range(first, min(last, self.next_seq - 1) + 1)]
        self.pending |= {seq for seq in known if seq in self.log}
        runs: list[tuple[int, int]] = []
        for seq in (seq for seq in known if seq not in self.log):
            runs[-1:] = [(runs[-1][0], seq)] if runs and runs[-1][1] == seq - 1 else [*runs[-1:], (seq, seq)]
        for first, last in runs[:UNMET_MAX]:
            self.say(record.REQUEST_UNMET, first, last)


def talk(house: House, box: Box, lose: Callable[[Any], bool] = lambda _: False) -> list[Any]:
    """One frame of the box to the house, and the answers back, but for those that `lose` takes."""
    if not box.pending:
        return []
    answers = house.hear(box.sender.name, box.frame())
    found = [box.sender.open_down(data) for data in answers]
    for one, data in zip(found, answers, strict=True):
        if not lose(one):
            box.obey(data)
    return found


def order(house: House, document: bytes = DOCUMENT) -> int:
    """As the command does it: another connection writes."""
    store = Store(house.folder)
    with store.writing() as connection:
        version = c.order(connection, "T0001", document, house.clock.now_ms())
    store.close()
    return version


def states(house: House) -> tuple[dict[int, str], int | None]:
    """(versions and their states, what is in force)."""
    with looking(house.folder) as store:
        assert store is not None
        return {one.version: one.state for one in c.of_terminal(store, "T0001")}, c.in_force(store).get("T0001")


class Failing:
    """The disk of the store refuses so many writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int, kind: type[SharedStore] = Store) -> None:
        self.left = times
        self._writing = kind.writing
        monkeypatch.setattr(kind, "writing", lambda store: self._fail(store))  # noqa: PLW0108  (it must get the store)

    @contextlib.contextmanager
    def _fail(self, store: SharedStore) -> Iterator[Any]:
        if self.left:
            self.left -= 1
            store.close()
            raise StoreUnavailableError("disk full")
        with self._writing(store) as connection:
            yield connection
