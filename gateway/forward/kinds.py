"""Which kinds of sinks there are, and how one is made of its section of gateway.toml. Their packages are extras."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from gateway.clock import Clock, steady_s
from gateway.config import AnySink, Hj212Config
from gateway.forward.hj212.link import Links
from gateway.forward.hj212.mapping import check_points, load_mapping
from gateway.forward.hj212.sink import Hj212Sink
from gateway.forward.outbox import Outbox
from gateway.forward.runner import MakeSink
from gateway.forward.sink import Sink
from gateway.metrics import Metrics
from gateway.registry import Registry


class Loaded(Protocol):
    """A sink's section and files, checked; nothing started yet."""

    def make(self, clock: Clock, metrics: Metrics) -> MakeSink:
        """How the sink is made each time that it begins."""


def load(config: AnySink, registry: Registry | None) -> Loaded:
    """What a sink's files say, held against the terminals where those are known. Raises ConfigError."""
    return _Hj212(config, registry)


class _Hj212:
    def __init__(self, config: Hj212Config, registry: Registry | None) -> None:
        self._config = config
        self._mapping = load_mapping(Path(config.mapping))
        if registry is not None:
            check_points(Path(config.mapping), self._mapping, registry)

    def make(self, clock: Clock, metrics: Metrics) -> MakeSink:
        def made(outbox: Outbox, pause: Callable[[float], object]) -> Sink:
            config = self._config
            links = partial(Links, config.host, config.port, steady_ms=_steady_ms, pause=pause)
            return Hj212Sink(config, self._mapping, outbox, clock, metrics, random.SystemRandom().random, links)

        return made


def _steady_ms() -> int:
    return int(steady_s() * 1000)
