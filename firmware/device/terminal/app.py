# The terminal put together: what exists, and who is told what.
import gc

from loader import console

from protocol import record
from protocol.errors import FrameError
from terminal import (
    answers,
    bus,
    certificates,
    clock,
    counters,
    health,
    image,
    inputs,
    keys,
    led,
    live_map,
    log,
    mailbox_uplink,
    modbus_task,
    recorder,
    remote_config,
    rtc_memory,
    sampler,
    sntp_task,
    supervisor,
    update,
    uplink,
    uplink_task,
)
from terminal.say import Console

_STATUS_MS = 3600000
_ROUND_MS_MAX = 120000  # 32 meters on a bus that all answer late, twice
_LOOK_BACK = 16  # records; a restart writes one or two before the gateway tells the time again


class App:
    """One terminal on one board; `slots` is loader.slots.Slots, None where no application can be replaced. `run` never
    returns."""

    def __init__(self, board, slots=None) -> None:  # type: ignore[no-untyped-def]
        self._board = board
        folder = board.data_dir
        self._say = Console(board.uptime_ms).say
        images = self._make_images(folder + "/image")
        self._remote = remote_config.RemoteConfig(folder + "/config", folder + "/terminal.json", _check_meters)
        self._config = self._remote.load()  # a wrong configuration or profile ends the start here
        server_name = self._config.mqtt.server_name if self._config.mqtt else None
        self._certificates = certificates.Certificates(board, uses_tls=server_name is not None)
        secure = None
        if server_name is not None:  # wrong certificates end the start here
            secure = self._certificates.context(), server_name  # type: ignore[no-untyped-call]
        self._keys = keys.Keys(board, self._config.terminal, self._say)
        self._identities = folder + "/meters"
        self._buses: "list[bus.Bus] | None" = None
        self._sampler: "sampler.Sampler | None" = None
        count = counters.Counters(board.counters_flash())
        memory = rtc_memory.RtcMemory(folder + "/rtc_set")
        self._clock = clock.Clock(board, clock.next_boot(folder + "/boot", count), memory)
        self._clock.not_before(image.BUILT_S)
        self._recorder = recorder.Recorder(self._clock, self._say)
        self._log = log.Log(
            folder + "/log", self._recorder.encode_own, board.random_bytes, log.segments_for(board.flash_bytes()), count
        )
        self._clock.not_before(_newest_s(self._log))
        settings = self._config.uplink if self._config.mqtt else mailbox_uplink.patient(self._config.uplink)
        self._uplink = uplink.Uplink(self._log, settings, board.random_bytes)
        self._update = update.Update(board, slots, self._clock, self._say, images)
        self._tickets = (
            self._make_tickets(slots.prefix) if slots is not None and console.is_closed(slots.prefix) else None
        )
        identity, orders = (self._config.terminal, self._keys), (self._remote, self._certificates, self._update)
        self._answers = answers.Answers(
            identity, self._clock, self._log, self._uplink, self._recorder, orders, self._say
        )
        self._task: "uplink_task.UplinkTask | None" = None
        self._server: "modbus_task.ModbusTask | None" = None
        if self._config.mqtt is not None:
            access = (self._config, self._keys, secure)
            self._task = uplink_task.UplinkTask(
                board, access, self._clock, self._log, self._uplink, self._answers, self._say
            )
        if self._config.modbus is not None:
            self._server = self._make_server(identity)
        self._recorder.attach(self._log.append, self._wake)
        self._supervisor = supervisor.Supervisor(board, self._say, self._tick)
        self._status_ms = 0
        self._health = health.Health(self._figures)
        self._modem = self._make_modem() if board.has_modem else None

    def _make_server(self, identity) -> modbus_task.ModbusTask:  # type: ignore[no-untyped-def]
        """What any SCADA may read; and the mailbox, where there is no broker."""
        live = live_map.LiveMap([point.number for point in self._config.points], self._live_head, self._latest)
        box = None
        if self._config.mqtt is None:
            box = mailbox_uplink.MailboxUplink(
                self._board, identity, self._clock, self._log, self._uplink, self._answers
            )
        return modbus_task.ModbusTask(self._board, self._config.modbus, live, box, self._say)

    def _make_images(self, path: str) -> object:
        partitions = self._board.image_partitions()
        if partitions is None:
            return None
        from terminal import images  # 2 KB of heap that a board with one partition need not have

        found = images.Images(partitions, path, power_failed=self._board.reset_cause() == supervisor.CAUSE_POWER_ON)
        if found.tries_again:
            self._say("the power failed in an image's trial: it is tried again")
            self._board.reset(self._board.reset_cause())  # the start that comes of it has that cause
        return found

    def _make_modem(self) -> object:
        from terminal import modem_time  # 2 KB of heap that a board without a modem need not have

        return modem_time.ModemTime(self._board, self._clock, self._recorder.event, self._say)

    def _make_tickets(self, prefix: str) -> object:
        from terminal import ticket_task  # 23 KB of heap, with what it needs, that an open console need not have

        name, event = self._config.terminal, self._recorder.event
        return ticket_task.TicketTask(self._board, name, prefix, self._clock, event, self._say)

    def _live_head(self):  # type: ignore[no-untyped-def]
        now = self._clock
        uptime_ms = now.uptime_ms()
        unix_ms = now.unix_ms(uptime_ms)
        unix_s = None if unix_ms is None else unix_ms // 1000
        return now.boot, uptime_ms, unix_s, now.source, now.error_s(), self._log.pending_count()

    def _latest(self):  # type: ignore[no-untyped-def]
        return self._sampler.latest if self._sampler else {}

    def _wake(self) -> None:
        for one in (self._task, self._server):
            if one is not None:
                one.wake()

    async def run(self) -> None:
        board = self._board
        self._say(
            "wattline", self._config.terminal, "boot", self._clock.boot, "cause", board.reset_cause(),
            "epoch %08x" % self._log.epoch, "next", self._log.next_seq, "pending", self._log.pending_count(),
            "configuration", self._remote.version,
        )  # fmt: skip
        started = [board.reset_cause(), image.number(), board.reset_detail()] + self._update.release()
        self._recorder.event(record.BOOT, None, started)
        self._keys.tell(self._recorder.event)
        self._remote.tell(self._recorder.event)
        self._certificates.tell(self._recorder.event)
        self._update.tell(self._recorder.event)
        sampler_ms = 1000 * (2 * self._config.sample_interval_s) + _ROUND_MS_MAX
        self._supervisor.add("sampler", self._sample, sampler_ms, self._sampler_alive_ms)
        task, server = self._task, self._server
        if task is not None:
            self._supervisor.add("uplink", task.run, uplink_task.ALLOWANCE_MS, lambda: task.alive_ms)
        if server is not None:
            self._supervisor.add("modbus", server.run, modbus_task.ALLOWANCE_MS, lambda: server.alive_ms)
        if self._config.sntp is not None:
            asker = sntp_task.SntpTask(board, self._config.sntp, self._clock, self._recorder.event, self._say)
            self._supervisor.add("sntp", asker.run, sntp_task.ALLOWANCE_MS, lambda: asker.alive_ms)
        if board.feels:
            feelers = inputs.Inputs(board, self._recorder.event)
            self._supervisor.add("inputs", feelers.run, inputs.ALLOWANCE_MS, lambda: feelers.alive_ms)
        if board.has_led:
            lamp = led.Led(board, self._state)
            self._supervisor.add("led", lamp.run, led.ALLOWANCE_MS, lambda: lamp.alive_ms)
        self._supervisor.add("update", self._update.run, update.ALLOWANCE_MS, lambda: self._update.alive_ms)
        tickets = self._tickets
        if tickets is not None:
            self._supervisor.add("tickets", tickets.run, update.ALLOWANCE_MS, lambda: tickets.alive_ms)  # type: ignore[attr-defined]
        await self._supervisor.run()

    def _state(self) -> int:
        """What the LED says."""
        silent = any(meter.silent for one in self._buses or [] for meter in one.meters)
        return led.state(self._clock.source, self._answers.heard_ms, self._clock.uptime_ms(), silent=silent)

    def _reads(self) -> bool:
        """Whether a meter answers, as far as the last polls tell."""
        latest = self._latest()  # type: ignore[no-untyped-call]
        return any(meter.point in latest and not meter.silent for one in self._buses or [] for meter in one.meters)

    async def _sample(self) -> None:
        if self._buses is None:
            self._open_buses()
        self._sampler = sampler.Sampler(
            self._board, self._clock, self._buses, self._config, self._identities, self._on_window, self._recorder.event
        )
        await self._sampler.run()

    def _on_window(self, window: record.Window) -> None:
        if self._task is not None:
            self._task.hold_window()
        self._recorder.window(window)

    def _open_buses(self) -> None:
        self._buses = sampler.open_buses(self._board, self._config.buses, _profiles_dir())

    def _sampler_alive_ms(self) -> int:
        """When the bus that was read longest ago was begun with; now, while there is none."""
        begun = [one.begun_ms for one in self._buses or []]
        return min(begun) if begun else self._board.real_ms()

    def _tick(self) -> None:
        if self._recorder.waiting:
            self._recorder.write()
        uptime_ms = self._clock.uptime_ms()
        self._keys.due()
        self._remote.due(uptime_ms)
        self._certificates.due(uptime_ms)
        if self._modem is not None:
            self._modem.due()  # type: ignore[attr-defined]
        self._update.due(uptime_ms, is_up=self._task.is_up if self._task else True, reads=self._reads())
        if self._remote.restart:
            self._start_anew("another configuration", supervisor.CAUSE_CONFIG)
        if self._certificates.restart:
            self._start_anew("other certificates", supervisor.CAUSE_CERTIFICATES)
        if self._update.restart:
            self._start_anew("another application", supervisor.CAUSE_UPDATE)
        if self._tickets is not None and self._tickets.restart:  # type: ignore[attr-defined]
            self._start_anew("the console is opened", supervisor.CAUSE_CONSOLE)
        values = self._health.due(uptime_ms)
        if values is not None:
            self._recorder.event(record.HEALTH, None, values)
        if uptime_ms - self._status_ms >= _STATUS_MS:
            self._status_ms = uptime_ms
            self._status()

    def _start_anew(self, why: str, cause: int) -> None:
        self._say("starting anew:", why)
        self._log.close()
        self._board.reset(cause)

    def _figures(self) -> "list[int]":
        """What the event `health` tells behind the heap."""
        own = self._sampler
        late_ms, left_out = (own.jitter.max_ms, own.slots_left_out) if own else (0, 0)
        lost = self._log.damaged_records + self._log.dropped_records + self._recorder.lost
        return [self._log.pending_count(), late_ms, left_out, self._connections(), self._supervisor.failures, lost]

    def _connections(self) -> int:
        return self._task.connections if self._task else 0

    def _status(self) -> None:
        gc.collect()
        up = self._uplink
        self._say(
            "status: pending", self._log.pending_count(), "in flight", up.flights, "sent", up.frames_sent,
            "again", up.frames_repeated, "freed", up.records_freed, "refused", up.records_refused,
            "renumbered", up.records_renumbered,
            "too large", up.records_too_large, "damaged", self._log.damaged_records,
            "dropped", self._log.dropped_records, "acks ignored", self._answers.ignored,
            "connections", self._connections(), "heap", health.heap_bytes(),
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


def _profiles_dir() -> str:
    """The folder of the meters' profiles: beside this package."""
    return __file__.rsplit("/", 1)[0] + "/../profiles" if "/" in __file__ else "profiles"


def _check_meters(buses, file: str) -> None:  # type: ignore[no-untyped-def]
    """Raises ConfigError for meters whose profile is not here, or does not fit."""
    sampler.check_buses(buses, _profiles_dir(), file)
