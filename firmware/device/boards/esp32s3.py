# ESP32-S3 on Wi-Fi, with RS-485 transceivers. README.md is the contract.
import json

import machine
import network
from esp32 import Partition

from boards import base, mcu

# The port's flush is ESP-IDF's uart_wait_tx_done: the last stop bit has left (MicroPython from 1.20 on).
# UART, tx, rx, driver enable; UART0 of the bench's straps is the first row here. The chip's UART0 is the console.
_UARTS = ((1, 17, 18, 16), (2, 5, 6, 7))


class Board(mcu.McuBoard):
    name = "esp32s3"

    def __init__(self) -> None:
        mount()
        super().__init__()
        self._lamp(4)
        self._feel(8, (9, 10))  # power-fail comparator; cover, CT terminals
        self._wlan = network.WLAN(network.WLAN.IF_STA)

    def uart(self, number: int, baud: int, parity: str, stop: int) -> mcu.Rs485:
        port, tx, rx, enable = mcu.row_of(_UARTS, number)
        uart = machine.UART(
            port,
            baudrate=baud,
            bits=8,
            parity=mcu.PARITY[parity],
            stop=stop,
            tx=tx,
            rx=rx,
            timeout=0,
            rxbuf=mcu.RX_BYTES,
        )
        return mcu.Rs485(uart, enable, baud)

    def counters_flash(self) -> Partition:
        return _partition("counters")

    def image_partitions(self) -> "type[Partition] | None":
        try:
            Partition(Partition.RUNNING).get_next_update()  # type: ignore[arg-type]  # the stubs know names alone
        except OSError:  # a partition table with one application
            return None
        return Partition

    def cycle_link(self) -> None:
        self._wlan.active(False)  # noqa: FBT003  MicroPython's interface

    def _link_up(self) -> None:
        if self._wlan.isconnected():
            return
        if not self._wlan.active():
            self._wlan.active(True)  # noqa: FBT003  MicroPython's interface
            with open(self.data_dir + "/network.json") as file:
                settings = json.load(file)
            self._wlan.connect(settings["ssid"], settings["password"])  # goes on trying by itself
        raise OSError("no Wi-Fi yet")


def mount() -> None:
    base.mount(_partition("wattline"))


def _partition(label: str) -> Partition:
    found = Partition.find(Partition.TYPE_DATA, label=label)
    if not found:
        raise OSError("no flash partition labelled " + label)
    return found[0]
