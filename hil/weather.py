"""How bytes travel between two parts: what a network is like, in numbers. Used by both targets' networks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weather:
    """The same in both directions; a change concerns connections that are open, too.

    delay_ms: one way, and up to jitter_ms more; bytes stay in order. bytes_per_s: 0 is as fast as they come. flowing:
    false is a partition: nothing passes, nothing ends. listening: false refuses connections and ends those there are.
    """

    delay_ms: int = 0
    jitter_ms: int = 0
    bytes_per_s: int = 0
    flowing: bool = True
    listening: bool = True


PROFILES = {
    "lan": Weather(),
    # LTE category 1, the modem of such terminals: 5.2 Mbit/s up (3GPP TS 36.306, table 4.1-2). Delay: what such modems
    # show on a public network; the budget of ordinary data is 300 ms (3GPP TS 23.203, table 6.1.7, QCI 9)
    "4g": Weather(delay_ms=30, jitter_ms=30, bytes_per_s=650_000),
    # GPRS class 10: two slots up of 13.4 kbit/s each (CS-2, 3GPP TS 43.064). Delay class 1: 128 bytes below 0.5 s in
    # the mean, below 1.5 s for 95 % (3GPP TS 22.060, delay classes)
    "2g": Weather(delay_ms=300, jitter_ms=400, bytes_per_s=3_350),
}
