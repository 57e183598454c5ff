"""What a terminal hears at the real broker, with the files of deploy/, whatever it subscribes to: its own acks."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.files import write_secret
from hil.ports import wait_for_port
from hil.process import Process
from tests.deploy.brokers import FORMS, PASSWORD, place_broker
from tests.gateway.support import Running, Sender, StillClock, mosquitto, window, write_config

FRAMES = 20
WAIT_S = 60.0  # for a busy machine: nothing is slow here
GREEDY = (
    "#", "+/+/+", "$SYS/#", "wattline/#", "wattline/down/T0001", "wattline/down/+", "wattline/up/T0001",
    "wattline/up/+", "$share/workers/wattline/up/+", "$share/workers/terminals/wattline/up/+", "$share/workers/#",
    "$share/other/#", "terminals/#", "terminals/wattline/up/+", "../#",
)  # fmt: skip


class Heard:
    """A client of the broker, and what was delivered to it."""

    def __init__(self, connect: Callable[[paho.Client], object], protocol: MQTTProtocolVersion, name: str) -> None:
        self._changed = threading.Condition()
        self.heard: list[tuple[str, bytes]] = []
        self.done = 0  # answers to what was asked: connections, subscriptions, publications
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol)
        self.client.on_message = lambda _c, _d, one: self._note((one.topic, bytes(one.payload)))
        self.client.on_connect = self.client.on_subscribe = self.client.on_publish = lambda *_: self._note(None)
        connect(self.client)
        self.client.loop_start()
        self.wait(lambda: self.done == 1)

    def _note(self, message: tuple[str, bytes] | None) -> None:
        with self._changed:
            if message is None:
                self.done += 1
            else:
                self.heard.append(message)
            self._changed.notify_all()

    def wait(self, is_so: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(is_so, WAIT_S), (self.done, self.heard)

    def ask(self, call: Callable[..., Any], *arguments: object) -> None:
        """Ask, and wait for the broker's answer: what it delivered before has come by then."""
        before = self.done
        call(*arguments, qos=1)
        self.wait(lambda: self.done > before)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_connect = self.client.on_subscribe = self.client.on_publish = self.client.on_message = None


class Plant:
    """The broker of a form, and clients of it."""

    def __init__(self, folder: Path, form: str) -> None:
        self.folder = folder
        self.config, self.inner, self.outer = place_broker(folder, form)
        self.mount = "terminals/" if form == "several-machines" else ""
        self._clients: list[Heard] = []

    def terminal(self, name: str, protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5) -> Heard:
        def connect(client: paho.Client) -> None:
            files = (self.folder / "certs/ca.crt", self.folder / f"{name}.crt", self.folder / f"{name}.key")
            ca, certificate, key = map(str, files)
            client.tls_set(ca, certificate, key)
            client.connect("localhost", self.outer)

        return self._kept(Heard(connect, protocol, f"{name}-{protocol}"))

    def gateway(self) -> Heard:
        def connect(client: paho.Client) -> None:
            client.username_pw_set("gateway", PASSWORD)
            client.connect("127.0.0.1", self.inner)

        return self._kept(Heard(connect, MQTTProtocolVersion.MQTTv5, "gateway"))

    def close(self) -> None:
        for one in self._clients:
            one.close()

    def _kept(self, one: Heard) -> Heard:
        self._clients.append(one)
        return one


@pytest.fixture(params=FORMS)
def plant(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path, request.param)
    with Process("mosquitto", [str(mosquitto()), "-c", str(made.config)], tmp_path / "broker.log") as process:
        process.start()
        wait_for_port(process, made.inner)
        wait_for_port(process, made.outer)
        yield made
        made.close()


def test_a_terminal_hears_nobody_else_whatever_it_subscribes_to_and_takes_no_worker_its_turn(plant: Plant) -> None:
    """S-06, P-405: by MQTT 5 and 3.1.1; `#`, others' topics, the workers' share under each name that it could have."""
    gateway, own = plant.gateway(), plant.terminal("T0001")
    share = "$share/workers/" if plant.mount else ""
    gateway.ask(gateway.client.subscribe, f"{share}{plant.mount}wattline/up/+")
    own.ask(own.client.subscribe, "wattline/down/T0001")
    greedy = [plant.terminal("T0002", one) for one in (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311)]
    for one in greedy:
        for topic in GREEDY:
            one.ask(one.client.subscribe, topic)
    sent = [(f"{plant.mount}wattline/up/T0001", b"%d" % number) for number in range(FRAMES)]
    for _, data in sent:
        own.ask(own.client.publish, "wattline/up/T0001", data)
    gateway.wait(lambda: len(gateway.heard) >= FRAMES)
    gateway.ask(gateway.client.publish, f"{plant.mount}wattline/down/T0001", b"ack")
    own.wait(lambda: bool(own.heard))
    for one in greedy:
        for topic in ("wattline/up/T0001", "wattline/down/T0001", f"{plant.mount}wattline/up/T0001"):
            one.ask(one.client.publish, topic, b"forged")
    own.ask(own.client.publish, "wattline/up/T0001", b"last")
    gateway.wait(lambda: len(gateway.heard) > FRAMES)
    assert gateway.heard == [*sent, (f"{plant.mount}wattline/up/T0001", b"last")]
    # mosquitto before 2.0.12 leaves the mount point in the topic of what it delivers; no terminal looks at that
    assert [(topic.removeprefix("terminals/"), data) for topic, data in own.heard] == [("wattline/down/T0001", b"ack")]
    assert [one.heard for one in greedy] == [[], []]


def test_a_gateway_hears_and_answers_below_the_mount_point(plant: Plant) -> None:
    """P-405: the gateway itself, from a terminal's frame to its ack."""
    sender = Sender("T0001")
    config = write_config(plant.folder / "gateway", plant.inner, [sender])
    write_secret(plant.folder / "gateway" / "mqtt.password", PASSWORD)
    login = f'username = "gateway"\npassword_file = "mqtt.password"\nmount_point = "{plant.mount}"\n'
    config.write_text(config.read_text().replace("[mqtt]\n", f"[mqtt]\n{login}"))
    running = Running(config, StillClock())
    try:
        own = plant.terminal("T0001")
        own.ask(own.client.subscribe, "wattline/down/T0001")
        own.ask(own.client.publish, "wattline/up/T0001", sender.frame([window(1)]))
        own.wait(lambda: bool(own.heard))
        assert sender.open_ack(own.heard[0][1]).durable == [(1, 1)]
    finally:
        running.stop()
