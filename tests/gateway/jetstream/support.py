"""A stream on a real server, as workers and followers use it."""

import itertools
import time
from pathlib import Path
from typing import Any

from gateway.config import JetStreamConfig
from gateway.jetstream import messages, stream
from gateway.jetstream.client import Client
from gateway.jetstream.journal import StreamJournal
from hil.nats import Nats, make_worker
from tests.gateway.support import ROOT

NATS = ROOT / "build/nats/nats-server"
_numbers = itertools.count(1)


def config_of(nats: Nats, **more: Any) -> JetStreamConfig:
    """A stream of its own for each call, unless it is named."""
    usual: dict[str, Any] = {
        "servers": [f"127.0.0.1:{nats.port}"],
        "stream": f"journal-{next(_numbers)}",
        "replicas": 1,
    }
    return JetStreamConfig(**usual | more)


def client_of(config: JetStreamConfig) -> Client:
    return Client(config, "test", lambda: f"test{next(_numbers)}", time.monotonic)


def worker(config: JetStreamConfig) -> StreamJournal:
    return StreamJournal(config, client_of(config))


def held(config: JetStreamConfig, terminal: str, epoch: int, seq: int) -> messages.Held | None:
    """What the stream has of a record."""
    client = client_of(config)
    (found,) = stream.stored(client, config.stream, [messages.record_subject(config.stream, terminal, epoch, seq)])
    client.close()
    return None if found is None else messages.read(found)


def frame_of(config: JetStreamConfig, terminal: str, digest: bytes) -> bytes | None:
    """What the stream has of a frame."""
    client = client_of(config)
    (found,) = stream.stored(client, config.stream, [messages.frame_subject(config.stream, terminal, digest)])
    client.close()
    return found


def count(config: JetStreamConfig) -> int:
    """Messages in the stream."""
    client = client_of(config)
    found = stream.ensure(client, config)
    client.close()
    return int(found["state"]["messages"])


def write_worker(config: Path, nats: Nats, stream: str, name: str) -> None:
    """Make a gateway.toml that of a worker on this server."""
    make_worker(config, name, [f"127.0.0.1:{nats.port}"], stream, replicas=1)
