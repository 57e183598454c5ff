# The terminal put together: what exists, who is told what, and who is started again when it fails.
import gc
import sys

from protocol import record
from protocol.checked import ConfigError
from protocol.errors import FrameError
from terminal import bus, clock, config, counters, image, log, sampler, uplink, uplink_task
from terminal.say import Console
from terminal.tasks import together

CAUSE_MEMORY = 16  # board.reset's cause: a task ran out of memory
_WATCHDOG_MS = 30000  # above the worst: a name server that does not answer stops the whole VM
_FEED_MS = 1000
_STATUS_MS = 3600000
_RETRY_MS_MAX = 60000
_LOOK_BACK = 16  # records; a restart writes one or two before the gateway tells the time again
_UNWRITTEN_MAX = 16  # records that the flash refused; 4 hours of windows


class App:
    """One terminal on one board. `run` never returns."""

    def __init__(self, board) -> None:  # type: ignore[no-untyped-def]
        self._board = board
        folder = board.data_dir
        self._config = config.load(folder + "/terminal.json")
        self._say = Console(board.uptime_ms).say
        self._buses: "list[bus.Bus] | None" = None
        self._sampler: "sampler.Sampler | None" = None
        self._identities = folder + "/meters"
        try:
            self._open_buses()  # a wrong profile ends the start here
        except OSError as error:
            self._say("no bus yet:", error)  # a port that is not there is tried again by the sampler
        secure = self._tls(folder)
        count = counters.Counters(board.counters_flash())
        self._clock = clock.Clock(board, clock.next_boot(folder + "/boot", count))
        self._clock.not_before(image.BUILT_S)
        key = config.load_key(folder + "/key")
        segments = log.segments_for(board.flash_bytes())
        self._log = log.Log(folder + "/log", self._log_event, board.random_bytes, segments, count)
        self._clock.not_before(_newest_s(self._log))
        self._unwritten: "list[record.Event | record.Window]" = []
        self._uplink = uplink.Uplink(self._log, self._config.uplink, board.random_bytes)
        self._task = uplink_task.UplinkTask(
            board, (self._config, key, secure), self._clock, self._log, self._uplink, self._say, self._on_step
        )

    def _tls(self, folder: str):  # type: ignore[no-untyped-def]
        """What board.connect needs for TLS, if that is configured. Raises ConfigError."""
        name = self._config.mqtt.server_name
        if name is None:
            return None
        files = config.load_certificates(folder)
        try:
            return self._board.tls_context(*files), name
        except ValueError as error:
            raise ConfigError("ca.der, client.der, client.key.der", "(file)", error, "certificates and a key") from None

    async def run(self) -> None:
        self._say(
            "wattline", self._config.terminal, "boot", self._clock.boot, "cause", self._board.reset_cause(),
            "epoch %08x" % self._log.epoch, "next", self._log.next_seq, "pending", self._log.pending_count(),
        )  # fmt: skip
        self._on_event(record.BOOT, None, [self._board.reset_cause()])
        await together(
            self._forever("sampler", self._sample), self._forever("uplink", self._task.run), self._supervise()
        )

    async def _sample(self) -> None:
        if self._buses is None:
            self._open_buses()
        self._sampler = sampler.Sampler(
            self._board, self._clock, self._buses, self._config, self._identities, self._on_window, self._on_event
        )
        await self._sampler.run()

    def _open_buses(self) -> None:
        self._buses = sampler.open_buses(self._board, self._config.buses, _profiles_dir())

    # --- what is told

    def _on_window(self, window: record.Window) -> None:
        self._keep(window)

    def _on_event(self, code: int, point: "int | None", values: "list[int]") -> None:
        self._keep(self._event(code, point, values))

    def _on_step(self, step_s: int) -> None:
        self._say("clock set, step", step_s, "s, error", self._clock.error_s(), "s")
        self._on_event(record.CLOCK_SET, None, [step_s])

    def _event(self, code: int, point: "int | None", values) -> record.Event:  # type: ignore[no-untyped-def]
        now = self._clock
        uptime_ms = now.uptime_ms()
        unix_ms = now.unix_ms(uptime_ms)
        return record.Event(
            None if unix_ms is None else unix_ms // 1000,
            now.boot, uptime_ms // 1000, now.source, now.error_s(), code, point, list(values),
        )  # fmt: skip

    def _log_event(self, seq: int, code: int, values) -> bytes:  # type: ignore[no-untyped-def]
        """The log's own records: damage, and what was dropped because it was full."""
        self._say("log: event", code, *values)
        return record.encode_event(seq, self._event(code, None, values))

    def _keep(self, body: "record.Event | record.Window") -> None:
        """Into the log; if the flash refuses, into a short queue, so that the task that brought it goes on."""
        self._unwritten.append(body)
        if len(self._unwritten) > _UNWRITTEN_MAX:
            self._say("log: a record is lost, the flash takes none")
            self._unwritten.pop(0)
        self._write()

    def _write(self) -> None:
        try:
            while self._unwritten:
                self._log.append(_encoder(self._unwritten[0]))  # type: ignore[no-untyped-call]
                self._unwritten.pop(0)
        except OSError as error:
            self._say("log: not written:", error)
        self._task.wake()

    # --- who is started again

    async def _forever(self, name: str, task) -> None:  # type: ignore[no-untyped-def]
        """Run a task again when it fails, after 1, 2, 4 ... 60 s."""
        wait_ms = 1000
        while True:
            began_ms = self._board.real_ms()
            try:
                await task()
            except MemoryError:
                # a heap too fragmented to go on is whole again after a reset; the log has everything
                self._say(name, "out of memory")
                self._board.reset(CAUSE_MEMORY)
            except Exception as error:  # noqa: BLE001  whatever it is, the other tasks go on and this one begins anew
                self._say(name, "failed:", type(error).__name__, error)
                if not isinstance(error, OSError):  # a device that is not there is no fault of the program
                    _trace(error)
            if self._board.real_ms() - began_ms > _RETRY_MS_MAX:
                wait_ms = 1000
            await self._board.pause_ms(wait_ms)
            wait_ms = min(2 * wait_ms, _RETRY_MS_MAX)

    async def _supervise(self) -> None:
        feed = self._board.watchdog(_WATCHDOG_MS)
        said_ms = self._board.uptime_ms()
        while True:
            feed()
            if self._unwritten:
                self._write()
            if self._board.uptime_ms() - said_ms >= _STATUS_MS:
                said_ms = self._board.uptime_ms()
                self._status()
            await self._board.pause_ms(_FEED_MS)

    def _status(self) -> None:
        gc.collect()
        up = self._uplink
        self._say(
            "status: pending", self._log.pending_count(), "in flight", up.flights, "sent", up.frames_sent,
            "again", up.frames_repeated, "freed", up.records_freed, "refused", up.records_refused,
            "renumbered", up.records_renumbered,
            "too large", up.records_too_large, "damaged", self._log.damaged_records,
            "dropped", self._log.dropped_records, "acks ignored", self._task.acks_ignored,
            "connections", self._task.connections, "heap", heap_bytes(),
            "jitter", self._sampler.jitter.figures() if self._sampler else "-",
        )  # fmt: skip


def _newest_s(store: log.Log) -> int:
    """The time of the newest record that was written when the gateway had told it; 0: none is found at once."""
    newest = store.next_seq - 1
    for seq in range(newest, max(newest - _LOOK_BACK, 0), -1):
        found = _decoded(store.peek(seq))
        if found is None or found.body.clock_source != record.CLOCK_GATEWAY:
            continue
        time_s: "int | None" = found.body.time_s if found.type == record.EVENT else found.body.start_s
        if time_s is not None:
            return time_s
    return 0


def _decoded(data: "bytes | None") -> "record.Record | None":
    try:
        return record.decode_record(data) if data else None
    except FrameError:  # written by another version
        return None


def heap_bytes() -> int:
    """What is in use of MicroPython's heap; 0 elsewhere."""
    used = getattr(gc, "mem_alloc", None)
    return used() if used else 0


def _profiles_dir() -> str:
    """The folder of the meters' profiles: beside this package."""
    return __file__.rsplit("/", 1)[0] + "/../profiles" if "/" in __file__ else "profiles"


def _encoder(body):  # type: ignore[no-untyped-def]
    encode = record.encode_event if isinstance(body, record.Event) else record.encode_window
    return lambda seq: encode(seq, body)


def _trace(error: Exception) -> None:
    show = getattr(sys, "print_exception", None)  # MicroPython's
    if show:
        show(error)
