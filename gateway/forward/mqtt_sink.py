"""A northbound MQTT broker as a sink: a message a record, or the original frames; safe when each is acknowledged.

MQTT 5: a broker's reason code tells a refusal from an acceptance. What a broker does with a message afterwards is its
own affair: `refeed` is for one that loses what it had acknowledged.
"""

from collections.abc import Callable, Iterator

from gateway.clock import steady_s
from gateway.config import MqttSinkConfig
from gateway.forward.documents import documents
from gateway.forward.sink import Batch, BatchRefusedError, PromptSink, Receipt, SinkError
from gateway.mqtt import packets
from gateway.mqtt.publisher import Publisher
from gateway.mqtt.session import ConnectRefusedError, SessionError, SilentError

ACKS_TIMEOUT_S = 30  # for all of a batch
# MQTT 5, table 2-6: what a broker says to a publish, and to a connection
_REFUSES_THIS = {0x90, 0x95, 0x99}  # topic name, packet too large, payload format
_REASONS = {0x86: "denied", 0x87: "denied", 0x8A: "denied", 0x8C: "denied", 0x97: "full", 0x8D: "silent"}


class MqttSink(PromptSink[MqttSinkConfig]):
    """What the forwarder drives."""

    def __init__(self, config: MqttSinkConfig, pause: Callable[[float], object]) -> None:
        super().__init__(config, pause)
        self._publisher: Publisher | None = None

    def take(self, batch: Batch) -> Receipt:
        """Publish, and wait for every acknowledgement. Raises SinkError, BatchRefusedError."""
        try:
            if self._publisher is None:
                self._publisher = Publisher(self._config, self._config.batch_records, steady_s)
            refused = self._publisher.publish(list(self._messages(batch)), ACKS_TIMEOUT_S)
        except (OSError, SessionError) as error:
            self.close()
            raise _explained(error) from error
        if refused:
            _judge(refused)
        return Receipt()

    def work(self, wait_ms: int) -> None:
        """Keep the connection; what is taken is acknowledged."""
        if self._publisher is not None:
            try:
                self._publisher.keep()
            except (OSError, SessionError):  # `take` makes another, and says so where it can't
                self.close()
        super().work(wait_ms)

    def close(self) -> None:
        """End the connection; `take` makes another."""
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.close()

    def _messages(self, batch: Batch) -> Iterator[tuple[str, bytes]]:
        prefix = self._config.prefix
        if self._config.format == "json":
            for one, document in documents(batch):
                kind = "window" if one.type == 1 else "event"
                yield f"{prefix}/{one.terminal}/{kind}", document
            return
        column = batch.columns.records.frame
        for number in dict.fromkeys(column[row] for row in batch.rows):
            frame = batch.frames[number]
            yield f"{prefix}/{frame.terminal}/frame", frame.data


def _judge(refused: list[int]) -> None:
    """Some messages were refused, for these reasons. Raises BatchRefusedError, SinkError."""
    text = f"the broker answers {packets.reason_text(min(refused))}"
    if set(refused) <= _REFUSES_THIS:
        raise BatchRefusedError(text)
    raise SinkError(_REASONS.get(min(refused), "protocol"), text)


def _explained(error: OSError | SessionError) -> SinkError:
    """What the end of a connection means for the sink."""
    if isinstance(error, ConnectRefusedError):
        return SinkError(_REASONS.get(error.reason, "protocol"), str(error))
    return SinkError("silent" if isinstance(error, SilentError) else "unreachable", str(error))
