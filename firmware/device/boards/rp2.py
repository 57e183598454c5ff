# Raspberry Pi Pico 2 W (RP2350), with RS-485 transceivers. README.md is the contract.
import json
import time

import machine
import network
import rp2

from boards import base

CODE_BYTES = 1024 * 1024  # root file system, before the data: the application is 100 KB, and an update needs two of it
_PROG_BYTES = 256  # the flash's page: it programs nothing smaller
_WATCHDOG_MS_MAX = 8388  # the counter has 24 bits of microseconds, two to a tick

# tx, rx, driver enable
_UARTS = ((0, 0, 1, 2), (1, 4, 5, 6))
_PARITY = {"N": None, "E": 0, "O": 1}
_BITS_PER_CHARACTER = 11  # start, 8 data, parity, stop
_RX_BYTES = 512  # two of the longest Modbus answers

_CAUSES = {machine.PWRON_RESET: base.POWER_ON, machine.WDT_RESET: base.WATCHDOG}


class Rs485:
    """A UART whose driver is enabled only while it sends. Writing takes the time of the bytes: 8 ms for a request."""

    def __init__(self, row: "tuple[int, int, int, int]", baud: int, parity: str, stop: int) -> None:
        number, tx, rx, enable = row
        self._enable = machine.Pin(enable, machine.Pin.OUT, value=0)
        self._uart = machine.UART(
            number,
            baudrate=baud,
            bits=8,
            parity=_PARITY[parity],
            stop=stop,
            tx=machine.Pin(tx),
            rx=machine.Pin(rx),
            timeout=0,
            rxbuf=_RX_BYTES,
        )
        self._character_us = _BITS_PER_CHARACTER * 1000000 // baud

    def read(self, count: int = 256) -> "bytes | None":
        return self._uart.read(count)

    def readinto(self, buffer: bytearray) -> "int | None":
        return self._uart.readinto(buffer)

    def write(self, data: bytes) -> "int | None":
        self._enable.on()
        try:
            written = self._uart.write(data)
            self._uart.flush()
            time.sleep_us(self._character_us)  # flush returns while the last character is still on the line
        finally:
            self._enable.off()
        return written


class Board(base.BaseBoard):
    name = "rp2"

    def __init__(self) -> None:
        _mount()
        super().__init__(_CAUSES.get(machine.reset_cause(), base.HARD))
        self._rtc = machine.RTC()
        self._wlan = network.WLAN(network.WLAN.IF_STA)

    def set_rtc_s(self, unix_s: int) -> None:
        year, month, day, hour, minute, second, weekday, _ = time.gmtime(unix_s - base.EPOCH_S)
        self._rtc.datetime((year, month, day, weekday, hour, minute, second, 0))

    def uart(self, number: int, baud: int, parity: str, stop: int) -> Rs485:
        if number >= len(_UARTS):
            raise OSError("this board has %d RS-485 ports" % len(_UARTS))
        return Rs485(_UARTS[number], baud, parity, stop)

    def unique_id(self) -> bytes:
        return machine.unique_id()

    def watchdog(self, timeout_ms: int):  # type: ignore[no-untyped-def]
        return machine.WDT(timeout=min(timeout_ms, _WATCHDOG_MS_MAX)).feed

    def _restart(self) -> None:
        machine.reset()

    def _link_up(self) -> None:
        if self._wlan.isconnected():
            return
        if self._wlan.status() != network.STAT_CONNECTING:
            with open(self.data_dir + "/network.json") as file:
                settings = json.load(file)
            self._wlan.active(True)  # noqa: FBT003  MicroPython's interface
            self._wlan.connect(settings["ssid"], settings["password"])
        raise OSError("no Wi-Fi yet")


def _mount() -> None:
    blocks = rp2.Flash().ioctl(4, 0) or 0
    base.mount(rp2.Flash(start=CODE_BYTES, len=blocks * 4096 - CODE_BYTES), base.DATA_DIR, _PROG_BYTES)
