"""What lies between two parts that talk over TCP: passes bytes on as a network does, good or bad, and cuts at any byte.

As a process: `python -m hil.proxy --target PORT` prints `{"port": N}`, then a JSON line for each connection that ended,
and obeys the JSON lines appended to the control file (hil/weather.py): `{"profile": "2g"}`, `{"flowing": false}`, ...
"""

import argparse
import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hil.control import follow, say
from hil.weather import PROFILES, Weather

CONTROL_POLL_S = 0.02  # how soon a line in the control file takes effect
_PIECE_BYTES = 4096
_PIECES_MAX = 64  # under way in one direction: beyond that the sender feels the network's speed


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a connection ends: when so many bytes have passed, `up` is from who connected to the target."""

    up: bool
    after_bytes: int


class Proxy:
    """Listens on `port`; each connection that comes is joined with one to the target. `on_end(row)` tells its end."""

    def __init__(self, target_port: int, on_end: Callable[[dict[str, Any]], None]) -> None:
        """Nothing is opened yet."""
        self.port = 0
        self.weather = Weather()
        self.cuts: list[Cut] = []  # of the connections to come, in their order
        self.target_port = target_port  # of the connections to come
        self._on_end = on_end
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._connections: set[_Connection] = set()
        self._count = 0
        self._random = random.Random(target_port)  # jitter alone hangs on it

    async def start(self, port: int = 0) -> None:
        """Listen; port 0 takes one from the system, and it stays the same afterwards."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def set_weather(self, weather: Weather) -> None:
        """Change how bytes travel, at once."""
        was, self.weather = self.weather, weather
        if weather.flowing:
            self._flowing.set()
        else:
            self._flowing.clear()
        if was.listening and not weather.listening:
            await self.close()
        elif weather.listening and not was.listening:
            await self.start(self.port)

    def cut(self) -> None:
        """End all connections at once, without a word."""
        for one in list(self._connections):
            one.end("cut")

    async def close(self) -> None:
        """Stop listening, and end all connections."""
        if self._server is not None:
            self._server.close()
        self.cut()

    async def pass_time(self, due_s: float) -> None:
        """Return at the loop's instant `due_s`, and not while nothing flows."""
        await asyncio.sleep(due_s - asyncio.get_running_loop().time())
        await self._flowing.wait()

    def delay_s(self) -> float:
        """One way, for what is sent now."""
        return (self.weather.delay_ms + self._random.uniform(0, self.weather.jitter_ms)) / 1000

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count += 1
        number = self._count
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            self._on_end({"connection": number, "up": 0, "down": 0, "end": "no target"})
            return
        cut = self.cuts.pop(0) if self.cuts else None
        connection = _Connection(self, (writer, far_writer), cut)
        self._connections.add(connection)
        if not self.weather.listening:  # it came in the very moment in which that began
            connection.end("cut")
        ways = (connection.carry(reader, up=True), connection.carry(far_reader, up=False))
        await asyncio.gather(*ways, return_exceptions=True)
        self._connections.discard(connection)
        row = {"connection": number, "up": connection.passed[True], "down": connection.passed[False]}
        self._on_end({**row, "end": connection.reason})


class _Connection:
    """Two sockets, joined."""

    def __init__(
        self, proxy: Proxy, writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter], cut: Cut | None
    ) -> None:
        self.passed = {True: 0, False: 0}
        self.reason = "closed"
        self._proxy = proxy
        self._near, self._far = writers
        self._cut = cut

    def end(self, reason: str) -> None:
        """`closed`: what is on its way still arrives; `cut`: it does not."""
        self.reason = reason
        for writer in (self._near, self._far):
            if reason == "cut":
                writer.transport.abort()
            else:
                writer.close()

    async def carry(self, reader: asyncio.StreamReader, *, up: bool) -> None:
        """Pass bytes one way until either side ends."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_PIECES_MAX)
        arriving = asyncio.create_task(self._arrive(under_way, up=up))
        clock = asyncio.get_running_loop().time
        free_s = due_s = 0.0  # when the way is free for the next byte, and when the last one arrives
        try:
            while data := await self._read(reader, up=up):
                weather = self._proxy.weather
                begins_s = max(free_s, clock())
                free_s = begins_s + (len(data) / weather.bytes_per_s if weather.bytes_per_s else 0.0)
                due_s = max(due_s, free_s + self._proxy.delay_s())
                await under_way.put((due_s, data))
            await under_way.put((max(due_s, clock() + self._proxy.weather.delay_ms / 1000), b""))
        except ConnectionError:
            arriving.cancel()
            self.end(self.reason)
        await asyncio.gather(arriving, return_exceptions=True)

    async def _read(self, reader: asyncio.StreamReader, *, up: bool) -> bytes:
        if self._cut is not None and self._cut.up == up and self._cut.after_bytes == 0:
            self.end("cut")
            return b""
        return await reader.read(_PIECE_BYTES)

    async def _arrive(self, under_way: "asyncio.Queue[tuple[float, bytes]]", *, up: bool) -> None:
        writer = self._far if up else self._near
        with contextlib.suppress(ConnectionError):
            while True:
                due_s, data = await under_way.get()
                await self._proxy.pass_time(due_s)
                if not data:
                    self.end(self.reason)
                    return
                left = len(data)
                if self._cut is not None and self._cut.up == up:
                    left = self._cut.after_bytes - self.passed[up]
                writer.write(data[:left])
                await writer.drain()
                self.passed[up] += len(data[:left])
                if left <= len(data) and self._cut is not None and self._cut.up == up:
                    await asyncio.sleep(0)  # the bytes are the kernel's before the connection ends
                    self.end("cut")
                    return


def weather_of(row: dict[str, Any]) -> Weather:
    """What a control line asks for. ValueError says what is allowed."""
    if "profile" in row:
        if set(row) != {"profile"} or row["profile"] not in PROFILES:
            raise ValueError(f"{row!r}: allowed is one profile of {', '.join(PROFILES)}")
        return PROFILES[row["profile"]]
    plain = asdict(Weather())
    for name, value in row.items():
        if name not in plain or type(value) is not type(plain[name]) or value < 0:
            raise ValueError(f"{row!r}: {name}; allowed are {plain}")
    return Weather(**row)


async def obey(proxy: Proxy, row: object) -> None:
    """Do what a control line says. Raises ValueError."""
    if not isinstance(row, dict):
        raise ValueError(f"{row!r}: an object is allowed")  # noqa: TRY004  (one error for every line that is wrong)
    if row == {"cut": True}:
        proxy.cut()
    elif set(row) == {"target"}:
        proxy.target_port = int(row["target"])
    elif set(row) == {"cuts"}:
        proxy.cuts = [Cut(up=bool(up), after_bytes=int(after)) for up, after in row["cuts"]]
    else:
        await proxy.set_weather(weather_of(row))


async def run(target_port: int, control: Path) -> None:
    """Run until the task is cancelled."""
    proxy = Proxy(target_port, say)
    await proxy.start()
    say({"port": proxy.port})
    try:
        await follow(control, CONTROL_POLL_S, lambda row: obey(proxy, row))
    finally:
        await proxy.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m hil.proxy", description=__doc__)
    parser.add_argument("--target", type=int, required=True, help="port on loopback to which connections are passed")
    parser.add_argument("--control", type=Path, required=True, help="JSON lines; followed while they are appended")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(given.target, given.control))


if __name__ == "__main__":
    main()
