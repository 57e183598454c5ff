"""Windows of a terminal that was away, as records, the oldest first; those of all terminals are alike."""

import random

from hil.benchmarks import realistic
from hil.benchmarks.ingest.load import POINTS
from protocol import record

WINDOW_S = 900


def windows(count: int, seed: int, end_s: int) -> list[bytes]:
    """So many, the last of which ended before end_s; record n has number n. Energies rise as the power says."""
    rnd = random.Random(seed)
    first_s = end_s // WINDOW_S * WINDOW_S - count * WINDOW_S
    found = []
    for number in range(count):
        made = realistic.window(rnd, POINTS, number)
        readings = [
            one._replace(
                e_import_wh=1_000_000 + nominal_w * number // 4, r_import_varh=500_000 + nominal_w * number // 8
            )
            for one, nominal_w in zip(made.readings, realistic.NOMINAL_W, strict=True)
        ]
        found.append(record.encode_window(number, made._replace(start_s=first_s + 900 * number, readings=readings)))
    return found
