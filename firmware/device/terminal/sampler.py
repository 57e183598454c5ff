# Reads all meters at the window's grid of instants, and hands on what ended: windows, and what happened to meters. It
# waits for nothing but its buses: whatever the uplink does, every slot is tried.
from protocol import checked, record
from terminal import bus, dlt645, jitter, meter_watch, profile, quantity, tasks, window
from terminal.sparing import Sparing

_REPEAT_STEP_MS = 20  # how often the slot's end is looked at while a repeat waits for the bus to be safe
_ENERGY_STEP_WH = 1000  # a float32 register of kWh counts in whole kWh at 16,777,216 kWh, and finer below


def check_buses(buses, directory: str, file: str = "terminal.json") -> "list[list[bus.Meter]]":  # type: ignore[no-untyped-def]
    # The meters of each of terminal.config's buses, with their profiles from `directory`, each loaded once. Raises
    # checked.ConfigError for a wrong profile, and for a meter that does not fit its profile.
    models: "dict[str, profile.Profile]" = {}
    return [
        [
            _meter(meter, models, directory, file, "buses[%d].meters[%d]." % (bus_at, at))
            for at, meter in enumerate(one.meters)
        ]
        for bus_at, one in enumerate(buses)
    ]


def open_buses(board, buses, directory: str) -> "list[bus.Bus]":  # type: ignore[no-untyped-def]
    # All is checked before a port is opened. Raises checked.ConfigError, OSError.
    meters = check_buses(buses, directory)
    opened = []
    for config, own in zip(buses, meters):
        line = bus.Line(config.baud, config.parity, config.stop)
        opened.append(bus.Bus(board, board.uart(config.uart, *line), line, own))
    profile.forget_checks()
    return opened


def _meter(config, models, directory: str, file: str, where: str) -> bus.Meter:  # type: ignore[no-untyped-def]
    if config.profile not in models:
        models[config.profile] = profile.load(config.profile, directory)
    model = models[config.profile]
    if (model.protocol is dlt645) != isinstance(config.address, str):
        allowed = "12 digits in quotes" if model.protocol is dlt645 else "an integer, 1 to 247"
        allowed = "%s: that is how %s has it" % (allowed, model.name)
        raise checked.ConfigError(file, where + "address", config.address, allowed)
    if config.circuit > model.circuits:
        raise checked.ConfigError(file, where + "circuit", config.circuit, "1 to %d" % model.circuits)
    ratios = (config.ct_ratio, config.pt_ratio)
    profile.check_ratios(model, *ratios, file, where)
    line = bus.Line(config.baud, config.parity, config.stop)
    return bus.Meter(config.address, config.point, model, ratios, config.timeout_ms, line, config.circuit)


class Sampler:
    """`run` until cancelled; on_window(record.Window) and on_event(code, point, values) are called as things happen.

    board: boards/README.md; clock: terminal.clock; config: terminal.config's, each point with one meter on the buses;
    identities: the path of a file in which the meters' numbers are kept."""

    def __init__(self, board, clock, buses, config, identities: str, on_window, on_event) -> None:  # type: ignore[no-untyped-def]
        self.slots = 0  # sampling instants kept
        self.slots_left_out = 0  # instants that came while the one before was still being read
        self.jitter = jitter.Jitter()  # how long after their instants the rounds began
        self.latest: "dict[int, tuple[int, dict[str, int | None]]]" = {}  # point: its last sample's uptime and values
        self._interval_ms = 1000 * config.sample_interval_s
        self._board = board
        self._clock = clock
        self._buses = buses
        self._on_window = on_window
        self._on_event = on_event
        meters = [meter for one in buses for meter in one.meters]
        specs = [_spec(meter, config.points) for meter in meters]
        self._windows = window.Aggregator(specs, config.sample_interval_s, clock.boot, self._now())
        self._watch = meter_watch.Watch(identities, on_event)
        self._sparing = Sparing()

    async def run(self) -> None:
        await tasks.together(*[self._read_bus(one) for one in self._buses])

    async def _read_bus(self, one: bus.Bus) -> None:
        while True:
            slot_ms = self._windows.next_slot_ms(self._tick())
            while self._clock.uptime_ms() < slot_ms:
                await self._board.sleep_ms(slot_ms - self._clock.uptime_ms())
            begun_ms = self._tick()
            one.begun_ms = self._board.real_ms()
            self.slots += 1
            self.jitter.add(begun_ms - slot_ms)
            until_ms = self._windows.next_slot_ms(begun_ms)
            await self._round(one, until_ms)
            await self._watch_meters(one, until_ms)
            over_ms = self._clock.uptime_ms() - until_ms
            if over_ms >= 0:
                self.slots_left_out += 1 + over_ms // self._interval_ms

    async def _round(self, one: bus.Bus, until_ms: int) -> None:
        # Every meter once; then those that failed once more, if there is time before the next instant. The circuits of
        # one meter fail together.
        failed: "dict[object, int]" = {}  # address: why
        again = []
        for meter in one.meters:
            if meter.address not in failed:
                if one.wait_ms(meter):
                    self._windows.miss(meter.point, one.reason(meter))  # its late answer may still be under way
                    continue
                result = await one.poll(meter)
                if not isinstance(result, int) or result == record.NONE_EXCEPTION:
                    self._take(meter, result)
                    continue
                failed[meter.address] = result
            again.append(meter)
        dead = []
        for meter in again:
            result = failed[meter.address]
            if not meter.silent and meter.address not in dead:
                result = await self._repeat(one, meter, until_ms)
            if isinstance(result, int):
                dead.append(meter.address)
            self._take(meter, result)

    async def _repeat(self, one: bus.Bus, meter: bus.Meter, until_ms: int) -> "dict[str, int | None] | int":
        while one.wait_ms(meter):
            if self._clock.uptime_ms() >= until_ms:
                return one.reason(meter)
            await self._board.pause_ms(min(one.wait_ms(meter), _REPEAT_STEP_MS))
        return await one.poll(meter)

    async def _watch_meters(self, one: bus.Bus, until_ms: int) -> None:
        # What else is to be read of the meters: as long as there is time, and once a round at any rate.
        for meter in one.meters:
            while not meter.failures and not one.wait_ms(meter):
                what = self._watch.due(meter, self._clock.uptime_ms())
                if what is None:
                    break
                self._watch.take(meter, what, await one.read(meter, what), self._clock.uptime_ms())
                if self._clock.uptime_ms() >= until_ms:
                    return

    def _take(self, meter: bus.Meter, result: "dict[str, int | None] | int") -> None:
        uptime_ms = self._tick()
        if isinstance(result, int):
            self._windows.miss(meter.point, result)
            meter.failures += 1
            if meter.silent and not meter.is_told and self._sparing.may(meter.point, uptime_ms):
                meter.is_told = True
                self._on_event(record.METER_SILENT, meter.point, [result])
            return
        for rolled in self._windows.sample(meter.point, uptime_ms, result):
            self._on_event(record.ENERGY_ROLLED_OVER, meter.point, rolled)
        if meter.is_told:
            meter.is_told = False
            last_ms = self.latest[meter.point][0] if meter.point in self.latest else 0
            self._on_event(record.METER_BACK, meter.point, [(uptime_ms - last_ms) // 1000])
        self.latest[meter.point] = (uptime_ms, result)
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


def _spec(meter: bus.Meter, points) -> window.Point:  # type: ignore[no-untyped-def]
    thresholds_w = {point.number: point.run_threshold_w for point in points}
    power, energy = meter.profile.measured("p_w"), meter.profile.measured("e_import_wh")
    rolls_at_wh = [_rolls_at_wh(meter.profile.measured(name), *meter.ratios) for name in quantity.ENERGIES]
    return window.Point(
        meter.point,
        thresholds_w[meter.point],
        meter.profile.power_max_w * _ratio(power, *meter.ratios),
        _ENERGY_STEP_WH * _ratio(energy, *meter.ratios),
        rolls_at_wh,
    )


def _ratio(one, ct_ratio: int, pt_ratio: int) -> int:  # type: ignore[no-untyped-def]
    return (ct_ratio if one.by_ct else 1) * (pt_ratio if one.by_pt else 1)


def _rolls_at_wh(one, ct_ratio: int, pt_ratio: int) -> int:  # type: ignore[no-untyped-def]
    if one is None:
        return 0
    return quantity.divide_half_away(one.rolls_at * quantity.factor_of(one, ct_ratio, pt_ratio), one.denominator)
