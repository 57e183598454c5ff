"""An update for the tests of the whole terminal: an application as an image, releases of it, and who delivers them."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firmware import image
from firmware.field.update import release
from firmware.field.update.keys import ReleaseKey
from protocol import record, update
from protocol.host import bundle, orders
from tests.firmware.gateway_double import GatewayDouble
from tests.firmware.site import KEY, NAME, START_MS, Site, site

NUMBER = START_MS // 1000 - 86_400  # of the root's application
CHUNK_BYTES = 4000
AHEAD = 4  # chunks that are sent for each event


@contextmanager
def updatable(folder: Path, root: Path, points: list[bytes], vm: str = "vm64") -> Iterator[Site]:
    """A terminal that runs from an image of its own, knows these keys, and is started."""
    own = folder / "root"
    shutil.copytree(root, own)
    with site(folder, vm, root=own) as made:
        made.provision(files={update.KEYS_NAME: json.dumps({"keys": [one.hex() for one in points]}).encode()})
        made.broker.start()
        yield made


def changed(root: Path, files: dict[str, bytes], number: int, key: ReleaseKey) -> bytes:
    """A release of the image with these files instead of its own."""
    described = release.described(number, "2.0.0", "unix", START_MS // 1000 + 10**7)
    return release.make({**image.application(root), **files}, described, key)


def echo_of(gateway: GatewayDouble) -> tuple[int, int]:
    """Of the frame that came last."""
    newest = gateway.frames[-1]
    return newest.boot_id, newest.sent_ms


def offer(gateway: GatewayDouble, signed: bytes, vouched: int = 0) -> None:
    """As the gateway says it, in answer to the newest frame."""
    gateway.send(orders.seal_offer(KEY, NAME, vouched, signed, echo_of(gateway)))


def send(gateway: GatewayDouble, number: int, payload: bytes, at: int) -> None:
    """The chunk that begins there."""
    content = payload[at : at + CHUNK_BYTES]
    gateway.send(orders.seal_chunk(KEY, NAME, number, at, content, echo_of(gateway)))


def deliver(gateway: GatewayDouble, data: bytes) -> None:
    """Offer a release, and send what the terminal asks for, from each `stored_bytes` on."""
    found = bundle.read(data)
    number, payload = found.manifest.number, found.payload
    offer(gateway, found.signed)
    stored = -1
    while stored + AHEAD * CHUNK_BYTES < len(payload):
        _wait_for_more(gateway, number, stored)
        stored = _stored(gateway, number)
        for at in range(stored, min(len(payload), stored + AHEAD * CHUNK_BYTES), CHUNK_BYTES):
            send(gateway, number, payload, at)


def refusal(gateway: GatewayDouble, count: int) -> str:
    """The name of the refusal of that number, which is waited for."""
    gateway.wait(f"{count} refusals", lambda: len(gateway.events(record.UPDATE_REFUSED)) >= count)
    return update.REFUSALS[gateway.events(record.UPDATE_REFUSED)[count - 1].values[1]][0]


def ended(made: Site, status: int = 0) -> None:
    """Wait until the terminal has ended by itself, and start it again."""
    deadline = time.monotonic() + 60
    while made.terminal.process.running:
        assert time.monotonic() < deadline, made.terminal.process.tail()
        time.sleep(0.02)
    assert made.terminal.process.status == status, made.terminal.process.tail()
    made.terminal.kill()
    made.terminal.start()


def _wait_for_more(gateway: GatewayDouble, number: int, stored: int) -> None:
    gateway.wait(f"more than {stored} bytes are stored", lambda: _stored(gateway, number) > stored)


def _stored(gateway: GatewayDouble, number: int) -> int:
    told = [one.values[1] for one in gateway.events(record.UPDATE_PROGRESS) if one.values[0] == number]
    return max(told, default=-1)
