"""How the stream is, for `wattline gateway status`."""

from secrets import token_hex
from typing import Any

from gateway.clock import steady_s
from gateway.config import JetStreamConfig
from gateway.jetstream import stream
from gateway.jetstream.client import Client, NatsError


def status(config: JetStreamConfig) -> dict[str, Any]:
    """state: `well`, or why nothing is committed now; messages; replicas, and how many of them are up to date."""
    client, text = Client(config, "wattline-status", lambda: token_hex(8), steady_s), ""
    for _ in config.servers:  # the client takes another one after each error
        try:
            return _told(stream.ensure(client, config, create=False))
        except NatsError as error:
            text = str(error)
        finally:
            client.close()
    return {"state": text}


def _told(found: dict[str, Any]) -> dict[str, Any]:
    others = found.get("cluster", {}).get("replicas") or []
    current = 1 + sum(bool(one.get("current")) for one in others)
    return {
        "state": "well",
        "messages": found["state"]["messages"],
        "replicas": found["config"].get("num_replicas", 1),
        "current": current,
    }
