"""The bits of the event meter_state (SPEC.md, section 4): what meters of any model say of their wiring."""

_BITS = 53  # an event's integers are not longer

# the lowest bit first; a meter's profile says which bits of its own words these are
NAMES = (
    "voltage_lost_a",
    "voltage_lost_b",
    "voltage_lost_c",
    "current_lost_a",
    "current_lost_b",
    "current_lost_c",
    "reverse_a",
    "reverse_b",
    "reverse_c",
    "current_open_a",  # the secondary circuit is open: a transformer was taken off
    "current_open_b",
    "current_open_c",
    "phase_failed_a",
    "phase_failed_b",
    "phase_failed_c",
    "voltage_sequence",
    "current_sequence",
    "current_unbalance",
    "power_reversed",
    "clock_battery_low",
    "supply_lost",
    "programming_allowed",
)


def words(bits: int) -> "list[str]":
    """The names of the bits that are set; of one without a name, its number."""
    return [NAMES[at] if at < len(NAMES) else "bit_%d" % at for at in range(_BITS) if bits >> at & 1]
