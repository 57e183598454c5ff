# The uplink at work: connects, sends what uplink.py chooses, takes acks, and connects again when anything fails.
#
# All terminals close their windows at the same instant. Each sends its own some seconds later, always the same number
# of them, which follows from its name; events do not wait.
import asyncio
import binascii

from protocol import frame
from terminal import link_budget, mqtt
from terminal.mqtt_packet import PACKET_TOO_LARGE, MqttError
from terminal.tasks import together
from terminal.uplink import FRAME_OVERHEAD

SPREAD_MS = 60000  # 7,056 terminals a minute are 118 a second
_BACKOFF_FIRST_MS = 1000
_BACKOFF_MS_MAX = 60000  # what a live reading may wait when the broker is back; a day of failing makes 1,440 attempts
_BACKOFF_STEPS = 6
ALLOWANCE_MS = 300000  # without a sign of life: connecting, a pause, a write and a wait for room take half of that
_CYCLE_AFTER = 10  # attempts that failed: six minutes; perhaps it is the link itself that hangs
_STEADY_MS = 30000  # a connection that held so long was a good one: the next attempt is quick


class UplinkTask:
    """`settings` is (config.Config, terminal.keys.Keys, `secure` of board.connect); `answers` terminal.answers; `say`
    prints a line."""

    def __init__(self, board, settings, clock, log, uplink, answers, say) -> None:  # type: ignore[no-untyped-def]
        self._board = board
        self._config, self._keys, self._secure = settings
        self._clock = clock
        self._log = log
        self._uplink = uplink
        self._answers = answers
        self._say = say
        self._up = "wattline/up/" + self._config.terminal
        self._down = "wattline/down/" + self._config.terminal
        self._budget = link_budget.LinkBudget(board.data_dir + "/link_budget")
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()  # a window was
        self.connections = 0
        self.is_up = False  # there is a connection
        self.alive_ms = board.real_ms()

    def wake(self) -> None:
        """There is something new to send."""
        self._changed.set()

    def hold_window(self) -> None:
        """A window is about to be stored."""
        self._uplink.hold_next()
        self._closed.set()

    async def run(self) -> None:
        """Never returns."""
        await together(self._keep_connected(), self._spread())

    async def _spread(self) -> None:
        offset_ms = offset_of(self._config.terminal)
        while True:
            await self._closed.wait()
            self._closed.clear()
            await self._board.sleep_ms(offset_ms)
            self._uplink.release()
            self.wake()

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            began_ms = self.alive_ms = self._board.real_ms()
            try:
                await self._connection()
            except mqtt.CertificateError as error:
                self._say("uplink: the broker's certificate is refused:", error)
                self._clock.certificate_refused()
            except (OSError, EOFError, asyncio.TimeoutError, MqttError) as error:
                self._say("uplink:", type(error).__name__, error)
            steady = self._board.real_ms() - began_ms >= _STEADY_MS
            failures = 1 if steady else failures + 1
            if failures % _CYCLE_AFTER == 0:
                self._cycle_link()
            await self._board.pause_ms(self._backoff_ms(failures))

    def _cycle_link(self) -> None:
        try:
            if self._budget.take(self._clock.uptime_ms()):
                self._say("uplink: the link is taken down and up")
                self._board.cycle_link()
        except OSError as error:
            self._say("uplink: the link is left as it is:", error)

    def _backoff_ms(self, failures: int) -> int:
        """50 to 100 % of 1, 2, 4 ... s: terminals that lost their broker together do not come back together."""
        bound = min(_BACKOFF_FIRST_MS << min(failures - 1, _BACKOFF_STEPS), _BACKOFF_MS_MAX)
        return bound // 2 + bound * self._board.random_bytes(1)[0] // 512

    async def _connection(self) -> None:
        topics = (self._up, self._down)
        session = await mqtt.connect(
            self._board, self._config.mqtt, self._secure, self._config.terminal, topics, self._uplink.pubacked,
            self._message,
        )  # fmt: skip
        try:
            if session.payload_max < 2 * FRAME_OVERHEAD:
                raise MqttError("the broker takes no frame", PACKET_TOO_LARGE)
            self.connections += 1
            self.is_up = True
            self._uplink.connected(session_present=session.session_present)
            self._say("uplink: connected,", self._log.pending_count(), "records pending")
            await together(session.run(), session.keep_alive(), self._send(session))
        finally:
            self.is_up = False
            await session.close()

    async def _send(self, session: mqtt.Session) -> None:
        """Send whenever there is something to send."""
        while True:
            self.alive_ms = self._board.real_ms()
            self._changed.clear()
            found = self._uplink.compose(self._board.real_ms(), self._clock.stamp, session.payload_max)
            if found is None:
                await self._wait(self._uplink.next_ms(self._board.real_ms()))
                continue
            stamp, records, epoch = found
            data = frame.seal_frame(self._keys.key, self._config.terminal, epoch, self._clock.boot_id, stamp, records)
            await session.publish(self._up, data, stamp)

    async def _wait(self, ms: int) -> None:
        try:
            await self._board.wait_for_ms(self._changed.wait(), ms)
        except asyncio.TimeoutError:
            return

    def _message(self, _topic: str, payload: bytes) -> None:
        self._answers.take(payload, self._board.real_ms())
        self.wake()


def offset_of(terminal: str) -> int:
    """How many ms after its end a terminal sends a window: the same each time, and another for each terminal."""
    return binascii.crc32(terminal.encode()) % SPREAD_MS
