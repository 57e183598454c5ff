"""`python -m tests.gateway.watch.quality --factories 20 --days 365 --seed 1`: what the linkage rule finds.

Synthetic factories (hil/load.py) whose treatment stands still in drawn spans while production runs. A span is found if
a finding of treatment that is off meets it, after the windows from its first whole one on; a finding that meets none is
false. Spans with less than two whole windows beyond the delay need not be found.
"""

import argparse
import json
import random
from dataclasses import asdict, dataclass, field
from itertools import pairwise

from gateway.watch.enterprises import Linkage, PointId
from gateway.watch.linkage import STARTED_LATE, STOPPED_EARLY, TREATMENT_OFF, findings
from gateway.watch.slots import SLOT_S, Slot, State, seen
from hil.load import Load, Shifts, Treatment

BEGIN_S = 1_767_196_800  # 2026-01-01 00:00 at UTC+8
ZONE_S = 8 * 3600
SAMPLE_S = 60
LINE, CLEANER = PointId("T1", 1), PointId("T1", 2)
LINKAGE_DELAY_SLOTS = 1
OFF_KINDS = {TREATMENT_OFF, STARTED_LATE, STOPPED_EARLY}


@dataclass
class Quality:
    """Of some factories. delay_windows: how many spans were found after so many windows."""

    factory_days: int = 0
    done: int = 0
    found: int = 0
    false: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    delay_windows: dict[int, int] = field(default_factory=dict)


def measure(factories: int, days: int, seed: int) -> Quality:
    """Play them."""
    quality = Quality()
    for number in range(factories):
        _play(random.Random(f"{seed}:{number}"), f"factory {number}", days, quality)
        quality.factory_days += days
    return quality


def _play(rnd: random.Random, name: str, days: int, quality: Quality) -> None:
    rated_w, cleaner_w = rnd.randint(50_000, 500_000), rnd.randint(5_000, 80_000)
    line = Shifts(rated_w, rnd.choice([2, 3]), ZONE_S, rnd.getrandbits(30))
    off = _drawn_off(rnd, days)
    cleaner = Treatment(cleaner_w, line, rated_w, [(a * 1000, b * 1000) for a, b in off], rnd.getrandbits(30))
    slots = {LINE: _slots(line, days), CLEANER: _slots(cleaner, days)}
    on_w, idle_w = cleaner_w // 10, cleaner_w // 5
    linkage = Linkage(
        "",
        (LINE,),
        (CLEANER,),
        rated_w // 10,
        on_w,
        idle_w,
        needs_all=True,
        start_slots=LINKAGE_DELAY_SLOTS,
        run_on_slots=0,
    )
    end_s = BEGIN_S + 86_400 * days
    told = [one for one in findings(linkage, [], slots, BEGIN_S, end_s) if one.kind in OFF_KINDS]
    for from_s, to_s in off:
        first_s = -(-from_s // SLOT_S) * SLOT_S
        judged = [at for at in range(first_s, to_s - SLOT_S + 1, SLOT_S) if _is_due(linkage, slots, at)]
        if len(judged) <= LINKAGE_DELAY_SLOTS + 1:
            continue
        quality.done += 1
        hit = next((one for one in told if one.from_s < to_s and one.to_s > from_s), None)
        if hit is None:
            quality.missed.append(f"{name}, {from_s} to {to_s}")
            continue
        quality.found += 1
        delay = max(0, hit.from_s - judged[0]) // SLOT_S + 1
        quality.delay_windows[delay] = quality.delay_windows.get(delay, 0) + 1
    quality.false += [
        f"{name}, {one}" for one in told if not any(one.from_s < to_s and one.to_s > from_s for from_s, to_s in off)
    ]


def _is_due(linkage: Linkage, slots: dict[PointId, dict[int, Slot]], start_s: int) -> bool:
    return seen(linkage, slots, start_s).production is State.ON


def _drawn_off(rnd: random.Random, days: int) -> list[tuple[int, int]]:
    """Spans of 20 minutes to 6 hours, once in four days, two hours apart at least."""
    spans = []
    for _ in range(max(1, days // 4)):
        from_s = BEGIN_S + rnd.randrange(86_400 * days)
        spans.append((from_s, from_s + rnd.randint(20, 360) * 60))
    spans.sort()
    return [other for one, other in pairwise([(0, 0), *spans]) if other[0] >= one[1] + 7200]


def _slots(load: Load, days: int) -> dict[int, Slot]:
    found = {}
    for start_s in range(BEGIN_S, BEGIN_S + 86_400 * days, SLOT_S):
        powers_mw = [load.at(1000 * at_s)[0] for at_s in range(start_s, start_s + SLOT_S, SAMPLE_S)]
        found[start_s] = Slot(SLOT_S, sum(powers_mw) / len(powers_mw) / 1000, None)
    return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--factories", type=int, default=20)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--seed", type=int, default=1)
    print(json.dumps(asdict(measure(**vars(parser.parse_args()))), indent=1))


if __name__ == "__main__":
    main()
