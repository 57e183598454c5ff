# What an uplink is tried with: a log in memory, stamps that count, and a desk that asks for frames and gives acks.
from collections import namedtuple

from terminal.uplink import Uplink

from protocol import configuration, limits

TIMEOUT_MS = 10000
FRAME_MAX = 100000  # the broker's; the protocol's own bound is below

Ack = namedtuple("Ack", ("durable", "refused", "epoch"))


class Store:
    """What the uplink needs of terminal.log.Log."""

    def __init__(self, count: int = 0, size: int = 400) -> None:
        self.next_seq = 1
        self.records: dict[int, bytes] = {}
        self.freed: set[int] = set()
        self.damaged: set[int] = set()
        self.epoch_ends = 0
        self.conflicts: list[tuple[tuple[int, int, int], int]] = []
        self.add(count, size)

    def add(self, count: int = 1, size: int = 400) -> None:
        for _ in range(count):
            self.records[self.next_seq] = self.next_seq.to_bytes(4, "big") + bytes(size - 4)
            self.next_seq += 1

    def pending(self) -> "list[int]":
        return [seq for seq in range(1, self.next_seq) if seq not in self.freed]

    def next_pending(self, after: int) -> "int | None":
        for seq in range(max(after + 1, 1), self.next_seq):
            if seq not in self.freed:
                return seq
        return None

    def previous_pending(self, before: int) -> "int | None":
        for seq in range(min(before, self.next_seq) - 1, 0, -1):
            if seq not in self.freed:
                return seq
        return None

    def acknowledged(self, first: int, last: int) -> bool:
        return all(seq in self.freed for seq in range(first, last + 1))

    def read(self, seq: int) -> "bytes | None":
        if seq in self.damaged:
            self.freed.add(seq)
            return None
        return self.records[seq]

    def epoch_of(self, seq: int) -> "tuple[int, int, int]":
        """Epoch 1 below `epoch_ends`, 2 from there on."""
        return (1, 1, self.epoch_ends) if seq <= self.epoch_ends else (2, self.epoch_ends + 1, limits.UINT32_MAX)

    def renumber(self, ranges, epoch: int) -> int:  # type: ignore[no-untyped-def]
        self.conflicts += [(one, epoch) for one in ranges]
        return self.acknowledge(ranges, epoch)

    def acknowledge(self, ranges, epoch: int) -> int:  # type: ignore[no-untyped-def]
        new = 0
        for one in ranges:
            for seq in range(one[0], one[1] + 1):
                if 0 < seq < self.next_seq and seq not in self.freed and self.epoch_of(seq)[0] == epoch:
                    self.freed.add(seq)
                    new += 1
        return new


class Stamps:
    def __init__(self) -> None:
        self.last = 0

    def __call__(self) -> int:
        self.last += 1
        return self.last


class Desk:
    """An uplink with its surroundings."""

    def __init__(self, store: Store, flights: int = 8, records: int = 8, jitter: int = 128) -> None:
        self.store = store
        self.now = 1000
        self.jitter = jitter
        self.stamps = Stamps()
        settings = configuration.Uplink(TIMEOUT_MS, flights, records)
        self.uplink = Uplink(store, settings, lambda count: bytes((self.jitter,) * count))
        self.uplink.connected(session_present=True)

    def frame(self, frame_max: int = FRAME_MAX) -> "list[int] | None":
        """The numbers in the next frame."""
        found = self.uplink.compose(self.now, self.stamps, frame_max)
        if found is None:
            return None
        assert found[0] == self.stamps.last
        return [int.from_bytes(data[:4], "big") for data in found[1]]

    def frames(self) -> "list[list[int]]":
        """All that is to be sent now."""
        found = []
        one = self.frame()
        while one is not None:
            found.append(one)
            one = self.frame()
        return found

    def ack(self, *seqs: int, epoch: int = 2) -> int:
        return self.uplink.acknowledged(Ack([(seq, seq) for seq in seqs], [], epoch), self.now)

    def wait(self) -> None:
        """Until something is to be sent again, by its own word."""
        self.now += self.uplink.next_ms(self.now)
