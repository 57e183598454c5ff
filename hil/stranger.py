"""Somebody on the broker who has no key: hears all that terminals send, and publishes it again, or frames of his own.

As a process: `python -m hil.stranger --port PORT --control FILE --seed N --victim TERMINAL` prints `{"ready": true}`
when it listens, and obeys the JSON lines appended to the control file: `{"do": DEED}`.
"""

import argparse
import asyncio
import contextlib
import random
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.intake.deliveries import DOWN, UP
from hil.bad_frames import bad_frames
from hil.broker import STRANGER
from hil.control import follow, order, say
from hil.process import Process

HEARD_MAX = 5_000  # frames: a week of some terminals; the oldest go first
FORGED_AT_ONCE = 80  # ten of each kind
READY_S = 20.0  # a busy machine imports slowly
CONTROL_POLL_S = 0.02

ALTERED_AT_ONCE = 40
Deed = Literal["replay", "replay_acks", "forge", "alter"]


class Knowledge:
    """What he has heard, and what he makes of it."""

    def __init__(self, seed: int, victim: str) -> None:
        self._heard: dict[tuple[str, bytes], None] = {}
        self._random = random.Random(seed)
        self._forged = bad_frames(seed, victim)

    def hear(self, topic: str, payload: bytes) -> None:
        """A message to the gateway, or from it."""
        self._heard[topic, payload] = None
        if len(self._heard) > HEARD_MAX:
            del self._heard[next(iter(self._heard))]

    def messages(self, deed: Deed) -> Iterator[tuple[str, bytes]]:
        """(topic, payload) of what he publishes: all that he has heard, in any order; what he can't have sealed; or
        what he has heard with a bit turned round, or under another terminal's name.
        """
        if deed == "forge":
            yield from ((UP + terminal, data) for terminal, data in islice(self._forged, FORGED_AT_ONCE))
            return
        if deed == "alter":
            yield from self._altered()
            return
        heard = [one for one in list(self._heard) if one[0].startswith(UP if deed == "replay" else DOWN)]
        self._random.shuffle(heard)
        yield from heard

    def _altered(self) -> Iterator[tuple[str, bytes]]:
        draw, heard = self._random, sorted(self._heard)
        for topic, payload in draw.sample(heard, min(ALTERED_AT_ONCE, len(heard))):
            names = sorted({other for other, _ in heard if other != topic}) or [f"{UP}T9999"]
            if draw.random() < 0.3:
                yield draw.choice(names), payload
                continue
            altered = bytearray(payload)
            altered[draw.randrange(len(altered))] ^= 1 << draw.randrange(8)
            yield topic, bytes(altered)


class Stranger:
    """His process."""

    def __init__(self, folder: Path, port: int, seed: int, victim: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._control = folder / "control.jsonl"
        words = ("--port", port, "--control", self._control, "--seed", seed, "--victim", victim)
        command = [sys.executable, "-m", "hil.stranger", *(str(word) for word in words)]
        self.process = Process(STRANGER, command, folder / "stranger.log")

    def start(self, *, wait: bool) -> None:
        """Start him; wait: until he listens, which needs a broker."""
        self.process.start()
        if wait:
            self.process.wait_for_line(r'^\{"ready": true\}$', READY_S)

    def act(self, deed: Deed) -> None:
        """Have him do something."""
        order(self._control, {"do": deed})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()


def run(port: int, control: Path, knowledge: Knowledge) -> None:
    """Listen and obey, for ever."""
    client = paho.Client(CallbackAPIVersion.VERSION2, STRANGER, protocol=paho.MQTTv5)
    client.reconnect_delay_set(1, 1)

    def listen(*_: Any) -> None:
        client.subscribe([(UP + "+", SubscribeOptions(1)), (DOWN + "+", SubscribeOptions(1))])

    client.on_connect = listen
    client.on_subscribe = lambda *_: say({"ready": True})
    client.on_message = lambda _client, _data, message: knowledge.hear(message.topic, bytes(message.payload))
    client.connect_async("127.0.0.1", port)
    client.loop_start()

    async def obey(row: Any) -> None:
        for topic, payload in list(knowledge.messages(row["do"])):
            client.publish(topic, payload, 1)

    asyncio.run(follow(control, CONTROL_POLL_S, obey))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m hil.stranger", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of the broker, on loopback")
    parser.add_argument("--control", type=Path, required=True, help="JSON lines; followed while they are appended")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--victim", required=True, help="whose name he uses")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        run(given.port, given.control, Knowledge(given.seed, given.victim))


if __name__ == "__main__":
    main()
