"""One emulated meter: what it measures, shown in the registers or items that its profile describes.

It knows the profile's JSON alone, and shares no code with the firmware that reads it. Of DL/T 645 it also knows the
standard's own items (hil/meter_items.py), so that a profile that names them wrongly reads something else.
"""

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from hil.load import Load
from hil.meter_feeder import PHASES, Feeder
from hil.meter_items import Item, item_bytes
from hil.meter_types import Place, decode, encode, places

_FIRMWARE = Path(__file__).parent.parent / "firmware"
PROFILES = _FIRMWARE / "device" / "profiles"
PHASE_MAPS = _FIRMWARE / "field" / "bus" / "phase_maps"  # what a technician's tool reads besides
ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3
NO_SUCH_DATA = 2  # DL/T 645-2007: bit 1 of the error byte
REGISTERS_MAX = 125


class Served(NamedTuple):
    """An answer: the data's bytes, and what they truly say of each circuit, or an error code.

    Values are in the terminal's units; None: not available.
    """

    data: bytes
    circuits: dict[int, dict[str, int | None]]
    exception: int
    more: bool = False  # DL/T 645: another part follows

    @property
    def values(self) -> dict[str, int]:
        """Of the first circuit, what is available."""
        return {name: value for name, value in self.circuits.get(1, {}).items() if value is not None}


class Meter:
    """A meter that has been measuring since start_ms. Raises ValueError for a profile or ratio that makes no sense.

    load: what its feeder draws, or the feeder itself.
    more: the feeders of circuits 2 and on. `serial` and `ratios` are what its identity registers show; both may change.
    """

    def __init__(
        self,
        profile: Mapping[str, Any],
        load: Load | Feeder,
        start_ms: int,
        energy_wh: int,
        ratios: tuple[int, int] = (1, 1),
        more: Sequence[Feeder] = (),
        serial: int = 1,
    ) -> None:
        self.protocol: str = profile["protocol"]
        self.feeders = [load if isinstance(load, Feeder) else Feeder(load, start_ms, energy_wh), *more]
        self.serial = serial
        self.ratios = ratios
        self.places = places(profile, "quantities", ratios)
        self._identity = places(profile, "identity", ratios)
        self._phase_values = places({**profile, "quantities": profile.get("phases", {})}, "quantities", ratios)
        self._circuits = {place.circuit for place in self.places}
        self._asked: dict[tuple[int, int, int, int], list[tuple[Place, int]]] = {}
        self._function: int = profile.get("function", 0)
        self._most: int = profile.get("registers_per_read", 0)
        self._readable = [(int(first, 16), int(last, 16)) for first, last in profile.get("readable", [])]
        self._scaled_by = (1, 1) if profile["ratios_applied"] else ratios
        self._phases = PHASES if any(place.name == "ub_dv" for place in self.places) else PHASES[:1]
        if len(self.feeders) > profile.get("circuits", 1):
            raise ValueError(f"{len(self.feeders)} circuits: {profile['model']} has {profile.get('circuits', 1)}")

    def quantities(self, now_ms: int, circuit: int = 1) -> dict[str, Fraction]:
        """All that a circuit's feeder can measure, exact, in the terminal's units; 0 without a feeder."""
        if circuit <= len(self.feeders):
            return self.feeders[circuit - 1].quantities(now_ms)
        return dict.fromkeys((place.name for place in self.places), Fraction(0))

    def read(self, function: int, first: int, count: int, now_ms: int) -> Served:
        """Answer a Modbus read at a virtual instant, which never goes back."""
        if function != self._function and not self._inside(self._identity, function, first, count):
            return Served(b"", {}, ILLEGAL_FUNCTION)
        if not 1 <= count <= min(self._most, REGISTERS_MAX):
            return Served(b"", {}, ILLEGAL_VALUE)
        if not any(low <= first and first + count - 1 <= high for low, high in self._readable):
            return Served(b"", {}, ILLEGAL_ADDRESS)
        shown = {number: self.quantities(now_ms, number) for number in self._circuits}
        data = bytearray(2 * count)
        circuits: dict[int, dict[str, int | None]] = {}
        for place, at in self._inside(self.places, function, first, count):
            raw = _encoded(shown[place.circuit][place.name], place)
            circuits.setdefault(place.circuit, {})[place.name] = decode(raw, place)
            data[at : at + len(raw)] = raw
        for place, at in self._inside(self._phase_values, function, first, count):
            raw = _encoded(shown[place.circuit][place.name], place)
            data[at : at + len(raw)] = raw
        for place, at in self._inside(self._identity, function, first, count):
            raw = _encoded(self._setting(place.name), place)
            data[at : at + len(raw)] = raw
        return Served(bytes(data), circuits, 0)

    def read_item(self, identifier: int, address: str, now_ms: int) -> Served:
        """Answer a DL/T 645 read at a virtual instant, which never goes back."""
        primary = self.quantities(now_ms)
        secondary = primary
        if self._scaled_by != (1, 1):
            secondary = {name: value / _ratio(name, self._scaled_by) for name, value in primary.items()}
        about = Item(secondary, self.feeders[0].state(now_ms), address, self.serial, self._phases, now_ms)
        data = item_bytes(identifier, about)
        if data is None:
            return Served(b"", {}, NO_SUCH_DATA)
        values = {
            place.name: decode(data[place.at : place.at + place.size], place)
            for place in self.places
            if place.register == identifier and place.at + place.size <= len(data)
        }
        return Served(data, {1: values}, 0)

    def _setting(self, name: str) -> Fraction:
        return Fraction(
            {"serial": self.serial, "ct_milli": 1000 * self.ratios[0], "pt_milli": 1000 * self.ratios[1]}[name]
        )

    def _inside(self, found: Sequence[Place], function: int, first: int, count: int) -> list[tuple[Place, int]]:
        """The places that a read holds, and where in its data."""
        asked = (id(found), function, first, count)
        if asked not in self._asked:  # a master asks the same few things again and again
            end = first + count
            self._asked[asked] = [
                (place, 2 * (place.register - first))
                for place in found
                if place.function == function and first <= place.register and place.register + place.size // 2 <= end
            ]
        return self._asked[asked]


def _encoded(number: Fraction, place: Place) -> bytes:
    return encode(number, place.type, place.rolls_at, low_first=place.low_first, scale=place.scale)


def read_profile(name: str) -> dict[str, Any]:
    """The JSON of a profile that the firmware has, and under "phases" what the technician's tool knows besides."""
    content: dict[str, Any] = json.loads((PROFILES / f"{name}.json").read_text(encoding="utf-8"))
    more = PHASE_MAPS / f"{name}.json"
    if more.exists():
        content["phases"] = json.loads(more.read_text(encoding="utf-8"))["quantities"]
    return content


def _ratio(name: str, ratios: tuple[int, int]) -> int:
    """What a quantity is smaller by behind its transformers."""
    unit = name.rsplit("_", 1)[-1]
    by_ct = unit in {"w", "var", "wh", "varh", "ma"}
    by_pt = unit in {"w", "var", "wh", "varh", "dv"}
    return (ratios[0] if by_ct else 1) * (ratios[1] if by_pt else 1)
