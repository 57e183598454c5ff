# Raspberry Pi Pico 2 W (RP2350), with RS-485 transceivers. README.md is the contract.
import json

import machine
import network
import rp2

from boards import base, mcu

CODE_BYTES = 1536 * 1024  # root file system, before the data: three applications take 312 blocks (docs/updates.md)
_BLOCK_BYTES = 4096
_COUNTERS_BYTES = 2 * _BLOCK_BYTES  # at the flash's end: outside of all file systems
_PROG_BYTES = 256  # the flash's page: it programs nothing smaller
_WATCHDOG_MS_MAX = 8388  # the counter has 24 bits of microseconds, two to a tick

# The port's flush waits until the UART is no longer BUSY: the last stop bit has left (MicroPython from 1.25 on, its
# pull request 16052; before, it returned one character early).
# UART, tx, rx, driver enable
_UARTS = ((0, 0, 1, 2), (1, 4, 5, 6))


class Board(mcu.McuBoard):
    name = "rp2"

    def __init__(self) -> None:
        mount()
        super().__init__()
        self._lamp(
            15
        )  # not the module's own LED: that one hangs on the Wi-Fi chip, and is gone when the link is cycled
        self._feel(10, (11, 12))  # power-fail comparator; cover, CT terminals
        self._wlan = network.WLAN(network.WLAN.IF_STA)

    def uart(self, number: int, baud: int, parity: str, stop: int) -> mcu.Rs485:
        port, tx, rx, enable = mcu.row_of(_UARTS, number)
        uart = machine.UART(
            port,
            baudrate=baud,
            bits=8,
            parity=mcu.PARITY[parity],
            stop=stop,
            tx=machine.Pin(tx),
            rx=machine.Pin(rx),
            timeout=0,
            rxbuf=mcu.RX_BYTES,
        )
        return mcu.Rs485(uart, enable, baud)

    def watchdog(self, timeout_ms: int):  # type: ignore[no-untyped-def]
        return super().watchdog(min(timeout_ms, _WATCHDOG_MS_MAX))

    def counters_flash(self) -> rp2.Flash:
        return rp2.Flash(start=_flash_bytes() - _COUNTERS_BYTES, len=_COUNTERS_BYTES)

    def cycle_link(self) -> None:
        self._wlan.active(False)  # noqa: FBT003  MicroPython's interface

    def _link_up(self) -> None:
        if self._wlan.isconnected():
            return
        if self._wlan.status() != network.STAT_CONNECTING:
            with open(self.data_dir + "/network.json") as file:
                settings = json.load(file)
            self._wlan.active(True)  # noqa: FBT003  MicroPython's interface
            self._wlan.connect(settings["ssid"], settings["password"])
        raise OSError("no Wi-Fi yet")


def mount() -> None:
    size = _flash_bytes() - CODE_BYTES - _COUNTERS_BYTES
    base.mount(rp2.Flash(start=CODE_BYTES, len=size), base.DATA_DIR, _PROG_BYTES)


def _flash_bytes() -> int:
    return (rp2.Flash().ioctl(4, 0) or 0) * _BLOCK_BYTES
