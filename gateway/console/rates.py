"""How often somebody may ask. No I/O; time is handed in."""

from collections.abc import Callable
from typing import NamedTuple

KEYS_MAX = 10_000  # addresses and names that are remembered; the one that asked longest ago goes


class Rate(NamedTuple):
    """So many at once, and so many a second in the long run."""

    burst: int
    per_s: float


LOGIN = Rate(5, 1 / 60)  # wrong passwords of one name, or from one address: one a minute after five
REQUEST = Rate(200, 50)  # a page asks for some ten things at once


class _Bucket(NamedTuple):
    left: float
    at_s: float


class Limiter:
    """Token buckets by key."""

    def __init__(self, rate: Rate, steady_s: Callable[[], float]) -> None:
        self._rate, self._steady_s = rate, steady_s
        self._buckets: dict[str, _Bucket] = {}

    def is_free(self, key: str) -> bool:
        """Whether one more is allowed now; takes nothing."""
        return self._now(key).left >= 1

    def take(self, key: str) -> bool:
        """Take one. False: there is none."""
        bucket = self._now(key)
        self._buckets.pop(key, None)
        while len(self._buckets) >= KEYS_MAX:
            del self._buckets[next(iter(self._buckets))]  # the oldest: a key that asks goes to the end
        is_allowed = bucket.left >= 1
        self._buckets[key] = bucket._replace(left=bucket.left - 1) if is_allowed else bucket
        return is_allowed

    def give_back(self, key: str) -> None:
        """One that was taken does not count."""
        bucket = self._now(key)
        self._buckets[key] = bucket._replace(left=min(self._rate.burst, bucket.left + 1))

    def _now(self, key: str) -> _Bucket:
        now_s = self._steady_s()
        before = self._buckets.get(key, _Bucket(self._rate.burst, now_s))
        return _Bucket(min(self._rate.burst, before.left + (now_s - before.at_s) * self._rate.per_s), now_s)
