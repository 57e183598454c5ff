"""What the boards with a microcontroller do with their pins, on the real VM with a `machine` that writes down."""

import json
from pathlib import Path
from typing import Any

import pytest

from hil.terminal import Terminal
from tests.firmware.site import REPO, site
from tests.firmware.vms import VMS, said

MACHINE = """
import json, sys, time
done = []
class Pin:
    IN, OUT, PULL_UP = 0, 1, 2
    def __init__(self, number, mode=0, pull=None, value=None):
        self.number = number
        if value is not None:
            self.value(value)
    def value(self, level):
        done.append(["pin", self.number, level])
    def on(self):
        self.value(1)
    def off(self):
        self.value(0)
class Uart:
    fails = False
    def init(self, **settings):
        pass
    def write(self, data):
        done.append(["write", len(data)])
        return len(data)
    def flush(self):
        done.append(["flush"])
        if self.fails:
            raise OSError(110)
class Time:
    def __getattr__(self, name):
        return getattr(time, name)
    def sleep_us(self, us):
        done.append(["sleep_us", us])
class Machine:
    PWRON_RESET, WDT_RESET = 1, 3
    RTC = Pin
Machine.Pin, Machine.UART = Pin, Uart
sys.modules["machine"] = Machine
from boards import mcu
mcu.time = Time()
"""


def done(vm: str, image: Path, code: str) -> list[Any]:
    told: list[Any] = json.loads("".join(said(vm, image, MACHINE + code + "\nprint(json.dumps(done))")))
    return told


@pytest.mark.parametrize("vm", VMS)
def test_the_driver_is_enabled_from_before_the_first_bit_until_after_the_last_and_no_character_longer(
    tmp_path: Path, vm: str
) -> None:
    """P-169"""
    code = "port = mcu.Rs485(Uart(), 16, 9600)\nport.write(b'12345678')\nport.set_line(2400, 'E', 1)\nport.write(b'1')"
    for baud, told in zip((9600, 2400), _writes(done(vm, tmp_path / "flash", code)), strict=True):
        (*head, (_, hold_us), tail) = told
        assert head[0] == ["pin", 16, 1]
        assert [one[0] for one in head[1:]] == ["write", "flush"]
        assert 1_000_000 // baud <= hold_us < 2_000_000 // baud, "a bit, and less than the 3.5 characters of a pause"
        assert tail == ["pin", 16, 0]


def _writes(told: list[Any]) -> list[list[Any]]:
    assert told[0] == ["pin", 16, 0], "it listens from the start"
    assert len(told) == 11
    return [told[1:6], told[6:]]


@pytest.mark.parametrize("vm", VMS)
def test_a_uart_that_does_not_get_rid_of_its_bytes_leaves_the_bus_to_others(tmp_path: Path, vm: str) -> None:
    """P-169"""
    code = """
port = mcu.Rs485(Uart(), 16, 9600)
Uart.fails = True
try:
    port.write(b'1')
except OSError:
    done.append(["raised"])
"""
    assert done(vm, tmp_path / "flash", code)[-2:] == [["pin", 16, 0], ["raised"]]


@pytest.mark.parametrize("vm", VMS)
def test_the_led_is_dark_until_it_is_told_otherwise(tmp_path: Path, vm: str) -> None:
    """P-169"""
    code = """
class Board(mcu.McuBoard):
    def __init__(self):
        self._lamp(15)
lamp = Board()
lamp.led(True)
lamp.led(False)
"""
    assert done(vm, tmp_path / "flash", code) == [["pin", 15, 0], ["pin", 15, 1], ["pin", 15, 0]]


@pytest.mark.slow
def test_the_whole_terminal_tells_its_led_of_the_link_and_of_its_meters(tmp_path: Path) -> None:
    """P-169: no gateway; then one that answers; then, at the bench's speed, a bus on which nobody does"""
    for factor, expected in ((1, ("led says 3", "led says 1")), (600, ("led says 2",))):
        folder = tmp_path / str(factor)
        with site(folder, factor=factor) as made:
            lamp = REPO / "hil/vm/lamp.py"
            made.terminal = Terminal(
                REPO / "build/vm64/micropython", folder / "lit", made.clock, made.uart, "set", lamp
            )
            with made.terminal:
                made.provision()
                made.terminal.start()
                made.terminal.process.wait_for_line(expected[0], 60)
                made.broker.start()
                with made.gateway():
                    made.terminal.process.wait_for_line(expected[-1], 60)
                made.terminal.kill()


LOADER = """
class Timer:
    ONE_SHOT = 0
    def __init__(self, number):
        done.append(["timer", number])
    def init(self, mode, period, callback):
        done.append(["init", mode, period])
        self.callback = callback
    def deinit(self):
        done.append(["deinit"])
class Micropython:
    kbd_intr = staticmethod(lambda char: done.append(["kbd_intr", char]))
class Sys:
    platform = "rp2"
Machine.Timer = Timer
Machine.reset = staticmethod(lambda: done.append(["reset"]))
sys.modules["micropython"] = Micropython
from loader import console, guard
console.sys = guard.sys = Sys
"""


@pytest.mark.parametrize("vm", VMS)
def test_a_board_is_guarded_by_a_timer_and_closed_to_the_keyboard(tmp_path: Path, vm: str) -> None:
    """S-26 R-23"""
    code = "guard.start(30)\nguard._timers[0].callback(None)\nguard.start(60)\nguard.stop()\nguard.stop()\n"
    told = done(vm, tmp_path / "flash", LOADER + code)
    begun = [["timer", -1], ["init", 0, 30_000], ["reset"]]
    assert told == [*begun, ["deinit"], ["timer", -1], ["init", 0, 60_000], ["deinit"]]
    code = "console.let_interrupt(let=False)\nconsole.let_interrupt(let=True)\n"
    assert done(vm, tmp_path / "flash", LOADER + code) == [["kbd_intr", -1], ["kbd_intr", 3]]


PARTITIONS = """
class Partition:
    RUNNING, TYPE_DATA = 1, 1
    count = 2
    def __init__(self, which):
        done.append(which)
    def get_next_update(self):
        if Partition.count == 1:
            raise OSError(2)
class Esp:
    pass
Esp.Partition = Partition
sys.modules["esp32"] = sys.modules["network"] = Esp
from boards import base, esp32s3
done.append(esp32s3.Board.image_partitions(None) is Partition)
Partition.count = 1
done.append(esp32s3.Board.image_partitions(None))
done.append(base.BaseBoard.image_partitions(None))
"""


@pytest.mark.parametrize("vm", VMS)
def test_a_board_has_partitions_for_images_where_its_table_has_two(tmp_path: Path, vm: str) -> None:
    """P-344"""
    assert done(vm, tmp_path / "flash", PARTITIONS) == [1, True, 1, None, None]
