"""What all of intake's carriers share: what they hand on, what they are called back with, and what bounds them."""

from typing import NamedTuple

from gateway.config import MqttConfig
from gateway.mqtt.session import Token

UP = "wattline/up/"
DOWN = "wattline/down/"

PACKET_BYTES_MAX = 1 << 20  # one at a time is in memory whole; beyond it the broker is told not to send
TOPIC_BYTES_MAX = 256  # the longest that names a terminal has 43; of the others, the beginning is evidence enough
# Acks that wait for the broker, 350 bytes each; beyond it they are dropped and counted. 7,056 terminals with 8 frames
# under way each are fewer; mosquitto takes one packet of ours a turn, and one of each terminal.
ACKS_WAITING_MAX = 65_536


class Delivery(NamedTuple):
    """What came under a topic. `terminal` is "" where the topic names none.

    topic: its first TOPIC_BYTES_MAX bytes; what is no UTF-8 is escaped.
    data: at most FRAME_BYTES_MAX + 1 bytes, so that too large a frame is still seen to be so; length: of the original.
    token: for `release`.
    """

    terminal: str
    topic: str
    data: bytes
    length: int
    token: Token


def up(config: MqttConfig) -> str:
    """What terminals' topics begin with, as the gateway hears them."""
    return config.mount_point + UP


def down(config: MqttConfig) -> str:
    """Likewise, as it answers them."""
    return config.mount_point + DOWN


def subscription(config: MqttConfig) -> tuple[str, int]:
    """(what to subscribe to, for how many seconds the broker keeps the session of one that is gone).

    A worker that shares the terminals has none: what the broker keeps for it, no other one would be given.
    """
    if config.share is None:
        return up(config) + "+", config.session_expiry_s
    return f"$share/{config.share}/{up(config)}+", 0
