"""The live screen at its smallest and larger, by Textual's pilot, against emulated meters on a real pty."""

import asyncio
import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from terminal.bus import Line, Meter
from terminal.bus_protocol import Read
from textual.pilot import Pilot
from textual.widgets import DataTable, RichLog

from firmware.field.bus import recognise
from firmware.field.bus.adapter import Adapter
from firmware.field.bus.asking import GOT, Heard
from firmware.field.bus.points import Planned
from firmware.field.bus.reach import Question, ReachError
from firmware.field.bus.traffic import exchange
from firmware.field.screen import traffic
from firmware.field.screen.app import LiveScreen
from firmware.field.screen.diagram import diagram, lag_deg
from firmware.field.screen.words import Language
from firmware.field.wiring.facts import facts
from hil.miswired import recall
from hil.miswired.faults import FAULTS, drawn_loads, shared
from tests.firmware.field.bus.conftest import Meters

LINE = Line(9600, "N", 1)
DLT645 = "202603010012"
GONE = 77
FAULT = {1: "well", 2: "one CT turned round", 3: "two CTs exchanged", 4: "well"}
WAIT_S = 60.0  # a busy machine reads slowly


def load(fault: str, power_w: int) -> dict[str, Any]:
    case = FAULTS[fault](random.Random(4))
    loads = shared(random.Random(power_w), power_w, 0.9, uneven=0.05)
    return {"kind": "phasors", "phases": msgspec.to_builtins(loads), "wires": msgspec.to_builtins(case.wires)}


@pytest.fixture(scope="module")
def port(meters: Meters) -> str:
    modbus = [
        {"address": number, "profile": "sdm630", "load": load(FAULT[number], 20_000 + number)} for number in (1, 2, 3)
    ]
    return meters([*modbus, {"address": DLT645, "profile": "dlt645_3p", "load": load("well", 3_000)}])


@pytest.fixture
def planned() -> list[Planned]:
    models = {one.name: one for one in recognise.models()}

    def point(number: int, name: str, kind: str, address: int | str, model: str) -> Planned:
        meter = Meter(address, number, models[model], (1, 1), 300 if address == GONE else 2000, LINE)
        return Planned(number, name, kind, 0, meter, 30_000 if model == "sdm630" else 4_000)

    return [
        point(1, "喷涂线 spraying line", "production", 1, "sdm630"),
        point(2, "oven", "production", 2, "sdm630"),
        point(3, "fan", "treatment", 3, "sdm630"),
        point(4, "pump", "treatment", DLT645, "dlt645_3p"),
        point(5, "gone", "other", GONE, "sdm630"),
    ]


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Wait until something holds; what is on the screen then is what the test looks at."""
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, pilot.app.export_screenshot()
        await pilot.pause(0.05)


def shown(app: LiveScreen) -> str:
    """The screen as text, a line a row, blanks as they are."""
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


def is_alone(app: LiveScreen, pane: str) -> bool:
    return app.query_one(f"#{pane}").size.height >= 20


def play(
    port: str, planned: list[Planned], size: tuple[int, int], steps: Callable[[LiveScreen, Pilot[None]], Any]
) -> None:
    """Run the screen against the bus until the steps are done."""

    async def run() -> None:
        with Adapter(port) as bus:
            app = LiveScreen(bus, planned, every_s=0.3)
            async with app.run_test(size=size) as pilot:
                await until(pilot, lambda: all(row.said or len(row.moments) > 1 for row in app.rows.values()))
                await steps(app, pilot)

    asyncio.run(run())


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_values_wiring_diagram_traffic_and_log_are_on_the_screen(
    port: str, planned: list[Planned], size: tuple[int, int]
) -> None:
    """P-298: in 80 columns and 24 lines, and in more."""

    async def steps(app: LiveScreen, pilot: Pilot[None]) -> None:
        await pilot.press("down")
        await until(pilot, lambda: "Phases: 2 oven" in shown(app) and "CTs exchanged" in shown(app))
        text = shown(app)
        lines = text.splitlines()
        assert len(lines) == size[1]
        assert {cell_len(line) for line in lines} == {size[0]}
        assert re.search(r"9600 8N1 +answers +\d+ %", lines[0])
        at = {number: next(line for line in lines[2:] if line.startswith(f" {number} ")) for number in (1, 2, 3, 4)}
        assert re.search(r"19\.\d+ .*ok", at[1]), at[1]
        assert "CT turned A" in at[2]
        assert "CTs exchanged" in at[3]
        assert "ok" in at[4]
        assert "Phases: 2 oven" in text
        assert re.search(
            r"A *2\d\d\.\d +\d\d\.\d\d +-\d\.\d\d +-?1[4-7]\d", text
        )  # the turned one: backwards, 154 degrees
        bus = [line.text for line in app.query_one("#traffic", RichLog).lines]
        assert any(line.startswith("> 1 0000+80  01 04 00 00 00 50") for line in bus)
        assert any(line.startswith("< 160 B read input registers  01 04 A0") for line in bus)
        assert any(line.startswith("< active power 2.9") for line in bus)
        assert re.search(r"[<>] .*\w", "\n".join(lines[8:]))
        assert "5 gone: gives nothing" in text
        assert any("\u2801" <= char <= "\u28ff" for char in text)

    play(port, planned, size, steps)


def test_keys_alone_do_everything_and_the_language_changes_everywhere(port: str, planned: list[Planned]) -> None:
    """P-298"""

    async def steps(app: LiveScreen, pilot: Pilot[None]) -> None:
        await pilot.press("z")
        await until(pilot, lambda: "互感器反" in shown(app))  # a table is as wide as its cells a moment later
        text = shown(app)
        for word in ("名称", "相量图", "总线", "日志", "应答", "退出", "互感器反"):
            assert word in text, word
        assert "Name" not in text
        await pilot.press("space")
        await until(pilot, lambda: "已暂停" in shown(app) and app.idle)
        asked = app.traffic.asked
        await pilot.pause(1.0)
        assert app.traffic.asked == asked
        await pilot.press("space")
        await until(pilot, lambda: app.traffic.asked > asked)
        for pane in ("diagram", "traffic", "log"):
            await pilot.press("v")
            await until(pilot, partial(is_alone, app, pane))
            assert [name for name in ("points", "diagram", "traffic", "log") if app.query_one(f"#{name}").display] == [
                pane
            ]
        await pilot.press("v")
        await until(pilot, lambda: app.query_one("#points").display)
        await pilot.press("tab")
        assert isinstance(app.focused, RichLog)
        await pilot.press("q")

    play(port, planned, (80, 24), steps)


def test_a_point_that_falls_silent_and_comes_back_is_in_the_log(port: str, planned: list[Planned]) -> None:
    async def steps(app: LiveScreen, pilot: Pilot[None]) -> None:
        row = app.rows[1]
        there, gone = row.planned, app.rows[5].planned
        row.planned = Planned(1, there.name, there.kind, 0, gone.meter)
        await until(pilot, lambda: row.said == "silent")
        row.planned = there
        await until(pilot, lambda: not row.said and bool(row.moments))
        await pilot.pause()
        log = "\n".join(line.text for line in app.query_one("#log", RichLog).lines)
        assert "1 喷涂线 spraying line: gives nothing" in log
        assert "1 喷涂线 spraying line: reads again" in log

    play(port, planned, (100, 30), steps)


def test_without_a_bus_what_was_read_stays_and_the_log_says_why() -> None:
    class Broken:
        name = "broken"
        signal_dbm = None

        def at(self, _: int) -> "Broken":
            return self

        def ask(self, _: Sequence[Question]) -> Iterator[Heard]:
            raise ReachError("broken: pulled out / 已拔出")

        def close(self) -> None:
            pass

    async def run() -> None:
        app = LiveScreen(Broken(), [recall.planned("sdm630")])
        async with app.run_test() as pilot:
            await until(pilot, lambda: "pulled out" in shown(app))
            assert app.query_one("#points", DataTable).row_count == 1

    asyncio.run(run())


@given(
    st.sampled_from(sorted(FAULTS)),
    st.integers(0, 2**32),
    st.integers(1, 150),
    st.integers(1, 60),
    st.sampled_from(["en", "zh"]),
)
def test_the_diagram_fits_whatever_its_size_and_the_wiring(
    fault: str, seed: int, width: int, height: int, language: Language
) -> None:
    draw = random.Random(seed)
    case = FAULTS[fault](draw)
    model = "dlt645_1p" if case.single else draw.choice(["sdm630", "adl400", "dtsd422"])
    moments = [recall.shown(model, case, drawn_loads(draw, recall.RATED_W), seed, at) for at in range(3)]
    found = facts(recall.planned(model), moments)
    lines = diagram(found, width, height, language).plain.splitlines()
    assert len(lines) <= height
    assert found is not None
    for phase in found.measured:
        lag = lag_deg(found, phase)
        assert lag is None or -180 <= lag <= 180


@given(st.binary(max_size=40), st.sampled_from(["en", "zh"]))
def test_any_bytes_of_the_bus_become_two_lines(heard: bytes, language: Language) -> None:
    for protocol, address, read in (("modbus-rtu", 1, (3, 0, 2)), ("dlt645", DLT645, (0x11, 0x0201FF00, 0))):
        question = Question(LINE, protocol, address, Read(*read), 100)
        made = traffic.lines(exchange(question, Heard(GOT, b"", heard, b"")), language)
        assert len(made) == 2
        assert all("\n" not in line.plain for line in made)
