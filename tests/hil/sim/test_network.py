"""The simulation's network: as slow as it is told to be, in order, and cut after exactly n bytes."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.sim.link import Link
from hil.sim.loop import Domain, VirtualLoop
from hil.sim.network import Network
from hil.sim.streams import Reader, Writer
from hil.sim.trace import Trace
from hil.weather import PROFILES

PORT, SERVER = 1883, Domain("server")
S = 1_000_000


class Heard:
    """A server that keeps what comes, and when."""

    def __init__(self, seed: int = 1) -> None:
        self.loop = VirtualLoop()
        self.network = Network(self.loop, random.Random(seed), Trace(lambda: self.loop.now_us))
        self.link = Link(self.network, "client", PORT)
        self.pieces: list[tuple[int, bytes]] = []
        self.network.listen(self._serve, PORT, Domain("server"))

    async def _serve(self, reader: Reader, _writer: Writer) -> None:
        while data := await reader.read(4096):
            self.pieces.append((self.loop.now_us, data))

    def send(self, pieces: list[bytes]) -> None:
        """Connect, and send these a second apart."""

        async def run() -> None:
            _, writer = await self.network.connect("client", PORT, 10)
            for one in pieces:
                writer.write(one)
                await asyncio.sleep(1)

        self.loop.spawn(Domain("client"), run())
        self.loop.run_until(self.loop.now_us + 60 * S)

    @property
    def data(self) -> bytes:
        return b"".join(piece for _, piece in self.pieces)


@pytest.mark.parametrize("name", sorted(PROFILES))
@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_bytes_take_as_long_as_the_profile_says_and_stay_in_order(name: str, sizes: list[int], seed: int) -> None:
    """P-201"""
    weather, heard = PROFILES[name], Heard(seed)
    heard.link.set_profile(name)
    sent = [bytes([number]) * size for number, size in enumerate(sizes)]
    heard.send(sent)
    assert heard.data == b"".join(sent)
    first_us, connected_us = heard.pieces[0][0], 2 * 1000 * weather.delay_ms
    least_us = (
        connected_us + 1000 * weather.delay_ms + (sizes[0] * S // weather.bytes_per_s if weather.bytes_per_s else 0)
    )
    assert first_us >= least_us
    assert heard.pieces[-1][0] - first_us >= (sum(sizes[1:]) * S // weather.bytes_per_s if weather.bytes_per_s else 0)
    heard.loop.close()


@pytest.mark.parametrize("after", [0, 1, 7, 19])
def test_the_next_connection_breaks_after_exactly_so_many_bytes(after: int) -> None:
    """P-201"""
    heard = Heard()
    heard.link.break_after(after)
    heard.send([b"0123456789", b"abcdefghij"])
    assert heard.data == b"0123456789abcdefghij"[:after]
    heard.pieces.clear()
    heard.send([b"whole"])
    assert heard.data == b"whole"
    heard.loop.close()
