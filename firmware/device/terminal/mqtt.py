# One MQTT 5 connection, from CONNECT to its end. Whatever goes wrong raises; who called it connects again.
#
# The session is kept by the broker (clean start 0), so that acks wait there while the link is down. On our side the
# log is the session's state: the records of a frame that had no PUBACK when its connection ended go out again in a new
# frame. (MQTT-4.4.0-1 would have the old packet repeated under its old id; nobody needs it, and it would have to be
# kept.)
import asyncio

from terminal import mqtt_packet as packet

SESSION_EXPIRY_S = 7 * 86400  # acks older than a week answer frames that were long sent again
RECEIVE_MAXIMUM = 8  # acks in flight towards us: each is handled before the next is read
PACKET_MAX = 4096 + 256  # an ack's largest frame, its topic and header
IN_FLIGHT_MAX = 16  # publishes without PUBACK; more do not make a link faster
_CONNECT_TIMEOUT_MS = 15000  # a modem that wakes up, TCP, a handshake of 3 s on the slowest board, the CONNACK
_ROOM_TIMEOUT_MS = 60000  # a broker that pings, and takes nothing: another connection may be better
_WRITE_TIMEOUT_MS = 30000  # TCP has given up on a segment several times by then


_NOT_A_SERVERS = -0x7A00  # mbedTLS's SSL_BAD_CERTIFICATE, where all else of it is right (RFC 5280, 4.2.1.12)


class CertificateError(Exception):
    """The broker's certificate is not taken: of another authority or name, or not valid at this time."""


async def connect(board, settings, secure, client_id: str, topics: "tuple[str, str]", on_puback, on_message):  # type: ignore[no-untyped-def]
    """A Session, connected and subscribed; `settings` config.Mqtt, `secure` board.connect's, `topics` (up, down).

    `on_puback(token)` and `on_message(topic, payload)` are called from its `run`. Raises OSError, EOFError,
    asyncio.TimeoutError, MqttError, CertificateError."""
    reader, writer = await board.connect(settings.host, settings.port, _CONNECT_TIMEOUT_MS, secure)
    session = Session(board, reader, writer, on_puback, on_message)
    try:
        await board.wait_for_ms(session.begin(settings, client_id, topics), _CONNECT_TIMEOUT_MS)
    except ValueError as error:  # MicroPython's tls; its text has lines
        await session.close()
        raise CertificateError("; ".join(str(error).strip().split("\n"))) from None
    except BaseException as error:
        await session.close()
        if isinstance(error, OSError) and error.args and error.args[0] == _NOT_A_SERVERS:
            raise CertificateError("it is not for a server") from None
        raise
    return session


class Session:
    """A connection, from its first byte to `close`."""

    def __init__(self, board, reader, writer, on_puback, on_message) -> None:  # type: ignore[no-untyped-def]
        self._board = board
        self._on_puback = on_puback
        self._on_message = on_message
        self._reader = reader
        self._writer = writer
        self._tokens: "dict[int, object]" = {}  # packet id of each publish without PUBACK
        self._packet_id = 1  # 1 is the SUBSCRIBE's
        self._quota = IN_FLIGHT_MAX
        self._room = asyncio.Event()
        self._sending = asyncio.Lock()
        self._keepalive_ms = 0
        self._heard_ms = 0
        self._sent_ms = 0
        self.session_present = False
        self.payload_max = 0

    async def begin(self, settings, client_id: str, topics: "tuple[str, str]") -> None:  # type: ignore[no-untyped-def]
        """CONNECT, and SUBSCRIBE to topics[1]."""
        await self._send(packet.connect(client_id, settings.keepalive_s, SESSION_EXPIRY_S, RECEIVE_MAXIMUM, PACKET_MAX))
        first, body = await self._receive()
        if first >> 4 != packet.CONNACK:
            raise packet.MqttError("no CONNACK", packet.PROTOCOL_ERROR)
        connack = packet.read_connack(body)
        if connack.reason:
            raise packet.MqttError("the broker refused the connection", connack.reason)
        if connack.maximum_qos < 1:
            raise packet.MqttError("the broker takes no QoS 1", packet.PROTOCOL_ERROR)
        self.session_present = connack.session_present
        self._quota = min(IN_FLIGHT_MAX, connack.receive_maximum)
        self._keepalive_ms = 1000 * (settings.keepalive_s if connack.keepalive_s is None else connack.keepalive_s)
        self.payload_max = connack.packet_max - packet.overhead(topics[0])
        await self._send(packet.subscribe(topics[1], 1))
        self._heard_ms = self._board.real_ms()

    async def run(self) -> None:
        """Receive until the connection fails; never returns otherwise."""
        while True:
            first, body = await self._receive()
            await self._handle(first, body)

    async def _handle(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == packet.PUBLISH:
            topic, packet_id, payload = packet.read_publish(first, body)
            self._on_message(topic, payload)
            if packet_id:
                await self._send(packet.puback(packet_id))
        elif kind == packet.PUBACK:
            packet_id, reason = packet.read_puback(body)
            if packet_id not in self._tokens:
                raise packet.MqttError("PUBACK for nothing", packet.PROTOCOL_ERROR)
            token = self._tokens.pop(packet_id)
            self._room.set()
            if reason >= 0x80:
                raise packet.MqttError("the broker refused a frame", reason)
            self._on_puback(token)
        elif kind == packet.SUBACK:
            _, reason = packet.read_suback(body)
            if reason >= 0x80:
                raise packet.MqttError("the broker refused the subscription", reason)
        elif kind == packet.DISCONNECT:
            raise packet.MqttError("the broker disconnected", packet.read_disconnect(body))
        elif kind != packet.PINGRESP or body:
            raise packet.MqttError("packet type %d" % kind, packet.PROTOCOL_ERROR)

    async def keep_alive(self) -> None:
        """Ping when the line is idle; OSError when the broker is silent for one and a half times the keep-alive."""
        while True:
            if not self._keepalive_ms:
                await self._board.pause_ms(60000)
                continue
            await self._board.pause_ms(self._keepalive_ms // 4)
            now = self._board.real_ms()
            if now - self._heard_ms > self._keepalive_ms * 3 // 2:
                raise OSError("the broker is silent")
            if now - min(self._sent_ms, self._heard_ms) >= self._keepalive_ms // 2:
                await self._send(packet.pingreq())

    async def publish(self, topic: str, payload: bytes, token: object) -> None:
        """Send at QoS 1; waits while the broker takes no more, asyncio.TimeoutError after a minute of it.
        `on_puback(token)` tells that the broker has it."""
        while len(self._tokens) >= self._quota:
            self._room.clear()
            await self._board.wait_for_ms(self._room.wait(), _ROOM_TIMEOUT_MS)
        self._packet_id = self._packet_id % 65535 + 1
        while self._packet_id in self._tokens or self._packet_id == 1:
            self._packet_id = self._packet_id % 65535 + 1
        self._tokens[self._packet_id] = token
        await self._send(packet.publish_head(topic, self._packet_id, len(payload)), payload)

    async def close(self, reason: int = 0) -> None:
        """Say goodbye if that is possible at once, and close."""
        writer = self._writer
        try:
            writer.write(packet.disconnect(reason))
            await self._board.wait_for_ms(writer.drain(), 500)
        except (OSError, ValueError, asyncio.TimeoutError):  # ValueError: of a handshake that was refused
            pass  # closed without a goodbye, then
        writer.close()
        try:
            await writer.wait_closed()  # on MicroPython this is what closes the socket
        except OSError:
            pass  # it is gone either way

    async def _send(self, *parts: bytes) -> None:
        async with self._sending:
            for part in parts:
                self._writer.write(part)
            await self._board.wait_for_ms(self._writer.drain(), _WRITE_TIMEOUT_MS)
            self._sent_ms = self._board.real_ms()

    async def _receive(self) -> "tuple[int, bytes]":
        """The next packet: its first byte and its body."""
        first = (await self._reader.readexactly(1))[0]
        octets = await self._reader.readexactly(1)
        while True:
            size = packet.remaining_length(octets)
            if size is not None:
                break
            octets += await self._reader.readexactly(1)
        if size > PACKET_MAX:
            raise packet.MqttError("a packet of %d bytes" % size, packet.PACKET_TOO_LARGE)
        body = await self._reader.readexactly(size) if size else b""
        self._heard_ms = self._board.real_ms()
        return first, body
