"""The run's time as a share of the page's width, so that a page of any width shows it whole."""

from datetime import datetime, tzinfo
from typing import NamedTuple

from protocol.host.markup import Markup, join, tag

_STEPS_H = (1, 2, 3, 6, 12, 24, 48, 96)
_TICKS_MAX = 12  # a desktop's; a phone shows every second of them


class Axis(NamedTuple):
    """From one virtual Unix ms to another, told in a time zone."""

    from_ms: int
    to_ms: int
    zone: tzinfo

    def share(self, t_ms: int) -> float:
        """Where an instant is, in percent, within the axis."""
        span_ms = max(self.to_ms - self.from_ms, 1)
        return round(100 * (min(max(t_ms, self.from_ms), self.to_ms) - self.from_ms) / span_ms, 3)

    def place(self, from_ms: int, to_ms: int) -> str:
        """A stretch, as style."""
        left = self.share(from_ms)
        return f"left:{left:g}%;width:{self.share(to_ms) - left:g}%"

    def shown(self, t_ms: int | None) -> str:
        """An instant, for a reader; where the run has more than a day, with its date."""
        if t_ms is None:
            return "-"
        local = datetime.fromtimestamp(t_ms / 1000, self.zone)
        return local.strftime("%m-%d %H:%M:%S" if self.to_ms - self.from_ms > 86_400_000 else "%H:%M:%S")

    def ticks(self) -> Markup:
        """Hours, at most so many that they can be read."""
        hours = (self.to_ms - self.from_ms) / 3_600_000
        step_h = next((step for step in _STEPS_H if hours / step <= _TICKS_MAX), _STEPS_H[-1])
        first = self.from_ms + (-self._local_ms(self.from_ms)) % (step_h * 3_600_000)
        marks = [
            tag("span", self._tick(t_ms, step_h), class_="tick", style=f"left:{self.share(t_ms):g}%")
            for t_ms in range(first, self.to_ms + 1, step_h * 3_600_000)
        ]
        return tag("div", tag("div", class_="name"), tag("div", join(*marks), class_="track axis"), class_="lane")

    def _local_ms(self, t_ms: int) -> int:
        offset = self.zone.utcoffset(None)
        return t_ms + (int(offset.total_seconds() * 1000) if offset else 0)

    def _tick(self, t_ms: int, step_h: int) -> str:
        local = datetime.fromtimestamp(t_ms / 1000, self.zone)
        if step_h >= 24 or (local.hour == 0 and self.to_ms - self.from_ms > 86_400_000):
            return local.strftime("%m-%d")
        return local.strftime("%H:%M")


def span_text(ms: int) -> str:
    """How long, for a reader."""
    seconds = round(ms / 1000)
    if abs(seconds) < 120:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
