"""How numbers stand in a meter's bytes: the bench's own reading of profiles/README.md, shared with nothing.

What bytes truly say is worked out with fractions, after all rounding of the type's own.
"""

import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

_STRUCTS = {"u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "u64": ">Q", "i64": ">q", "f32": ">f", "bits16": "<H"}
_ONE = Fraction(1)
_PHASE_POWERS = ("pa_w", "pb_w", "pc_w", "qa_var", "qb_var", "qc_var")
_BY_BOTH = ("p_w", "q_var", "e_import_wh", "e_export_wh", "r_import_varh", "r_export_varh", *_PHASE_POWERS)
_BY_PT = ("ua_dv", "ub_dv", "uc_dv")
_BY_CT = ("ia_ma", "ib_ma", "ic_ma")


class Place(NamedTuple):
    """Where and how a quantity of one circuit stands."""

    name: str
    circuit: int
    register: int  # or data identifier
    at: int  # bytes into the item's data
    type: str
    low_first: bool
    scale: Fraction  # from the number to the terminal's unit, ratios included
    rolls_at: int
    function: int

    @property
    def size(self) -> int:
        """In bytes."""
        return size_of(self.type)


def places(profile: Mapping[str, Any], table: str, ratios: tuple[int, int]) -> list[Place]:
    """All that a table of a profile (quantities, identity) names, in every circuit."""
    return [
        _place(name, entry, circuit, profile, ratios, applied=table == "identity" or profile["ratios_applied"])
        for name, entry in profile.get(table, {}).items()
        for circuit in range(1, profile.get("circuits", 1) + 1)
    ]


def _place(
    name: str,
    entry: Mapping[str, Any],
    circuit: int,
    profile: Mapping[str, Any],
    ratios: tuple[int, int],
    *,
    applied: bool,
) -> Place:
    scale = Fraction(*entry["scale"])
    if not entry.get("ratios_applied", applied):
        scale *= ratios[0] if name in (*_BY_BOTH, *_BY_CT) else 1
        scale *= ratios[1] if name in (*_BY_BOTH, *_BY_PT) else 1
    number = int(entry.get("register") or entry["item"], 16) + (circuit - 1) * int(entry.get("stride", "0"), 16)
    low_first = entry.get("word_order", profile.get("word_order")) == "low_first"
    function = entry.get("function", profile.get("function", 0))
    return Place(
        name, circuit, number, entry.get("at", 0), entry["type"], low_first, scale, entry.get("rolls_at", 0), function
    )


def size_of(kind: str) -> int:
    """Bytes of a type."""
    return int(kind[-1]) if "bcd" in kind else int(kind[-2:]) // 8


def encode(number: Fraction, kind: str, rolls_at: int = 0, *, low_first: bool = False, scale: Fraction = _ONE) -> bytes:
    """The bytes, as on the wire, that come closest to number / scale; at the end of its range a register stays there.

    In integers, without a fraction in its lowest terms for each: a day of meters has a hundred thousand of these.
    """
    numerator, denominator = number.numerator * scale.denominator, number.denominator * scale.numerator
    if kind == "f32":
        raw = struct.pack(">f", numerator / denominator)
    elif kind in _STRUCTS:
        raw = struct.pack(_STRUCTS[kind], _within(_whole(numerator, denominator, rolls_at), kind))
    elif kind in {"sm16", "sm32"}:
        raw = _sign_and_magnitude(_rounded(numerator, denominator), 8 * size_of(kind)).to_bytes(size_of(kind), "big")
    else:
        return _bcd(_whole(numerator, denominator, rolls_at), kind)
    return _swapped(raw) if low_first else raw


def decode(raw: bytes, place: Place) -> int | None:
    """What bytes truly say, in the terminal's unit, rounded half away from zero; None: not available."""
    if "bcd" in place.type and raw == b"\xff" * len(raw):
        return None
    numerator, denominator = _number(raw, place)
    return _rounded(numerator * place.scale.numerator, denominator * place.scale.denominator)


def _rounded(numerator: int, denominator: int) -> int:
    """The nearest integer, half away from zero."""
    whole = (2 * abs(numerator) + denominator) // (2 * denominator)
    return whole if numerator >= 0 else -whole


def _number(raw: bytes, place: Place) -> tuple[int, int]:
    """(numerator, denominator), exact."""
    kind = place.type
    if "bcd" in kind:
        negative = kind[0] == "s" and raw[-1] & 0x80
        digits = (raw[:-1] + bytes([raw[-1] & 0x7F]) if negative else raw)[::-1].hex()
        return (-int(digits) if negative else int(digits)), 1
    if place.low_first:
        raw = _swapped(raw)
    if kind in {"sm16", "sm32"}:
        bits, top = int.from_bytes(raw, "big"), 1 << 8 * len(raw) - 1
        return (top - bits if bits & top else bits), 1
    found: tuple[int, int] = struct.unpack(_STRUCTS[kind], raw)[0].as_integer_ratio()
    return found


def _whole(numerator: int, denominator: int, rolls_at: int) -> int:
    whole = _rounded(numerator, denominator)
    return whole % rolls_at if rolls_at else whole


def _swapped(raw: bytes) -> bytes:
    """The registers in the other order."""
    return b"".join(raw[at : at + 2] for at in range(len(raw) - 2, -1, -2))


def _within(number: int, kind: str) -> int:
    bits = 8 * size_of(kind)
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if kind[0] == "i" else (0, (1 << bits) - 1)
    return min(max(number, least), most)


def _sign_and_magnitude(number: int, bits: int) -> int:
    top = 1 << bits - 1
    magnitude = min(abs(number), top - 1)
    return magnitude | top if number < 0 else magnitude


def _bcd(number: int, kind: str) -> bytes:
    """Low byte first; what has too many digits shows as F: not available (DL/T 645-2007)."""
    size = size_of(kind)
    signed = kind[0] == "s"
    digits = f"{abs(number):0{2 * size}d}"
    if len(digits) > 2 * size or (signed and digits[0] > "7") or (not signed and number < 0):
        return b"\xff" * size
    raw = bytearray.fromhex(digits)[::-1]
    if number < 0:
        raw[-1] |= 0x80
    return bytes(raw)
