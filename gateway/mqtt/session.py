"""One connection's conversation in MQTT 5, without I/O: bytes in, messages out, and what is to be sent.

Every `now_s` is from the same steady clock.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from cext import mqtt_stream
from cext.mqtt_stream import Connack, Packets, Pingresp, Suback
from gateway.mqtt import packets
from gateway.mqtt.publications import Publications

ANSWER_S = 10.0  # CONNACK and SUBACK: a broker that needs longer has lost them, or itself
SUBSCRIBE_AGAIN_S = 5.0  # a refused subscription is asked for again: an operator may be mending the ACL
_SUBSCRIBE_ID = 1
_GRANTED_QOS_1 = 1
_PROTOCOL_ERROR, _KEEP_ALIVE_TIMEOUT, _QOS_NOT_SUPPORTED = 0x82, 0x8D, 0x9B


# Called with a state and its detail; of a session: connected, subscribed, subscribe_refused.
OnState = Callable[[str, dict[str, Any]], None]
# (number of the connection, packet id): means something to the broker as long as that connection lasts
Token = tuple[int, int]


class SessionError(Exception):
    """The connection must end; say: the reason of our DISCONNECT, None where the broker has ended it itself."""

    def __init__(self, what: str, say: int | None) -> None:
        super().__init__(what)
        self.say = say


class SilentError(SessionError):
    """The broker answers nothing, or takes nothing."""


class ConnectRefusedError(SessionError):
    """The broker does not let us in; reason: its code."""

    def __init__(self, reason: int) -> None:
        super().__init__(packets.reason_text(reason), None)
        self.reason = reason


class Opening(NamedTuple):
    """How a conversation begins. topic_filter: what is subscribed to; None: it only publishes."""

    connect: bytes
    keepalive_s: int
    topic_filter: str | None


class Session:
    """The conversation over one connection, from CONNECT on. `outgoing` is what is to be sent next."""

    def __init__(
        self,
        opening: Opening,
        parser: mqtt_stream.Parser,
        number: int,
        publications: Publications,
        on_state: OnState,
        on_refused: Callable[[list[int]], None],
        now_s: float,
    ) -> None:
        """on_refused: told the reasons of publications that the broker refuses, or that are too large for it."""
        self.number = number
        self.connected = False
        self.subscribed = False
        self.left = False  # messages are here that `receive` had no leave to give
        self.outgoing = bytearray(opening.connect)
        self._filter = opening.topic_filter
        self._keepalive_s: float = opening.keepalive_s
        self._publications = publications
        self._on_state = on_state
        self._on_refused = on_refused
        self._parser = parser
        self._unreleased: set[int] = set()
        self._heard_s = self._sent_s = self._pinged_s = now_s
        self._answer_by_s: float | None = now_s + ANSWER_S
        self._subscribe_at_s: float | None = None

    def receive(self, data: memoryview | bytes, count: int, now_s: float) -> Packets:
        """Take the next bytes; at most `count` of their messages come back, the others with later calls.

        Raises SessionError where the connection must end; what came before that is lost with it, and comes again.
        """
        if data:
            self._heard_s = now_s
        found = self._parser.feed(data, count)
        self.left = found.more
        for control in found.controls:
            self._control(control, now_s)
        if found.fault is not None:
            raise SessionError(f"{found.fault.what}, at byte {found.fault.offset}", found.fault.reason)
        if found.pubacks:
            self._report(self._publications.acknowledged(found.pubacks))
        if found.packet_ids:
            self._unreleased.update(found.packet_ids)
            self._unreleased.discard(0)
        return found

    def release(self, tokens: Iterable[Token]) -> None:
        """PUBACK what came by this connection and has not been before."""
        number = self.number
        ids = [packet_id for connection, packet_id in tokens if connection == number]
        due = self._unreleased.intersection(ids)
        if len(due) < len(ids):  # QoS 0, or released before
            ids = [packet_id for packet_id in dict.fromkeys(ids) if packet_id in due]
        self._unreleased -= due
        self.outgoing += mqtt_stream.pubacks(ids)

    def publish(self) -> None:
        """Add the publications that may be sent now to `outgoing`."""
        found, dropped = self._publications.next()
        self.outgoing += found
        self._report(dropped)

    def sent(self, count: int, now_s: float) -> None:
        """So many bytes of `outgoing` are on their way."""
        del self.outgoing[:count]
        self._sent_s = now_s

    def tick(self, now_s: float, *, reading: bool) -> float:
        """Do what is due; returns when to come again. Raises SessionError where the broker is gone.

        reading: whether we would hear the broker if it said something.
        """
        if not reading:
            self._heard_s = now_s
        dead_s = 1.5 * self._keepalive_s
        if self._answer_by_s is not None and now_s >= self._answer_by_s:
            raise SilentError(f"no answer within {ANSWER_S:g} s", _PROTOCOL_ERROR)
        if now_s >= self._heard_s + dead_s or (self.outgoing and now_s >= self._sent_s + dead_s):
            raise SilentError(f"nothing heard or taken for {dead_s:g} s", _KEEP_ALIVE_TIMEOUT)
        if self._subscribe_at_s is not None and now_s >= self._subscribe_at_s:
            self._subscribe(now_s)
        ping_at_s = max(min(self._heard_s, self._sent_s), self._pinged_s) + self._keepalive_s / 2
        if now_s >= ping_at_s and self._answer_by_s is None:
            self.outgoing += packets.PINGREQ
            self._pinged_s = now_s
            ping_at_s = now_s + self._keepalive_s / 2
        due = [ping_at_s, self._heard_s + dead_s, self._answer_by_s, self._subscribe_at_s]
        return min(one for one in due if one is not None)

    def _control(self, control: object, now_s: float) -> None:
        if isinstance(control, Connack):
            self._connack(control, now_s)
        elif isinstance(control, Suback):
            self._suback(control, now_s)
        elif not isinstance(control, Pingresp):
            reason = getattr(control, "reason", 0)
            raise SessionError(f"the broker disconnects: {packets.reason_text(reason)}", None)

    def _connack(self, connack: Connack, now_s: float) -> None:
        if connack.reason:
            raise ConnectRefusedError(connack.reason)
        self.connected = True
        self._on_state("connected", {"connection": self.number})
        if connack.maximum_qos < 1:
            raise SessionError("the broker offers QoS 0 only: nothing could wait for its commit", _QOS_NOT_SUPPORTED)
        if connack.keepalive_s is not None:
            self._keepalive_s = connack.keepalive_s or float("inf")
        self._publications.connected(connack)
        self._answer_by_s = None
        self._subscribe(now_s)

    def _subscribe(self, now_s: float) -> None:
        self._subscribe_at_s = None
        if self._filter is not None:
            self.outgoing += packets.subscribe(self._filter, _SUBSCRIBE_ID)
            self._answer_by_s = now_s + ANSWER_S

    def _suback(self, suback: Suback, now_s: float) -> None:
        if self._answer_by_s is None or suback.packet_id != _SUBSCRIBE_ID or len(suback.reasons) != 1:
            raise SessionError("a SUBACK that answers nothing", _PROTOCOL_ERROR)
        self._answer_by_s = None
        reason = suback.reasons[0]
        self.subscribed = reason == _GRANTED_QOS_1
        if self.subscribed:
            self._on_state("subscribed", {})
        else:
            self._subscribe_at_s = now_s + SUBSCRIBE_AGAIN_S
            text = packets.reason_text(reason) if reason else "QoS 0 only: nothing could wait for its commit"
            self._on_state("subscribe_refused", {"reason": text})

    def _report(self, refused: list[int]) -> None:
        if refused:
            self._on_refused(refused)
