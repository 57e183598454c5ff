"""A point's voltages and currents as arrows: what a technician looks at to see which transformer is turned round."""

from __future__ import annotations

import math

from rich.text import Text

from firmware.field.screen.braille import Canvas
from firmware.field.screen.words import Language, say
from firmware.field.wiring.facts import PHASES, Facts

STYLES = ("yellow", "green", "red")  # A, B, C as wires in China are coloured (GB 50168: yellow, green, red)
_CIRCLE_DEG = 6
_NUMBERS_WIDTH = 28
_ARROWS_WIDTH = 12  # less shows no angle
_TURN_DEG = 120.0


def diagram(facts: Facts | None, width: int, height: int, language: Language) -> Text:
    """Arrows at the left, each phase's numbers beside them; width and height in cells."""
    if facts is None or not facts.measured:
        return Text(say("no_values", language))
    wide = width >= _NUMBERS_WIDTH + _ARROWS_WIDTH
    canvas = Canvas(min(2 * height, width - _NUMBERS_WIDTH if wide else width), height)
    _draw(canvas, facts)
    numbers = _numbers(facts, language) if wide else []
    rows = []
    for at, row in enumerate(canvas.lines()):
        beside = numbers[at] if at < len(numbers) else Text()
        rows.append(Text.assemble(row, " ", beside))
    return Text("\n", no_wrap=True, overflow="crop").join(rows)


def _draw(canvas: Canvas, facts: Facts) -> None:
    across, down = canvas.dots
    centre = (across / 2, down / 2)
    radius = min(across, down) / 2 - 1
    for degree in range(0, 360, _CIRCLE_DEG):
        canvas.dot(*_at(centre, radius, degree), "bright_black")
    most_u = max(facts.u[at] or 0.0 for at in facts.measured) or 1.0
    most_i = max(facts.i[at] or 0.0 for at in facts.measured) or 1.0
    for at in facts.measured:
        angle = voltage_deg(facts, at)
        tip = _at(centre, radius * (facts.u[at] or 0.0) / most_u, angle)
        canvas.line(centre, tip, STYLES[at], every=2)
        canvas.letter(*tip, PHASES[at].upper(), STYLES[at])
    for at in facts.measured:
        lag = lag_deg(facts, at)
        if lag is not None:
            tip = _at(centre, 0.75 * radius * (facts.i[at] or 0.0) / most_i, voltage_deg(facts, at) - lag)
            canvas.line(centre, tip, f"bold {STYLES[at]}")
            canvas.letter(*tip, PHASES[at], f"bold {STYLES[at]}")


def voltage_deg(facts: Facts, phase: int) -> float:
    """Where a voltage's arrow stands: A upwards, B and C 120 degrees apart, in the order that the meter says."""
    turn = _TURN_DEG if facts.sequence else -_TURN_DEG
    return 90.0 + turn * phase


def lag_deg(facts: Facts, phase: int) -> float | None:
    """By which a current lags its voltage; lagging where the meter does not say which way; None: it says nothing."""
    p, q = facts.p[phase], facts.q[phase]
    if p is None or not facts.va(phase):
        return None
    if q is not None:
        return math.degrees(math.atan2(q, p))
    return math.degrees(math.acos(max(-1.0, min(1.0, p / facts.va(phase)))))


def _at(centre: tuple[float, float], radius: float, angle_deg: float) -> tuple[float, float]:
    angle = math.radians(angle_deg)
    return centre[0] + radius * math.cos(angle), centre[1] - radius * math.sin(angle)


def _numbers(facts: Facts, language: Language) -> list[Text]:
    lines = [Text(f"  {'U V':>6}{'I A':>7}{'P kW':>7}{'deg':>5}", "bold")]
    for at in facts.measured:
        lag = lag_deg(facts, at)
        sure = "" if facts.q[at] is not None else "±"
        angle = "-" if lag is None else f"{sure}{lag:.0f}"
        power = facts.p[at]
        shown = "-" if power is None else f"{power / 1000:.2f}"
        style = STYLES[at] if lag is None or abs(lag) < 90 else f"reverse {STYLES[at]}"
        numbers = f" {PHASES[at].upper()}{facts.u[at]:6.1f}{facts.i[at]:7.2f}{shown:>7}{angle:>5}"
        lines.append(Text(numbers, style))
    lines.append(Text())
    lines.append(Text(f" {say('voltage_arrow', language)}"))
    lines.append(Text(f" {say('current_arrow', language)}"))
    if facts.sequence is None:
        lines.append(Text(f" {say('order_unknown', language)}", "bright_black"))
    if not facts.has_phase_powers:
        lines.append(Text(f" {say('no_phases', language)}", "bright_black"))
    return lines
