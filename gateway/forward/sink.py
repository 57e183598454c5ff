"""What a sink is: it takes a batch of records and says what of it is safe. All else (lanes, cursors, retries, dead
letters, health) is the forwarder's, and the same for each kind.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

from cext.decoder import Columns
from gateway.hj212.packet import Packet
from gateway.journal.blocks import Kept
from gateway.journal.reader import Stored

Lane = Literal["live", "backlog"]

# Why a sink does not take anything now, and what to do. A closed list: metrics carry it as a label.
REASONS = {
    "unreachable": "no connection: address, network, firewall / 无法连接：检查地址、网络、防火墙",
    "silent": "it does not answer in time / 对方未按时应答",
    "denied": "it refuses us: user, password, rights / 被拒绝：检查用户、密码、权限",
    "read_only": "it takes no writes now: a replica, or an administrator's order / 只读",
    "full": "it has no room: disk, stream limits / 空间不足",
    "newer": "a newer version of this program has migrated it: update this one / 对方版本较新，请升级本程序",
    "foreign": "something that is not ours stands in our place: look at its name / 存在不属于本系统的同名对象",
    "limits": "it was set up with other limits than ours / 对方限制与本系统不符",
    "log_texts": "it answers readings and no log text (CN 3020): ask the platform, or take log_id away"
    " / 应答数据但不应答日志文本：请与平台确认，或删去 log_id",
    "protocol": "what it says is not to be understood / 无法理解对方应答",
}

IN_PART = ("log_texts",)  # of these: it takes readings all the same


class SinkError(Exception):
    """The sink takes nothing now; nothing of the batch counts as safe. Tried again for ever, after a pause."""

    def __init__(self, reason: str, text: str) -> None:
        if reason not in REASONS:
            raise ValueError(f"{reason}: allowed are {', '.join(REASONS)}")
        super().__init__(f"{reason}: {text}")
        self.reason = reason
        self.text = text


class RestartingError(Exception):
    """No fault: the sink is to begin anew, from what its file says now."""


class BatchRefusedError(Exception):
    """The sink works, but there is something in this batch that it will never take. Nothing of it counts as safe."""


class Batch(NamedTuple):
    """Records of one lane, decoded. columns: what their frames say; rows[i]: records[i]'s row in columns.records.

    frames[f]: the frame that is row f of columns.frames, as it came; received_ms[f]: when. start_s of a record is where
    the journal placed it, which may be another than in its columns. settled: up to this record all was safe before.
    """

    lane: Lane
    records: Sequence[Stored]
    rows: Sequence[int]
    columns: Columns
    frames: Sequence[Kept]
    received_ms: Sequence[int]
    settled: int

    def part(self, begin: int, end: int) -> "Batch":
        """The records begin..end - 1 of it."""
        return self._replace(records=self.records[begin:end], rows=self.rows[begin:end])


@dataclass
class Receipt:
    """What became of a batch: each of its records is safe now, but for those named here.

    packets: (record, what is sent for it): made durable with the cursor, and safe by that; delivered when all of them
    are confirmed. dead: (record, reason, detail): never to be taken. skipped: (record, reason) of those that are not
    for this sink. held: to be handed over later. texts: what the sink wants to remember.
    """

    packets: list[tuple[int, list[Packet]]] = field(default_factory=list)
    dead: list[tuple[int, str, str]] = field(default_factory=list)
    skipped: list[tuple[int, str]] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    def add(self, other: "Receipt") -> None:
        """Take in what became of another part."""
        self.packets += other.packets
        self.dead += other.dead
        self.skipped += other.skipped
        self.held += other.held
        self.texts |= other.texts


class Sink(Protocol):
    """One place that readings go to. One thread; it may block, for a bounded time, in `take` and in `work`."""

    @property
    def wants(self) -> int:
        """How many records it would take now; 0: none."""

    def take(self, batch: Batch) -> Receipt:
        """Have the batch safe on return: to be called again with it, whole or in other parts, it counts once.

        Raises SinkError, BatchRefusedError.
        """

    def work(self, wait_ms: int) -> SinkError | None:
        """What there is to do besides; without anything it waits so long. Returns what is wrong though it goes on.

        Raises SinkError where it does not.
        """

    def close(self) -> None:
        """End connections. It may be used again: it connects anew."""


class BatchConfig(Protocol):
    """Of a sink that takes records by the batch."""

    @property
    def batch_records(self) -> int: ...


C = TypeVar("C", bound=BatchConfig)


class PromptSink(Generic[C]):
    """What is alike in sinks that have a batch safe when `take` returns. pause: waits so many seconds, or less."""

    def __init__(self, config: C, pause: Callable[[float], object]) -> None:
        self._config = config
        self._pause = pause

    @property
    def wants(self) -> int:
        """A batch, always."""
        return self._config.batch_records

    def work(self, wait_ms: int) -> None:
        """Nothing: what is taken is safe."""
        if wait_ms:
            self._pause(wait_ms / 1000)
