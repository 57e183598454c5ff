"""A follower's intake: the frames of the stream's records, in its order. Nothing goes down: the workers have answered.

Also the follower's clock: what a batch is received at is when a quorum had it, not when a follower catches up.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence

import structlog

from gateway.config import JetStreamConfig
from gateway.database import StoreUnavailableError
from gateway.intake.deliveries import TOPIC_BYTES_MAX, Delivery
from gateway.jetstream import messages, stream
from gateway.jetstream.client import Client, NatsError
from gateway.jetstream.consumer import Consumer, Taken
from gateway.jetstream.position import Position
from gateway.metrics import Metrics
from gateway.mqtt.session import Token
from protocol import limits

RETRY_S = 1.0  # of a cluster that is away
ABSENT_TRIES = 5  # of a frame that a record names: a leader that was elected this moment has it within seconds
TOGETHER_MS = 1000  # what came within so long shares a batch, and its time of reception
_NO_TOKEN = (0, 0)


class FollowerIntake:
    """A carrier (gateway.carriers.Carrier), and a clock. What `take` gave is in the journal when it is called again."""

    def __init__(
        self,
        config: JetStreamConfig,
        client: Client,
        position: Position,
        steady_s: Callable[[], float],
        metrics: Metrics,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._config, self._client, self._position = config, client, position
        self._metrics, self._log = metrics, log
        self._consumer = Consumer(config, client, steady_s)
        self._stopping = threading.Event()
        self._held: deque[Taken] = deque()
        self._absent = Counter[bytes]()  # looks in vain for each frame of this batch
        self._taken_to, self._now_ms = 0, 0
        self._is_away, self._is_told = True, False

    def start(self) -> None:
        """Nothing: `take` connects."""

    def stop(self) -> None:
        """Keep the position, and disconnect."""
        self._stopping.set()
        self._client.close()
        try:
            self._position.write()
        except (OSError, StoreUnavailableError) as error:
            self._log.warning("position_not_kept", error=str(error))  # what it lacks is taken again

    def take(self, count: int, idle_s: float, wait_s: float) -> list[Delivery]:
        """The frames of up to `count` messages that came at about one time; waits idle_s for the first one."""
        del wait_s  # who follows is in no hurry
        try:
            if self._taken_to:
                self._position.reached(self._taken_to)
                self._taken_to = 0
            if self._is_away:
                self._begin()
            if not self._held:
                self._held += self._consumer.take(idle_s)
            return self._deliveries(self._together(count))
        except (NatsError, StoreUnavailableError, OSError) as error:
            self._lost(str(error))
            self._stopping.wait(RETRY_S)
            return []

    def release(self, tokens: Iterable[Token]) -> None:
        """Nobody waits: the position moves with the next `take`."""

    def publish_down(self, messages: Sequence[tuple[str, bytes]]) -> int:
        """Nothing goes down from here."""
        del messages
        return 0

    @property
    def waiting(self) -> int:
        """Messages in memory that nobody has taken yet."""
        return len(self._held)

    def now_ms(self) -> int:
        """When the newest message of the last batch was taken by the stream."""
        return self._now_ms

    def _begin(self) -> None:
        self._consumer.begin(self._position.after)
        self._is_away = self._is_told = False
        self._metrics.connected.set(1)
        self._log.info("stream_followed", stream=self._config.stream, server=self._client.server)

    def _lost(self, text: str) -> None:
        """Begin anew at the next look; said once."""
        if not self._is_told:
            self._is_told = True
            self._log.warning("stream_away", stream=self._config.stream, error=text)
        self._client.close()
        self._held.clear()
        self._taken_to, self._is_away = 0, True
        self._metrics.connected.set(0)

    def _together(self, count: int) -> list[Taken]:
        """The next messages that share a batch."""
        some: list[Taken] = []
        until_ms = self._held[0].time_ms + TOGETHER_MS if self._held else 0
        while self._held and len(some) < count and self._held[0].time_ms < until_ms:
            some.append(self._held.popleft())
        return some

    def _deliveries(self, some: list[Taken]) -> list[Delivery]:
        """Each frame once. Raises NatsError: all of them come again."""
        if not some:
            return []
        found: dict[bytes, Delivery | None] = {}  # by the frame's subject where it has one, else by the record's
        for one in some:
            self._note(one, found)
        missing = [subject for subject, delivery in found.items() if delivery is None]
        frames = dict(zip(missing, stream.stored(self._client, self._config.stream, missing), strict=True))
        self._wait_for([subject for subject, frame in frames.items() if frame is None])
        for subject, frame in frames.items():
            found[subject] = _delivery(messages.terminal_of(subject), subject, frame or b"")
        self._taken_to, self._now_ms = some[-1].seq, max(one.time_ms for one in some)
        return [one for one in found.values() if one is not None]

    def _wait_for(self, absent: list[bytes]) -> None:
        """Raises NatsError while any of these may come yet. After that they are refused as no frames."""
        self._absent.update(absent)
        waited = [subject.decode() for subject in absent if self._absent[subject] < ABSENT_TRIES]
        if waited:
            raise NatsError("limits", f"{waited[0]}: a frame that its records name is not there")
        for subject in absent:
            self._log.warning("frame_absent", subject=subject.decode())
        self._absent.clear()

    def _note(self, one: Taken, found: dict[bytes, Delivery | None]) -> None:
        """The frame of a record's message. What is no such message is refused like a frame that is none."""
        terminal = messages.terminal_of(one.subject)
        try:
            held = messages.read(one.body) if terminal else None
        except ValueError:
            held = None
        if held is None:
            found[one.subject] = _delivery(terminal, one.subject, one.body)
        elif held.frame is not None:
            found[one.subject] = _delivery(terminal, one.subject, held.frame)
        else:
            found.setdefault(messages.frame_subject(self._config.stream, terminal, held.frame_digest), None)


def _delivery(terminal: str, subject: bytes, data: bytes) -> Delivery:
    cut = data[: limits.FRAME_BYTES_MAX + 1]
    return Delivery(terminal, subject[:TOPIC_BYTES_MAX].decode("utf-8", "backslashreplace"), cut, len(data), _NO_TOKEN)
