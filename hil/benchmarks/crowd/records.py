"""Windows of a terminal that was away, as records, the oldest first; those of all terminals are alike."""

import random
from itertools import cycle

from hil.benchmarks import realistic
from hil.benchmarks.ingest.load import POINTS
from protocol import record

WINDOW_S = 900
START_WH = 1_000_000


def windows(count: int, seed: int, end_s: int, points: int = POINTS) -> list[bytes]:
    """So many, the last of which ended before end_s; record n has number n. Energies rise as the power says, from
    START_WH on.
    """
    rnd = random.Random(seed)
    first_s = end_s // WINDOW_S * WINDOW_S - count * WINDOW_S
    found = []
    for number in range(count):
        made = realistic.window(rnd, points, number)
        readings = [
            one._replace(
                e_import_wh=START_WH + nominal_w * number // 4, r_import_varh=START_WH // 2 + nominal_w * number // 8
            )
            for one, nominal_w in zip(made.readings, cycle(realistic.NOMINAL_W), strict=False)
        ]
        found.append(record.encode_window(number, made._replace(start_s=first_s + 900 * number, readings=readings)))
    return found
