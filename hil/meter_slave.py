"""A meter's address on the emulated bus: how it answers, what is wrong with its answers, and what it truly showed."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, get_args

import msgspec

from hil import load
from hil.meter import Meter, Served, read_profile
from hil.meter_feeder import Feeder, Wiring, WiringFault
from hil.meter_frames import Request, framed, framed_645
from hil.meter_phasors import phasors_of
from hil.meter_stand import stand_of

PIECES_GAP_MS = 100
_TWIN_LATER = 2  # bytes by which the second meter at an address begins after the first
_PARTS_BYTES = 4  # of each frame, where an answer is told in several

Log = Callable[[dict[str, Any]], None]
Line = Literal["silent", "garbled", "pieces", "parts", "delay", "exception", "twin"]  # what can be wrong with answers
# what of it may leave a request without a whole answer in time
UNANSWERED = {"silent", "garbled", "exception", "twin", "delay"}


class Fault(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is wrong with a meter: with its answers, or with its wiring (of `phase`, or of all).

    ms: of `delay` (real); code: of `exception`; parts: DL/T 645 in several frames; twin: another meter has its address.
    """

    fault: Line | Wiring
    ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 400
    code: Annotated[int, msgspec.Meta(ge=1, le=11)] = 4
    phase: Literal["a", "b", "c"] | None = None
    from_ms: int = 0  # virtual Unix ms
    to_ms: int = 2**53


class Replacement(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Another meter of the same model is in a meter's place from at_ms (virtual Unix ms) on."""

    at_ms: int
    serial: Annotated[int, msgspec.Meta(ge=0, le=10**12 - 1)]
    start_import_wh: Annotated[int, msgspec.Meta(ge=0, le=10**12)]


class MeterConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One meter, or one circuit of it: address, model, load (hil.load.from_config), and what it shows at the start.

    baud: it hears no other speed; None: whatever the terminal sets.
    """

    address: Annotated[int, msgspec.Meta(ge=1, le=247)] | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12}$")]
    profile: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_-]+$")]
    load: dict[str, Any]
    circuit: Annotated[int, msgspec.Meta(ge=1, le=32)] = 1
    start_import_wh: Annotated[int, msgspec.Meta(ge=0, le=10**12)] = 0
    ct_ratio: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    pt_ratio: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    serial: Annotated[int, msgspec.Meta(ge=0, le=10**12 - 1)] = 1
    baud: int | None = None
    faults: list[Fault] = []
    replaced: list[Replacement] = []  # in order of time; of a meter with one circuit


class Control(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A line on stdin: a fault that holds until a line ends it (null), or another number or ratio of the meter."""

    address: int | str
    fault: Line | Wiring | None = None
    ms: int = 400
    code: int = 4
    phase: Literal["a", "b", "c"] | None = None
    serial: int | None = None
    ct_ratio: int | None = None


class Slave:
    """One address: the circuits of one meter, `configs` in the order of their numbers. Raises ValueError."""

    def __init__(self, configs: Sequence[MeterConfig], start_ms: int) -> None:
        first = configs[0]
        self.address = first.address
        self.baud = first.baud
        self._faults = [fault for config in configs for fault in config.faults if fault.fault in get_args(Line)]
        self.told: Fault | None = None  # by a control line
        if [config.circuit for config in configs] != list(range(1, len(configs) + 1)):
            raise ValueError(f"address {first.address}: its circuits are 1, 2, 3 ..., each once")
        more = [
            Feeder(load.from_config(config.load), start_ms, config.start_import_wh, _wiring(config))
            for config in configs[1:]
        ]
        self._meter = Meter(
            read_profile(first.profile),
            _load(first, start_ms),
            start_ms,
            first.start_import_wh,
            (first.ct_ratio, first.pt_ratio),
            more,
            first.serial,
        )
        if (self._meter.protocol == "dlt645") != isinstance(first.address, str):
            raise ValueError(f"address {first.address}: 12 digits for DL/T 645, a number for Modbus")
        self._meter.feeders[0].faults += _wiring(first)
        self._replaced = list(first.replaced)
        self._names = {place.name for place in self._meter.places}
        self._seen: dict[int, dict[str, int | None]] = {}
        self._since_ms: dict[int, int] = {}

    def obey(self, line: Control, now_ms: int) -> None:
        """Do as a control line says."""
        if line.serial is not None:
            self._meter.serial = line.serial
        if line.ct_ratio is not None:
            self._meter.ratios = (line.ct_ratio, self._meter.ratios[1])
        if line.fault is not None and line.fault not in get_args(Line):
            wiring = WiringFault(line.fault, line.phase, now_ms)  # type: ignore[arg-type]  # it is no Line
            for feeder in self._meter.feeders:
                feeder.faults.append(wiring)
        elif line.serial is None and line.ct_ratio is None:
            self.told = None if line.fault is None else Fault(line.fault, line.ms, line.code)
        if line.fault is None:
            for feeder in self._meter.feeders:
                feeder.faults = [
                    fault if fault.to_ms < 2**53 else fault._replace(to_ms=now_ms) for fault in feeder.faults
                ]

    def _replace(self, by: Replacement) -> None:
        """Another meter is there."""
        self._meter.serial = by.serial
        self._meter.feeders[0].begin_again(by.start_import_wh, by.at_ms)
        self._seen = {}

    def identified(self, request: Request) -> list[bytes]:
        """What it says to a question for its address that means it: of DL/T 645 meters one frame, of others none."""
        if not isinstance(self.address, str) or not self.address.endswith(request.end or ""):
            return []
        return [framed_645(self.address, request.function | 0x80, request.body + bytes.fromhex(self.address)[::-1])]

    def answer(self, request: Request, now_ms: int, log: Log) -> list[tuple[float, bytes]]:
        """What goes out, as (seconds from now, bytes); what it truly says goes to the log, and that it says nothing."""
        while self._replaced and self._replaced[0].at_ms <= now_ms:
            self._replace(self._replaced.pop(0))
        fault = self.told or next((one for one in self._faults if one.from_ms <= now_ms < one.to_ms), None)
        kind = fault.fault if fault else ""
        served = serve(self._meter, request, now_ms, in_parts=kind == "parts")
        if kind in UNANSWERED:
            log({"t_ms": now_ms, "address": self.address, "unanswered": kind})
        if kind == "silent":
            return []
        if kind == "twin":
            frame = frame_of(request, served)
            return [(0.0, bytes(one & two for one, two in zip(frame, b"\xff" * _TWIN_LATER + frame, strict=False)))]
        if fault and kind == "exception":
            served = Served(b"", {}, fault.code)
        frame = frame_of(request, served)
        if served.exception:
            return [(0.0, frame)]
        if kind == "garbled":
            return [(0.0, frame[:-2] + bytes((frame[-2] ^ 0x55, frame[-1])))]
        self._note(served, kind, now_ms, log)
        if fault and kind == "delay":
            return [(fault.ms / 1000, frame)]
        if kind == "pieces":
            third = len(frame) // 3
            pieces = (frame[:third], frame[third : 2 * third], frame[2 * third :])
            return [(number * PIECES_GAP_MS / 1000, piece) for number, piece in enumerate(pieces)]
        return [(0.0, frame)]

    def _note(self, served: Served, kind: str, now_ms: int, log: Log) -> None:
        """A complete poll of a circuit, all its quantities in one read or several, is a row of the log."""
        for circuit, values in served.circuits.items():
            seen = self._seen.setdefault(circuit, {})
            if not seen:
                self._since_ms[circuit] = now_ms
            seen |= values
            if len(seen) == len(self._names):
                row: dict[str, Any] = {"t_ms": now_ms, "from_ms": self._since_ms[circuit], "address": self.address}
                row["values"] = seen
                row |= {"circuit": circuit} if circuit > 1 else {}
                log({**row, "fault": kind} if kind else row)
                self._seen[circuit] = {}


def serve(meter: Meter, request: Request, now_ms: int, *, in_parts: bool = False) -> Served:
    """What a meter that is well serves."""
    if request.protocol == "modbus-rtu":
        first, count = int.from_bytes(request.body[2:4], "big"), int.from_bytes(request.body[4:6], "big")
        return meter.read(request.function, first, count, now_ms)
    identifier = int.from_bytes(request.body[:4], "little")
    served = meter.read_item(identifier, str(request.address), now_ms)
    part = request.body[4] if len(request.body) > 4 else 0
    return _part(served, part) if (in_parts or part) and not served.exception else served


def frame_of(request: Request, served: Served) -> bytes:
    """The frame that answers a request."""
    if request.protocol == "modbus-rtu":
        address = int(request.address)
        if served.exception:
            return framed(bytes((address, request.function | 0x80, served.exception)))
        return framed(bytes((address, request.function, len(served.data))) + served.data)
    digits = str(request.address)
    if served.exception:
        return framed_645(digits, request.function | 0xC0, bytes((served.exception,)))
    control = request.function | (0xA0 if served.more else 0x80)
    return framed_645(digits, control, request.body[:4] + served.data + request.body[4:5])


def _part(served: Served, part: int) -> Served:
    """A part of an answer: some bytes, with the values of all of them in the last."""
    data = served.data[part * _PARTS_BYTES : (part + 1) * _PARTS_BYTES]
    is_last = (part + 1) * _PARTS_BYTES >= len(served.data)
    return Served(data, served.circuits if is_last else {}, 0, more=not is_last)


def _load(config: MeterConfig, start_ms: int) -> load.Load | Feeder:
    if config.load.get("kind") == "stand":
        return stand_of(config.load, config.start_import_wh)
    if config.load.get("kind") == "phasors":
        return phasors_of(config.load, start_ms)
    return load.from_config(config.load)


def _wiring(config: MeterConfig) -> list[WiringFault]:
    return [
        WiringFault(fault.fault, fault.phase, fault.from_ms, fault.to_ms)  # type: ignore[arg-type]  # it is no Line
        for fault in config.faults
        if fault.fault not in get_args(Line)
    ]
