"""Frames off the broker, acknowledged by hand: a frame is PUBACKed when the caller says so, after its commit.

Until then the broker keeps it. Two carriers, one interface (gateway.carriers.Carrier): the stream carrier over TCP and
TLS; paho where only WebSocket reaches the broker.
"""

from collections.abc import Callable

from gateway.config import MqttConfig
from gateway.intake.deliveries import Delivery
from gateway.intake.paho_carrier import PahoIntake
from gateway.intake.stream_carrier import StreamIntake
from gateway.mqtt.session import OnState, Token

__all__ = ["Delivery", "Token", "make_intake"]


def make_intake(
    config: MqttConfig, steady_s: Callable[[], float], on_state: OnState, jitter: Callable[[], float]
) -> StreamIntake | PahoIntake:
    """The carrier for the configured transport; nothing is sent before `start`. jitter: numbers in [0, 1)."""
    if config.transport == "websockets":
        return PahoIntake(config, steady_s, on_state)
    return StreamIntake(config, steady_s, on_state, jitter)
