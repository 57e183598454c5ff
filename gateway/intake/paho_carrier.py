"""The carrier for brokers that only WebSocket reaches. The only module that knows paho.

Costs some ten times the CPU of stream_carrier a message: paho calls back for each. It keeps 20
acks in flight, whatever the broker allows.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.config import MqttConfig
from gateway.intake.deliveries import (
    ACKS_WAITING_MAX,
    PACKET_BYTES_MAX,
    TOPIC_BYTES_MAX,
    Delivery,
    down,
    subscription,
    up,
)
from gateway.mqtt.connection import read_login
from gateway.mqtt.session import SUBSCRIBE_AGAIN_S, OnState, Token
from protocol import limits
from protocol.host.tables import is_terminal_id

_GRANTED_QOS_1 = 1


class PahoIntake:
    """A carrier by paho-mqtt, over WebSocket or, as the bench's yardstick, TCP."""

    def __init__(self, config: MqttConfig, steady_s: Callable[[], float], on_state: OnState) -> None:
        """Nothing is sent before `start`."""
        self._config = config
        self._filter, self._session_expiry_s = subscription(config)
        self._up_bytes, self._down = up(config).encode(), down(config)
        self._steady_s = steady_s
        self._on_state = on_state
        self._queue: queue.Queue[Delivery] = queue.Queue(config.receive_maximum)
        self._connection = 0  # counts connections: a token of an earlier one means nothing to the broker any more
        self._stopping = threading.Event()
        self._subscribe_at: float | None = None
        self._client = self._make_client()

    def start(self) -> None:
        """Begin to connect, in the background."""
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = self._session_expiry_s
        properties.ReceiveMaximum = self._config.receive_maximum
        properties.MaximumPacketSize = PACKET_BYTES_MAX
        self._client.connect_async(
            self._config.host,
            self._config.port,
            keepalive=self._config.keepalive_s,
            clean_start=False,
            properties=properties,
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect; the broker keeps what was not released."""
        self._stopping.set()
        self._client.disconnect()
        self._client.loop_stop()
        # paho closes its inner sockets when it is collected: no cycle may keep it
        self._client.on_connect = self._client.on_connect_fail = self._client.on_disconnect = None
        self._client.on_subscribe = self._client.on_message = self._client.on_publish = None

    def take(self, count: int, idle_s: float, wait_s: float) -> list[Delivery]:
        """Up to `count` deliveries: waits idle_s for the first one, then wait_s for others to share its commit."""
        self._subscribe_when_due()
        try:
            batch = [self._queue.get(timeout=idle_s) if idle_s else self._queue.get_nowait()]
        except queue.Empty:
            return []
        deadline = self._steady_s() + wait_s
        while len(batch) < count:
            try:
                batch.append(self._queue.get(timeout=max(0.0, deadline - self._steady_s())))
            except queue.Empty:
                break
        return batch

    def release(self, tokens: Iterable[Token]) -> None:
        """PUBACK: the broker may forget the messages. Without effect when the connection they came by is gone."""
        for connection, packet_id in tokens:
            if packet_id and connection == self._connection:
                self._client.ack(packet_id, 1)

    def publish_down(self, messages: Sequence[tuple[str, bytes]]) -> int:
        """Send acks down; how many: the others can't even wait for the broker, their terminals will send again."""
        return sum(self._publish(terminal, data) for terminal, data in messages)

    def _publish(self, terminal: str, data: bytes) -> bool:
        return self._client.publish(self._down + terminal, data, qos=1).rc in {
            paho.MQTT_ERR_SUCCESS,
            paho.MQTT_ERR_NO_CONN,  # kept by paho until connected
        }

    @property
    def waiting(self) -> int:
        """Frames in memory that nobody has taken yet."""
        return self._queue.qsize()

    def _make_client(self) -> paho.Client:
        config = self._config
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=config.client_id,
            protocol=paho.MQTTv5,
            transport=config.transport,
            manual_ack=True,
        )
        client.ws_set_options(path=config.websocket_path)
        client.max_queued_messages_set(ACKS_WAITING_MAX)
        client.reconnect_delay_set(1, config.reconnect_max_s)
        login = read_login(config)
        if login is not None:
            client.username_pw_set(*login)
        if config.tls_ca_file:
            client.tls_set(ca_certs=config.tls_ca_file)
        client.on_connect = self._on_connect
        client.on_connect_fail = lambda *_: self._on_state("connect_failed", {"reason": ""})
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._on_state("connect_refused", {"reason": str(reason)})
            return
        self._connection += 1
        self._on_state("connected", {"connection": self._connection})
        client.subscribe(self._filter, qos=1)

    def _on_disconnect(self, _client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._subscribe_at = None
        self._on_state("disconnected", {"reason": str(reason)})

    def _on_subscribe(self, _client: paho.Client, _data: Any, _id: int, reasons: Any, _properties: Any) -> None:
        if any(reason.value != _GRANTED_QOS_1 for reason in reasons):
            self._subscribe_at = self._steady_s() + SUBSCRIBE_AGAIN_S
            self._on_state("subscribe_refused", {"reason": str(reasons[0])})
            return
        self._on_state("subscribed", {})

    def _subscribe_when_due(self) -> None:
        if self._subscribe_at is not None and self._steady_s() >= self._subscribe_at:
            self._subscribe_at = None
            self._client.subscribe(self._filter, qos=1)

    def _on_publish(self, _client: paho.Client, _data: Any, _id: int, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._on_state("down_refused", {"reason": str(reason), "messages": 1})

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        topic = _topic_bytes(message)
        is_up, name = topic.startswith(self._up_bytes), topic[len(self._up_bytes) :].decode("ascii", "replace")
        delivery = Delivery(
            name if is_up and is_terminal_id(name) else "",
            topic[:TOPIC_BYTES_MAX].decode("utf-8", "backslashreplace"),
            bytes(message.payload[: limits.FRAME_BYTES_MAX + 1]),
            len(message.payload),
            (self._connection, message.mid if message.qos else 0),
        )
        # Full only where the broker sends past receive_maximum (QoS 0, or again after a reconnect): then TCP waits.
        while not self._stopping.is_set():
            try:
                self._queue.put(delivery, timeout=0.2)
            except queue.Full:
                continue
            return


def _topic_bytes(message: paho.MQTTMessage) -> bytes:
    """As it came: paho ends its thread where a topic that is no UTF-8 is looked at as text and nobody catches that."""
    try:
        return message.topic.encode()
    except UnicodeDecodeError as error:
        return error.object
