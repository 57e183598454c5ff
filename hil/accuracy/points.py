"""What the test stand sets, one point after the other, over a meter's range. Shares are permille of the greatest."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hil.meter_stand import Phase, Step

WINDOW_MS = 900_000
NOMINAL_MV = 230_000
HIGHEST_PERMILLE = 1150  # of the nominal voltage, at which the current is less by as much
GREATEST = {"u16": 65_535, "i16": 32_767, "sm16": 32_767, "sbcd3": 799_999}  # of the types that a current may have
CT_RATIO = 40  # of a meter that shows secondary values: 200 A / 5 A

_ALL = (1000, 1000, 1000)


class Setting(NamedTuple):
    """A point of the stand: of each phase voltage and current, cosine, and whether the current leads."""

    name: str
    u: tuple[int, int, int] = _ALL
    i: tuple[int, int, int] = _ALL
    cos: tuple[int, int, int] = _ALL
    leading: bool = False


SETTINGS = (
    Setting("full load"),
    Setting("half load", i=(500, 500, 500)),
    Setting("5 %", i=(50, 50, 50)),
    Setting("0.4 %", i=(4, 4, 4)),
    Setting("no load", i=(0, 0, 0)),
    Setting("0.5 lagging", cos=(500, 500, 500)),
    Setting("0.8 leading", i=(500, 500, 500), cos=(800, 800, 800), leading=True),
    Setting("export", cos=(-1000, -1000, -1000)),
    Setting("export, 0.5", i=(300, 300, 300), cos=(-500, -500, -500)),
    Setting("phase a reversed", cos=(-1000, 1000, 1000)),
    Setting("phase a alone", i=(1000, 0, 0)),
    Setting("unbalance", i=(1000, 400, 50), cos=(1000, 500, -800)),
    Setting("phase b lost", u=(1000, 0, 1000), i=(800, 0, 800)),
    Setting("80 % voltage", u=(800, 800, 800)),
    Setting("115 % voltage", u=(HIGHEST_PERMILLE,) * 3, i=(850, 850, 850)),
)
# the power changes its sign in mid-window, between two samples
TURN_MS = 525_000
TURN = (Setting("turns: before", i=(700, 700, 700)), Setting("turns: after", i=(700, 700, 700), cos=(-1000,) * 3))


def steps(profile: Mapping[str, Any], ct_ratio: int) -> Iterator[Step]:
    """Each setting for two windows: the first lets clocks that differ a little go by, the second is looked at."""
    phases = 3 if "ub_dv" in profile["quantities"] else 1
    most_ma = min(
        profile["power_max_w"] * ct_ratio * 1_000_000 // (phases * NOMINAL_MV),
        _shown_ma(profile["quantities"], ct_ratio),
    )

    def step(setting: Setting, lasts_ms: int) -> Step:
        a, b, c = (
            Phase(NOMINAL_MV * u // 1000, most_ma * i // 1000, cos, setting.leading) if number < phases else Phase(0, 0)
            for number, (u, i, cos) in enumerate(zip(setting.u, setting.i, setting.cos, strict=True))
        )
        return Step(setting.name, lasts_ms, (a, b, c))

    for setting in SETTINGS:
        yield step(setting, 2 * WINDOW_MS)
    yield step(TURN[0], WINDOW_MS + TURN_MS)
    yield step(TURN[1], WINDOW_MS - TURN_MS)


def _shown_ma(quantities: Mapping[str, Any], ct_ratio: int) -> int:
    """The greatest current that the meter's register shows: some end long before the power does."""
    current = quantities["ia_ma"]
    numerator, denominator = current["scale"]
    most: int = GREATEST.get(current["type"], 1 << 31) * numerator * ct_ratio // denominator
    return most


def windows() -> int:
    """How many a run has."""
    return 2 * (len(SETTINGS) + 1)
