"""The network between the parts: who reaches whom, how fast, and whether at all. TCP as its users see it."""

import errno
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from hil.sim.loop import Domain, VirtualLoop
from hil.sim.streams import Connection, Reader, Writer
from hil.sim.trace import Trace
from hil.weather import Weather

Serve = Callable[[Reader, Writer], Awaitable[None]]
LAN_MS = 2
TCP_GIVES_UP_S = 60.0  # a connection over a link that was away for longer is found broken when the link is back


@dataclass
class Link:
    """The way from a client to a port. Latency is one way; jitter is added, from 0 up."""

    latency_ms: int = LAN_MS
    jitter_ms: int = 0
    us_per_byte: float = 0.0
    down: bool = False
    down_since_us: int = 0
    cuts: list[tuple[int, int]] = field(default_factory=list)  # (side that sends, bytes): of the next connections
    connections: list[Connection] = field(default_factory=list)


class Server:
    """What listens on a port."""

    def __init__(self, network: "Network", port: int, serve: Serve, domain: Domain) -> None:
        self.port = port
        self.serve = serve
        self.domain = domain
        self._network = network

    @property
    def sockets(self) -> list["Server"]:
        """As asyncio's servers have it."""
        return [self]

    def getsockname(self) -> tuple[str, int]:
        """Where it listens."""
        return ("127.0.0.1", self.port)

    def close(self) -> None:
        """Take no connection any more; those there are go on."""
        if self._network.servers.get(self.port) is self:
            del self._network.servers[self.port]


class Network:
    """All links. Clients have names, servers have ports."""

    def __init__(self, loop: VirtualLoop, random_: random.Random, trace: Trace) -> None:
        self.servers: dict[int, Server] = {}
        self.links: dict[tuple[str, int], Link] = {}
        self._loop = loop
        self._random = random_
        self._trace = trace

    def link(self, client: str, port: int) -> Link:
        """The way from a client to a port, up or down."""
        return self.links.setdefault((client, port), Link())

    def listen(self, serve: Serve, port: int, domain: Domain) -> Server:
        """Take connections on a port, each served by a task of the domain. Raises OSError where the port is taken."""
        if port in self.servers:
            raise OSError(errno.EADDRINUSE, f"port {port}")
        server = self.servers[port] = Server(self, port, serve, domain)
        return server

    async def connect(self, client: str, port: int, timeout_s: float) -> tuple[Reader, Writer]:
        """A connection. Raises OSError: refused, or nobody answered within timeout_s."""
        link = self.link(client, port)
        latency_us = self._latency_us(link)
        if link.down or 2 * latency_us > timeout_s * 1_000_000:
            await self._loop.pause_us(round(timeout_s * 1_000_000))
            raise OSError(errno.ETIMEDOUT, f"port {port}")
        await self._loop.pause_us(2 * latency_us)
        server = self.servers.get(port)
        if server is None or link.down:
            raise OSError(errno.ECONNREFUSED, f"port {port}")
        connection = Connection(self._loop, latency_us, link.us_per_byte)
        if link.cuts:
            side, after = link.cuts.pop(0)
            connection.pipes[side].cut_after = after
        names = (f"{client}>{port}", f"{port}>{client}")
        connection.on_send = lambda side, data: self._trace.add(names[side], f"{len(data)} bytes", data)
        link.connections = [one for one in link.connections if not one.broken]
        link.connections.append(connection)
        self._trace.add(names[0], "connected")
        self._loop.spawn(server.domain, server.serve(connection.readers[1], connection.writers[1]))  # type: ignore[arg-type]
        return connection.readers[0], connection.writers[0]

    def set_down(self, client: str, port: int, *, down: bool) -> None:
        """Take a link away, or bring it back."""
        link = self.link(client, port)
        if link.down == down:
            return
        away_s = (self._loop.now_us - link.down_since_us) / 1_000_000
        link.down, link.down_since_us = down, self._loop.now_us
        for connection in link.connections:
            if not down and away_s > TCP_GIVES_UP_S:
                connection.break_()
            else:
                connection.set_down(down=down)

    def set_weather(self, client: str, port: int, weather: Weather) -> None:
        """How fast a link is from now on; connections that are open feel it, too."""
        link = self.link(client, port)
        link.latency_ms, link.jitter_ms = max(weather.delay_ms, LAN_MS), weather.jitter_ms
        link.us_per_byte = 1_000_000 / weather.bytes_per_s if weather.bytes_per_s else 0.0
        for connection in link.connections:
            connection.latency_us, connection.us_per_byte = self._latency_us(link), link.us_per_byte

    def end_client(self, client: str, *, silent: bool) -> None:
        """A client is gone: its kernel says so to the others, or nobody does (silent: the machine has no power)."""
        for (name, _), link in self.links.items():
            if name == client:
                self._end(link, silent=silent)

    def end_server(self, port: int, *, silent: bool) -> None:
        """Likewise a server."""
        self.servers.pop(port, None)
        for (_, number), link in self.links.items():
            if number == port:
                self._end(link, silent=silent)

    def cut(self, client: str, port: int, side: int, after: int) -> None:
        """The connection there is, or the next one, breaks when so many more bytes of one side have arrived."""
        link = self.link(client, port)
        open_ = [one for one in link.connections if not one.broken]
        if open_:
            open_[-1].pipes[side].cut_after = after
        else:
            link.cuts.append((side, after))

    def cut_now(self, client: str, port: int, next_cuts: list[tuple[int, int]]) -> None:
        """Break the connections that there are, and the next ones so: (side that sends, bytes)."""
        link = self.link(client, port)
        self._end(link, silent=False)
        link.cuts = next_cuts

    def _end(self, link: Link, *, silent: bool) -> None:
        for connection in link.connections:
            if silent:
                connection.vanished = True
            else:
                connection.break_()
        link.connections = [one for one in link.connections if not one.broken and not one.vanished]

    def _latency_us(self, link: Link) -> int:
        return 1000 * link.latency_ms + (self._random.randrange(1000 * link.jitter_ms) if link.jitter_ms else 0)
