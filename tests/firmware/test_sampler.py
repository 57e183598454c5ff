"""The sampler in virtual time: firmware's sampler, windows, bus and profiles against emulated meters."""

import asyncio
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from terminal import sampler, sparing

from firmware import DEVICE
from hil.load import Constant
from hil.meter import Meter, read_profile
from hil.meter_feeder import Feeder, WiringFault
from hil.meter_frames import take_request
from hil.meter_slave import frame_of, serve
from protocol import checked, meter_state, record
from tests.firmware.virtual_bus import Answer, VirtualBoard, VirtualUart

START_MS = 1772380800_000
DAY_MS = 86_400_000


class Config(NamedTuple):
    """A bus of terminal.config."""

    uart: int
    baud: int
    parity: str
    stop: int
    meters: list[Any]


class MeterConfig(NamedTuple):
    """A meter of terminal.config."""

    address: int | str
    profile: str
    point: int
    ct_ratio: int = 1
    pt_ratio: int = 1
    timeout_ms: int = 20
    circuit: int = 1
    baud: int = 9600
    parity: str = "N"
    stop: int = 1


class PointConfig(NamedTuple):
    """A point of terminal.config."""

    number: int
    run_threshold_w: int


class TerminalConfig(NamedTuple):
    """As much of terminal.config's as a sampler takes."""

    sample_interval_s: int
    points: list[PointConfig]


class Ended(Exception):  # noqa: N818  it is no error
    """The virtual span is over."""


class Board(VirtualBoard):
    """One UART, and an end."""

    def __init__(self, end_ms: int, answer: Callable[[bytes], Answer]) -> None:
        super().__init__()
        self.end_ms = end_ms
        self.answer = answer

    def uart(self, *_: object) -> VirtualUart:
        return VirtualUart(self, self.answer)

    async def pause_ms(self, ms: int) -> None:
        await super().pause_ms(ms)
        if self.now_ms >= self.end_ms:
            raise Ended
        await asyncio.sleep(0)

    async def sleep_ms(self, ms: int) -> None:
        await self.pause_ms(ms)


class Clock:
    """Uptime 0 is START_MS, as the RTC says."""

    boot = 4
    source = record.CLOCK_RTC

    def __init__(self, board: Board) -> None:
        self._board = board

    def uptime_ms(self) -> int:
        return self._board.now_ms

    def unix_ms(self, uptime_ms: int) -> int:
        return START_MS + uptime_ms

    def error_s(self) -> int:
        return 2


class Site:
    """Meters on one bus, two unless told otherwise; `dead(now_ms, address)` says who does not answer."""

    def __init__(
        self,
        end_ms: int,
        dead: Callable[[int, int | str], bool] = lambda *_: False,
        meters: dict[int | str, tuple[str, Meter]] | None = None,
    ) -> None:
        self.board = Board(end_ms, self._answer)
        self.meters = meters or {1: ("sdm630", emulated("sdm630", 2000)), 2: ("dtsu666", emulated("dtsu666", 1000))}
        self.asked: list[tuple[int, int | str]] = []
        self.identities = "no/such/folder"  # nothing is kept
        self.windows: list[record.Window] = []
        self.events: list[tuple[int, int | None, list[int]]] = []
        self.learnt: list[tuple[int | None, list[int]]] = []  # apart from them: each meter's identity after a start
        self._dead = dead

    def _answer(self, raw: bytes) -> Answer:
        request = take_request(bytearray(raw))
        assert request is not None
        self.asked.append((self.board.now_ms, request.address))
        if self._dead(self.board.now_ms, request.address):
            return []
        served = serve(self.meters[request.address][1], request, START_MS + self.board.now_ms)
        return [(3, frame_of(request, served))]

    def run(self, interval_s: int) -> sampler.Sampler:
        entries = [
            MeterConfig(address, name, point) for point, (address, (name, _)) in enumerate(self.meters.items(), 1)
        ]
        return self.run_with(interval_s, entries)

    def run_with(self, interval_s: int, entries: list[MeterConfig]) -> sampler.Sampler:
        buses = sampler.open_buses(self.board, [Config(0, 9600, "N", 1, entries)], str(DEVICE / "profiles"))
        points = [PointConfig(entry.point, 500 if entry.point == 1 else 1500) for entry in entries]
        config = TerminalConfig(interval_s, points)
        clock = Clock(self.board)
        one = sampler.Sampler(self.board, clock, buses, config, self.identities, self.windows.append, self._on_event)
        with pytest.raises(Ended):
            asyncio.run(one.run())
        return one

    def _on_event(self, code: int, point: int | None, values: list[int]) -> None:
        if code == record.METER_LEARNT:
            self.learnt.append((point, values))
        else:
            self.events.append((code, point, values))


def emulated(name: str, rated_w: int) -> Meter:
    return Meter(read_profile(name), Constant(rated_w), START_MS, 5_000_000)


def test_windows_of_two_meters_hold_what_the_meters_show() -> None:
    site = Site(2 * 900_000 + 1000)
    one = site.run(5)
    assert [found.start_s for found in site.windows] == [START_MS // 1000, START_MS // 1000 + 900]
    second = site.windows[1]
    assert second.samples_due == 180
    furnace, fan = second.readings
    assert (furnace.p_mean_w, furnace.run_s, furnace.missed, furnace.flags) == (2000, 900, 0, 0)
    assert (fan.p_mean_w, fan.run_s, fan.missed, fan.flags) == (1000, 0, 0, 0)
    exact = 5_000_000 + Fraction(2000 * (1795 + 1), 3600)  # the last sample is taken some ms after 1795 s
    assert abs(furnace.e_import_wh - exact) <= 1
    assert furnace.q_mean_var is None
    assert fan.q_mean_var == 500
    assert one.slots_left_out == 0
    assert one.jitter.max_ms <= 2
    assert site.events == []


def test_a_meter_that_falls_silent_is_said_so_and_never_an_old_value() -> None:
    """R-09: in three whole windows without the meter there is a reason, then its values again."""
    gone = range(1_800_000, 4_500_000 + 450_000)
    site = Site(6 * 900_000 + 1000, lambda now_ms, address: address == 2 and now_ms in gone)
    site.run(5)
    assert [type(found.readings[0]) for found in site.windows] == [record.Reading] * 6
    assert [found.readings[1] for found in site.windows[2:5]] == [record.NONE_SILENT] * 3
    assert site.windows[1].readings[1].missed == 0
    back = site.windows[5].readings[1]
    assert back.first_s == 450
    assert back.missed == 90
    assert back.flags == record.FLAG_FEW_SAMPLES
    silent, returned = site.events
    assert silent == (record.METER_SILENT, 2, [record.NONE_SILENT])
    assert returned[:2] == (record.METER_BACK, 2)
    assert abs(returned[2][0] - 3155) <= 1


def test_a_dead_meter_does_not_starve_the_other() -> None:
    site = Site(1_801_000, lambda _, address: address == 2)
    one = site.run(1)
    assert site.windows[1].readings[0].missed == 0
    assert one.slots_left_out == 0


def test_every_slot_is_tried_through_seven_days_without_meters() -> None:
    """R-13"""
    site = Site(7 * DAY_MS, lambda *_: True)
    site.run(60)
    tried = {(now_ms // 60_000, address) for now_ms, address in site.asked}
    assert len(tried) >= 2 * (7 * 24 * 60 - 1)
    assert len(site.windows) == 7 * 96 - 1 + (site.windows[-1].end_uptime_s == 7 * 86_400)
    assert all(found.readings == [record.NONE_SILENT] * 2 for found in site.windows)
    assert len(site.events) == 2


def test_a_lost_answer_is_asked_for_again_in_its_slot() -> None:
    """One window in which the first request of every slot goes unanswered."""
    site = Site(1_801_000, lambda now_ms, address: address == 2 and now_ms % 60_000 < 50)
    site.run(60)
    assert site.windows[1].readings[1].missed == 0
    assert site.events == []


def test_wrong_configurations_are_refused_before_a_port_is_opened() -> None:
    class NoPort:
        def uart(self, *_: object) -> None:
            raise AssertionError("opened")

    for wrong in (MeterConfig(1, "nosuch", 1), MeterConfig(1, "sdm630", 1, 40)):
        with pytest.raises(checked.ConfigError) as refusal:
            sampler.open_buses(NoPort(), [Config(0, 9600, "N", 1, [wrong])], str(DEVICE / "profiles"))
        assert refusal.value.allowed


METER_645 = "202603010012"


def test_a_meter_that_comes_and_goes_is_told_some_times_an_hour() -> None:
    """P-93: a loose bus, or a hand at it, does not fill the log; its windows say each time how much was missed."""
    site = Site(4 * 900_000 + 1000, lambda now_ms, address: address == 2 and now_ms // 30_000 % 2 == 1)
    site.run(5)
    codes = [code for code, point, _ in site.events if point == 2]
    assert codes == [record.METER_SILENT, record.METER_BACK] * sparing.AN_HOUR
    assert [found.readings[1].missed > 60 for found in site.windows[1:]] == [True] * 3
    assert all(0 <= values[0] < 60 for code, _, values in site.events if code == record.METER_BACK)


def test_meters_of_two_protocols_share_a_bus_and_a_grid() -> None:
    """P-86"""
    meters: dict[int | str, tuple[str, Meter]] = {
        1: ("sdm630", emulated("sdm630", 2000)),
        METER_645: ("dlt645_3p", emulated("dlt645_3p", 3000)),
    }
    site = Site(2 * 900_000 + 1000, meters=meters)
    entries = [MeterConfig(1, "sdm630", 1), MeterConfig(METER_645, "dlt645_3p", 2, baud=2400, parity="E")]
    one = site.run_with(5, entries)
    first, second = site.windows[1].readings
    assert (first.p_mean_w, first.missed) == (2000, 0)
    assert (second.p_mean_w, second.missed, second.run_s) == (3000, 0, 900)
    assert second.e_import_wh % 10 == 0  # the register counts in 0.01 kWh
    assert one.slots_left_out == 0


def test_circuits_of_one_meter_are_points_of_their_own_and_fall_silent_together() -> None:
    model = Meter(read_profile("dtsd422"), Constant(2000), START_MS, 0, more=[Feeder(Constant(7000), START_MS, 0)])
    site = Site(3 * 900_000 + 1000, lambda now_ms, _: 1_000_000 < now_ms < 1_500_000, {5: ("dtsd422", model)})
    entries = [MeterConfig(5, "dtsd422", 1, circuit=1), MeterConfig(5, "dtsd422", 2, circuit=2)]
    site.run_with(60, entries)
    assert [reading.p_mean_w for reading in site.windows[0].readings] == [2000, 7000]
    assert [reading.missed for reading in site.windows[1].readings] == [8, 8]
    silent = [(code, point) for code, point, _ in site.events if code == record.METER_SILENT]
    assert silent == [(record.METER_SILENT, 1), (record.METER_SILENT, 2)]
    assert [point for code, point, _ in site.events if code == record.METER_BACK] == [1, 2]


def test_what_happens_to_a_meter_is_told(tmp_path: Path) -> None:
    """S-16: swapped, another transformer, a current transformer turned round; each once, within the hour."""
    swapped, rewired = emulated("dlt645_3p", 3000), emulated("dtsu666", 1000)
    rewired.ratios = (40, 1)
    swapped.feeders[0].faults.append(WiringFault("ct_reversed", "b", START_MS + 1_000_000))

    def change(now_ms: int, _: int | str) -> bool:
        swapped.serial = 7 if now_ms < 5_000_000 else 8
        rewired.ratios = (40, 1) if now_ms < 5_000_000 else (20, 1)
        return False

    site = Site(3 * 3_600_000, change, {METER_645: ("dlt645_3p", swapped), 2: ("dtsu666", rewired)})
    site.identities = str(tmp_path / "meters")
    site.run(60)
    assert (record.METER_SWAPPED, 1, [7, 8]) in site.events
    assert (record.RATIO_CHANGED, 2, [40_000, 20_000, 1000, 1000]) in site.events
    assert (record.METER_STATE, 1, [1 << meter_state.NAMES.index("reverse_b"), 0]) in site.events
    assert site.learnt == [(1, [7, 0, 0]), (2, [0, 40_000, 1000])]
    assert len(site.events) == 3
    again = Site(1_500_000, meters=site.meters)
    again.identities = site.identities
    again.run(60)
    assert [code for code, _, _ in again.events] == [record.METER_STATE]  # the state is told after each start
    assert again.learnt == []


def test_an_energy_register_that_begins_again_is_told_with_its_ratio() -> None:
    """S-16"""
    model = Meter(read_profile("dlt645_1p"), Constant(6000), START_MS, 19_999_999_000, (20, 1))
    site = Site(1_801_000, meters={METER_645: ("dlt645_1p", model)})
    site.run_with(60, [MeterConfig(METER_645, "dlt645_1p", 1, ct_ratio=20)])
    (event,) = site.events
    assert event[:2] == (record.ENERGY_ROLLED_OVER, 1)
    energy, before_wh, now_wh, rolls_at_wh = event[2]
    assert (energy, rolls_at_wh) == (0, 20_000_000_000)
    assert before_wh > 19_999_990_000
    assert now_wh < 1000
    flagged = [window.readings[0].flags & record.FLAG_ENERGY_STEP for window in site.windows]
    assert sum(map(bool, flagged)) == 1


class BusyBoard(Board):
    """Something else stops the whole VM now and then: a flash that erases, a name server that does not answer."""

    async def pause_ms(self, ms: int) -> None:
        self.now_ms += self._held_ms()
        await super().pause_ms(ms)

    def _held_ms(self) -> int:
        return self.rng.choice([0] * 40 + [5, 50, 300])

    rng = random.Random(7)


def test_the_grid_holds_while_everything_else_is_busy() -> None:
    """P-88: no instant is left out and none drifts; how late they were is told."""
    site = Site(8 * 900_000)
    site.board.__class__ = BusyBoard
    one = site.run(10)
    assert one.slots_left_out == 0
    assert all(reading.missed == 0 for window in site.windows[1:] for reading in window.readings)
    count, half_ms, most_ms, max_ms = one.jitter.figures()
    assert count >= 7 * 90
    assert 0 < half_ms <= most_ms <= max_ms < 2000
    begun = sorted({now_ms // 10_000 for now_ms, address in site.asked if address == 1})
    assert begun == list(range(begun[0], begun[-1] + 1))
