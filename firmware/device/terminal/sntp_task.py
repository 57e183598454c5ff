# Asks the SNTP server of terminal.json while the clock has nothing better.
from protocol import record
from terminal import sntp

ALLOWANCE_MS = 180000  # without a sign of life: it looks each minute
_LOOK_MS = 60000
_ANSWER_MS = 5000
_POLL_MS = 10  # what the answer may lie there is within the round trip, so within its error
_SPREAD_MS = 40  # times 0 to 255: terminals that got their power back together do not ask together
_AGAIN_MS = 3600000  # 0.4 s of drift
_RETRY_FIRST_MS = 60000  # RFC 4330, 10: never below 15 s, and longer each time
_RETRY_MS_MAX = 86400000
_PACKETS_MAX = 64  # of others, while an answer is awaited: a flood must not keep the VM busy
_READ_BYTES = 128


class SntpTask:
    """`server` is config.Sntp; `on_event(code, point, values)`."""

    def __init__(self, board, server, clock, on_event, say) -> None:  # type: ignore[no-untyped-def]
        self.alive_ms = board.real_ms()
        self.refused = 0  # answers, and packets of others
        self._board = board
        self._server = server
        self._clock = clock
        self._on_event = on_event
        self._say = say
        self._due_ms: "int | None" = board.real_ms()  # None: the server wants to be asked no more
        self._retry_ms = _RETRY_FIRST_MS

    async def run(self) -> None:
        """Never returns."""
        await self._board.pause_ms(_SPREAD_MS * self._board.random_bytes(1)[0])
        while True:
            self.alive_ms = self._board.real_ms()
            if self._due_ms is not None and self._due_ms <= self.alive_ms and self._clock.wants_sntp():
                await self.ask()
            await self._board.pause_ms(_LOOK_MS)

    async def ask(self) -> None:
        """Ask once; what fails is said and waited for, longer each time."""
        try:
            await self._exchange()
        except sntp.SntpError as error:
            self._say("sntp:", self._server.host, error)
            if error.kiss in sntp.DENIED:
                self._due_ms = None
                return
            if error.kiss == sntp.RATE:
                self._retry_ms = max(self._retry_ms, _AGAIN_MS)
        except OSError as error:
            self._say("sntp:", self._server.host, type(error).__name__, error)
        else:
            self._retry_ms = _RETRY_FIRST_MS
            self._due_ms = self._board.real_ms() + _AGAIN_MS
            return
        self._due_ms = self._board.real_ms() + self._retry_ms
        self._retry_ms = min(2 * self._retry_ms, _RETRY_MS_MAX)

    async def _exchange(self) -> None:
        """Raises OSError, or SntpError for an answer of the server's that tells no time."""
        stamp = self._board.random_bytes(sntp.STAMP_BYTES)
        socket = self._board.udp(self._server.host, self._server.port)
        try:
            sent_ms = self._clock.uptime_ms()
            socket.send(sntp.request(stamp))
            await self._hear(socket, stamp, sent_ms)
        finally:
            socket.close()

    async def _hear(self, socket, stamp: bytes, sent_ms: int) -> None:  # type: ignore[no-untyped-def]
        until_ms = self._board.real_ms() + _ANSWER_MS
        others = 0
        while self._board.real_ms() < until_ms and others < _PACKETS_MAX:
            data = socket.recv(_READ_BYTES)
            if data is None:
                await self._board.pause_ms(_POLL_MS)
                continue
            uptime_ms = self._clock.uptime_ms()
            try:
                found = sntp.read(data, stamp, uptime_ms - sent_ms)
            except sntp.SntpError as error:
                self.refused += 1
                if error.ours:
                    raise
                others += 1
                continue
            self._take(found, uptime_ms)
            return
        raise OSError("no answer, %d packets of others" % others)

    def _take(self, found: sntp.Answer, uptime_ms: int) -> None:
        step_s = self._clock.heard_sntp(uptime_ms, found.time_ms, found.error_ms)
        if step_s is not None:
            self._say("clock set by sntp, step", step_s, "s, error", self._clock.error_s(), "s")
            self._on_event(record.CLOCK_SET, None, [step_s])
        elif self._clock.source != record.CLOCK_SNTP:
            self.refused += 1
            self._say(
                "sntp:", self._server.host, "is against the gateway's time, or before the image or the log was made"
            )
