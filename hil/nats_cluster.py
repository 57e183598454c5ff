"""Several nats-servers as one cluster, each joined to each by a way of its own that can be cut or silenced."""

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self

from hil.broker import free_port
from hil.nats import Nats
from hil.proxy import Proxy
from hil.weather import Weather

NOWHERE = "127.0.0.1:1"  # what a server tells the others about itself: they are to come by the ways they were given
_CLUSTER = """\
server_name: "node{number}"
cluster {{ name: "bench"; pool_size: -1; listen: "127.0.0.1:{port}"; advertise: "{nowhere}"; routes: [{routes}] }}
"""


class Cluster:
    """Nodes 0, 1, ... on loopback; ended with the bench. `partition` takes one from the others, not from clients."""

    def __init__(self, program: Path, folder: Path, nodes: int = 3, sync: str = "always") -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        ports = [free_port() for _ in range(nodes)]
        self._ways: dict[tuple[int, int], Proxy] = {}  # from, to
        for one in range(nodes):
            for other in range(nodes):
                if one != other:
                    self._ways[one, other] = Proxy(ports[other], lambda _row: None)
                    self._do(self._ways[one, other].start())
        self.nodes = [
            Nats(program, folder / f"node{number}", more=self._more(number, ports[number]), sync=sync)
            for number in range(nodes)
        ]

    @property
    def servers(self) -> list[str]:
        """HOST:PORT of each for clients."""
        return [f"127.0.0.1:{one.port}" for one in self.nodes]

    def start(self) -> None:
        """All of them; returns when they have found each other."""
        for one in self.nodes:
            one.process.start()
        for one in self.nodes:
            one.process.wait_for_line("Server is ready", 30)
        if len(self.nodes) > 1:
            self.nodes[0].process.wait_for_line("JetStream cluster (new )?metadata leader", 30)

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

    def _more(self, number: int, port: int) -> str:
        """What makes a server a node; one alone is none."""
        ways = [way for (one, _), way in self._ways.items() if one == number]
        if not ways:
            return ""
        routes = ", ".join(f'"nats://127.0.0.1:{way.port}"' for way in ways)
        return _CLUSTER.format(number=number, port=port, nowhere=NOWHERE, routes=routes)

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
