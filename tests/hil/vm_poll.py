# Runs on MicroPython: the firmware's own bus code against emulated meters on a pty.
#
#   micropython tests/hil/vm_poll.py DEVICE MILLISECONDS ADDRESS=PROFILE@BAUD ...
#
# Polls all meters in turn for that long; prints one JSON line a poll, and at the end {"transactions", "ms"}.
import asyncio
import json
import sys
import time

from boards.unix import Uart
from terminal import bus, profile


class Board:
    def real_ms(self) -> int:
        now: int = time.ticks_ms()  # type: ignore[attr-defined]  # a test of seconds does not see it wrap
        return now

    async def pause_ms(self, ms: int) -> None:
        await asyncio.sleep_ms(ms)  # type: ignore[attr-defined]


async def main(device: str, span_ms: int, meters: list) -> None:  # type: ignore[type-arg]
    board = Board()
    one = bus.Bus(board, Uart(device, meters[0].line.baud), meters[0].line, meters)
    transactions = 0
    begun_ms = board.real_ms()
    while board.real_ms() - begun_ms < span_ms:
        for meter in meters:
            if one.wait_ms(meter):
                await board.pause_ms(one.wait_ms(meter))
            print(json.dumps({"address": meter.address, "result": await one.poll(meter)}))
            transactions += len(meter.plan().reads)
    print(json.dumps({"transactions": transactions, "ms": board.real_ms() - begun_ms}))


def meter(argument: str) -> bus.Meter:
    address, rest = argument.split("=")
    name, baud = rest.split("@")
    model = profile.load(name, __file__[: __file__.rindex("/")] + "/../../firmware/device/profiles")
    line = bus.Line(int(baud), "E" if model.protocol_name == "dlt645" else "N", 1)
    return bus.Meter(address if len(address) > 3 else int(address), 1, model, (1, 1), 400, line)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), [meter(argument) for argument in sys.argv[3:]]))
