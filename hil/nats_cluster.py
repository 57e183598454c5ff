"""Several nats-servers as one cluster; if asked for, each joined to each by a way that can be cut or silenced."""

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self

from hil.broker import free_port
from hil.nats import Nats
from hil.proxy import Proxy
from hil.weather import Weather

_CLUSTER = """\
server_name: "node{number}"
cluster {{ name: "bench"; listen: "127.0.0.1:{port}"; {hidden} routes: [{routes}] }}
"""
# What a server tells the others about itself, so that they come by the ways that they were given and by no other.
# Routes are pooled, as nats-server has them unless it is told: without (pool_size: -1) 2.10.27 does not always get over
# two servers that connect to each other in one instant, and never places a stream (docs/scale.md).
_HIDDEN = 'advertise: "127.0.0.1:1";'


class Cluster:
    """Nodes 0, 1, ... on loopback; ended with the bench. `partition` takes one from the others, not from clients."""

    def __init__(
        self, program: Path, folder: Path, nodes: int = 3, sync: str = "always", *, can_be_cut: bool = False
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._ports = [free_port() for _ in range(nodes)]
        pairs = [(one, other) for one in range(nodes) for other in range(nodes) if can_be_cut and one != other]
        self._ways = {pair: Proxy(self._ports[pair[1]], lambda _row: None) for pair in pairs}  # from, to
        for way in self._ways.values():
            self._do(way.start())
        self.nodes = [Nats(program, folder / f"node{one}", more=self._more(one), sync=sync) for one in range(nodes)]

    @property
    def servers(self) -> list[str]:
        """HOST:PORT of each for clients."""
        return [f"127.0.0.1:{one.port}" for one in self.nodes]

    def start(self) -> None:
        """All of them, anew where they run; each is ready on return, though they may have no leader yet."""
        for one in self.nodes:
            one.process.kill()
        sizes = [len(one.process.text().encode()) for one in self.nodes]
        for one in self.nodes:
            one.process.start()
        for one, size in zip(self.nodes, sizes, strict=True):
            one.process.wait_for_line("Server is ready", 30, size)

    def partition(self, number: int, *, silent: bool) -> None:
        """No byte between this node and the others: connections end, or silent: they stay and bring nothing."""
        self._set(number, Weather(flowing=False) if silent else Weather(listening=False))

    def heal(self, number: int) -> None:
        """As it was."""
        self._set(number, Weather())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.nodes:
            one.process.kill()
        for way in self._ways.values():
            self._do(way.close())
        self._do(_all_ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _more(self, number: int) -> str:
        """What makes a server a node; one alone is none."""
        if len(self._ports) == 1:
            return ""
        ports = [way.port for (one, _), way in self._ways.items() if one == number] or self._ports
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports)
        hidden = _HIDDEN if self._ways else ""
        return _CLUSTER.format(number=number, port=self._ports[number], hidden=hidden, routes=routes)

    def _set(self, number: int, weather: Weather) -> None:
        for ends, way in self._ways.items():
            if number in ends:
                self._do(way.set_weather(weather))

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)


async def _all_ended() -> None:
    """No task is left of the ways' connections."""
    others = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)
