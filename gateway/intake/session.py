"""The intake's conversation with the broker: what it asks for, and how much of a message it keeps."""

from cext import mqtt_stream
from gateway.config import MqttConfig
from gateway.intake.deliveries import PACKET_BYTES_MAX, TOPIC_BYTES_MAX, subscription, up
from gateway.mqtt import packets
from gateway.mqtt.publications import Publications
from gateway.mqtt.session import OnState, Opening, Session
from protocol import limits


def make_session(
    config: MqttConfig,
    login: tuple[str, str | None] | None,
    number: int,
    downlink: Publications,
    on_state: OnState,
    now_s: float,
) -> Session:
    """A session that subscribes to the terminals' topics, and sends what is in the downlink."""

    def refused(reasons: list[int]) -> None:
        on_state("down_refused", {"reason": packets.reason_text(reasons[0]), "messages": len(reasons)})

    topic_filter, session_expiry_s = subscription(config)
    connect = packets.connect(
        config.client_id, login, config.keepalive_s, session_expiry_s, config.receive_maximum, PACKET_BYTES_MAX
    )
    parser = mqtt_stream.Parser(PACKET_BYTES_MAX, TOPIC_BYTES_MAX, limits.FRAME_BYTES_MAX + 1, up(config).encode())
    opening = Opening(connect, config.keepalive_s, topic_filter)
    return Session(opening, parser, number, downlink, on_state, refused, now_s)
