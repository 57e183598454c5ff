# A meter model as data: which registers hold what, in which type and unit. profiles/README.md is the file's format.
#
# All arithmetic is on integers: MicroPython's floats are single precision on the boards, and a float32 energy register
# times 1000 does not fit one. A value is what the register's bits say exactly, times scale and ratios, rounded once,
# half away from zero. What a meter marks as invalid, NaN, infinity, or a value that no such meter can show, is None:
# absent.
import json
from collections import namedtuple

from protocol import limits

_POWER = limits.POWER_W_MAX
_CURRENT = limits.CURRENT_MA_MAX

# name: (lowest, highest, times CT ratio, times PT ratio); named and in the units of protocol.record.Reading
QUANTITIES = {
    "p_w": (-_POWER, _POWER, True, True),
    "q_var": (-_POWER, _POWER, True, True),
    "e_import_wh": (0, limits.ENERGY_WH_MAX, True, True),
    "e_export_wh": (0, limits.ENERGY_WH_MAX, True, True),
    "r_import_varh": (0, limits.ENERGY_WH_MAX, True, True),
    "r_export_varh": (0, limits.ENERGY_WH_MAX, True, True),
    "ua_dv": (0, limits.VOLTAGE_DV_MAX, False, True),
    "ub_dv": (0, limits.VOLTAGE_DV_MAX, False, True),
    "uc_dv": (0, limits.VOLTAGE_DV_MAX, False, True),
    "ia_ma": (-_CURRENT, _CURRENT, True, False),
    "ib_ma": (-_CURRENT, _CURRENT, True, False),
    "ic_ma": (-_CURRENT, _CURRENT, True, False),
    "pf_milli": (-limits.PF_MILLI_MAX, limits.PF_MILLI_MAX, False, False),
}
_REQUIRED = ("p_w", "e_import_wh")  # without them a point says nothing that the regulator asks for

TYPES = {"u16": 1, "i16": 1, "u32": 2, "i32": 2, "f32": 2, "u64": 4, "i64": 4}  # how many registers each takes
_WORD_ORDERS = ("high_first", "low_first")
_FUNCTIONS = (3, 4)  # holding registers, input registers
_REGISTERS_MAX = 125  # a read's answer must fit Modbus RTU's 256 bytes
_SCALE_MAX = 1000000000  # kWh to Wh is 1000; a billion leaves room for any unit and catches a slip of the finger
_RATIO_MAX = 10000  # DTSU666 takes CT ratios up to 9999; 35 kV over 100 V is 350
_KEYS = (
    "model",
    "source",
    "function",
    "word_order",
    "registers_per_read",
    "readable",
    "ratios_applied",
    "power_max_w",
    "quantities",
)
_QUANTITY_KEYS = ("register", "type", "scale", "invalid", "ratios_applied")

Block = namedtuple("Block", ("first", "count"))
Quantity = namedtuple(
    "Quantity",
    ("name", "register", "type", "numerator", "denominator", "invalid", "ratios_applied"),
)


class ProfileError(ValueError):
    """A profile file that is not taken: which file, which key, and what is allowed there."""

    def __init__(self, file: str, key: str, reason: str) -> None:
        super().__init__("%s: %s: %s" % (file, key, reason))
        self.file = file
        self.key = key
        self.reason = reason


class Profile:
    """A checked profile. `blocks` are the reads that get everything, in the order that `decode` takes their bytes."""

    def __init__(self, name: str, model: str, function: int, word_order: str, power_max_w: int) -> None:
        self.name = name
        self.model = model
        self.function = function
        self.high_first = word_order == "high_first"
        self.power_max_w = power_max_w
        self.readable: "list[Block]" = []
        self.quantities: "list[Quantity]" = []
        self.blocks: "list[Block]" = []

    def decode(self, answers: "list[bytes]", ct_ratio: int, pt_ratio: int) -> "dict[str, int | None]":
        # {quantity: integer, or None where absent} from the registers' bytes of each block.
        values = {}
        for quantity in self.quantities:
            for block, data in zip(self.blocks, answers):
                at = 2 * (quantity.register - block.first)
                if 0 <= at < len(data):
                    raw = data[at : at + 2 * TYPES[quantity.type]]
                    values[quantity.name] = self.value(quantity, raw, ct_ratio, pt_ratio)
        return values

    def value(self, quantity: Quantity, raw: bytes, ct_ratio: int, pt_ratio: int) -> "int | None":
        # One quantity from its registers' bytes.
        lowest, highest, by_ct, by_pt = QUANTITIES[quantity.name]
        factor = quantity.numerator
        if not quantity.ratios_applied:
            factor *= (ct_ratio if by_ct else 1) * (pt_ratio if by_pt else 1)
        bits = int.from_bytes(raw if self.high_first else _words_swapped(raw), "big")
        if bits in quantity.invalid:
            return None
        if quantity.type == "f32":
            value = float_scaled(bits, factor, quantity.denominator)
        else:
            if quantity.type[0] == "i" and bits >> (8 * len(raw) - 1):
                bits -= 1 << 8 * len(raw)
            value = divide_half_away(bits * factor, quantity.denominator)
        return value if value is not None and lowest <= value <= highest else None


def load(name: str, directory: str) -> Profile:
    # The profile `directory`/`name`.json. Raises ProfileError.
    file = "%s/%s.json" % (directory, name)
    if not name or not all("a" <= c <= "z" or "0" <= c <= "9" or c in "-_" for c in name):
        raise ProfileError(file, "profile", "a name is made of a-z, 0-9, - and _")
    try:
        with open(file) as stream:
            content = json.load(stream)
    except OSError:
        raise ProfileError(file, "profile", "there is no such file") from None
    except ValueError:
        raise ProfileError(file, "profile", "not JSON") from None
    return parse(name, content, file)


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


def merge(quantities: "list[Quantity]", readable: "list[Block]", most: int) -> "list[Block]":
    # The fewest reads of at most `most` registers that get all quantities (ascending) without leaving a readable range:
    # one read is one instant, and each read is a chance to be disturbed. No two reads have the same length as far as
    # the ranges allow, so that the byte count alone tells a late answer of one from an answer of the other.
    blocks = []
    for span in readable:
        first = end = None
        for quantity in quantities:
            if not span.first <= quantity.register < span.first + span.count:
                continue
            if first is not None and quantity.register + TYPES[quantity.type] - first > most:
                blocks.append((first, end, span))
                first = None
            first = quantity.register if first is None else first
            end = quantity.register + TYPES[quantity.type]
        if first is not None:
            blocks.append((first, end, span))
    merged: "list[Block]" = []
    for first, end, span in blocks:
        count = end - first
        room = min(most, span.first + span.count - first)
        while count < room and any(block.count == count for block in merged):
            count += 1
        merged.append(Block(first, count))
    return merged


def _words_swapped(raw: bytes) -> bytes:
    return b"".join([raw[at : at + 2] for at in range(len(raw) - 2, -1, -2)])


# --- checks of a profile's content ---


def parse(name: str, content: object, file: str) -> Profile:
    # The profile with this JSON content. Raises ProfileError; `file` is for its text.
    check = _Check(file)
    described = check.mapping(content, "profile", _KEYS, _KEYS)
    model = check.text(described["model"], "model", "a name")
    check.text(described["source"], "source", "where the register map is from")
    function = check.integer(described["function"], "function", *_FUNCTIONS)
    word_order = check.one_of(described["word_order"], "word_order", _WORD_ORDERS)
    most = check.integer(described["registers_per_read"], "registers_per_read", 1, _REGISTERS_MAX)
    power_max_w = check.integer(described["power_max_w"], "power_max_w", 1, _POWER)
    profile = Profile(name, model, function, word_order, power_max_w)
    profile.readable = _readable(check, described["readable"])
    applied = check.boolean(described["ratios_applied"], "ratios_applied")
    profile.quantities = _quantities(check, described["quantities"], applied)
    _check_places(check, profile, most)
    profile.blocks = merge(profile.quantities, profile.readable, most)
    return profile


class _Check:
    """Raises ProfileError, with file and key, for what is not so; else gives the value with its type."""

    def __init__(self, file: str) -> None:
        self._file = file

    def that(self, right: bool, key: str, allowed: str) -> None:
        if not right:
            raise ProfileError(self._file, key, allowed)

    def fail(self, key: str, allowed: str) -> ProfileError:
        return ProfileError(self._file, key, allowed)

    def text(self, value: object, key: str, allowed: str) -> str:
        if isinstance(value, str) and value:
            return value
        raise self.fail(key, allowed)

    def one_of(self, value: object, key: str, allowed: "tuple[str, ...]") -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise self.fail(key, "one of " + ", ".join(allowed))

    def boolean(self, value: object, key: str) -> bool:
        if isinstance(value, bool):
            return value
        raise self.fail(key, "true or false")

    def integer(self, value: object, key: str, lowest: int, highest: int) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        raise self.fail(key, "an integer from %d to %d" % (lowest, highest))

    def sequence(self, value: object, key: str, allowed: str) -> "list[object]":
        if isinstance(value, list):
            return value
        raise self.fail(key, allowed)

    def pair(self, value: object, key: str, allowed: str) -> "list[object]":
        if isinstance(value, list) and len(value) == 2:
            return value
        raise self.fail(key, allowed)

    def mapping(
        self, value: object, key: str, allowed: "tuple[str, ...]", required: "tuple[str, ...]"
    ) -> "dict[str, object]":
        if not isinstance(value, dict):
            raise self.fail(key, "an object")
        for name in value:
            self.that(name in allowed, "%s.%s" % (key, name), "unknown; allowed: " + ", ".join(allowed))
        for name in required:
            self.that(name in value, "%s.%s" % (key, name), "missing")
        return value

    def hexadecimal(self, value: object, key: str, digits: int, allowed: str) -> int:
        # "0x" and exactly so many digits, as manuals have registers and bit patterns.
        if isinstance(value, str) and value[:2] == "0x" and len(value) == 2 + digits:
            try:
                return int(value[2:], 16)
            except ValueError:
                pass  # refused below, like any other text
        raise self.fail(key, allowed)

    def register(self, value: object, key: str) -> int:
        return self.hexadecimal(value, key, 4, 'a register as on the wire: "0x0000" to "0xffff"')


def _readable(check: _Check, value: object) -> "list[Block]":
    pairs = check.sequence(value, "readable", "a list of [first, last] ranges without a hole")
    spans: "list[Block]" = []
    for number, entry in enumerate(pairs):
        key = "readable[%d]" % number
        pair = check.pair(entry, key, "[first, last]")
        first, last = check.register(pair[0], key), check.register(pair[1], key)
        check.that(first <= last, key, "first must not be after last")
        check.that(not spans or first >= spans[-1].first + spans[-1].count, key, "ranges ascend and do not overlap")
        spans.append(Block(first, last - first + 1))
    return spans


def _quantities(check: _Check, value: object, all_applied: bool) -> "list[Quantity]":
    described = check.mapping(value, "quantities", tuple(sorted(QUANTITIES)), _REQUIRED)
    found = []
    for name in described:
        key = "quantities." + name
        entry = check.mapping(described[name], key, _QUANTITY_KEYS, ("register", "type", "scale"))
        kind = check.one_of(entry["type"], key + ".type", tuple(sorted(TYPES)))
        scale = check.pair(entry["scale"], key + ".scale", "[numerator, denominator]")
        numerator = check.integer(scale[0], key + ".scale", 1, _SCALE_MAX)
        denominator = check.integer(scale[1], key + ".scale", 1, _SCALE_MAX)
        applied = check.boolean(entry.get("ratios_applied", all_applied), key + ".ratios_applied")
        invalid = _invalid(check, entry.get("invalid", []), key + ".invalid", 4 * TYPES[kind])
        register = check.register(entry["register"], key + ".register")
        found.append(Quantity(name, register, kind, numerator, denominator, invalid, applied))
    return sorted(found, key=lambda quantity: quantity.register)


def _invalid(check: _Check, value: object, key: str, digits: int) -> "tuple[int, ...]":
    # Bit patterns of the whole quantity that mean "no value".
    allowed = "a list of bit patterns, 0x and %d hexadecimal digits each" % digits
    return tuple([check.hexadecimal(text, key, digits, allowed) for text in check.sequence(value, key, allowed)])


def _check_places(check: _Check, profile: Profile, most: int) -> None:
    end = -1
    for quantity in profile.quantities:
        key = "quantities.%s.register" % quantity.name
        check.that(quantity.register >= end, key, "overlaps the quantity before it")
        end = quantity.register + TYPES[quantity.type]
        inside = any(span.first <= quantity.register and end <= span.first + span.count for span in profile.readable)
        check.that(inside, key, "not inside a readable range")
        check.that(TYPES[quantity.type] <= most, key, "longer than registers_per_read")


def check_ratios(profile: Profile, ct_ratio: int, pt_ratio: int) -> None:
    # ValueError where a ratio would be applied twice, or can't be right.
    for name, ratio in (("ct_ratio", ct_ratio), ("pt_ratio", pt_ratio)):
        if type(ratio) is not int or not 1 <= ratio <= _RATIO_MAX:
            raise ValueError("%s: an integer from 1 to %d" % (name, _RATIO_MAX))
        if ratio != 1 and all(quantity.ratios_applied for quantity in profile.quantities):
            raise ValueError("%s: must be 1, %s applies its ratios itself" % (name, profile.model))
