"""The link is cut at every byte, or holds everything back: the terminal on the real VM, and Debian's mosquitto."""

import time
from pathlib import Path

import pytest

from hil.link import Link
from hil.terminal import HASTY
from protocol import record
from tests.firmware.gateway_double import GatewayDouble
from tests.firmware.site import Site, Tls, site

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
UP, DOWN = True, False
BYTES_MAX = 4000  # of a connection in these tests


def cut_until_delivered(made: Site, gateway: GatewayDouble, link: Link, step: int) -> None:
    """Cut each connection `step` bytes later than the one before: on the way up until the frame has come, and then on
    the way down until its ack has.
    """
    gateway.answering = False
    link.cut_after([(UP, step * count) for count in range(BYTES_MAX // step)])
    link.obeyed()
    made.terminal.start()
    gateway.wait("the frame", lambda: bool(gateway.frames), 120)
    cuts = [one["up"] for one in link.ended()]
    assert cuts[:-1] == [step * count for count in range(len(cuts) - 1)], "it was cut there, each time"
    assert len(cuts) * step > len(gateway.frames[0].records[0].raw), "the publish was cut as well"
    link.cut_after([(DOWN, step * count) for count in range(BYTES_MAX // step)])
    link.cut()  # the last one of before is not cut on its way down
    link.obeyed()
    before = len(link.ended())
    gateway.answering = True
    gateway.answer(gateway.frames[0])
    deadline = time.monotonic() + 120
    while "uplink: connected, 0 records pending" not in made.terminal.process.text():
        assert time.monotonic() < deadline
        ended = len(link.ended())
        time.sleep(0.5)
        if len(link.ended()) == ended:  # the next cut lies behind all that there is to say
            link.cut()
    assert len(link.ended()) - before > len(gateway.acks[0]) // step, "the ack was cut as well"
    made.terminal.kill()
    assert made.pending() == []
    assert len(gateway.records) == 1, "the same each time it came"


def test_cut_after_every_byte_up_and_down(tmp_path: Path) -> None:
    """R-15: of the CONNECT, the SUBSCRIBE, the publish, its PUBACK, and the ack: nothing is lost, nothing twice."""
    with site(tmp_path, program=HASTY) as made, Link(tmp_path / "link", made.broker.port) as link:
        made.broker.start()
        made.provision(port=link.start())
        with made.gateway() as gateway:
            cut_until_delivered(made, gateway, link, 1)


def test_cut_in_the_handshake_and_in_what_follows(tmp_path: Path) -> None:
    """R-15: the same by TLS, at every 29th byte: 29 shares no factor with what TLS's records are made of."""
    with site(tmp_path, tls=Tls(), program=HASTY) as made, Link(tmp_path / "link", made.broker.tls_port) as link:
        made.broker.start()
        made.provision(port=link.start())
        with made.gateway() as gateway:
            cut_until_delivered(made, gateway, link, 29)


def test_what_was_on_its_way_when_a_partition_began_comes_afterwards(tmp_path: Path) -> None:
    """R-15: windows that close while the link holds everything, from its first second on, are all there in the end."""
    with site(tmp_path, factor=900) as made, Link(tmp_path / "link", made.broker.port) as link:
        made.broker.start()
        made.provision(port=link.start(), keepalive_s=1)
        with made.gateway() as gateway:
            made.terminal.start()
            gateway.wait("a window", lambda: any(one.type == record.WINDOW for one in gateway.records.values()))
            said = 0
            for _ in range(3):
                link.set(flowing=False)
                made.terminal.process.wait_for_line("uplink: OSError the broker is silent", 60, said)
                said = len(made.terminal.process.text().encode())
                link.set(flowing=True)
                made.terminal.process.wait_for_line("uplink: connected", 60, said)
                gateway.wait("one more", lambda count=len(gateway.records): len(gateway.records) > count, 60)
            last = max(gateway.records)
            gateway.wait("all up to there", lambda: set(gateway.records) >= set(range(1, last + 1)), 60)
