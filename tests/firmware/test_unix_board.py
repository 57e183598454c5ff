"""The unix board keeps the contract of boards/README.md: each test is a few lines run on the real VM."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.firmware.vms import VMS, run, said

KEEP = "with open(board.data_dir + '/x', 'w') as file:\n    file.write('kept' * 2000)\n"


@pytest.mark.parametrize("vm", VMS)
def test_a_new_flash_is_made_and_formatted_and_keeps_its_files(tmp_path: Path, vm: str) -> None:
    image = tmp_path / "flash.img"
    write = KEEP + "print(board.name, board.flash_bytes())"
    assert said(vm, image, write) == ["unix", str(64 * 4096)]
    assert image.stat().st_size == 64 * 4096
    assert said(vm, image, "print(open(board.data_dir + '/x').read())") == ["kept" * 2000]


@pytest.mark.parametrize("vm", VMS)
def test_a_flash_with_content_is_never_formatted_away(tmp_path: Path, vm: str) -> None:
    """R-24: when the file system cannot be mounted, what is left of it stays for somebody to look at."""
    image = tmp_path / "flash.img"
    said(vm, image, KEEP)
    data = bytearray(image.read_bytes())
    data[: 2 * 4096] = b"\xff" * (2 * 4096)  # both superblocks are gone
    image.write_bytes(data)
    assert run(vm, image, "print('mounted')").returncode != 0
    assert image.read_bytes() == data


@pytest.mark.parametrize("vm", VMS)
def test_formatting_that_was_cut_is_done_again(tmp_path: Path, vm: str) -> None:
    image = tmp_path / "flash.img"
    image.write_bytes(b"\x00" * 700 + b"\xff" * (64 * 4096 - 700))
    assert said(vm, image, "print(os.listdir(board.data_dir))") == ["[]"]


@pytest.mark.parametrize("vm", VMS)
def test_process_time_runs_by_the_factor_and_real_time_does_not(tmp_path: Path, vm: str) -> None:
    code = """
async def main():
    up, real = board.uptime_ms(), board.real_ms()
    await board.sleep_ms(60000)
    print(board.uptime_ms() - up, board.real_ms() - real)
    up, real = board.uptime_ms(), board.real_ms()
    await board.pause_ms(100)
    print(board.uptime_ms() - up, board.real_ms() - real, board.rtc_s())
asyncio.run(main())
"""
    anchor_ns = time.time_ns()
    strap = f"{anchor_ns}:1500000000000:600"
    slept, real, paused, pause, rtc_s = map(int, said(vm, tmp_path / "f", code, WATTLINE_BENCH_CLOCK=strap))
    assert slept >= 60000
    assert real >= 99
    assert paused >= 60000
    assert pause >= 99
    assert slept / real > 100, "and not as fast as each other"
    expected = 1500000000 + (time.time_ns() - anchor_ns) * 600 / 1e9
    assert 1500000000 + 120 <= rtc_s <= expected


@pytest.mark.parametrize("vm", VMS)
def test_a_clock_without_power_knows_nothing_until_it_is_set(tmp_path: Path, vm: str) -> None:
    code = "print(board.rtc_s())\nboard.set_rtc_s(1700000000)\nprint(board.rtc_s())"
    assert said(vm, tmp_path / "f", code, WATTLINE_RTC="none") == ["None", "1700000000"]
    assert abs(int(said(vm, tmp_path / "f", "print(board.rtc_s())")[0]) - time.time()) < 30


@pytest.mark.parametrize("vm", VMS)
def test_a_clock_is_held_only_where_that_is_kept_over_a_reset(tmp_path: Path, vm: str) -> None:
    """P-177: a file system that takes nothing costs no start, and a held clock is not believed for it."""
    code = """
from boards import base
kept, base._HELD_FILE = base._HELD_FILE, '/no/such/folder/held'
before = board.rtc_s()
board.hold_rtc_s(1700000000)
print(before <= board.rtc_s())
base._HELD_FILE = kept
board.hold_rtc_s(1700000000)
print(board.rtc_s())
base._HELD_FILE = '/no/such/folder/held'
board.set_rtc_s(1700000000)
print(board.rtc_s())
base._HELD_FILE = kept
board.set_rtc_s(1700000000)
print(board.rtc_s())
"""
    lines = run(vm, tmp_path / "f", code).stdout.splitlines()
    assert [one for one in lines if "held" not in one] == ["True", "None", "None", "1700000000"]


@pytest.mark.parametrize("vm", VMS)
def test_a_reset_tells_its_cause_to_the_next_start_once(tmp_path: Path, vm: str) -> None:
    image = tmp_path / "flash.img"
    show = "print(board.reset_cause(), board.reset_cause())\n"
    assert said(vm, image, show + "board.reset(77)") == ["1", "1"]
    assert said(vm, image, show) == ["77", "77"]
    assert said(vm, image, show) == ["1", "1"]


def test_a_watchdog_that_is_not_fed_ends_the_program(tmp_path: Path) -> None:
    code = """
import ffi, time
alarm = ffi.open('libc.so.6').func('I', 'alarm', 'I')
feed = board.watchdog(600000)
alarm(300)  # half of its time is over
feed()
print(300 < alarm(0) <= 600)
board.watchdog(1000)
while True:
    time.sleep(60)
"""
    done = run("vm64", tmp_path / "f", code)
    assert done.stdout == "True\n"
    assert done.returncode == -signal.SIGALRM


@pytest.mark.parametrize("vm", VMS)
def test_a_uart_never_waits_for_input(tmp_path: Path, vm: str) -> None:
    master, slave = os.openpty()
    try:
        code = """
uart = board.uart(0, 2400, 'E', 1)
print(uart.read(), uart.readinto(bytearray(4)), uart.write(b'\\x00\\xff\\r\\n\\x03'))
board.uart(0, 9600, 'N', 1).write(b'again')
try:
    board.uart(1, 9600, 'N', 1)
except OSError as error:
    print('missing')
"""
        assert said(vm, tmp_path / "f", code, WATTLINE_UART0=os.ttyname(slave)) == ["None", "None", "5", "missing"]
        with open(master, "rb", closefd=False) as line:
            assert line.read(10) == b"\x00\xff\r\n\x03again"
    finally:
        os.close(master)
        os.close(slave)


def test_a_connection_that_is_refused_or_not_answered_is_an_error(tmp_path: Path) -> None:
    code = """
import socket
silent = socket.socket()
silent.bind(socket.getaddrinfo('127.0.0.1', 0)[0][-1])
async def main():
    for host, port in (('127.0.0.1', 1), ('no.such.host.invalid', 1)):
        try:
            await board.connect(host, port, 300)
        except OSError as error:
            print('error')
asyncio.run(main())
"""
    assert said("vm64", tmp_path / "f", code) == ["error", "error"]
