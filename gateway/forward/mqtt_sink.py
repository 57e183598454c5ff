"""A northbound MQTT broker as a sink: a message a record, or the original frames; safe when each is acknowledged.

MQTT 5: a broker's reason code tells a refusal from an acceptance. What a broker does with a message afterwards is its
own affair: `refeed` is for one that loses what it had acknowledged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties

from gateway.config import MqttSinkConfig
from gateway.forward.documents import documents
from gateway.forward.sink import Batch, BatchRefusedError, Receipt, SinkError

CONNECT_TIMEOUT_S = 5
ACKS_TIMEOUT_S = 30  # for all of a batch
IN_FLIGHT_MAX = 1000  # unless the broker allows fewer
QOS = 1
# MQTT 5, table 2-6: what a broker says to a publish, and to a connection
_REFUSES_THIS = {0x90, 0x95, 0x99}  # topic name, packet too large, payload format
_REASONS = {0x86: "denied", 0x87: "denied", 0x8A: "denied", 0x8C: "denied", 0x97: "full", 0x8D: "silent"}


class MqttSink:
    """What the forwarder drives. pause: waits so many seconds, or less when there is a reason to."""

    def __init__(self, config: MqttSinkConfig, pause: Callable[[float], object]) -> None:
        self._config = config
        self._pause = pause
        self._client: paho.Client | None = None
        self._changed = threading.Condition()
        self._answers: dict[int, int] = {}  # message's number: the broker's reason code
        self._wanted = 0  # answers that are waited for; 0: not all is published yet
        self._answered: list[int] = []  # the broker's reason code for the connection, once it has answered
        self._lost = ""

    @property
    def wants(self) -> int:
        return self._config.batch_records

    def take(self, batch: Batch) -> Receipt:
        """Publish, and wait for every acknowledgement. Raises SinkError, BatchRefusedError."""
        try:
            client = self._connect()
            with self._changed:
                self._answers.clear()
                self._wanted = 0
            numbers = [self._publish(client, topic, data) for topic, data in self._messages(batch)]
            self._await(numbers)
        except (SinkError, BatchRefusedError):
            self.close()
            raise
        return Receipt()

    def work(self, wait_ms: int) -> None:
        """Nothing: what is taken is acknowledged."""
        if wait_ms:
            self._pause(wait_ms / 1000)

    def close(self) -> None:
        """End the connection; `take` makes another."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()
            client.on_connect = client.on_publish = client.on_disconnect = None

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

    def _publish(self, client: paho.Client, topic: str, data: bytes) -> int:
        sent = client.publish(topic, data, qos=QOS)
        if sent.rc not in {paho.MQTT_ERR_SUCCESS, paho.MQTT_ERR_NO_CONN}:
            raise SinkError("unreachable", paho.error_string(sent.rc))
        return sent.mid

    def _await(self, numbers: list[int]) -> None:
        with self._changed:
            self._wanted = len(numbers)
            done = self._changed.wait_for(lambda: self._lost or len(self._answers) >= self._wanted, ACKS_TIMEOUT_S)
            if self._lost:
                raise SinkError("unreachable", self._lost)
            if not done:
                raise SinkError("silent", f"not all of {len(numbers)} messages were acknowledged in {ACKS_TIMEOUT_S} s")
            codes = {self._answers[number] for number in numbers}
        refused = sorted(code for code in codes if code >= 0x80)
        if not refused:
            return
        text = f"the broker answers 0x{refused[0]:02x}"
        if set(refused) <= _REFUSES_THIS:
            raise BatchRefusedError(text)
        raise SinkError(_REASONS.get(refused[0], "protocol"), text)

    def _connect(self) -> paho.Client:
        if self._client is not None:
            return self._client
        config = self._config
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=config.client_id, protocol=paho.MQTTv5)
        client.max_inflight_messages_set(IN_FLIGHT_MAX)
        client.connect_timeout = CONNECT_TIMEOUT_S
        if config.username:
            password = Path(config.password_file).read_text("utf-8").strip() if config.password_file else None
            client.username_pw_set(config.username, password)
        if config.tls_ca_file:
            client.tls_set(ca_certs=config.tls_ca_file)
        client.on_connect, client.on_publish, client.on_disconnect = self._on_connect, self._on_publish, self._on_end
        self._answered, self._lost = [], ""
        try:
            client.connect(config.host, config.port, keepalive=config.keepalive_s)
        except OSError as error:
            raise SinkError("unreachable", str(error)) from error
        self._client = client
        client.loop_start()
        self._greeted()
        return client

    def _greeted(self) -> None:
        """Wait for the broker's answer to the connection. Raises SinkError where it is none, or a no."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._answered or self._lost), CONNECT_TIMEOUT_S)
            answered = list(self._answered)
        if not answered:
            raise SinkError("silent", self._lost or "no answer to the connection")
        if answered[0]:
            raise SinkError(_REASONS.get(answered[0], "protocol"), f"the broker answers 0x{answered[0]:02x}")

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Properties | None) -> None:
        with self._changed:
            self._answered.append(int(code.value))
            self._changed.notify_all()

    def _on_publish(self, _client: Any, _data: Any, number: int, code: Any, _properties: Properties) -> None:
        with self._changed:
            self._answers[number] = int(code.value)
            if self._wanted and len(self._answers) >= self._wanted:
                self._changed.notify_all()

    def _on_end(self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Properties | None) -> None:
        with self._changed:
            self._lost = f"the connection ended: {code}"
            self._changed.notify_all()
