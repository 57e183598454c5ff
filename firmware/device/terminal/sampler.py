# Reads all meters at the window's grid of instants, and hands on what ended: windows, and meters that fall silent or
# come back. It waits for nothing but its buses: whatever the uplink does, every slot is tried.
from protocol import record
from terminal import bus, profile, tasks, window

_REPEAT_STEP_MS = 20  # how often the slot's end is looked at while a repeat waits for the bus to be safe
_ENERGY_STEP_WH = 1000  # a float32 register of kWh counts in whole kWh at 16,777,216 kWh, and finer below


def open_buses(board, buses, directory: str) -> "list[bus.Bus]":  # type: ignore[no-untyped-def]
    # The buses of terminal.config, with their meters' profiles from `directory`. All profiles are checked before a port
    # is opened. Raises profile.ProfileError, OSError.
    made = [(config, [_meter(meter, directory) for meter in config.meters]) for config in buses]
    return [
        bus.Bus(board, board.uart(config.uart, config.baud, config.parity, config.stop), config.baud, meters)
        for config, meters in made
    ]


def _meter(config, directory: str) -> bus.Meter:  # type: ignore[no-untyped-def]
    found = profile.load(config.profile, directory)
    try:
        profile.check_ratios(found, config.ct_ratio, config.pt_ratio)
    except ValueError as error:
        raise profile.ProfileError("terminal.json", "meter %d" % config.address, str(error)) from None
    return bus.Meter(config.address, config.point, found, (config.ct_ratio, config.pt_ratio), config.timeout_ms)


class Sampler:
    """`run` until cancelled; on_window(record.Window) and on_event(code, point, values) are called as things happen.

    board: boards/README.md; clock: terminal.clock; points: terminal.config's, each with one meter on the buses."""

    def __init__(self, board, clock, buses, points, interval_s: int, on_window, on_event) -> None:  # type: ignore[no-untyped-def]
        self.slots = 0  # sampling instants kept
        self.slots_left_out = 0  # instants that came while the one before was still being read
        self.late_max_ms = 0  # jitter: how long after its instant a round began
        self._interval_ms = 1000 * interval_s
        self._board = board
        self._clock = clock
        self._buses = buses
        self._on_window = on_window
        self._on_event = on_event
        self._good_ms: "dict[int, int]" = {}  # point: uptime of its last sample
        meters = [meter for one in buses for meter in one.meters]
        specs = [_spec(meter, points) for meter in meters]
        self._windows = window.Aggregator(specs, interval_s, clock.boot, self._now())

    async def run(self) -> None:
        await tasks.together(*[self._read_bus(one) for one in self._buses])

    async def _read_bus(self, one: bus.Bus) -> None:
        while True:
            slot_ms = self._windows.next_slot_ms(self._tick())
            while self._clock.uptime_ms() < slot_ms:
                await self._board.sleep_ms(slot_ms - self._clock.uptime_ms())
            begun_ms = self._tick()
            self.slots += 1
            self.late_max_ms = max(self.late_max_ms, begun_ms - slot_ms)
            until_ms = self._windows.next_slot_ms(begun_ms)
            await self._round(one, until_ms)
            over_ms = self._clock.uptime_ms() - until_ms
            if over_ms >= 0:
                self.slots_left_out += 1 + over_ms // self._interval_ms

    async def _round(self, one: bus.Bus, until_ms: int) -> None:
        # Every meter once; then those that failed once more, if there is time before the next instant.
        again = []
        for meter in one.meters:
            if one.wait_ms(meter):
                self._windows.miss(meter.point, meter.reason)  # its late answer may still be under way
                continue
            result = await one.poll(meter)
            if isinstance(result, int) and result != record.NONE_EXCEPTION and not meter.silent:
                again.append(meter)
            else:
                self._take(meter, result)
        for meter in again:
            self._take(meter, await self._repeat(one, meter, until_ms))

    async def _repeat(self, one: bus.Bus, meter: bus.Meter, until_ms: int) -> "dict[str, int | None] | int":
        while one.wait_ms(meter):
            if self._clock.uptime_ms() >= until_ms:
                return meter.reason
            await self._board.pause_ms(min(one.wait_ms(meter), _REPEAT_STEP_MS))
        return await one.poll(meter)

    def _take(self, meter: bus.Meter, result: "dict[str, int | None] | int") -> None:
        uptime_ms = self._tick()
        if isinstance(result, int):
            self._windows.miss(meter.point, result)
            meter.failures += 1
            if meter.failures == bus.SILENT_AFTER:
                self._on_event(record.METER_SILENT, meter.point, [result])
            return
        self._windows.sample(meter.point, uptime_ms, result)
        if meter.silent:
            silent_s = (uptime_ms - self._good_ms.get(meter.point, 0)) // 1000
            self._on_event(record.METER_BACK, meter.point, [silent_s])
        self._good_ms[meter.point] = uptime_ms
        meter.failures = 0

    def _tick(self) -> int:
        # Close what has ended; gives the uptime.
        now = self._now()
        for ended in self._windows.tick(now):
            self._on_window(ended)
        return now.uptime_ms

    def _now(self) -> window.Instant:
        clock = self._clock
        uptime_ms = clock.uptime_ms()
        return window.Instant(uptime_ms, clock.unix_ms(uptime_ms), clock.source, clock.error_s())


async def run(board, clock, buses, points, interval_s: int, on_window, on_event) -> None:  # type: ignore[no-untyped-def]
    # A Sampler, run until cancelled.
    await Sampler(board, clock, buses, points, interval_s, on_window, on_event).run()


def _spec(meter: bus.Meter, points) -> window.Point:  # type: ignore[no-untyped-def]
    thresholds_w = {point.number: point.run_threshold_w for point in points}
    applied = {quantity.name: quantity.ratios_applied for quantity in meter.profile.quantities}
    ratio = meter.ratios[0] * meter.ratios[1]
    power_max_w = meter.profile.power_max_w * (1 if applied["p_w"] else ratio)
    energy_step_wh = _ENERGY_STEP_WH * (1 if applied["e_import_wh"] else ratio)
    return window.Point(meter.point, thresholds_w[meter.point], power_max_w, energy_step_wh)
