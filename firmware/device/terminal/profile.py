# A meter model as data: what it measures, and how one asks for it. profiles/README.md is the file's format; a file is
# checked by terminal.profile_check, on the host before it is flashed and on the terminal again.
#
# A profile is loaded once, however many meters are of its model. What is asked of a meter is a Plan: the fewest reads
# that get some quantities, and where each quantity stands in their answers.
import sys
from array import array

from protocol import checked
from terminal import bus_protocol, dlt645, modbus, quantity

PROTOCOLS = {"modbus-rtu": modbus, "dlt645": dlt645}

MEASURED = 0  # what every sample wants
IDENTITY = 1  # what must not change: number and transformer settings
STATE = 2  # what the meter says about itself


class Profile:
    """A checked profile (profile_check.parse). `protocol` is a module as bus_protocol describes them."""

    def __init__(self, name: str, model: str, protocol: str, power_max_w: int) -> None:
        self.name = name
        self.model = model
        self.protocol_name = protocol
        self.protocol = PROTOCOLS[protocol]
        self.power_max_w = power_max_w
        self.circuits = 1
        self.registers_per_read = 0  # Modbus only
        self.readable: "list[tuple[int, int]]" = []  # likewise: (first register, one past the last)
        self.quantities: "list[list[quantity.Quantity]]" = [[], [], []]  # by MEASURED, IDENTITY, STATE
        self.state_bits: "list[tuple[tuple[int, int], ...]]" = []  # of each state word: (its bit, our bit)
        self._plans: "dict[tuple[int, int], Plan]" = {}

    def plan(self, what: int = MEASURED, circuit: int = 1) -> "Plan":
        # How to ask for the quantities of a circuit; made once. No reads where the profile names none.
        key = (what, circuit)
        if key not in self._plans:
            make = _modbus_plan if self.protocol is modbus else _dlt645_plan
            self._plans[key] = make(self, self.quantities[what], circuit)
        return self._plans[key]

    def measured(self, name: str) -> "quantity.Quantity | None":
        for one in self.quantities[MEASURED]:
            if one.name == name:
                return one
        return None

    @property
    def wants_ratios(self) -> bool:
        # Whether anything is to be multiplied by the ratios of the terminal's configuration.
        return any(one.by_ct or one.by_pt for one in self.quantities[MEASURED])

    def state(self, words: "list[int | None]") -> int:
        # Our bits (protocol.meter_state) out of the state words; what was not answered says nothing.
        found = 0
        for word, pairs in zip(words, self.state_bits):
            for theirs, ours in pairs:
                if word is not None and word >> theirs & 1:
                    found |= 1 << ours
        return found


class Plan:
    """`reads`, in the order in which `decode` takes their answers."""

    def __init__(self, reads: "list[bus_protocol.Read]", quantities: "list[quantity.Quantity]", places) -> None:  # type: ignore[no-untyped-def]
        self.reads = reads
        self._quantities = quantities
        self._places = array("H")  # for each quantity: its read, and the offset of its first byte in the answer
        needed = 0
        for one, (read, offset) in zip(quantities, places):
            self._places.append(read)
            self._places.append(offset)
            if one.name in quantity.REQUIRED:
                needed |= 1 << read
        self._needed = needed

    def is_needed(self, read: int) -> bool:
        # Whether a point says nothing without this read; without any other it says less.
        return bool(self._needed >> read & 1)

    def decode(self, answers: "list[bytes | None]", ct_ratio: int, pt_ratio: int) -> "dict[str, int | None]":
        # {quantity: integer, or None where absent} from the data of each read; None: the meter has no such data.
        values = {}
        for at, one in enumerate(self._quantities):
            raw = self._raw(at, answers)
            values[one.name] = None if raw is None else quantity.value(one, raw, ct_ratio, pt_ratio)
        return values

    def words(self, answers: "list[bytes | None]") -> "list[int | None]":
        # The plain bits of each quantity, for state words.
        raws = [self._raw(at, answers) for at in range(len(self._quantities))]
        return [None if raw is None else quantity.bits_of(one, raw) for one, raw in zip(self._quantities, raws)]

    def _raw(self, at: int, answers: "list[bytes | None]") -> "bytes | None":
        # A meter may answer less than its block could hold: a single-phase meter has one voltage.
        data = answers[self._places[2 * at]]
        first = self._places[2 * at + 1]
        last = first + self._quantities[at].size
        return data[first:last] if data is not None and last <= len(data) else None


def load(name: str, directory: str) -> Profile:
    # The profile `directory`/`name`.json. Raises checked.ConfigError.
    from terminal import profile_check

    file = name + ".json"
    if not name or not all("a" <= c <= "z" or "0" <= c <= "9" or c in "-_" for c in name):
        raise checked.ConfigError(file, "profile", name, "a name made of a-z, 0-9, - and _")
    return profile_check.parse(name, checked.read_json("%s/%s" % (directory, file)), file)


def forget_checks() -> None:
    # Give back the 8 KB of heap that the checks' code takes: after the start nothing asks for it until a new
    # configuration comes, and then it is loaded again.
    for name in ("profile_check", "meter_state"):
        package = "terminal" if name == "profile_check" else "protocol"
        if sys.modules.pop("%s.%s" % (package, name), None) is not None:
            delattr(sys.modules[package], name)


def _dlt645_plan(profile: Profile, quantities: "list[quantity.Quantity]", circuit: int) -> Plan:  # noqa: ARG001  one circuit
    # One read an item; blocks such as 0201FF00 are items.
    items: "list[int]" = []
    for one in quantities:
        if one.place not in items:
            items.append(one.place)
    reads = [bus_protocol.Read(dlt645.READ_DATA, item, 0) for item in items]
    return Plan(reads, quantities, [(items.index(one.place), one.at) for one in quantities])


def _modbus_plan(profile: Profile, quantities: "list[quantity.Quantity]", circuit: int) -> Plan:
    spans = sorted([(one.function, place_of(one, circuit), one.size // 2) for one in quantities])
    reads = merge(spans, profile.readable, profile.registers_per_read)
    places = []
    for one in quantities:
        register = place_of(one, circuit)
        for at, read in enumerate(reads):
            if read.function == one.function and read.first <= register < read.first + read.count:
                places.append((at, 2 * (register - read.first)))
    return Plan(reads, quantities, places)


def place_of(one: quantity.Quantity, circuit: int) -> int:
    # Its register in a circuit, 1 and on.
    place: int = one.place + (circuit - 1) * one.stride
    return place


def merge(
    spans: "list[tuple[int, int, int]]", readable: "list[tuple[int, int]]", most: int
) -> "list[bus_protocol.Read]":
    # The fewest reads of at most `most` registers that get all spans (function, first, count; ascending) without
    # leaving a readable range: one read is one instant, and each read is a chance to be disturbed. No two reads have
    # the same length as far as the ranges allow, so that the byte count alone tells a late answer of one from an answer
    # of the other.
    reads: "list[list[int]]" = []  # function, first, one past the last, end of the range
    for function, first, count in spans:
        end = first + count
        limit = _range_end(first, end, readable)
        if reads and reads[-1][0] == function and reads[-1][3] == limit and end - reads[-1][1] <= most:
            reads[-1][2] = max(end, reads[-1][2])
        else:
            reads.append([function, first, end, limit])
    merged: "list[bus_protocol.Read]" = []
    for function, first, end, limit in reads:
        count = end - first
        while count < min(most, limit - first) and any(read.count == count for read in merged):
            count += 1
        if any(read.count == count for read in merged):  # no room to differ
            count = end - first
        merged.append(bus_protocol.Read(function, first, count))
    return merged


def _range_end(first: int, end: int, readable: "list[tuple[int, int]]") -> int:
    # The end of the readable range that holds these registers; what stands alone is its own range.
    for low, high in readable:
        if low <= first and end <= high:
            return high
    return end


def check_ratios(profile: Profile, ct_ratio: int, pt_ratio: int, file: str, where: str) -> None:
    # ConfigError where a ratio would be applied twice.
    for key, ratio in (("ct_ratio", ct_ratio), ("pt_ratio", pt_ratio)):
        if ratio != 1 and not profile.wants_ratios:
            raise checked.ConfigError(file, where + key, ratio, "1: %s applies its ratios itself" % profile.model)
