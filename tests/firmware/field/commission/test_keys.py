"""Ten thousand terminals' keys, as provisioning draws them: no two alike, and no bit that leans to one side."""

from collections import Counter
from math import sqrt

from firmware.field.commission.provision import drawn_key
from protocol import mac

KEYS = 10_000
# Of a fair source the ones of all bits leave 7 standard deviations once in 4e11 runs, those of one of a key's 256 bits
# once in 1.5e9; chi-squared of 255 degrees passes 450 once in 1e12 (Wilson-Hilferty).
DEVIATIONS_MAX = 7
CHI_SQUARED_MAX = 450


def test_ten_thousand_keys_are_of_the_right_size_all_different_and_of_a_fair_source() -> None:
    """S-20: monobit over all, each bit of a key by itself, and chi-squared of the bytes (NIST SP 800-22, 2.1)."""
    keys = [drawn_key() for _ in range(KEYS)]
    assert {len(key) for key in keys} == {mac.KEY_BYTES}
    assert len(set(keys)) == KEYS
    numbers = [int.from_bytes(key, "big") for key in keys]
    bits = 8 * mac.KEY_BYTES
    ones = sum(number.bit_count() for number in numbers)
    assert abs(ones - KEYS * bits / 2) < DEVIATIONS_MAX * sqrt(KEYS * bits) / 2
    for bit in range(bits):
        set_ = sum(number >> bit & 1 for number in numbers)
        assert abs(set_ - KEYS / 2) < DEVIATIONS_MAX * sqrt(KEYS) / 2, bit
    counts = Counter(b"".join(keys))
    expected = KEYS * mac.KEY_BYTES / 256
    assert sum((counts[value] - expected) ** 2 / expected for value in range(256)) < CHI_SQUARED_MAX
