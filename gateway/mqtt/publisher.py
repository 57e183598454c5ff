"""A connection to a broker over which one thread publishes at QoS 1, and waits until all is acknowledged."""

import contextlib
import time
from collections.abc import Callable, Sequence

from cext import mqtt_stream
from gateway.config import MqttSinkConfig
from gateway.mqtt import packets
from gateway.mqtt.connection import Connection, read_login
from gateway.mqtt.publications import Publications
from gateway.mqtt.session import ANSWER_S, Opening, Session, SessionError, SilentError

READ_BYTES = 1 << 16  # a read: the acknowledgements of ten thousand messages
PACKET_BYTES_MAX = 1 << 12  # a broker that nobody asked for messages sends nothing larger
PAUSE_S = 0.002  # between reads: the acknowledgements that come meanwhile share a wake-up
PAUSE_STARVED_S = 0.00025  # of a broker that allows few in flight: mosquitto, unless told, 20
_PROTOCOL_ERROR = 0x82


class Publisher:
    """Connected from its beginning on; after the first error it is good for nothing but `close`.

    Its methods raise SessionError and OSError.
    """

    def __init__(self, config: MqttSinkConfig, queued_max: int, steady_s: Callable[[], float]) -> None:
        """Connect, under a session that ends with the connection. queued_max: messages of one `publish`."""
        self._steady_s = steady_s
        self._publications = Publications("", queued_max)
        self._refused: list[int] = []
        self._buffer = memoryview(bytearray(READ_BYTES))
        connect = packets.connect(
            config.client_id, read_login(config), config.keepalive_s, 0, 1, PACKET_BYTES_MAX, clean_start=True
        )
        self._connection = Connection(config)
        self._session = Session(
            Opening(connect, config.keepalive_s, None),
            mqtt_stream.Parser(PACKET_BYTES_MAX, 0, 0, b""),
            1,
            self._publications,
            lambda _state, _detail: None,
            self._refused.extend,
            steady_s(),
        )
        try:
            while not self._session.connected:
                self._step(ANSWER_S)
        except BaseException:
            self._connection.close()
            raise

    def publish(self, messages: Sequence[tuple[str, bytes]], timeout_s: float) -> list[int]:
        """Publish (topic, payload)s; on return each is acknowledged, but for those whose refusals' reasons come back.

        Raises ValueError for more messages than queued_max.
        """
        self._refused.clear()
        if self._publications.put(messages) < len(messages):
            raise ValueError(f"{len(messages)} messages are more than were announced")
        until_s = self._steady_s() + timeout_s
        while left := self._unacknowledged():
            left_s = until_s - self._steady_s()
            if left_s <= 0:
                raise SilentError(f"{left} of {len(messages)} messages were not acknowledged in {timeout_s:g} s", 0)
            if self._step(left_s) and self._publications.unacknowledged:
                time.sleep(PAUSE_STARVED_S if self._publications.starved else PAUSE_S)
        return list(self._refused)

    def keep(self) -> None:
        """To be called now and then while there is nothing to publish: the broker hears that we are there."""
        self._step(0)

    def close(self) -> None:
        """Part, with a word where that can follow what was sent."""
        if not self._session.outgoing:
            with contextlib.suppress(OSError):
                self._connection.send(bytearray(packets.disconnect(0)))
        self._connection.close()

    def _unacknowledged(self) -> int:
        """How many messages are, once what may be sent now is."""
        if self._publications.sendable:
            self._session.publish()
        return self._publications.unacknowledged

    def _step(self, wait_max_s: float) -> bool:
        """Send what is to be sent, and take what has come: whether something has; without, wait for it."""
        if self._session.outgoing:
            self._session.sent(self._connection.send(self._session.outgoing), self._steady_s())
        count, now_s = self._connection.receive_into(self._buffer), self._steady_s()
        if count:
            if self._session.receive(self._buffer[:count], 1, now_s).topics:
                raise SessionError("a message that nobody asked for", _PROTOCOL_ERROR)
            return True
        due_s = self._session.tick(now_s, reading=True)
        wait_s = min(max(0.0, due_s - now_s), wait_max_s)
        self._connection.hasten()
        self._connection.wait(wait_s, reading=True, writing=bool(self._session.outgoing))
        return False
