"""Faults of the terminal. Each function gives the patches of one; its docstring says what is wrong."""

import struct
from collections.abc import Iterator
from typing import Any

from terminal import bus, clock, counters, epochs, image, log, recovery, segment, uplink, window

from hil.sim.mutants.patch import Patch


def free_at_puback() -> Iterator[Patch]:
    """What the broker has is freed."""

    def making(honest: Any) -> Any:
        def free(self: Any, stamp: int) -> None:
            honest(self, stamp)
            for at in range(self.flights):
                if self._stamp[at] == stamp:
                    self._log.acknowledge(((self._first[at], self._last[at]),))

        return free

    yield Patch(uplink.Uplink, "pubacked", making)


def stale_values() -> Iterator[Patch]:
    """Of a meter that is silent, the last values again."""

    def making(honest: Any) -> Any:
        async def poll(self: Any, meter: Any) -> Any:
            found = await honest(self, meter)
            if isinstance(found, int):
                return vars(meter).get("last", found)
            meter.last = found
            return found

        return poll

    yield Patch(bus.Bus, "poll", making)


def gap_filled() -> Iterator[Patch]:
    """A window without a sample gets the reading of the one before."""

    def making(honest: Any) -> Any:
        def end(self: Any, *args: int) -> Any:
            found = honest(self, *args)
            if isinstance(found, int):
                return vars(self).get("before", found)
            self.before = found
            return found

        return end

    yield Patch(window._Tally, "end", making)  # noqa: SLF001


def energy_reckoned() -> Iterator[Patch]:
    """Energy is the mean power times the time, added up, where the meter missed a sample."""

    def making(honest: Any) -> Any:
        def end(self: Any, end_ms: int, length_s: int, due: int) -> Any:
            found = honest(self, end_ms, length_s, due)
            if isinstance(found, int) or not found.missed:
                return found
            return found._replace(e_import_wh=found.e_import_wh + found.p_mean_w * found.last_s // 3600)

        return end

    yield Patch(window._Tally, "end", making)  # noqa: SLF001


def number_reused() -> Iterator[Patch]:
    """After a start numbers go on one too early."""

    def making(honest: Any) -> Any:
        def look(*args: Any) -> Any:
            found = honest(*args)
            return found._replace(next_seq=max(found.next_seq - 1, 1))

        return look

    yield Patch(recovery, "look", making)


def append_not_flushed() -> Iterator[Patch]:
    """A record is written, and not committed."""

    def making(honest: Any) -> Any:
        def append(self: Any, seq: int, data: bytes) -> None:
            file = self._file
            self._file = _Lazy(file)
            honest(self, seq, data)
            self._file = file

        return append

    yield Patch(segment.Segment, "append", making)


class _Lazy:
    """A file that is not flushed."""

    def __init__(self, file: Any) -> None:
        self.seek, self.write = file.seek, file.write

    def flush(self) -> None:
        """Nothing."""


def backlog_first() -> Iterator[Patch]:
    """Old records go out before new ones."""

    def making(honest: Any) -> Any:
        def live(self: Any, room: int) -> Any:
            return self._backlog(room) or honest(self, room)

        return live

    yield Patch(uplink.Uplink, "_live", making)


def time_guessed() -> Iterator[Patch]:
    """Before anybody told the time, it is that at which the program was built."""

    def making(honest: Any) -> Any:
        def unix_ms(self: Any, uptime_ms: int) -> int:
            told: int | None = honest(self, uptime_ms)
            return 1000 * image.BUILT_S + uptime_ms if told is None else told

        return unix_ms

    yield Patch(clock.Clock, "unix_ms", making)


def acked_forgotten() -> Iterator[Patch]:
    """What was acknowledged is freed by the highest number: all below it is taken for acknowledged too."""

    def making(honest: Any) -> Any:
        def acknowledge(self: Any, ranges: Any, epoch: int | None = None) -> int:
            highest = max([one[1] for one in ranges], default=0)
            freed: int = honest(self, ((1, highest),), epoch)
            return freed

        return acknowledge

    yield Patch(log.Log, "acknowledge", making)


def last_window_dropped() -> Iterator[Patch]:
    """The first window after a start begins at its next quarter: the one that is running is left out."""

    def making(honest: Any) -> Any:
        def first(uptime_ms: int, unix_ms: int | None) -> Any:
            return honest(uptime_ms, unix_ms).next() if unix_ms is not None else honest(uptime_ms, unix_ms)

        return first

    yield Patch(window, "_first_span", making)


def replayed_ack_sets_clock() -> Iterator[Patch]:
    """An ack tells the time, whatever frame it answers, and as often as it comes."""

    def making(honest: Any) -> Any:
        def stamp_of(self: Any, echo: Any) -> int:
            found = honest(self, echo)
            at: int = found if found >= 0 else (self._stamp_at - 1) % len(self._stamps)
            self._used[at] = 0
            return at

        return stamp_of

    yield Patch(clock.Clock, "_stamp_of", making)


def torn_counter_believed() -> Iterator[Patch]:
    """What a power cut left half written in the counters' flash is taken for whole, whatever its check value."""

    def making(_honest: Any) -> Any:
        def take(self: Any) -> bool:
            seq, boot = struct.unpack_from("<II", self._buffer, 4)
            if (seq, boot) <= (self.seq, self.boot):
                return False
            self.seq, self.boot = seq, boot
            return True

        return take

    yield Patch(counters.Counters, "_take", making)


def epoch_lost() -> Iterator[Patch]:
    """After a start the log goes on under another epoch, as if it were another log."""

    def making(honest: Any) -> Any:
        def load(self: Any) -> bool:
            there: bool = honest(self)
            if there:
                epoch, first = self._all[-1]
                self._all[-1] = epoch ^ 1, first
            return there

        return load

    yield Patch(epochs.Epochs, "load", making)
