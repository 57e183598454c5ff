"""Several nats-servers as one cluster; if asked for, each joined to each by a way that can be cut or silenced."""

import asyncio
import json
import threading
import time
import urllib.request
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self

from hil.nats import Nats
from hil.ports import free_port
from hil.process import BenchError
from hil.proxy import Proxy
from hil.weather import Weather

_CLUSTER = """\
server_name: "node{number}"
http: "127.0.0.1:{http_port}"
cluster {{ name: "bench"; listen: "127.0.0.1:{port}"; {hidden} routes: [{routes}] }}
"""
# What a server tells the others about itself, so that they come by the ways that they were given and by no other.
_HIDDEN = 'advertise: "127.0.0.1:1";'
READY_S = 30
FORMED_S = 8.0  # ten times what it takes
LOOK_S = 0.1
TRIES_MAX = 5  # one cluster in twenty needs a second one


class Cluster:
    """Nodes 0, 1, ... on loopback; ended with the bench. `partition` takes one from the others, not from clients."""

    def __init__(
        self, program: Path, folder: Path, nodes: int = 3, sync: str = "always", *, can_be_cut: bool = False
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._ports = [free_port() for _ in range(nodes)]
        self._http_ports = [free_port() for _ in range(nodes)]
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
        """All of them; on return they are one cluster, of which its leader counts each. Raises BenchError.

        At their very first start nats-server 2.10.27 may leave one out for good: that one is started anew, as an
        operator would (docs/scale.md).
        """
        beginning = list(range(len(self.nodes)))
        for _ in range(TRIES_MAX):
            self._start(beginning)
            beginning = self._left_out()
            if not beginning:
                return
        raise BenchError(f"nodes {beginning} were left out of the cluster {TRIES_MAX} times")

    def _start(self, numbers: list[int]) -> None:
        """These at once, anew where they run."""
        processes = [self.nodes[number].process for number in numbers]
        for one in processes:
            one.kill()
        sizes = [len(one.text().encode()) for one in processes]
        for one in processes:
            one.start()
        for one, size in zip(processes, sizes, strict=True):
            one.wait_for_line("Server is ready", READY_S, size)

    def _left_out(self) -> list[int]:
        """The nodes that the leader does not count, once it had the time to; all where there is no leader."""
        everybody = range(len(self.nodes))
        left_out = [] if len(self.nodes) == 1 else list(everybody)
        until_s = time.monotonic() + FORMED_S
        while left_out and time.monotonic() < until_s:
            time.sleep(LOOK_S)
            counted = set().union(*(self._counted_by(number) for number in everybody))
            left_out = [number for number in everybody if f"node{number}" not in counted]
        return left_out

    def _counted_by(self, number: int) -> set[str]:
        """Of a leader: the nodes that it counts, itself too; of others none."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._http_ports[number]}/jsz", timeout=5) as answer:
            about = json.load(answer).get("meta_cluster", {})
        replicas = {one["name"] for one in about.get("replicas", [])}
        return replicas | {about["leader"]} if replicas else set()

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
        about = {"port": self._ports[number], "http_port": self._http_ports[number]}
        return _CLUSTER.format(number=number, hidden=hidden, routes=routes, **about)

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
