"""The items of DL/T 645-2007 that an emulated meter has (appendix A), as bytes before the 33H is added."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

from hil.meter_types import encode

_LOCAL = timedelta(hours=8)  # a Chinese meter's clock
_ENERGIES = {0x0001: "e_import_wh", 0x0002: "e_export_wh", 0x0003: "r_import_varh", 0x0004: "r_export_varh"}
_ENERGY_STEP = 10  # 0.01 kWh
_ENERGY_ROLLS_AT = 100_000_000
_REACTIVE_ROLLS_AT = 80_000_000  # the top bit is the sign
_FREQUENCY = 5000  # 0.01 Hz

# the kind of a phase value: names of total and phases, type, the terminal's units in one of the item's
_PHASE_VALUES = {
    0x01: (None, "u{}_dv", "bcd2", Fraction(1)),
    0x02: (None, "i{}_ma", "sbcd3", Fraction(1)),
    0x03: ("p_w", "p{}_w", "sbcd3", Fraction(1, 10)),
    0x04: ("q_var", "q{}_var", "sbcd3", Fraction(1, 10)),
    0x06: ("pf_milli", "pf{}_milli", "sbcd2", Fraction(1)),
}
# state words 1 to 7: which bit says what
_WORDS: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    {"voltage_lost_a": 0, "current_lost_a": 3, "reverse_a": 6},
    {"voltage_lost_b": 0, "current_lost_b": 3, "reverse_b": 6},
    {"voltage_lost_c": 0, "current_lost_c": 3, "reverse_c": 6},
    {"voltage_sequence": 0, "current_sequence": 1},
)


class Item(NamedTuple):
    """What a meter has to tell: secondary values, state by name, its address and number, phases, and the time."""

    values: Mapping[str, Fraction]
    state: set[str]
    address: str
    serial: int
    phases: Sequence[str]
    now_ms: int


def item_bytes(identifier: int, about: Item) -> bytes | None:
    """The data of an identifier, without the identifier; None: there is none in this meter."""
    kind, phase = identifier >> 16 & 0xFF, identifier >> 8 & 0xFF
    if identifier >> 24 == 0x02 and kind in _PHASE_VALUES and identifier & 0xFF == 0:
        return _phase_values(kind, phase, about)
    if identifier >> 16 in _ENERGIES and identifier & 0xFFFF == 0:
        name = _ENERGIES[identifier >> 16]
        reactive = name.startswith("r_")
        rolls_at = _REACTIVE_ROLLS_AT if reactive else _ENERGY_ROLLS_AT
        return encode(about.values[name] / _ENERGY_STEP, "sbcd4" if reactive else "bcd4", rolls_at)
    return _about_itself(identifier, about)


def _phase_values(kind: int, phase: int, about: Item) -> bytes | None:
    total, name, form, unit = _PHASE_VALUES[kind]
    names = [] if total is None else [total]
    names += [name.format(letter) for letter in about.phases]
    if phase != 0xFF:
        number = phase if total is not None else phase - 1
        names = names[number : number + 1] if 0 <= number < len(names) else []
    return b"".join(encode(about.values[one] / unit, form) for one in names) or None


def _about_itself(identifier: int, about: Item) -> bytes | None:
    local = datetime.fromtimestamp(about.now_ms // 1000, UTC) + _LOCAL
    words = [
        encode(Fraction(sum(1 << bit for name, bit in word.items() if name in about.state)), "bits16")
        for word in _WORDS
    ]
    if identifier == 0x040005FF:
        return b"".join(words)
    if 0x04000501 <= identifier <= 0x04000507:
        return words[(identifier & 0xFF) - 1]
    return {
        0x02800002: encode(Fraction(_FREQUENCY), "bcd2"),
        0x04000101: bytes([local.isoweekday() % 7]) + bytes.fromhex(local.strftime("%d%m%y")),
        0x04000102: bytes.fromhex(local.strftime("%S%M%H")),
        0x04000401: bytes.fromhex(about.address)[::-1],
        0x04000402: encode(Fraction(about.serial), "bcd6"),
    }.get(identifier)
