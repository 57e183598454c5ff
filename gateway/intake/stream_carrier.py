"""The carrier of the hot path: whatever the broker has sent is read at once, a pause, and again.

The pause is what makes it cheap: a wake-up and a system call are shared by all messages that came meanwhile, and so is
the commit that follows. One thread owns the connection.
"""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import cast

from cext.mqtt_stream import Packets
from gateway.config import MqttConfig
from gateway.intake.deliveries import ACKS_WAITING_MAX, Delivery, down
from gateway.intake.session import make_session
from gateway.mqtt import packets
from gateway.mqtt.connection import Connection, read_login
from gateway.mqtt.publications import Publications
from gateway.mqtt.session import ConnectRefusedError, OnState, Session, SessionError, Token

READ_BYTES = 1 << 18  # a read; some 500 messages
PAUSE_S = 0.005  # between reads: some 150 messages of a broker at full speed; one that comes alone does not wait
PAUSE_STARVED_S = 0.00025  # while acks wait for a broker that allows few in flight: mosquitto, unless told, 20
RECONNECT_MIN_S = 1.0
STEADY_S = 5.0  # a connection that lasted so long was a good one: the back-off begins anew
STOP_S = 2.0  # to send what is left
WAIT_MAX_S = 0.1  # so late at most leaves what was published or released, if no `take` follows


class StreamIntake:
    """A carrier over one TCP or TLS connection, read by cext.mqtt_stream. One thread may take, publish and release.

    jitter: numbers in [0, 1).
    """

    def __init__(
        self, config: MqttConfig, steady_s: Callable[[], float], on_state: OnState, jitter: Callable[[], float]
    ) -> None:
        self._config = config
        self._login = read_login(config)
        self._steady_s = steady_s
        self._on_state = on_state
        self._jitter = jitter
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._connections = 0
        # Between the threads. Deques, whose ends are safe to use, and under the condition's lock what was received.
        self._asleep = False  # the thread waits for the connection, or to be woken
        self._released: deque[Token] = deque()
        self._downlink = Publications(down(config), ACKS_WAITING_MAX)
        self._arrived = threading.Condition()
        self._waiting: list[Delivery] = []
        self._wanted = 0  # how many the taker waits for
        self._full = False  # the thread reads no more until something is taken

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Send what was released and published, and disconnect; the broker keeps what was not released."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._wake_up()
        if self._thread.ident is not None:
            self._thread.join()
        os.close(self._wake)

    def take(self, count: int, idle_s: float, wait_s: float) -> list[Delivery]:
        """Up to `count` deliveries: waits idle_s for the first one, then wait_s for others to share its commit.

        What was published and released since the last time leaves now, together.
        """
        if self._released or self._downlink.queued:
            self._wake_up()
        with self._arrived:
            self._wait_for(1, idle_s)
            if self._waiting:
                self._wait_for(min(count, self._config.receive_maximum), wait_s)
            batch = self._waiting[:count]
            del self._waiting[:count]
            was_full, self._full = self._full, False
        if was_full:
            self._wake_up()
        return batch

    def publish_down(self, messages: Sequence[tuple[str, bytes]]) -> int:
        """Send acks down; how many: the others can't even wait for the broker, their terminals will send again."""
        return self._downlink.put(messages)

    def release(self, tokens: Iterable[Token]) -> None:
        """PUBACK: the broker may forget the messages. Without effect when the connection they came by is gone."""
        self._released.extend(tokens)

    @property
    def waiting(self) -> int:
        """Frames in memory that nobody has taken yet."""
        return len(self._waiting)

    def _wait_for(self, count: int, timeout_s: float) -> None:
        if timeout_s > 0 and len(self._waiting) < count:
            self._wanted = count
            self._arrived.wait_for(lambda: len(self._waiting) >= count, timeout_s)
            self._wanted = 0

    def _wake_up(self) -> None:
        """After what the thread is to see: it says that it sleeps before it looks for the last time."""
        if self._asleep:
            self._asleep = False
            os.eventfd_write(self._wake, 1)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            begun_s = self._steady_s()
            state, reason = self._connect()
            self._on_state(state, {"reason": reason})
            failures = 0 if self._steady_s() > begun_s + STEADY_S else failures + 1
            pause_s = min(RECONNECT_MIN_S * 2 ** min(failures, 20), self._config.reconnect_max_s)
            # half of it is random: after a broker's restart not all that use it come back in one instant
            self._stopping.wait(pause_s * (1 + self._jitter()) / 2)

    def _connect(self) -> tuple[str, str]:
        """One connection, from its beginning to its end: the state that it leaves, and why."""
        try:
            connection = Connection(self._config, self._wake)
        except OSError as error:
            return "connect_failed", str(error)
        self._connections += 1
        session = make_session(
            self._config, self._login, self._connections, self._downlink, self._on_state, self._steady_s()
        )
        try:
            self._converse(connection, session)
            self._take_leave(connection, session)
            reason = "stopped"
        except ConnectRefusedError as error:
            return "connect_refused", str(error)
        except (SessionError, OSError) as error:
            reason = str(error)
            _say_why(connection, session, error)
        except Exception as error:  # noqa: BLE001  (a fault of ours must not leave the gateway deaf: say it, begin again)
            reason = repr(error)
        finally:
            connection.close()
            self._downlink.disconnected()
        return "disconnected" if session.connected else "connect_failed", reason

    def _converse(self, connection: Connection, session: Session) -> None:
        """Until we are to stop. Raises SessionError, OSError."""
        while not self._stopping.is_set():
            self._send(connection, session)
            room = self._room()
            found = self._read(connection, session, room) if room else None
            now_s = self._steady_s()
            due_s = session.tick(now_s, reading=room > 0)
            if found is None:
                self._sleep(connection, min(due_s - now_s, WAIT_MAX_S), session, reading=room > 0)
                continue
            self._hand_over(session, found)
            if not found.more:
                time.sleep(PAUSE_STARVED_S if self._downlink.starved else PAUSE_S)

    def _read(self, connection: Connection, session: Session, room: int) -> Packets | None:
        """What has come, as far as there is room for its messages; None: nothing. Raises SessionError, OSError."""
        count = 0 if session.left else connection.receive_into(self._buffer)
        return session.receive(self._buffer[:count], room, self._steady_s()) if count or session.left else None

    def _send(self, connection: Connection, session: Session) -> None:
        """What others handed us, and what is left of earlier; one write."""
        if self._downlink.sendable:
            session.publish()
        if self._released:
            session.release([self._released.popleft() for _ in range(len(self._released))])
        if session.outgoing:
            session.sent(connection.send(session.outgoing), self._steady_s())

    def _hand_over(self, session: Session, found: Packets) -> None:
        if not found.topics:
            return
        tokens = zip(repeat(session.number), found.packet_ids, strict=False)
        fields = zip(found.names, found.topics, found.payloads, found.sizes, tokens, strict=True)
        # Delivery(*each), without a call in Python for each
        deliveries = list(cast("Iterable[Delivery]", map(tuple.__new__, repeat(Delivery), fields)))
        with self._arrived:
            self._waiting += deliveries
            if 0 < self._wanted <= len(self._waiting):
                self._arrived.notify()

    def _room(self) -> int:
        with self._arrived:
            room = self._config.receive_maximum - len(self._waiting)
            self._full = room <= 0
        return max(room, 0)

    def _sleep(self, connection: Connection, timeout_s: float, session: Session, *, reading: bool) -> None:
        """Until the connection or another thread has something for us."""
        self._asleep = True
        todo = self._released or self._downlink.sendable or self._stopping.is_set() or not (reading or self._full)
        if not todo and connection.wait(max(timeout_s, 0), reading=reading, writing=bool(session.outgoing)):
            os.eventfd_read(self._wake)
        self._asleep = False

    def _take_leave(self, connection: Connection, session: Session) -> None:
        """Send what was handed to us until now, and part."""
        until_s = self._steady_s() + STOP_S
        self._send(connection, session)
        session.outgoing += packets.disconnect(0)
        while session.outgoing and self._steady_s() < until_s:
            session.sent(connection.send(session.outgoing), self._steady_s())
            if connection.wait(0.1, reading=False, writing=bool(session.outgoing)):
                os.eventfd_read(self._wake)


def _say_why(connection: Connection, session: Session, error: Exception) -> None:
    """Our DISCONNECT, if the connection still takes it."""
    reason = getattr(error, "say", None)
    if reason is not None:
        session.outgoing += packets.disconnect(reason)
        with contextlib.suppress(OSError):
            connection.send(session.outgoing)
