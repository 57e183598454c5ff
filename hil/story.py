"""From a run's evidence to what the picture shows."""

from hil.oracle.windows import Placed, in_span, place
from hil.picture import Curve
from hil.runner import Outcome
from hil.scenario import Scenario
from protocol.record import Reading


def curves(scenario: Scenario, outcome: Outcome) -> list[Curve]:
    """Each point's windows as the journal has them, beside what its meter showed."""
    windows = in_span(place(outcome.journal, outcome.truth), outcome.truth)
    return [
        Curve(point.name, point.kind, [_window(one, number) for one in windows], outcome.truth.polls[number])
        for number, point in enumerate(scenario.points, 1)
    ]


def _window(one: Placed, point: int) -> tuple[int, int, tuple[int, int, int] | None]:
    """(start, end, (least, mean, most) or None) of one point in one window."""
    readings = one.window.readings
    slot = readings[point - 1] if point <= len(readings) else None
    if not isinstance(slot, Reading) or slot.p_mean_w is None:
        return one.from_ms, one.to_ms, None
    return one.from_ms, one.to_ms, (slot.p_min_w, slot.p_mean_w, slot.p_max_w)
