"""The sending side of HJ 212 over TCP, against the platform emulator."""

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.forward.hj212.link import Links
from gateway.forward.hj212.session import Hj212Session, LinkSettings
from hil.platform import Mode, Platform
from tests.gateway.forward.packets import packet


@contextmanager
def platform_running() -> Iterator[tuple[Platform, asyncio.AbstractEventLoop]]:
    """The emulator in a thread of its own."""
    loop = asyncio.new_event_loop()
    platform = Platform()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(platform.start(), loop).result(10)
        yield platform, loop
    finally:
        asyncio.run_coroutine_threadsafe(platform.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.mark.parametrize(
    ("mode", "packets"),
    [
        (Mode(), 40),
        (Mode("double"), 40),
        (Mode("late", delay_ms=150), 4),
        (Mode("drop", after_packets=4), 10),
        (Mode("drop", after_packets=4, keep=True), 10),
        (Mode("silent"), 4),
        (Mode("silent", keep=True), 4),
        (Mode("refuse"), 4),
    ],
    ids=str,
)
def test_over_tcp_nothing_is_lost_and_nothing_counts_twice(mode: Mode, packets: int) -> None:
    """The platform misbehaves for half a second; then all is there, under one QN each."""
    quick = LinkSettings(answer_timeout_ms=100, resends=1, reconnect_min_ms=20, reconnect_max_ms=200)
    with platform_running() as (platform, loop):
        session = Hj212Session(quick, random.Random(1).random)
        link = Links("127.0.0.1", platform.port, [session], lambda: time.monotonic_ns() // 1_000_000, time.sleep)
        asyncio.run_coroutine_threadsafe(platform.set_mode(mode), loop).result(10)
        loop.call_soon_threadsafe(loop.call_later, 0.5, lambda: loop.create_task(platform.set_mode(Mode())))
        session.submit([packet(number) for number in range(packets)])
        confirmed: list[str] = []
        end = time.monotonic() + 60
        while session.pending and time.monotonic() < end:
            link.step(20)
            confirmed += session.take_confirmed()
        link.close()
        assert confirmed == [packet(number).qn for number in range(packets)]
        counts = platform.ledger.counts
        assert len(platform.ledger.complete) == packets
        assert (counts.conflicts, counts.duplicates, counts.qn_reused) == (0, 0, 0)
        assert counts.packets - counts.repeats == packets


def test_platform_that_is_not_there_is_named() -> None:
    session = Hj212Session(LinkSettings(), lambda: 0.0)
    with platform_running() as (platform, _):
        port = platform.port
    link = Links("127.0.0.1", port, [session], lambda: 0, lambda _: None)
    link.step(1)
    assert "refused" in link.last_error
    assert not session.connected


def test_step_returns_when_a_resend_falls_due() -> None:
    """However long the driver would wait, no time-out is seen late."""
    quick = LinkSettings(answer_timeout_ms=50, resends=3, reconnect_min_ms=20, reconnect_max_ms=20)
    with platform_running() as (platform, loop):
        asyncio.run_coroutine_threadsafe(platform.set_mode(Mode("silent")), loop).result(10)
        session = Hj212Session(quick, lambda: 0.0)
        session.submit([packet(0)])
        link = Links("127.0.0.1", platform.port, [session], lambda: time.monotonic_ns() // 1_000_000, time.sleep)
        before = time.monotonic()
        while not session.counts.gave_up:
            link.step(60_000)
        link.close()
        assert session.counts.sent == 4
        assert time.monotonic() - before < 30
