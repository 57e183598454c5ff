"""The meters on a bus without I/O: what a master sends in, what they answer out."""

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import groupby
from operator import and_
from typing import Any

from hil.meter_frames import take_request
from hil.meter_slave import Control, Fault, MeterConfig, Slave


class Wire:
    """All meters of a bus. Instants are virtual, and never go back. Raises ValueError for meters that can't be."""

    def __init__(self, meters: Sequence[MeterConfig], start_ms: int, log: Callable[[dict[str, Any]], None]) -> None:
        self._log = log
        ordered = sorted(meters, key=lambda meter: (str(meter.address), meter.circuit))
        groups = groupby(ordered, key=lambda meter: meter.address)
        self._slaves = {address: Slave(list(circuits), start_ms) for address, circuits in groups}
        self._heard = bytearray()

    def forget(self) -> None:
        """The line was idle: what was heard before is no part of what comes next."""
        self._heard.clear()

    def hear(self, data: bytes, now_ms: int, baud: int | None = None) -> list[tuple[float, bytes]]:
        """What goes out after these bytes, as (seconds from now, bytes). baud: None is whatever a meter hears."""
        self._heard += data
        answers: list[tuple[float, bytes]] = []
        while request := take_request(self._heard):
            if request.asks_who_is_there:
                there = [slave for slave in self._slaves.values() if baud is None or slave.baud in {None, baud}]
                answers += _collided([frame for slave in there for frame in slave.identified(request)])
                continue
            if not request.reads:
                row = {"event": "refused", "address": request.address, "function": request.function}
                self._log({"t_ms": now_ms, **row})
                continue
            slave = self._slaves.get(request.address)
            if slave is not None and (baud is None or slave.baud in {None, baud}):
                answers += slave.answer(request, now_ms, self._log)
        return answers

    def set_fault(self, address: int | str, fault: Fault | None) -> None:
        """What is wrong with a meter's answers from now on. Raises KeyError where there is none of this address."""
        self._slaves[address].told = fault

    def obey(self, line: Control, now_ms: int) -> None:
        """Change a meter as a control line says. Raises KeyError where there is none of its address."""
        self._slaves[line.address].obey(line, now_ms)


def _collided(frames: Sequence[bytes]) -> list[tuple[float, bytes]]:
    """What is heard of answers that begin together: a driver that pulls low wins, bit by bit."""
    longest = max(map(len, frames), default=0)
    padded = [frame.ljust(longest, b"\xff") for frame in frames]
    heard = bytes(reduce(and_, column) for column in zip(*padded, strict=True))
    return [(0.0, heard)] if heard else []
