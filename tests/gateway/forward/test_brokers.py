"""MQTT northbound and NATS JetStream as sinks, against the real servers; what they get is what the journal has."""

import asyncio
import json
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import paho.mqtt.client as paho
import pytest
from nats.js.api import StreamConfig
from paho.mqtt.enums import CallbackAPIVersion

from gateway.config import MqttSinkConfig, NatsConfig
from gateway.forward import nats_sink, refeeds
from gateway.forward import outbox as store
from gateway.forward.mqtt_sink import MqttSink
from gateway.forward.nats_sink import NatsSink
from hil.broker import Broker
from hil.nats import Nats
from protocol import record
from protocol.frame import open_frame
from tests.gateway.forward.world import Sending, old
from tests.gateway.support import NOW_S, ROOT, event, mosquitto, window

DEADLINE_S = 60.0
NATS = ROOT / "build/nats/nats-server"


class Listener:
    """Somebody who reads what the broker is sent, under a session that survives."""

    def __init__(self, port: int) -> None:
        self.came: list[tuple[str, bytes]] = []
        self._changed = threading.Condition()
        ready = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener", protocol=paho.MQTTv5)
        self.client.on_connect = lambda client, *_: client.subscribe("up/#", qos=1)
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port, clean_start=True)
        self.client.loop_start()
        assert ready.wait(30)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.came.append((message.topic, bytes(message.payload)))
            self._changed.notify_all()

    def names(self, count: int) -> list[int]:
        """The numbers of what came, once they are so many different ones."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._seqs()) >= count, 60), f"{len(self._seqs())} of {count}"
            return sorted(self._seqs())

    def _seqs(self) -> set[int]:
        return {json.loads(data)["seq"] for _, data in self.came}

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_connect = self.client.on_subscribe = self.client.on_message = None


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    one = Listener(broker.port)
    yield one
    one.close()


def mqtt(port: int, form: Any = "json", batch_records: int = 40) -> Callable[[], MqttSink]:
    config = MqttSinkConfig(
        name="s", host="127.0.0.1", port=port, prefix="up", format=form, batch_records=batch_records
    )
    return lambda: MqttSink(config, lambda _: None)


def test_a_broker_gets_each_record_as_a_document(tmp_path: Path, broker: Broker, listener: Listener) -> None:
    """P-153."""
    sending = Sending(tmp_path / "data", mqtt(broker.port))
    sending.commit([window(1, NOW_S - 900, [record.NONE_SILENT]), event(2, NOW_S, point=3, values=[5])])
    sending.run()
    assert listener.names(2) == [1, 2]
    (topic, data), (event_topic, event_data) = sorted(listener.came, key=lambda one: "event" in one[0])
    assert (topic, event_topic) == ("up/T0001/window", "up/T0001/event")
    told = json.loads(data)
    assert (told["terminal"], told["epoch"], told["seq"], told["time_s"]) == ("T0001", 7, 1, NOW_S - 900)
    assert told["points"] == [{"point": 1, "none_because": 1}]
    told = json.loads(event_data)
    assert (told["event"], told["point"], told["values"]) == ("boot", 3, [5])
    sending.commit([window(3)])
    sending.run()
    listener.names(3)
    assert json.loads(listener.came[-1][1])["points"][0]["p_mean_w"] == 4000
    sending.close()


def test_a_broker_gets_the_original_frames(tmp_path: Path, broker: Broker, listener: Listener) -> None:
    """P-153: who has the terminal's key can prove them again."""
    sending = Sending(tmp_path / "data", mqtt(broker.port, "frames"))
    sending.commit([old(1), old(2)])
    sending.run()
    with listener._changed:
        assert listener._changed.wait_for(lambda: bool(listener.came), 60)
    ((topic, data),) = listener.came
    opened = open_frame(data, "T0001", {1: sending.sender.key})
    assert (topic, [one.seq for one in opened.records]) == ("up/T0001/frame", [1, 2])
    sending.close()


@pytest.mark.slow
def test_a_broker_that_is_killed_under_load_gets_everything(tmp_path: Path, broker: Broker) -> None:
    """P-154: what was acknowledged before a kill may come again, and nothing is passed over."""
    chance, seq = random.Random(3), 0
    sending = Sending(tmp_path / "data", mqtt(broker.port))
    came: set[int] = set()
    for turn in range(6):
        listener = Listener(broker.port)
        for _ in range(3):
            sending.commit([old(number) for number in range(seq, seq + 40)])
            seq += 40
        killer = threading.Timer(chance.random() * 0.05, broker.kill)
        if turn % 2:
            killer.start()
        sending.try_to_run()
        killer.cancel()
        if turn % 2:
            killer.join()
            broker.kill()
            broker.start()
        came |= listener._seqs()
        listener.close()
    # the broker lost what it had acknowledged and not delivered: what a refeed is for
    listener = Listener(broker.port)
    sending.try_to_run()
    assert sending.try_to_run() == []
    refeeds.order_refeed(sending.folder, "s", 0, sending.reader.last_id())
    assert sending.try_to_run() == []
    assert listener.names(seq) == list(range(seq))
    listener.close()
    sending.close()


def test_a_broker_that_refuses_is_named(tmp_path: Path) -> None:
    """P-155: by its ACL, by its size; away."""
    acl = tmp_path / "acl"
    acl.write_text("topic read up/#\n")
    with Broker(mosquitto(), tmp_path / "broker", {"acl_file": str(acl)}) as broker:
        broker.start()
        sending = Sending(tmp_path / "data", mqtt(broker.port))
        sending.commit([old(1)])
        assert sending.try_to_run() == ["denied"]
        broker.stop()
        assert sending.try_to_run() == ["unreachable"]
        assert store.settled(sending.folder, "s") == (0, 0)
        sending.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Nats]:
    with Nats(NATS, tmp_path / "nats") as one:
        one.start()
        yield one


def jetstream(port: int, **more: Any) -> Callable[[], NatsSink]:
    config = NatsConfig(name="s", host="127.0.0.1", port=port, **more)
    return lambda: NatsSink(config, lambda _: None)


def stored(port: int) -> list[int]:
    """The numbers in the stream, in its order."""

    async def read() -> list[int]:
        client = await nats.connect(f"nats://127.0.0.1:{port}")
        stream = client.jetstream()
        last = (await stream.stream_info("wattline")).state.last_seq
        found = []
        for number in range(1, last + 1):
            message = await stream.get_msg("wattline", number)
            found.append(json.loads(message.data or b"")["seq"])
        await client.close()
        return found

    return asyncio.run(read())


def command(port: int, act: Callable[[Any], Any]) -> None:
    async def run() -> None:
        client = await nats.connect(f"nats://127.0.0.1:{port}")
        await act(client.jetstream())
        await client.close()

    asyncio.run(run())


def test_a_stream_has_each_record_once_however_often_it_is_fed(tmp_path: Path, server: Nats) -> None:
    """P-154: the stream itself refuses the second one."""
    sending = Sending(tmp_path / "data", jetstream(server.port, batch_records=30))
    sending.commit([old(seq) for seq in range(50)])
    sending.commit([event(50)])
    sending.run()
    refeeds.order_refeed(sending.folder, "s", 0, sending.reader.last_id())
    sending.run()
    assert sorted(stored(server.port)) == list(range(51))
    assert isinstance(sending.real, NatsSink)
    assert sending.real.repeated == 51
    sending.close()


def test_a_server_that_ends_while_its_answers_are_awaited_is_seen_at_once(
    tmp_path: Path, server: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-154: and not when the time for answers is over."""
    monkeypatch.setattr(nats_sink, "ACKS_TIMEOUT_S", 3600)
    sending = Sending(tmp_path / "data", jetstream(server.port))
    sending.commit([old(1)])
    sending.run()
    assert isinstance(sending.real, NatsSink)
    sending.real._wanted = 0
    sending.commit([old(seq) for seq in range(2, 42)])
    server.process.send(signal.SIGSTOP)
    reasons: list[str] = []
    trying = threading.Thread(target=lambda: reasons.extend(sending.try_to_run()))
    trying.start()
    deadline = time.monotonic() + DEADLINE_S
    while not sending.real._wanted and trying.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    server.process.kill()
    trying.join(DEADLINE_S)
    assert reasons == ["unreachable"]
    sending.close()


@pytest.mark.slow
def test_a_stream_that_is_killed_and_put_back_under_load_has_everything_once(tmp_path: Path, server: Nats) -> None:
    """P-154, R-08."""
    chance, seq, ordered_ms = random.Random(5), 0, 0
    sending = Sending(tmp_path / "data", jetstream(server.port, batch_records=30))
    for turn in range(8):
        for _ in range(3):
            sending.commit([old(number) for number in range(seq, seq + 40)])
            seq += 40
        killer = threading.Timer(chance.random() * 0.05, server.process.kill)
        if turn % 2:
            killer.start()
        sending.try_to_run()
        killer.cancel()
        if turn % 2:
            killer.join()
            server.process.kill()
            if turn == 3:
                shutil.copytree(server.store, tmp_path / "older")
                ordered_ms = sending.clock.now_ms()
            if turn == 7:
                shutil.rmtree(server.store)
                shutil.copytree(tmp_path / "older", server.store)
            server.start()
        if turn % 3 == 2:
            sending.restart()
    refeeds.order_refeed(sending.folder, "s", ordered_ms, sending.reader.last_id())
    for _ in range(3):
        sending.try_to_run()
    assert sorted(stored(server.port)) == list(range(seq))
    sending.close()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"max_msgs_per_subject": -1, "discard_new_per_subject": False}, "max_msgs_per_subject"),
        ({"subjects": ["wattline.T0001.>"]}, "subjects"),
        ({"discard": "old", "discard_new_per_subject": False}, "discards old"),
        ({"storage": "memory"}, "memory"),
    ],
)
def test_a_stream_with_other_limits_than_ours_is_named(
    tmp_path: Path, server: Nats, changed: dict[str, Any], told: str
) -> None:
    """P-155."""
    ours = {
        "name": "wattline", "subjects": ["wattline.>"], "storage": "file", "discard": "new", "retention": "limits",
        "max_msgs_per_subject": 1, "discard_new_per_subject": True, **changed,
    }  # fmt: skip
    command(server.port, lambda js: js.add_stream(StreamConfig(**ours)))
    sending = Sending(tmp_path / "data", jetstream(server.port))
    sending.commit([old(1)])
    assert sending.try_to_run() == ["limits"]
    assert told in str(store.status(sending.folder, "s")["detail"])
    sending.close()


def test_a_stream_without_room_is_named(tmp_path: Path) -> None:
    """P-155."""
    with Nats(NATS, tmp_path / "nats", limits="max_file_store: 100KB") as server:
        server.start()
        sending = Sending(tmp_path / "data", jetstream(server.port, batch_records=200))
        for block in range(60):
            sending.commit([old(64 * block + seq) for seq in range(40)])
        assert sending.try_to_run() == ["full"]
        assert store.settled(sending.folder, "s")[0] < 2400
        server.process.stop()
        assert sending.try_to_run() == ["unreachable"]
        sending.close()
