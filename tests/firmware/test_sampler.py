"""The sampler in virtual time: firmware's sampler, windows, bus and profiles against emulated meters."""

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from terminal import sampler

from firmware import DEVICE
from hil.load import Constant
from hil.meter import Meter, read_profile
from hil.meter_frames import take_request
from hil.meter_slave import frame_of, serve
from protocol import checked, record
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
