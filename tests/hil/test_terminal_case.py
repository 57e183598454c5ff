"""The benchmark `terminal`: its figures, its bytes, a life of the real terminal. How fast anything is, no test says."""

import json

import pytest

from hil import flash_life
from hil.benchmarks.cases import terminal
from hil.benchmarks.result import Options
from hil.benchmarks.terminal import life, wire
from hil.benchmarks.terminal.life import Lived, Way
from hil.benchmarks.terminal.wire import Published, Wire
from hil.flash_life import Life

COUNT = 5


def test_the_figures_that_were_promised_are_there_and_larger_ratios_are_better_for_us(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P-185"""
    lives = {
        way: Lived(48, 240, 48 * 600, 60.0, [1.0] * 9 + [8.0, 9.0])
        for way in (*terminal.LINKS, terminal.QUIET, terminal.BUSY)
    }
    kept = Life(480, 480 * 9 * 46, 480, 480 * 9 * 300, 960, [1], [1], [100] * 480, [1] * 480, [2] * 480)
    monkeypatch.setattr(terminal, "live", lambda way, _seconds: lives[way])
    monkeypatch.setattr(terminal, "live_at_once", lambda ways, _seconds: [lives[way] for way in ways])
    monkeypatch.setattr(flash_life, "live", lambda *_: kept)
    monkeypatch.setattr(wire, "umqtt", lambda *_: Published(Wire(240_000, 0, 16_000), [1000.0, 1200.0], 0.5))
    result = terminal.measure(Options(rounds=2, seed=1))
    found = {one.name.removeprefix("terminal."): one.value for one in result.figures}
    assert (found["flash_bytes_per_point_window"], found["flash_programmed_bytes_per_point_window"]) == (46, 300)
    assert found["append_ms"] == pytest.approx(45.9)
    assert found["flash_ratio_iotawatt"] == pytest.approx(72.3)
    assert found["wire_ratio_umqtt"] == pytest.approx(256_000 / (57_600 + 38_400), abs=0.01)
    assert found["wire_bytes_per_day"] > found["wire_tcp_bytes_per_day"]
    assert (found["jitter_ms"], found["jitter_max_ms"]) == (8, 9)
    assert (found["umqtt_blocked_ms"], found["jitter_ratio_umqtt"]) == (1100, 137.5)
    assert found["cpu_ms_per_window"] == 1250
    assert [row[0] for row in result.tables[0].rows][2:] == [terminal.UMQTT, terminal.TASMOTA]


def test_tasmotas_day_is_what_mqtt_makes_of_its_messages() -> None:
    """P-186"""
    text = json.dumps(wire.TASMOTA, separators=(",", ":"))
    packet = 1 + 2 + 2 + len(wire.TASMOTA_TOPIC) + len(text)
    assert 127 < packet < 16384, "its length takes two bytes"
    found = wire.tasmota()
    assert found.mqtt == 9 * 288 * packet
    assert found.headers == 9 * 288 * 80
    assert found.total == found.mqtt + found.pings + found.headers


@pytest.mark.e2e
def test_umqtts_bytes_are_those_that_went_over_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-186"""
    message = b"x" * 2400
    monkeypatch.setattr(wire, "_messages", lambda _seed, count: [message] * count)
    found = wire.umqtt(1, "lan", COUNT)
    connect, each = 19 + 4, 1 + 2 + 2 + len("plant/readings") + 2 + len(message) + 4
    assert found.wire.mqtt == round((connect + COUNT * each) * 96 / COUNT)
    assert len(found.blocked_ms) == COUNT
    assert found.blocked_ms[0] > 0


@pytest.mark.e2e
@pytest.mark.slow
def test_a_life_of_the_real_terminal_is_counted_at_its_link_and_its_meters() -> None:
    """P-186"""
    found = life.live(Way(1800, 300, secure=False), 2 * 900)
    assert found.windows >= 2
    assert found.link_bytes > found.windows * 9 * 40
    assert found.packets >= 4 * found.windows
    assert found.cpu_s > 0
    assert len(found.uneven_ms) >= 2 * 900 // 300 - 1, "a period between each two reads"
