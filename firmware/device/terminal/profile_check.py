# The checks of a profile's content: what is wrong is refused with file, key and what is allowed. profiles/README.md is
# the format. Loaded with the first profile; nothing else of the terminal needs it.
from protocol import checked, limits, meter_state
from terminal import dlt645, modbus, profile, quantity

_SCALE_MAX = 1000000000  # kWh to Wh is 1000; a billion leaves room for any unit and catches a slip of the finger
_ROLLS_MAX = (1 << 63) - 1
_TEXT_MAX = 500
_CIRCUITS_MAX = limits.POINTS_MAX
_RANGES_MAX = 32
_WORDS_MAX = 7  # DL/T 645-2007 has seven state words
_ORDERS = {"high_first": quantity.HIGH_FIRST, "low_first": quantity.LOW_WORD_FIRST}
_FUNCTIONS = (modbus.READ_HOLDING, modbus.READ_INPUT)
_REGISTER = 'a register as on the wire: "0x0000" to "0xffff"'


def parse(name: str, content: object, file: str) -> profile.Profile:
    # The profile with this JSON content. Raises checked.ConfigError.
    top = checked.Table(file, "", content)
    model = top.text("model", _TEXT_MAX)
    top.text("source", _TEXT_MAX)
    protocol = top.one_of("protocol", sorted(profile.PROTOCOLS))
    found = profile.Profile(name, model, protocol, top.integer("power_max_w", 1, limits.POWER_W_MAX))
    applied = _boolean(top, "ratios_applied")
    read = _ModbusReader(top, found) if protocol == "modbus-rtu" else _Dlt645Reader()
    found.quantities[profile.MEASURED] = top.table(
        "quantities", lambda table: _named(table, quantity.MEASURED, quantity.REQUIRED, read, applied=applied)
    )
    if top.has("identity"):
        found.quantities[profile.IDENTITY] = top.table(
            "identity", lambda table: _named(table, quantity.IDENTITY, (), read, applied=True)
        )
    if top.has("state"):
        words = top.tables("state", _WORDS_MAX, lambda table: _state_word(table, read))  # type: ignore[no-untyped-call]
        found.quantities[profile.STATE] = [word for word, _ in words]
        found.state_bits = [pairs for _, pairs in words]
    top.done()
    _check_power(top, found)
    _check_places(file, found, read)
    return found


def _named(table, ranges, required, read, *, applied: bool) -> "list[quantity.Quantity]":  # type: ignore[no-untyped-def]
    # The quantities of a table, each under its name.
    table.only(ranges)
    for name in required:
        table.get(name)
    found = [
        table.table(name, lambda entry, name=name: _quantity(entry, name, ranges[name], read, applied))
        for name in ranges
        if table.has(name)
    ]
    return sorted(found, key=lambda one: (one.place, one.at))


def _quantity(table, name: str, bounds, read, applied: bool) -> quantity.Quantity:  # type: ignore[no-untyped-def]
    lowest, highest, by_ct, by_pt = bounds
    function, place, at, stride = read.place(table)
    kind, size, order = read.type(table)
    numerator, denominator = _scale(table, kind, size, highest)
    if table.has("ratios_applied"):
        applied = _boolean(table, "ratios_applied")
    invalid = _invalid(table, 2 * size) if table.has("invalid") else ()
    rolls_at = _rolls_at(table, name, kind, size) if table.has("rolls_at") else 0
    by_ct, by_pt = by_ct and not applied, by_pt and not applied
    return quantity.Quantity(
        name, function, place, at, stride, kind, size, order, numerator, denominator, invalid, lowest, highest,
        by_ct, by_pt, rolls_at,
    )  # fmt: skip


def _scale(table, kind: str, size: int, highest: int) -> "tuple[int, int]":  # type: ignore[no-untyped-def]
    key, allowed = "scale", "[numerator, denominator], each an integer from 1 to %d" % _SCALE_MAX
    numerator, denominator = _pair(table, key, table.get(key), allowed)
    for number in (numerator, denominator):
        if type(number) is not int or not 1 <= number <= _SCALE_MAX:
            raise table.error(key, [numerator, denominator], allowed)
    most = quantity.number_max(kind, size)
    if numerator > highest * denominator or (most is not None and 2 * most * numerator < denominator):
        raise table.error(key, [numerator, denominator], "a scale with which the register can show a value of the unit")
    return numerator, denominator


def _invalid(table, digits: int) -> "tuple[int, ...]":  # type: ignore[no-untyped-def]
    # Bit patterns of the whole quantity that mean "no value".
    key, allowed = "invalid", "a list of bit patterns, 0x and %d hexadecimal digits each" % digits
    patterns = table.get(key)
    if not isinstance(patterns, list):
        raise table.error(key, patterns, allowed)
    return tuple([_hexadecimal(table, key, pattern, digits, allowed) for pattern in patterns])


def _rolls_at(table, name: str, kind: str, size: int) -> int:  # type: ignore[no-untyped-def]
    most = quantity.number_max(kind, size)
    if name not in quantity.ENERGIES or most is None:
        raise table.error("rolls_at", table.get("rolls_at"), "nothing here: it is for energies in integers")
    return table.integer("rolls_at", 2, min(most + 1, _ROLLS_MAX))


def _state_word(table, read):  # type: ignore[no-untyped-def]
    # A word of the meter's, and which of its bits mean what.
    function, place, at, stride = read.place(table)
    kind, size, order = read.type(table)
    if (kind, size) != ("u", 2):
        raise table.error("type", table.get("type"), "a word of 16 bits: u16 or bits16")
    plain = {"by_ct": False, "by_pt": False, "rolls_at": 0}
    word = quantity.Quantity("state", function, place, at, stride, kind, size, order, 1, 1, (), 0, 0, **plain)
    return word, table.table("bits", _state_bits)


def _state_bits(table) -> "tuple[tuple[int, int], ...]":  # type: ignore[no-untyped-def]
    names = meter_state.NAMES
    table.only(names)
    return tuple([(table.integer(name, 0, 15), at) for at, name in enumerate(names) if table.has(name)])


class _ModbusReader:
    """Where quantities stand in registers, and how their bytes are ordered."""

    def __init__(self, top, found: profile.Profile) -> None:  # type: ignore[no-untyped-def]
        self._function = top.one_of("function", _FUNCTIONS)
        self._order = _ORDERS[top.one_of("word_order", sorted(_ORDERS))]
        found.registers_per_read = top.integer("registers_per_read", 1, modbus.REGISTERS_MAX)
        found.readable = _readable(top)
        found.circuits = top.integer("circuits", 2, _CIRCUITS_MAX) if top.has("circuits") else 1
        self.circuits = found.circuits
        self.readable = found.readable
        self.most = found.registers_per_read

    def place(self, table) -> "tuple[int, int, int, int]":  # type: ignore[no-untyped-def]
        function = table.one_of("function", _FUNCTIONS) if table.has("function") else self._function
        stride = 0
        if table.has("stride"):
            if self.circuits == 1:
                raise table.error("stride", table.get("stride"), 'nothing here: the profile has no "circuits"')
            stride = _hexadecimal(table, "stride", table.get("stride"), 4, '"0x0001" to "0xffff"')
        return function, _hexadecimal(table, "register", table.get("register"), 4, _REGISTER), 0, stride

    def type(self, table) -> "tuple[str, int, int]":  # type: ignore[no-untyped-def]
        order = _ORDERS[table.one_of("word_order", sorted(_ORDERS))] if table.has("word_order") else self._order
        kind, size = quantity.REGISTER_TYPES[table.one_of("type", sorted(quantity.REGISTER_TYPES))]
        return kind, size, order

    def spans(self, one: quantity.Quantity) -> "list[tuple[int, int, int]]":
        # (what tells its registers from others of the same number, first, one past the last), in every circuit.
        places = [profile.place_of(one, circuit) for circuit in range(1, (self.circuits if one.stride else 1) + 1)]
        return [(one.function, place, place + one.size // 2) for place in places]

    def why_not(self, one: quantity.Quantity) -> "str | None":
        if one.size // 2 > self.most:
            return "a type of at most registers_per_read"
        for _, first, end in self.spans(one):
            if not any(low <= first and end <= high for low, high in self.readable):
                return "inside a readable range"
        return None


class _Dlt645Reader:
    """Where quantities stand in items."""

    def place(self, table) -> "tuple[int, int, int, int]":  # type: ignore[no-untyped-def]
        item = _hexadecimal(table, "item", table.get("item"), 8, 'a data identifier: "0x00000000" to "0xffffffff"')
        at = table.integer("at", 0, dlt645.DATA_BYTES_MAX) if table.has("at") else 0
        return dlt645.READ_DATA, item, at, 0

    def type(self, table) -> "tuple[str, int, int]":  # type: ignore[no-untyped-def]
        kind, size = quantity.ITEM_TYPES[table.one_of("type", sorted(quantity.ITEM_TYPES))]
        return kind, size, quantity.LOW_BYTE_FIRST

    def spans(self, one: quantity.Quantity) -> "list[tuple[int, int, int]]":
        return [(one.place, one.at, one.at + one.size)]

    def why_not(self, one: quantity.Quantity) -> "str | None":
        return None if one.at + one.size <= dlt645.DATA_BYTES_MAX - 4 else "within the 196 bytes of an answer"


def _readable(top) -> "list[tuple[int, int]]":  # type: ignore[no-untyped-def]
    pairs = top.get("readable")
    if not isinstance(pairs, list) or len(pairs) > _RANGES_MAX:
        raise top.error("readable", pairs, "a list of [first, last] ranges without a hole")
    spans: "list[tuple[int, int]]" = []
    for number, entry in enumerate(pairs):
        key = "readable[%d]" % number
        first, last = [
            _hexadecimal(top, key, text, 4, "[first, last], each " + _REGISTER)
            for text in _pair(top, key, entry, "[first, last]")
        ]
        if first > last or (spans and first < spans[-1][1]):
            raise top.error(key, entry, "[first, last]; ranges ascend and do not overlap")
        spans.append((first, last + 1))
    return spans


def _check_power(top, found: profile.Profile) -> None:  # type: ignore[no-untyped-def]
    # A power that its own register cannot show is a slip in the scale, or in the power.
    power = found.measured("p_w")
    most = None if power is None else quantity.number_max(power.kind, power.size)
    if power is not None and most is not None and most * power.numerator < found.power_max_w * power.denominator:
        raise top.error("power_max_w", found.power_max_w, "at most what the register of p_w can show")


def _check_places(file: str, found: profile.Profile, reader) -> None:  # type: ignore[no-untyped-def]
    # Everything can be read, and no two things stand in one place.
    taken: "list[tuple[tuple[int, int, int], str]]" = []
    for table, quantities in zip(("quantities", "identity", "state"), found.quantities):
        for number, one in enumerate(quantities):
            key = "state[%d]" % number if table == "state" else "%s.%s" % (table, one.name)
            reason = reader.why_not(one)
            if reason:
                raise checked.ConfigError(file, key, _shown(one), reason)
            taken.extend([(span, key) for span in reader.spans(one)])
    taken.sort()
    for at in range(1, len(taken)):
        (space, first, _), key = taken[at]
        (space_before, _, end), key_before = taken[at - 1]
        if space == space_before and first < end:
            raise checked.ConfigError(file, key, hex(first), "a place of its own: it overlaps " + key_before)


def _shown(one: quantity.Quantity) -> str:
    return "%s of %d bytes" % (hex(one.place), one.size)


def _boolean(table, key: str) -> bool:  # type: ignore[no-untyped-def]
    value = table.get(key)
    if not isinstance(value, bool):
        raise table.error(key, value, "true or false")
    return value


def _pair(table, key: str, value, allowed: str):  # type: ignore[no-untyped-def]
    if not isinstance(value, list) or len(value) != 2:
        raise table.error(key, value, allowed)
    return value


def _hexadecimal(table, key: str, value, digits: int, allowed: str) -> int:  # type: ignore[no-untyped-def]
    # "0x" and exactly so many digits, as manuals have registers and bit patterns.
    if isinstance(value, str) and value[:2] == "0x" and len(value) == 2 + digits:
        try:
            return int(value[2:], 16)
        except ValueError:
            pass  # refused below, like any other text
    raise table.error(key, value, allowed)
