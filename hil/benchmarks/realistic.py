"""Records as a steel plant's terminal makes them: what sizes and times are measured with."""

import random
from itertools import cycle

from protocol import record

NOMINAL_W = (132_000, 88_000, 45_000, 30_000, 22_000, 15_000, 11_000, 7_500, 4_000)  # motors of one switchboard
DAYS = 200  # since the registers were at zero
SAMPLES_DUE = 180  # one in 5 s
POINTS = 9  # of a terminal, on average: 60,414 points, 7,056 terminals
WINDOW_S = 900
START_WH = 1_000_000


def reading(rnd: random.Random, nominal_w: int) -> record.Reading:
    """A three-phase point at about its nominal power; everything that a DTSU666 offers."""
    mean = nominal_w + rnd.randrange(-nominal_w // 10, nominal_w // 10)
    energy_wh = nominal_w * 24 * DAYS * 7 // 10 + rnd.randrange(10_000)
    current_ma = mean * 1000 // 594  # three phases of 220 V at a power factor of 0.9
    spread = nominal_w // 20
    values = [
        rnd.randrange(5), rnd.randrange(5), 900, mean, mean - rnd.randrange(spread), mean + rnd.randrange(spread),
        energy_wh, 0, energy_wh // 2, energy_wh // 90,
        *[2200 + rnd.randrange(-15, 15) for _ in range(3)],
        current_ma, current_ma + rnd.randrange(-900, 900), current_ma + rnd.randrange(-900, 900),
        900 + rnd.randrange(-20, 20), 0, 0, None,
    ]  # fmt: skip
    return record.Reading(*values)


def window(rnd: random.Random, points: int = 9, number: int = 0) -> record.Window:
    """A full window; `number` counts windows."""
    readings = [reading(rnd, NOMINAL_W[k % len(NOMINAL_W)]) for k in range(points)]
    return record.Window(1_767_225_600 + 900 * number, 900, 12, 400_000 + 900 * number, 3, 1, SAMPLES_DUE, readings)


def windows(count: int, seed: int, end_s: int, points: int = POINTS) -> list[bytes]:
    """So many as records, the last of which ended before end_s; record n has number n.

    Energies rise as the power says, from START_WH on.
    """
    rnd = random.Random(seed)
    first_s = end_s // WINDOW_S * WINDOW_S - count * WINDOW_S
    found = []
    for number in range(count):
        made = window(rnd, points, number)
        readings = [
            one._replace(
                e_import_wh=START_WH + nominal_w * number // 4, r_import_varh=START_WH // 2 + nominal_w * number // 8
            )
            for one, nominal_w in zip(made.readings, cycle(NOMINAL_W), strict=False)
        ]
        found.append(record.encode_window(number, made._replace(start_s=first_s + 900 * number, readings=readings)))
    return found
