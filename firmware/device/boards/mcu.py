# What the boards with a microcontroller share: RS-485 ports, RTC, watchdog, reset. README.md is the contract.
import time

import machine

from boards import base

PARITY = {"N": None, "E": 0, "O": 1}
RX_BYTES = 512  # two of the longest Modbus answers
_HOLD_BITS = 1  # for the transceiver, after the last stop bit; the other side is silent for 3.5 characters

_CAUSES = {machine.PWRON_RESET: base.POWER_ON, machine.WDT_RESET: base.WATCHDOG}


class Rs485:
    """A UART whose driver is enabled only while it sends. Writing takes the time of the bytes: 8 ms for a request.

    Neither port has the UART enable the driver by itself: machine.UART knows no RS-485 mode. `flush` is what tells that
    the last stop bit has left; each board says why that holds for its port.
    """

    def __init__(self, uart: machine.UART, enable_pin: int, baud: int) -> None:
        self._uart = uart
        self._enable = machine.Pin(enable_pin, machine.Pin.OUT, value=0)
        self._hold_us = _hold_us(baud)

    def read(self, count: int = 256) -> "bytes | None":
        return self._uart.read(count)

    def readinto(self, buffer: bytearray) -> "int | None":
        return self._uart.readinto(buffer)

    def set_line(self, baud: int, parity: str, stop: int) -> None:
        # the size of the buffer again: the RP2 makes a new one, of half of it unless it is told
        self._uart.init(baudrate=baud, bits=8, parity=PARITY[parity], stop=stop, rxbuf=RX_BYTES)
        self._hold_us = _hold_us(baud)

    def write(self, data: bytes) -> "int | None":
        self._enable.on()
        try:
            written = self._uart.write(data)
            self._uart.flush()
            time.sleep_us(self._hold_us)
        finally:
            self._enable.off()
        return written


def _hold_us(baud: int) -> int:
    return (_HOLD_BITS * 1000000 + baud - 1) // baud


class McuBoard(base.BaseBoard):
    """A board with `machine`; each adds its ports, its flash and its link."""

    def __init__(self) -> None:
        super().__init__(_CAUSES.get(machine.reset_cause(), base.HARD))
        self._rtc = machine.RTC()

    def _set_clock_s(self, unix_s: int) -> None:
        year, month, day, hour, minute, second, weekday, _ = time.gmtime(unix_s - base.EPOCH_S)
        self._rtc.datetime((year, month, day, weekday, hour, minute, second, 0))

    feels = True
    has_led = True

    def _lamp(self, pin: int) -> None:
        self._led = machine.Pin(pin, machine.Pin.OUT, value=0)

    def led(self, on: bool) -> None:
        self._led.value(int(on))

    def _feel(self, mains: int, contacts: "tuple[int, ...]") -> None:
        # mains: high while it is there; contacts: closed to ground, open when a cover or a CT is opened
        self._mains = machine.Pin(mains, machine.Pin.IN)
        self._contacts = [machine.Pin(one, machine.Pin.IN, machine.Pin.PULL_UP) for one in contacts]

    def inputs(self) -> "tuple[bool | None, list[bool], int | None]":
        return bool(self._mains.value()), [bool(one.value()) for one in self._contacts], None

    def unique_id(self) -> bytes:
        return machine.unique_id()

    def watchdog(self, timeout_ms: int):  # type: ignore[no-untyped-def]
        return machine.WDT(timeout=timeout_ms).feed

    def _restart(self) -> None:
        machine.reset()


def row_of(rows: tuple, number: int) -> tuple:  # type: ignore[type-arg]
    """The pins of a port. Raises OSError if the board has no such port."""
    if number >= len(rows):
        raise OSError("this board has %d RS-485 ports" % len(rows))
    return rows[number]
