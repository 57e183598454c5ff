"""One emulated meter: measures a load, and shows it in the registers that its profile describes.

It knows the profile's JSON alone, and shares no code with the firmware that reads it. What a register truly shows is
worked out with fractions from the bytes served, after all rounding of the register's own type.
"""

import json
import struct
from collections.abc import Mapping
from fractions import Fraction
from math import isqrt
from pathlib import Path
from typing import Any, NamedTuple

from hil.load import MINUTE_MS, Load, noise_permille

PROFILES = Path(__file__).parent.parent / "firmware" / "device" / "profiles"
ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3
REGISTERS_MAX = 125

_MW_MS_PER_WH = 1000 * 3_600_000
_NOMINAL_MV = 230_000
_PHASE_SHARES = (334, 330, 336)  # permille of the total power: no three-phase feeder is quite even
_FORMATS = {"u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "u64": ">Q", "i64": ">q", "f32": ">f"}
_BY_BOTH = ("p_w", "q_var", "e_import_wh", "e_export_wh", "r_import_varh", "r_export_varh")
_BY_PT = ("ua_dv", "ub_dv", "uc_dv")
_BY_CT = ("ia_ma", "ib_ma", "ic_ma")


class Served(NamedTuple):
    """An answer: the registers' bytes, and what they truly say in the terminal's units; or an exception code."""

    data: bytes
    values: dict[str, int]
    exception: int


class Place(NamedTuple):
    """Where and how a quantity stands in the registers."""

    register: int
    format: str
    scale: Fraction  # from the register's number to the terminal's unit, ratios included


class Meter:
    """A meter that has been measuring since start_ms. Raises ValueError for a profile or ratio that makes no sense."""

    def __init__(
        self, profile: Mapping[str, Any], load: Load, start_ms: int, energy_wh: int, ratios: tuple[int, int] = (1, 1)
    ) -> None:
        self._function: int = profile["function"]
        self._most: int = profile["registers_per_read"]
        self._high_first = profile["word_order"] == "high_first"
        self._readable = [(int(first, 16), int(last, 16)) for first, last in profile["readable"]]
        self.places = {name: _place(name, entry, profile, ratios) for name, entry in profile["quantities"].items()}
        self._load = load
        self._until_ms = start_ms
        self._import = energy_wh * _MW_MS_PER_WH
        self._export = 0
        self._reactive = energy_wh // 3 * _MW_MS_PER_WH

    def read(self, function: int, first: int, count: int, now_ms: int) -> Served:
        """Answer a read request at a virtual instant, which never goes back."""
        self._measure(now_ms)
        if function != self._function:
            return Served(b"", {}, ILLEGAL_FUNCTION)
        if not 1 <= count <= min(self._most, REGISTERS_MAX):
            return Served(b"", {}, ILLEGAL_VALUE)
        if not any(low <= first and first + count - 1 <= high for low, high in self._readable):
            return Served(b"", {}, ILLEGAL_ADDRESS)
        data = bytearray(2 * count)
        values = {}
        shown = self.quantities(now_ms)
        for name, place in self.places.items():
            at, size = 2 * (place.register - first), struct.calcsize(place.format)
            if at >= 0 and at + size <= len(data):
                raw = encode(shown[name] / place.scale, place.format)
                values[name] = decode(raw, place)
                data[at : at + size] = raw if self._high_first else _swapped(raw)
        return Served(bytes(data), values, 0)

    def quantities(self, now_ms: int) -> dict[str, Fraction]:
        """All that a three-phase meter can measure, exact, in the terminal's units."""
        power_mw, _ = self._load.at(now_ms)
        reactive_mvar = _reactive(power_mw)
        apparent = isqrt(power_mw**2 + reactive_mvar**2)
        phases_mv = [_NOMINAL_MV * noise_permille(phase, now_ms // MINUTE_MS, 20) // 1000 for phase in range(3)]
        found = {
            "p_w": Fraction(power_mw, 1000),
            "q_var": Fraction(reactive_mvar, 1000),
            "e_import_wh": Fraction(self._import, _MW_MS_PER_WH),
            "e_export_wh": Fraction(self._export, _MW_MS_PER_WH),
            "r_import_varh": Fraction(self._reactive, _MW_MS_PER_WH),
            "r_export_varh": Fraction(0),
            "pf_milli": Fraction(1000 * power_mw, apparent) if apparent else Fraction(1000),
        }
        for phase, voltage_mv, share in zip("abc", phases_mv, _PHASE_SHARES, strict=True):
            found[f"u{phase}_dv"] = Fraction(voltage_mv, 100)
            found[f"i{phase}_ma"] = Fraction(apparent * share, voltage_mv)
        return found

    def _measure(self, now_ms: int) -> None:
        """Bring the energy registers up to now: the exact sum of power times time."""
        while self._until_ms < now_ms:
            power_mw, until_ms = self._load.at(self._until_ms)
            span_ms = min(until_ms, now_ms) - self._until_ms
            self._import += max(power_mw, 0) * span_ms
            self._export += max(-power_mw, 0) * span_ms
            self._reactive += _reactive(power_mw) * span_ms
            self._until_ms += span_ms


def read_profile(name: str) -> dict[str, Any]:
    """The JSON of a profile that the firmware has."""
    content: dict[str, Any] = json.loads((PROFILES / f"{name}.json").read_text(encoding="utf-8"))
    return content


def encode(number: Fraction, form: str) -> bytes:
    """The register bytes that come closest to a number, high byte first."""
    return struct.pack(form, float(number) if form == ">f" else nearest(number))


def decode(raw: bytes, place: Place) -> int:
    """What register bytes truly say, in the terminal's unit; rounded half away from zero."""
    return nearest(Fraction(struct.unpack(place.format, raw)[0]) * place.scale)


def nearest(number: Fraction) -> int:
    """The nearest integer, half away from zero."""
    whole = (2 * abs(number.numerator) + number.denominator) // (2 * number.denominator)
    return whole if number >= 0 else -whole


def _place(name: str, entry: Mapping[str, Any], profile: Mapping[str, Any], ratios: tuple[int, int]) -> Place:
    scale = Fraction(*entry["scale"])
    if not entry.get("ratios_applied", profile["ratios_applied"]):
        scale *= ratios[0] if name in (*_BY_BOTH, *_BY_CT) else 1
        scale *= ratios[1] if name in (*_BY_BOTH, *_BY_PT) else 1
    return Place(int(entry["register"], 16), _FORMATS[entry["type"]], scale)


def _reactive(power_mw: int) -> int:
    """Lagging, as motors are: power factor about 0.89."""
    return abs(power_mw) // 2


def _swapped(raw: bytes) -> bytes:
    return b"".join(raw[at : at + 2] for at in range(len(raw) - 2, -1, -2))
