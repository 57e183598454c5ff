# What happens again and again is told some times an hour: a loose contact, a hand at one, or a bus that comes and goes
# must not push readings out of the log. That a thing is wrong is what is told less; that it is right again, always.
AN_HOUR = 6  # of one thing: enough to see that something is loose; 9 meters and 3 contacts fill 130 KB a day of 8 MiB
_HOUR_MS = 3600000


class Sparing:
    """How often each thing was told in its hour."""

    def __init__(self) -> None:
        self._told: "dict[object, tuple[int, int]]" = {}  # thing: (when its hour began, how often since)

    def may(self, thing: object, now_ms: int) -> bool:
        """Whether it may be told once more, now; then that counts."""
        begun_ms, count = self._told.get(thing, (now_ms, 0))
        if now_ms - begun_ms >= _HOUR_MS:
            begun_ms, count = now_ms, 0
        if count >= AN_HOUR:
            return False
        self._told[thing] = (begun_ms, count + 1)
        return True
