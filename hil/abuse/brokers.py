"""A northbound MQTT broker with a reader, and a NATS JetStream, as victims."""

import asyncio
import json
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hil.abuse.load import EPOCH, Truth
from hil.abuse.verdict import Name
from hil.bench import MOSQUITTO
from hil.broker import Broker
from hil.link import Link
from hil.nats import Nats
from hil.process import BenchError
from hil.terminal import ROOT

SESSION_S = 86_400
QUEUED_MAX = 100_000  # messages that the broker keeps for a reader that is away
READ_TIMEOUT_S = 60.0


def documents(made: Iterable[Truth]) -> dict[Name, Any]:
    """What is to be read of each window; the rest of a document is about its reception."""
    return {(one.terminal, EPOCH, one.seq): _content(one) for one in made}


def _content(one: Truth) -> dict[str, Any]:
    points = [
        {"point": number, **{name: value for name, value in reading._asdict().items() if value is not None}}
        for number, reading in enumerate(one.readings, start=1)
    ]
    return {"time_s": one.start_s, "points": points}


def _told(data: bytes) -> tuple[Name, dict[str, Any]]:
    told = json.loads(data)
    return (told["terminal"], told["epoch"], told["seq"]), {"time_s": told["time_s"], "points": told["points"]}


class Mqtt:
    """mosquitto, and who reads from it: that is what counts, by (terminal, epoch, seq), and what is put back."""

    name = "mqtt"
    copies_of_refeed = 1
    sees_put_back = False
    forgets = True  # mosquitto writes its persistence file now and then
    disk = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "broker"
        self._broker = Broker(MOSQUITTO, self._folder, {"max_queued_messages": QUEUED_MAX, "log_type": "none"})
        self.link = Link(folder / "link", self._broker.port)
        self._came: dict[bytes, None] = {}  # the reader's store: what came twice is one
        self._lock = threading.Lock()
        self._reads = threading.Event()
        self._reader = paho.Client(CallbackAPIVersion.VERSION2, client_id="abuse-reader", protocol=paho.MQTTv5)
        self._reader.on_connect = lambda client, *_: client.subscribe("up/#", qos=1)
        self._reader.on_subscribe = lambda *_: self._reads.set()
        self._reader.on_message = self._on_message
        self._reader.reconnect_delay_set(1, 1)

    @property
    def port(self) -> int:
        """See Victim."""
        return self._broker.port

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        with self._lock:
            self._came[bytes(message.payload)] = None

    def section(self) -> str:
        """See Victim."""
        return (
            f'[[sink]]\nname = "mqtt"\nkind = "mqtt"\nhost = "127.0.0.1"\nport = {self.link.port}\nprefix = "up"\n'
            "batch_records = 50\n"
        )

    def start(self) -> None:
        """See Victim. A broker that was killed may have lost its reader's subscription: it works once that is back."""
        self._reads.clear()
        self._broker.start()
        if not self.link.port:
            self.link.start()
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = SESSION_S
            self._reader.connect("127.0.0.1", self._broker.port, clean_start=False, properties=properties)
            self._reader.loop_start()
        if not self._reads.wait(READ_TIMEOUT_S):
            raise BenchError("the reader behind the broker did not come back")

    def stop(self) -> None:
        """See Victim."""
        self._broker.stop()

    def kill(self) -> None:
        """See Victim."""
        self._broker.kill()

    def keep(self, to: Path) -> None:
        """The reader's store; the broker's is on its way to it."""
        with self._lock:
            to.write_text(json.dumps([one.decode() for one in self._came]), encoding="utf-8")

    def put_back(self, kept: Path) -> None:
        """See Victim."""
        with self._lock:
            self._came = dict.fromkeys(one.encode() for one in json.loads(kept.read_text(encoding="utf-8")))

    def expected(self, made: Iterable[Truth]) -> Mapping[Name, Any]:
        """See Victim."""
        return documents(made)

    def held(self) -> Iterator[tuple[Name, Any]]:
        """Each content once: what was told again, to the byte, its reader takes once."""
        with self._lock:
            came = list(self._came)
        return map(_told, came)

    def close(self) -> None:
        """See Victim."""
        self._reader.disconnect()
        self._reader.loop_stop()
        self._reader.on_connect = self._reader.on_subscribe = self._reader.on_message = None
        self._broker.kill()
        self.link.process.kill()


class JetStream:
    """A nats-server; its stream refuses a second message of a name by itself."""

    name = "nats"
    copies_of_refeed = 0
    sees_put_back = False
    forgets = False
    disk = None

    def __init__(self, folder: Path) -> None:
        self._server = Nats(ROOT / "build/nats/nats-server", folder)
        self.link = Link(folder / "link", self._server.port)

    @property
    def port(self) -> int:
        """See Victim."""
        return self._server.port

    def section(self) -> str:
        """See Victim."""
        return (
            f'[[sink]]\nname = "nats"\nkind = "nats"\nhost = "127.0.0.1"\nport = {self.link.port}\nbatch_records = 50\n'
        )

    def start(self) -> None:
        """See Victim."""
        self._server.start()
        if not self.link.port:
            self.link.start()

    def stop(self) -> None:
        """See Victim."""
        self._server.process.stop()

    def kill(self) -> None:
        """See Victim."""
        self._server.process.kill()

    def keep(self, to: Path) -> None:
        """See Victim."""
        self._server.store.mkdir(exist_ok=True)
        shutil.copytree(self._server.store, to)

    def put_back(self, kept: Path) -> None:
        """See Victim."""
        shutil.rmtree(self._server.store)
        shutil.copytree(kept, self._server.store)

    def expected(self, made: Iterable[Truth]) -> Mapping[Name, Any]:
        """See Victim."""
        return documents(made)

    def held(self) -> list[tuple[Name, Any]]:
        """Each message of the stream."""
        return asyncio.run(self._read())

    async def _read(self) -> list[tuple[Name, Any]]:
        import nats  # noqa: PLC0415  (an extra)
        from nats.js.api import AckPolicy, ConsumerConfig  # noqa: PLC0415

        client = await nats.connect(f"nats://127.0.0.1:{self._server.port}")
        stream = client.jetstream()
        left = (await stream.stream_info("wattline")).state.messages
        config = ConsumerConfig(ack_policy=AckPolicy.NONE)
        subscription = await stream.subscribe("wattline.>", config=config, ordered_consumer=True)
        found = [_told((await subscription.next_msg(READ_TIMEOUT_S)).data) for _ in range(left)]
        await client.close()
        return found

    def close(self) -> None:
        """See Victim."""
        self._server.process.kill()
        self.link.process.kill()
