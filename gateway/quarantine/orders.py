"""Orders to take frames, or to replay or discard refused ones: files in data_dir/orders, for who holds the stores.

A frame that is replayed goes through the whole pipeline again, as of now. If it is taken it leaves quarantine; if it is
refused for the same reason it stays as it was, with the time at which it came; for another, it stands there anew.
An order may be carried out twice after a crash: what was taken is a repetition then.
"""

import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from gateway.database import StoreUnavailableError
from gateway.files import give_to_owner_of, write_durably
from gateway.intake.deliveries import UP
from gateway.quarantine.quarantine import Kept, Quarantine, QuarantineReader, Refused
from protocol.host.pulled import Pulled

FOLDER = "orders"
LOOK_EVERY_S = 1.0  # for new orders: one look into an empty folder
FRAMES_A_STEP = 100  # between two batches of the intake: some milliseconds that live frames wait
ORDER_BYTES_MAX = 1 << 20  # ids are given one by one on a command line
FRAMES_AN_ORDER = 150  # of 5,520 bytes at most, so that an order stays below that

Source = Annotated[str, msgspec.Meta(max_length=256)]


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked: these ids, or all of a reason up to an id (so that nothing later is meant). take: frames."""

    do: Literal["replay", "discard", "take"]
    ids: list[int] = msgspec.field(default_factory=list)
    reason: Source | None = None
    up_to: int = 0
    frames: list[Pulled] = msgspec.field(default_factory=list)


@dataclass
class Done:
    """What became of it, in frames. gone: no longer in quarantine. cut: of which only the beginning was kept."""

    taken: int = 0
    refused: int = 0
    discarded: int = 0
    gone: int = 0
    cut: int = 0


class Work:
    """An order in hand, some frames at a time."""

    def __init__(
        self, order: Order, folder: Path, quarantine: Quarantine, replay: Callable[[Sequence[Refused]], None]
    ) -> None:
        """replay(frames): put them through the pipeline; they are settled on return."""
        self._order = order
        self._quarantine = quarantine
        self._replay = replay
        self._reader = QuarantineReader(folder)
        self._ids = sorted(set(order.ids))
        self._frames = order.frames
        self._after = 0
        self.done = Done()

    def step(self) -> bool:
        """Take the next frames; False: there are none left. Raises StoreUnavailableError: ask again."""
        if self._order.do == "take":
            some_frames, self._frames = self._frames[:FRAMES_A_STEP], self._frames[FRAMES_A_STEP:]
            if some_frames:
                self._take(some_frames)
            return bool(some_frames)
        if self._order.reason is None:
            asked, self._ids = self._ids[:FRAMES_A_STEP], self._ids[FRAMES_A_STEP:]
            some = [kept for number in asked if (kept := self._reader.get(number))]
            self.done.gone += len(asked) - len(some)
            left = bool(asked)
        else:
            some = self._reader.of_reason(self._order.reason, self._after, self._order.up_to, FRAMES_A_STEP)
            self._after = some[-1].id if some else self._after
            left = bool(some)
        if some:
            (self._discard if self._order.do == "discard" else self._put_through)(some)
        return left

    def close(self) -> None:
        """Give up what is open."""
        self._reader.close()

    def _take(self, some: list[Pulled]) -> None:
        """Frames that no carrier brought: what is refused of them goes into quarantine, as of all others."""
        newest = self._reader.last_id()
        self._replay([Refused(0, one.terminal, UP + one.terminal, "", 0, len(one.frame), one.frame) for one in some])
        refused = len(self._reader.since(newest))
        self.done.refused += refused
        self.done.taken += len(some) - refused

    def _discard(self, some: list[Kept]) -> None:
        self.done.discarded += self._quarantine.remove([kept.id for kept in some])

    def _put_through(self, some: list[Kept]) -> None:
        whole = [kept for kept in some if kept.refused.source and len(kept.refused.data) == kept.refused.length]
        self.done.cut += len(some) - len(whole)
        newest = self._reader.last_id()
        self._replay([kept.refused for kept in whole])
        again: defaultdict[tuple[str, bytes, str, int], list[int]] = defaultdict(list)
        for kept in self._reader.since(newest):
            again[_what(kept)].append(kept.id)
        refused = {(source, data) for source, data, _, _ in again}
        stays = {_what(kept) for kept in whole} & again.keys()  # the same as before: the older one is the evidence
        superfluous = [number for what in stays for number in again[what]]
        self._quarantine.remove(superfluous + [kept.id for kept in whole if _what(kept) not in stays])
        self.done.refused += sum((kept.refused.source, kept.refused.data) in refused for kept in whole)
        self.done.taken += sum((kept.refused.source, kept.refused.data) not in refused for kept in whole)


def _what(kept: Kept) -> tuple[str, bytes, str, int]:
    one = kept.refused
    return one.source, one.data, one.reason, one.offset


class Inbox:
    """Where a running gateway finds orders. One thread: the pipeline's."""

    def __init__(
        self,
        folder: Path,
        quarantine: Quarantine,
        replay: Callable[[Sequence[Refused]], None],
        steady_s: Callable[[], float],
    ) -> None:
        self._data_dir, self._folder = folder, folder / FOLDER
        self._quarantine, self._replay, self._steady_s = quarantine, replay, steady_s
        self._look_at_s = 0.0
        self._work: tuple[Path, Work] | None = None

    def step(self) -> Done | None:
        """Do a little of what is ordered, if anything; what became of an order, when it is done."""
        if self._work is None:
            self._work = self._next()
        if self._work is None:
            return None
        file, work = self._work
        try:
            if work.step():
                return None
        except (StoreUnavailableError, sqlite3.Error):
            self.close()  # the order stands: from its beginning, at the next look
            return None
        work.close()
        self._work = None
        write_durably(file.with_suffix(".done"), msgspec.json.encode(work.done))
        file.unlink(missing_ok=True)
        return work.done

    def close(self) -> None:
        """Leave what is in hand for later."""
        if self._work is not None:
            self._work[1].close()
        self._work = None

    def _next(self) -> tuple[Path, Work] | None:
        if self._steady_s() < self._look_at_s:
            return None
        self._look_at_s = self._steady_s() + LOOK_EVERY_S
        for file in sorted(self._folder.glob("*.order")):
            order = _read(file)
            if order is not None:
                return file, Work(order, self._data_dir, self._quarantine, self._replay)
            file.rename(file.with_suffix(".wrong"))  # not ours: kept for whoever put it there, never looked at again
        return None


def place(data_dir: Path, order: Order) -> Path:
    """Leave an order for the running gateway; returns the file in which its result will be (`Done`)."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o750, exist_ok=True)
    file = folder / f"{secrets.token_hex(8)}.order"
    write_durably(file, msgspec.json.encode(order))
    give_to_owner_of(data_dir, folder)
    return file.with_suffix(".done")


def take_result(file: Path) -> Done | None:
    """The result, once it is there; it is taken away."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    file.unlink(missing_ok=True)
    return msgspec.json.decode(data, type=Done)


def _read(file: Path) -> Order | None:
    try:
        if file.stat().st_size > ORDER_BYTES_MAX:
            return None
        return msgspec.json.decode(file.read_bytes(), type=Order)
    except (OSError, msgspec.DecodeError):
        return None
