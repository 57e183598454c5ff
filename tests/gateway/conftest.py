"""Fixtures of the gateway's tests: a real broker, gateways and devices that end with the test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hil.broker import Broker
from tests.gateway.support import Device, Running, StillClock, mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(mosquitto(), tmp_path / "broker") as one:
        one.start()
        yield one


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def start(clock: StillClock) -> Iterator[Callable[..., Running]]:
    """Starts gateways that end with the test."""
    running: list[Running] = []

    def start_one(config: Path, *, follow: bool = False) -> Running:
        running.append(Running(config, clock, follow=follow))
        return running[-1]

    yield start_one
    for one in running:
        one.stop()


@pytest.fixture
def device(broker: Broker) -> Iterator[Callable[..., Device]]:
    """Connects devices that end with the test."""
    devices: list[Device] = []

    def connect(name: str = "T0001") -> Device:
        devices.append(Device(broker.port, name))
        return devices[-1]

    yield connect
    for one in devices:
        one.close()
