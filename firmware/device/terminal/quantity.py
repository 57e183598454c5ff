# From a meter's bytes to a number in our unit, and back to nothing where the meter has none.
#
# All arithmetic is on integers: MicroPython's floats are single precision on the boards, and a float32 energy register
# times 1000 does not fit one. A value is what the bits say exactly, times scale and ratios, rounded once, half away
# from zero. What a meter marks as invalid, NaN, infinity, a digit above 9, or a value that no such meter can show, is
# None: absent.
from collections import namedtuple

from protocol import limits

_POWER = limits.POWER_W_MAX
_CURRENT = limits.CURRENT_MA_MAX
_ENERGY = limits.ENERGY_WH_MAX

# name: (lowest, highest, times CT ratio, times PT ratio); named and in the units of protocol.record.Reading
MEASURED = {
    "p_w": (-_POWER, _POWER, True, True),
    "q_var": (-_POWER, _POWER, True, True),
    "e_import_wh": (0, _ENERGY, True, True),
    "e_export_wh": (0, _ENERGY, True, True),
    "r_import_varh": (0, _ENERGY, True, True),
    "r_export_varh": (0, _ENERGY, True, True),
    "ua_dv": (0, limits.VOLTAGE_DV_MAX, False, True),
    "ub_dv": (0, limits.VOLTAGE_DV_MAX, False, True),
    "uc_dv": (0, limits.VOLTAGE_DV_MAX, False, True),
    "ia_ma": (-_CURRENT, _CURRENT, True, False),
    "ib_ma": (-_CURRENT, _CURRENT, True, False),
    "ic_ma": (-_CURRENT, _CURRENT, True, False),
    "pf_milli": (-limits.PF_MILLI_MAX, limits.PF_MILLI_MAX, False, False),
}
REQUIRED = ("p_w", "e_import_wh")  # without them a point says nothing that the regulator asks for
ENERGIES = ("e_import_wh", "e_export_wh", "r_import_varh", "r_export_varh")

# what must not change on a meter: its number, and its transformer settings (a ratio, or the primary value)
IDENTITY = {
    "serial": (0, _ENERGY, False, False),
    "ct_milli": (0, _ENERGY, False, False),
    "pt_milli": (0, _ENERGY, False, False),
}

# name: (kind, bytes). u, i: binary, two's complement; sm: the top bit is the sign; f: IEEE 754. High byte first.
REGISTER_TYPES = {
    "u16": ("u", 2),
    "i16": ("i", 2),
    "sm16": ("sm", 2),
    "u32": ("u", 4),
    "i32": ("i", 4),
    "sm32": ("sm", 4),
    "f32": ("f", 4),
    "u64": ("u", 8),
    "i64": ("i", 8),
}
# bcd: two digits a byte; sbcd: the top bit is the sign; u: binary. All low byte first (DL/T 645-2007, 5.2.6).
ITEM_TYPES = {
    "bcd2": ("bcd", 2),
    "bcd3": ("bcd", 3),
    "bcd4": ("bcd", 4),
    "bcd6": ("bcd", 6),
    "sbcd2": ("sbcd", 2),
    "sbcd3": ("sbcd", 3),
    "sbcd4": ("sbcd", 4),
    "bits16": ("u", 2),
}

# place: register, or data identifier; at: byte offset in that item's data; stride: registers from one circuit to the
# next; order: of its bytes (below); rolls_at: the number at which its register begins again at 0, 0 for never
Quantity = namedtuple(
    "Quantity",
    (
        "name",
        "function",
        "place",
        "at",
        "stride",
        "kind",
        "size",
        "order",
        "numerator",
        "denominator",
        "invalid",
        "lowest",
        "highest",
        "by_ct",
        "by_pt",
        "rolls_at",
    ),
)
HIGH_FIRST = 0  # the word with the high bits comes first, as the bytes in it do
LOW_WORD_FIRST = 1
LOW_BYTE_FIRST = 2


def value(quantity: Quantity, raw: bytes, ct_ratio: int, pt_ratio: int) -> "int | None":
    # One quantity from its bytes.
    bits = bits_of(quantity, raw)
    if bits in quantity.invalid:
        return None
    factor = factor_of(quantity, ct_ratio, pt_ratio)
    if quantity.kind == "f":
        found = float_scaled(bits, factor, quantity.denominator)
    else:
        number = _number(quantity.kind, bits, len(raw))
        found = None if number is None else divide_half_away(number * factor, quantity.denominator)
    return found if found is not None and quantity.lowest <= found <= quantity.highest else None


def factor_of(quantity: Quantity, ct_ratio: int, pt_ratio: int) -> int:
    # By what the meter's number is multiplied, before it is divided by the denominator.
    factor: int = quantity.numerator
    if quantity.by_ct:
        factor *= ct_ratio
    return factor * pt_ratio if quantity.by_pt else factor


def bits_of(quantity: Quantity, raw: bytes) -> int:
    if quantity.order == LOW_BYTE_FIRST:
        return int.from_bytes(raw, "little")
    if quantity.order == LOW_WORD_FIRST:
        raw = b"".join([raw[at : at + 2] for at in range(len(raw) - 2, -1, -2)])
    return int.from_bytes(raw, "big")


def number_max(kind: str, size: int) -> "int | None":
    # The highest number of a type; None where it has no bound that matters.
    if kind == "bcd":
        return int(10 ** (2 * size)) - 1
    if kind == "sbcd":
        return 8 * int(10 ** (2 * size - 1)) - 1
    if kind == "f":
        return None
    return (1 << (8 * size if kind == "u" else 8 * size - 1)) - 1


def divide_half_away(numerator: int, denominator: int) -> int:
    # numerator / denominator to the nearest integer, half away from zero; denominator > 0.
    half = (2 * abs(numerator) + denominator) // (2 * denominator)
    return half if numerator >= 0 else -half


def float_scaled(bits: int, numerator: int, denominator: int) -> "int | None":
    # The IEEE 754 binary32 of these bits, times numerator / denominator, rounded once; None for NaN and infinity.
    exponent = bits >> 23 & 0xFF
    if exponent == 0xFF:
        return None
    mantissa = bits & 0x7FFFFF
    if exponent:
        mantissa |= 0x800000
    shift = max(exponent, 1) - 150
    if shift >= 0:
        mantissa <<= shift
    else:
        denominator <<= -shift
    value = divide_half_away(mantissa * numerator, denominator)
    return -value if bits >> 31 else value


def _number(kind: str, bits: int, size: int) -> "int | None":
    if kind == "u":
        return bits
    if kind == "bcd":
        return _decimal(bits, size)
    top = 1 << 8 * size - 1
    if kind == "i":
        return bits - 2 * top if bits & top else bits
    magnitude = bits & ~top if kind == "sm" else _decimal(bits & ~top, size)
    return -magnitude if magnitude is not None and bits & top else magnitude


def _decimal(bits: int, size: int) -> "int | None":
    number = 0
    for shift in range(8 * size - 4, -1, -4):
        digit = bits >> shift & 0xF
        if digit > 9:
            return None
        number = 10 * number + digit
    return number
