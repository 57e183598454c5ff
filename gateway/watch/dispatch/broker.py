"""A topic of an MQTT broker as a channel: QoS 1, and the broker's PUBACK confirms. A connection a message."""

from contextlib import closing

from gateway.clock import steady_s
from gateway.config import MqttSinkConfig
from gateway.mqtt.packets import reason_text
from gateway.mqtt.publisher import Publisher
from gateway.mqtt.session import ConnectRefusedError, SessionError
from gateway.watch.dispatch.channels import MqttEntry
from gateway.watch.dispatch.message import Message
from gateway.watch.dispatch.sender import DENIED, FAILING, REFUSED, TIMEOUT_S, UNREACHABLE, ChannelError

_DENIED = {0x86, 0x87, 0x8A, 0x8C}  # MQTT 5, table 2-6
_REFUSES_THIS = {0x90, 0x95, 0x99}  # topic name, packet too large, payload format


class Topic:
    """A Sender."""

    def __init__(self, entry: MqttEntry) -> None:
        self._topic = entry.topic
        self._config = MqttSinkConfig(
            name=entry.name,
            host=entry.host,
            port=entry.port,
            client_id=entry.client_id,
            username=entry.username,
            password_file=entry.password_file,
            tls_ca_file=entry.tls_ca_file,
        )

    def send(self, message: Message) -> None:
        """As Sender.send."""
        try:
            with closing(Publisher(self._config, 1, steady_s)) as publisher:
                refused = publisher.publish([(self._topic, message.body)], TIMEOUT_S)
        except ConnectRefusedError as error:
            raise ChannelError(DENIED if error.reason in _DENIED else FAILING, str(error)) from error
        except (OSError, SessionError) as error:
            raise ChannelError(UNREACHABLE, f"{type(error).__name__}: {error}") from error
        for code in refused:
            reason = DENIED if code in _DENIED else REFUSED if code in _REFUSES_THIS else FAILING
            raise ChannelError(reason, f"the broker answers {reason_text(code)}")
