"""Journal to platform: the whole gateway, a real broker, the HJ 212 platform as a process of its own."""

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.forward.outbox import status
from gateway.hj212.times import data_time
from hil.broker import Broker
from protocol import record
from tests.gateway.forward.platform_process import MN, PlatformProcess
from tests.gateway.support import (
    NOW_S,
    Device,
    Running,
    Sender,
    StillClock,
    event,
    reading,
    wait_until,
    window,
    write_config,
)

MAPPING = f"""
restarts = false
[[station]]
terminal = "T0001"
mn = "{MN}"
st = "32"
pw = "831027"
[[station.item]]
point = 1
code = "i33200"
quantity = "p"
attributes = ["Min", "Avg", "Max"]
"""


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[PlatformProcess]:
    one = PlatformProcess(tmp_path)
    with one.process:
        yield one


def configure(folder: Path, broker: Broker, platform: PlatformProcess) -> Path:
    config = write_config(folder, broker.port, [Sender()], platform.sink())
    (folder / "platform.toml").write_text(MAPPING)
    return config


def windows(first: int, count: int) -> list[bytes]:
    return [window(seq, NOW_S - 900 * (count - index)) for index, seq in enumerate(range(first, first + count))]


def delivered(running: Running) -> float:
    return running.metric("wattline_sink_delivered_records_total", sink="province")


def uploads(platform: PlatformProcess) -> list[dict[str, Any]]:
    """What the platform was sent and kept, in order, repeats included."""
    rows = [json.loads(line) for line in platform.journal.read_text().splitlines()]
    return [row for row in rows if row["kind"] == "upload"]


def test_each_window_reaches_the_platform_once_and_events_are_skipped_and_counted(
    tmp_path: Path,
    broker: Broker,
    platform: PlatformProcess,
    start: Callable[[Path], Running],
    device: Callable[..., Device],
) -> None:
    sender = Sender()
    running = start(configure(tmp_path, broker, platform))
    device().publish("T0001", sender.frame([*windows(1, 5), event(6)]))
    found = platform.wait_for(5)
    assert found.counts.duplicates == found.counts.conflicts == found.counts.qn_reused == 0
    assert {key[0] for key in found.values} == {MN}
    wait_until(lambda: delivered(running) == 5)
    wait_until(lambda: running.metric("wattline_sink_skipped_records_total", sink="province", reason="event") == 1)
    wait_until(lambda: status(tmp_path / "data", "province")["confirmed"] == 6)  # its commit follows the count
    state = status(tmp_path / "data", "province")
    assert state["under_way"] == 0
    assert state["counts"] == {"delivered": 5, "skipped_event": 1}


def test_whatever_a_platform_sends_beside_its_answers_is_named_and_costs_nothing(
    tmp_path: Path,
    broker: Broker,
    platform: PlatformProcess,
    start: Callable[[Path], Running],
    device: Callable[..., Device],
    clock: StillClock,
) -> None:
    """P-238: garbage, a huge length, a wrong check value, another MN's command, an end in mid-packet."""
    sender, numbers = Sender(), itertools.count(1)
    running = start(configure(tmp_path, broker, platform))
    client = device()

    def state() -> dict[str, object]:
        return status(tmp_path / "data", "province")

    def later() -> bool:
        clock.now_s += 600
        return True

    def publish_until(happened: Callable[[], bool]) -> None:
        """A window after the other: the platform's mode is in force from some packet on."""
        deadline = time.monotonic() + 60
        while not happened():
            assert time.monotonic() < deadline, f"it did not happen: {state()}"
            seq = next(numbers)
            client.publish("T0001", sender.frame([window(seq, NOW_S - 900 * seq)]))
            time.sleep(0.02)

    for noise, text in (
        ("garbage", "bad-length|garbage"),
        ("huge", "too-long"),
        ("wrong_crc", "crc: 'FFFF' claimed"),
        ("other_mn", "command 1012 is for another MN"),
    ):
        platform.obey(mode="normal", noise=noise)
        publish_until(lambda: state().get("reason") == "protocol")
        assert re.search(text, str(state()["detail"]))
        platform.obey(mode="normal")
        publish_until(lambda: later() and state()["state"] == "ok")
    assert running.log.getvalue().count('"reason": "protocol"') >= 4
    platform.obey(mode="cut", keep=True)
    publish_until(lambda: state().get("reason") in {"unreachable", "silent"})
    platform.obey(mode="normal")
    last = next(numbers) - 1
    found = platform.wait_for(last)
    assert found.counts.duplicates == found.counts.conflicts == found.counts.qn_reused == 0
    wait_until(lambda: delivered(running) == last)


def test_a_packet_is_sent_again_under_its_qn_over_silence_and_restart(
    tmp_path: Path,
    broker: Broker,
    platform: PlatformProcess,
    start: Callable[[Path], Running],
    device: Callable[..., Device],
    clock: StillClock,
) -> None:
    """P-33."""
    config = configure(tmp_path, broker, platform)
    platform.obey(mode="silent", keep=True)
    running = start(config)
    device().publish("T0001", Sender().frame(windows(1, 3)))
    wait_until(lambda: len(uploads(platform)) >= 3)  # the same packet, again and again
    assert delivered(running) == 0
    running.stop()
    clock.now_s += 7200
    platform.obey(mode="normal")
    again = start(config)
    wait_until(lambda: delivered(again) == 3)
    found = platform.ledger().counts
    assert found.messages == 3
    assert found.repeats >= 3
    assert found.duplicates == found.conflicts == found.qn_reused == 0
    assert len({row["qn"] for row in uploads(platform)}) == 3


def test_when_the_platform_is_back_new_windows_go_before_the_backlog(
    tmp_path: Path,
    broker: Broker,
    platform: PlatformProcess,
    start: Callable[[Path], Running],
    device: Callable[..., Device],
    clock: StillClock,
) -> None:
    """P-34."""
    sender, terminal = Sender(), device()
    config = configure(tmp_path, broker, platform)
    platform.obey(mode="refuse")
    running = start(config)
    terminal.publish("T0001", sender.frame(windows(1, 40)))
    terminal.down(1)
    clock.now_s += 36 * 900
    terminal.publish("T0001", sender.frame([window(41, clock.now_s - 900)]))
    terminal.down(2)
    platform.obey(mode="normal")
    wait_until(lambda: delivered(running) == 41)
    order = [row["cp"][0][0][1] for row in uploads(platform)]
    assert order.index(data_time(clock.now_s - 900)) <= 16  # behind what was under way when it came, and no more
    assert platform.ledger().counts.messages == 41


def test_what_is_marked_leaves_as_marked_and_what_was_not_read_says_so(
    tmp_path: Path,
    broker: Broker,
    platform: PlatformProcess,
    start: Callable[[Path], Running],
    device: Callable[..., Device],
) -> None:
    """S-17: a register that falls is never passed on as normal."""
    running = start(configure(tmp_path, broker, platform))
    records = [
        window(1, NOW_S - 2700),
        window(2, NOW_S - 1800, [reading(e_import_wh=1)]),
        window(3, NOW_S - 900, [record.NONE_SILENT]),
    ]
    device().publish("T0001", Sender().frame(records))
    found = platform.wait_for(3)
    letters = [found.values[MN, "2051", data_time(NOW_S - ago)]["i33200-Flag"] for ago in (2700, 1800, 900)]
    assert letters == ["N", "D", "B"]
    assert running.metric("wattline_findings_total", check="energy_fell", severity="mark") == 1


def test_a_window_without_time_is_forwarded_once_it_has_a_place(
    tmp_path: Path,
    broker: Broker,
    platform: PlatformProcess,
    start: Callable[[Path], Running],
    device: Callable[..., Device],
) -> None:
    sender, terminal = Sender(), device()
    start(configure(tmp_path, broker, platform))
    terminal.publish("T0001", sender.frame([window(1, None, end_uptime_s=1000)]))
    terminal.down(1)
    time.sleep(0.5)
    assert platform.ledger().counts.messages == 0
    terminal.publish("T0001", sender.frame([window(2, NOW_S - 900, end_uptime_s=1900)]))
    found = platform.wait_for(2)
    assert (MN, "2051", data_time(NOW_S - 1800)) in found.complete


def test_a_terminal_that_the_platform_does_not_know_is_a_dead_letter_and_holds_up_nobody(
    tmp_path: Path,
    broker: Broker,
    platform: PlatformProcess,
    start: Callable[[Path], Running],
    device: Callable[..., Device],
) -> None:
    config = configure(tmp_path, broker, platform)
    stranger, terminal = Sender("T0002", b"2" * 32), device()
    write_config(tmp_path, broker.port, [Sender(), stranger], platform.sink())
    running = start(config)
    terminal.publish("T0002", stranger.frame([window(1)]))
    terminal.publish("T0001", Sender().frame([window(1)]))
    platform.wait_for(1)
    wait_until(lambda: running.metric("wattline_sink_dead_records_total", sink="province", reason="unmapped") == 1)
    assert status(tmp_path / "data", "province")["dead"] == {"unmapped": 1}
