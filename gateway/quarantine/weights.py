"""How much of quarantine each source has, and who must give way when it is full. Pure."""

import heapq

NOBODY = ""  # all that are not admitted count as one: whoever invents names is loud by all of them together


def share_of(source: str, reason: str) -> str:
    """Whose share a refused frame counts to."""
    return NOBODY if reason == "terminal" else source


class Weights:
    """Frames and bytes by share; no more shares than terminals that were ever admitted, and NOBODY."""

    def __init__(self) -> None:
        self._shares: dict[str, tuple[int, int]] = {}
        self.frames = 0
        self.bytes = 0

    def add(self, share: str, frames: int, size: int) -> None:
        """So many came, or with negative numbers went."""
        before = self._shares.get(share, (0, 0))
        after = (before[0] + frames, before[1] + size)
        if after[0]:
            self._shares[share] = after
        else:
            self._shares.pop(share, None)
        self.frames += frames
        self.bytes += size

    def loudest(self, *, by_bytes: bool) -> tuple[str, int]:
        """Who has most, and how much more than the next one; at least one share must be there."""
        most = heapq.nlargest(2, self._shares, key=lambda share: (self._shares[share][by_bytes], share))
        next_one = self._shares[most[1]][by_bytes] if len(most) > 1 else 0
        return most[0], self._shares[most[0]][by_bytes] - next_one
