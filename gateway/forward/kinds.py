"""Which kinds of sinks there are, and how one is made of its section of gateway.toml. Their packages are extras."""

import importlib.util
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from gateway.clock import Clock, steady_s
from gateway.config import AnySink, Hj212Config, MqttSinkConfig, NatsConfig, ParquetConfig, PostgresConfig
from gateway.forward.hj212.link import Links
from gateway.forward.hj212.mapping import check_points, load_mapping, weak_passwords
from gateway.forward.hj212.mapping import warnings as mapping_warnings
from gateway.forward.hj212.session import Hj212Session
from gateway.forward.hj212.sink import Hj212Sink
from gateway.forward.mqtt_sink import MqttSink
from gateway.forward.outbox import Outbox
from gateway.forward.runner import MakeSink
from gateway.forward.sink import Sink
from gateway.hosts import is_loopback
from gateway.metrics import Metrics
from gateway.registry import Registry
from protocol.host.strict import ConfigError, Problem


class Loaded(Protocol):
    """A sink's section and files, checked; nothing started yet."""

    def problems(self, config_path: Path, at: str) -> list[Problem]:
        """What its section and its files say together, and may not. at: the sink's section in gateway.toml."""

    def warnings(self, config_path: Path, at: str, registry: Registry) -> list[Problem]:
        """What can be used and should not be. at: the sink's section in gateway.toml."""

    def make(self, folder: Path, clock: Clock, metrics: Metrics) -> MakeSink:
        """How the sink is made each time that it begins."""


def load(config: AnySink, registry: Registry | None) -> Loaded:
    """What a sink's files say, held against the terminals where those are known. Raises ConfigError."""
    if isinstance(config, Hj212Config):
        return _Hj212(config, registry)
    return _Plain(config, *_PLAIN[type(config)])


class _Plain:
    """A sink without files of its own. package: what its extra brings; "" where it needs none."""

    def __init__(self, config: AnySink, extra: str, package: str, build: Callable[..., Sink]) -> None:
        if package and importlib.util.find_spec(package) is None:
            text = f"{extra}: the package {package} is not installed / 未安装; pip install 'wattline[{extra}]'"
            raise ConfigError([Problem(Path(config.name), "kind", text)])
        self._config = config
        self._build = build

    def problems(self, config_path: Path, at: str) -> list[Problem]:  # noqa: ARG002
        return []

    def warnings(self, config_path: Path, at: str, registry: Registry) -> list[Problem]:  # noqa: ARG002
        return []

    def make(self, folder: Path, clock: Clock, metrics: Metrics) -> MakeSink:  # noqa: ARG002
        return partial(self._build, self._config)


def _postgres(config: PostgresConfig, outbox: Outbox, pause: Callable[[float], object]) -> Sink:
    from gateway.forward.postgres.sink import PostgresSink  # noqa: PLC0415  (an extra's packages)

    return PostgresSink(config, outbox, pause)


def _mqtt(config: MqttSinkConfig, _outbox: Outbox, pause: Callable[[float], object]) -> Sink:
    return MqttSink(config, pause)


def _nats(config: NatsConfig, _outbox: Outbox, pause: Callable[[float], object]) -> Sink:
    from gateway.forward.nats_sink import NatsSink  # noqa: PLC0415  (an extra's packages)

    return NatsSink(config, pause)


def _parquet(config: ParquetConfig, _outbox: Outbox, pause: Callable[[float], object]) -> Sink:
    from gateway.forward.parquet_sink import ParquetSink  # noqa: PLC0415  (an extra's packages)

    return ParquetSink(config, pause)


# by section: the extra, the package that it brings, how the sink is made
_PLAIN: dict[type, tuple[str, str, Callable[..., Sink]]] = {
    PostgresConfig: ("postgres", "psycopg", _postgres),
    MqttSinkConfig: ("", "", _mqtt),
    NatsConfig: ("nats", "nats", _nats),
    ParquetConfig: ("export", "pyarrow", _parquet),
}


class _Hj212:
    def __init__(self, config: Hj212Config, registry: Registry | None) -> None:
        self._config = config
        self._mapping = load_mapping(Path(config.mapping))
        if registry is not None:
            check_points(Path(config.mapping), self._mapping, registry)

    def problems(self, config_path: Path, at: str) -> list[Problem]:
        found = [] if self._config.weak_passwords else weak_passwords(Path(self._config.mapping), self._mapping)
        if not (self._config.tunnel or self._mapping.sm4 or is_loopback(self._config.host)):
            text = (
                f"{self._config.host}: HJ 212 over an open network, readable and forgeable / 明文传输，可被窃听和伪造;"
                " use a tunnel and say tunnel = true, or SM4 (2025) / 请使用隧道并设 tunnel = true，或启用 SM4"
            )
            found.append(Problem(config_path, f"{at}.host", text))
        return found

    def warnings(self, config_path: Path, at: str, registry: Registry) -> list[Problem]:  # noqa: ARG002
        return mapping_warnings(Path(self._config.mapping), self._mapping, registry)

    def make(self, folder: Path, clock: Clock, metrics: Metrics) -> MakeSink:
        def made(outbox: Outbox, pause: Callable[[float], object]) -> Sink:
            return Hj212Sink(self._config, self._mapping, outbox, folder, clock, metrics, _Wiring(self._config, pause))

        return made


class _Wiring:
    """Sockets, and the system's randomness."""

    def __init__(self, config: Hj212Config, pause: Callable[[float], object]) -> None:
        self._config = config
        self._pause = pause
        self.jitter = random.SystemRandom().random

    def transport(self, sessions: Sequence[Hj212Session]) -> Links:
        return Links(self._config.host, self._config.port, sessions, _steady_ms, self._pause)


def _steady_ms() -> int:
    return int(steady_s() * 1000)
