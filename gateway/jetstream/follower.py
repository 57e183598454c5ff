"""A follower: what a worker took is decoded, judged and journalled again, by the same pipeline, from the stream.

A frame is authenticated once more where its key is known. Where it is not (a key that was replaced, a terminal that was
revoked or removed since) the worker's word is taken, as the SQLite journal's own is when an index is read anew: what
was accepted stays, and is found again from the stream. `wattline gateway audit` proves it by any keys that are left.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import msgspec

from cext.decoder import Columns, decode_payloads
from gateway.config import GatewayConfig, VerifyConfig
from gateway.intake import Delivery
from gateway.journal.blocks import payload_of
from gateway.pipeline import Pipeline
from gateway.registry import Registry, Senders, Terminal
from gateway.verify import bounds_of
from protocol.host.strict import ConfigError, Problem

_TAG = b"\xd1"  # every frame's first byte
_GENERATION_AT = 8  # of a frame's key, in its protected header (SPEC.md, section 2)
_ENVELOPE_BYTES = 47  # what is shorter is no frame
_EVER_S = 1 << 62  # beyond any time, and with the clock's added an int64_t yet


class Follower:
    """In the place of a pipeline: batches of the stream's frames, in its order."""

    def __init__(self, pipeline: Pipeline, config: VerifyConfig) -> None:
        """No record is too far in the future: by its own clock a worker took it, and the stream's may be behind."""
        limits = bounds_of(msgspec.structs.replace(config, future_refuse_s=_EVER_S))
        self._proving = replace(pipeline, answers=False, limits=limits)
        self._believing = replace(self._proving, decoder=_decoded)

    def process(self, batch: list[Delivery], registry: Registry) -> None:
        """As Pipeline.process; an answer to nobody. Raises StoppedError."""
        everyone = _Everyone(registry)
        for is_believed, some in groupby(batch, lambda one: _is_believed(one, registry)):
            (self._believing if is_believed else self._proving).process(list(some), everyone)

    def tidy(self, *, idle: bool) -> None:
        """As Pipeline.tidy."""
        self._proving.tidy(idle=idle)


class _Everyone(Registry):
    """Those who are admitted, who were revoked, and who are known no more: what they sent was taken once."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._registry = registry

    def find(self, terminals: Iterable[str]) -> list[Terminal | None]:
        """As Registry.find; None only where there is no name."""
        return [self._one(name) if name else None for name in terminals]

    def _one(self, name: str) -> Terminal:
        return self._registry.get(name) or self._registry.revoked(name) or Terminal(name, {}, {})


def _is_believed(delivery: Delivery, registry: Registry) -> bool:
    """Whether it is a frame by a key that is not known. All else is proved, or refused for what it is."""
    data, terminal = delivery.data, registry.get(delivery.terminal)
    if len(data) <= _ENVELOPE_BYTES or not data.startswith(_TAG):
        return False
    return terminal is None or data[_GENERATION_AT] not in terminal.states


def _decoded(frames: Sequence[bytes], senders: Senders) -> Columns:
    """Without their keys."""
    del senders
    return decode_payloads([payload_of(data) for data in frames], digests=True)


def config_of(path: Path, config: GatewayConfig) -> GatewayConfig:
    """The configuration of a worker as its follower takes it: a journal on this machine, and the stream as the way in.

    Raises ConfigError.
    """
    if config.jetstream is None:
        text = f'"{config.journal.kind}"; allowed / 允许: "jetstream", with [jetstream]: a follower follows a stream'
        raise ConfigError([Problem(path, "journal.kind", text)])
    journal = msgspec.structs.replace(config.journal, kind="sqlite")
    return msgspec.structs.replace(config, journal=journal, mqtt=None, modbus=[])
