"""`python -m hil.benchmarks.platform212 --delay-ms N` prints {"port": N}, answers each packet so much later, and prints
at each SIGUSR1 how many different packets it has, and how many came again.

hil/platform.py reads every value and keeps it, which costs ten times what our sink costs.
"""

import argparse
import asyncio
import gc
import json
import re
import signal
import sys
from functools import partial

from cext.hj212 import crc
from hil.ports import free_port

BACKLOG = 8192  # connections that come at once: one a station of a province
_HEAD = re.compile(rb"##(\d{4})QN=(\d{17});ST=\d\d;CN=\d{4};PW=([^;]*);MN=([^;]*);")
_HEAD_BYTES = 6
_TAIL_BYTES = 6  # CRC, CR LF


class Counts:
    """What has come to all connections."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()  # MN and QN
        self.repeated = 0

    def say(self) -> None:
        """A JSON line."""
        sys.stdout.write(json.dumps({"packets": len(self.seen), "repeated": self.repeated}) + "\n")
        sys.stdout.flush()


class Connection(asyncio.Protocol):
    """One station's, or many's."""

    def __init__(self, counts: Counts, delay_s: float) -> None:
        self._counts = counts
        self._delay_s = delay_s
        self._left = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each packet that is whole."""
        data = self._left + data
        at = 0
        while found := _HEAD.match(data, at):
            end = at + _HEAD_BYTES + int(found[1]) + _TAIL_BYTES
            if len(data) < end:
                break
            at = end
            self._count(found[4] + found[2])
            asyncio.get_running_loop().call_later(self._delay_s, self._answer, found[2], found[3], found[4])
        self._left = data[at:]

    def _count(self, name: bytes) -> None:
        if name in self._counts.seen:
            self._counts.repeated += 1
        self._counts.seen.add(name)

    def _answer(self, qn: bytes, pw: bytes, mn: bytes) -> None:
        segment = b"QN=%s;ST=91;CN=9014;PW=%s;MN=%s;Flag=4;CP=&&&&" % (qn, pw, mn)
        self._transport.write(b"##%04d%s%04X\r\n" % (len(segment), segment, crc(segment)))  # type: ignore[attr-defined]


async def run(delay_ms: int) -> None:
    """Until it is killed."""
    counts, loop, port = Counts(), asyncio.get_running_loop(), free_port()
    loop.add_signal_handler(signal.SIGUSR1, counts.say)
    make = partial(Connection, counts, delay_ms / 1000)
    await loop.create_server(make, "127.0.0.1", port, backlog=BACKLOG)
    gc.freeze()
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m hil.benchmarks.platform212", description=__doc__)
    parser.add_argument("--delay-ms", type=int, required=True)
    asyncio.run(run(parser.parse_args().delay_ms))
