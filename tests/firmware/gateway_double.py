"""A gateway of a few lines for the terminal's tests: takes frames, remembers them, acknowledges as it is told to."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from protocol import ack, frame, mac, record

Frame = frame.Frame


class GatewayDouble:
    """`answering`: whether frames are acknowledged; `now_ms`: the time that its acks tell."""

    def __init__(self, port: int, terminal: str, key: mac.Key, now_ms: Callable[[], int]) -> None:
        self.terminal = terminal
        self.key = key
        self.now_ms = now_ms
        self.answering = True
        self.refuse: set[int] = set()  # numbers refused for good
        self.frames: list[Frame] = []
        self.acks: list[bytes] = []
        self._changed = threading.Condition()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="gateway", protocol=mqtt.MQTTv5)
        self.client.on_connect = lambda client, *_: client.subscribe("wattline/up/+", 1)
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        assert message.topic == f"wattline/up/{self.terminal}"
        assert message.qos == 1
        found = frame.open_frame(bytes(message.payload), self.terminal, {self.key.generation: self.key})
        with self._changed:
            self.frames.append(found)
            self._changed.notify_all()
        if self.answering:
            self.answer(found)

    def answer(self, found: Frame) -> None:
        """Acknowledge a frame."""
        durable = [(one.seq, one.seq) for one in found.records if one.seq not in self.refuse]
        refused = [(one.seq, one.seq, ack.REFUSED_CONTENT) for one in found.records if one.seq in self.refuse]
        echo = (found.boot_id, found.sent_ms)
        self.send(ack.seal_ack(self.key, self.terminal, found.epoch, durable, refused, self.now_ms(), echo))

    def send(self, data: bytes) -> None:
        """Publish these bytes as an ack."""
        self.acks.append(data)
        self.client.publish(f"wattline/down/{self.terminal}", data, qos=1)

    @property
    def records(self) -> dict[int, record.Record]:
        """What has come, by number; the same number always has the same bytes."""
        found: dict[int, record.Record] = {}
        for one in list(self.frames):
            for each in one.records:
                assert found.setdefault(each.seq, each).raw == each.raw
        return found

    def events(self, code: int) -> list[record.Event]:
        """The events of a kind, by number."""
        bodies = [one.body for _, one in sorted(self.records.items()) if one.type == record.EVENT]
        return [body for body in bodies if body.code == code]

    def wait(self, what: str, condition: Callable[[], bool], timeout_s: float = 60) -> None:
        """Return once the condition holds; looked at whenever a frame comes, and ten times a second."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not condition():
                assert time.monotonic() < deadline, (
                    f"not within {timeout_s:g} s: {what}; {len(self.frames)} frames came"
                )
                self._changed.wait(0.1)

    def stop(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def gateway_double(port: int, terminal: str, key: mac.Key, now_ms: Callable[[], int]) -> Iterator[GatewayDouble]:
    """One, disconnected on the way out."""
    made = GatewayDouble(port, terminal, key, now_ms)
    try:
        yield made
    finally:
        made.stop()
