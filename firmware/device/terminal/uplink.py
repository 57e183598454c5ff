# Which records go into the next frame, what is on its way, what an ack frees, and when something is sent again. No I/O.
#
# Two lanes. Live: the newest records, newest first; backlog: all others, oldest first; live before backlog, always. A
# *flight* is a frame that was sent and not acknowledged. It stands for all pending numbers from its first to its last,
# so a flight is a few numbers; at most `unacked_frames` of them are kept, in arrays made once.
#
# Nothing but an ack of the gateway frees a record; the broker's PUBACK only says that the frame need not be sent again
# at once when the connection ends. A flight without an ack, while others got theirs, is sent again when ack_timeout_ms
# passed without any ack, and all that are as old with it; or after _PATIENCE times that in any case. When no ack came
# since the flight began, the gateway is away: one frame, of the newest records, is sent again, after 1, 2, 4 ... 32
# times ack_timeout_ms (+-25 %), until an ack is heard. Then all flights get ack_timeout_ms once more, because the
# broker is likely to hand the gateway what it has kept. New records are sent at once in any case, as far as flights
# are left.
import array

from protocol import ack, limits

LIVE_RECORDS = 4  # what counts as live when a connection begins: the last hour
FRAME_OVERHEAD = 96  # all of a frame but its records: 71 bytes at most in version 1
_BACKOFF_MAX = 5  # 2**5 times the time-out: 5 minutes at 10 s
_PATIENCE = 6
_IDLE_MS = 60000  # nobody waits longer without looking
_SENT = 0
_PUBACKED = 1


class Uplink:
    """`log` is a terminal.log.Log; `settings` configuration.Uplink; `random_bytes(n)` is for jitter. All ms: real."""

    def __init__(self, log, settings, random_bytes) -> None:  # type: ignore[no-untyped-def]
        self._log = log
        self._random_bytes = random_bytes
        self._timeout_ms = settings.ack_timeout_ms
        self._records_max = settings.records_per_frame
        self._flights_max = settings.unacked_frames
        size = self._flights_max
        self.flights = 0
        self._first = array.array("I", bytes(4 * size))
        self._last = array.array("I", bytes(4 * size))
        self._stamp = array.array("Q", bytes(8 * size))  # names the flight
        self._began = array.array("Q", bytes(8 * size))
        self._state = bytearray(size)
        self._held_seq = 0  # this one does not go out unless something newer does
        self._live_from = 0  # where the live lane begins
        self._live_sent = 0  # of the live lane, all up to here was given out
        self._backlog_sent = 0  # of the backlog, all up to here was given out
        self._heard_ms = -1  # of the last ack
        self._lost_until_ms = -1  # flights begun up to here are lost: an ack came since, then none for its time-out
        self._silence = 0  # how often a frame was sent again since an ack was heard
        self._probe_ms = 0  # when it is sent again next
        self.frames_sent = 0
        self.frames_repeated = 0
        self.records_freed = 0
        self.records_refused = 0
        self.records_renumbered = 0
        self.records_too_large = 0  # for what this broker takes: they wait for another connection

    def connected(self, *, session_present: bool) -> None:
        """A connection begins. What the broker has not confirmed, or has forgotten, is to be sent again."""
        at = 0
        while at < self.flights:
            if session_present and self._state[at] == _PUBACKED:
                at += 1
            else:
                self._remove(at)
        self._silence = 0
        self._rewind(renew_live=True)

    def compose(self, now_ms: int, stamp, frame_max: int) -> "tuple[int, list[bytes], int] | None":  # type: ignore[no-untyped-def]
        """(stamp, records, their epoch) of the next frame, in at most `frame_max` bytes; None: nothing is to be sent.
        `stamp()` gives a number that names the flight, which begins here."""
        room = min(frame_max, limits.FRAME_BYTES_MAX) - FRAME_OVERHEAD
        if not self._silence:
            self._expire(now_ms)
        if self._silence and now_ms >= self._probe_ms:
            found = self._probe(now_ms, room)
        elif self.flights < self._flights_max:
            found = self._live(room)
            if found is None and not self._silence:
                found = self._backlog(room)
        else:
            found = None
        if found is None:
            return None
        first, last, records = found
        name = stamp()
        self._begin(first, last, name, now_ms)
        return name, records, self._log.epoch_of(first)[0]

    def pubacked(self, stamp: int) -> None:
        """The broker has the frame."""
        for at in range(self.flights):
            if self._stamp[at] == stamp:
                self._state[at] = _PUBACKED

    def acknowledged(self, answer, now_ms: int) -> int:  # type: ignore[no-untyped-def]
        """An authenticated ack of an epoch that the log knows. Returns how many records it freed. Those of which the
        gateway has others by their name are stored again under new ones."""
        freed = self._free(answer.durable, answer.epoch)
        conflicts = [one for one in answer.refused if one[2] == ack.REFUSED_CONFLICT]
        self.records_renumbered += self._log.renumber(conflicts, answer.epoch)
        others = [one for one in answer.refused if one[2] != ack.REFUSED_CONFLICT]
        refused = self._free(others, answer.epoch)
        self.records_freed += freed
        self.records_refused += refused
        for ranges in (answer.durable, answer.refused):
            for one in ranges:
                self._land(one[0], one[1])
        if self._silence:
            self._silence = 0
            for at in range(self.flights):
                self._began[at] = now_ms
            self._rewind(renew_live=True)
        self._heard_ms = now_ms
        return freed + refused

    def is_flying(self, stamp: int) -> bool:
        """True while something of that frame is not acknowledged."""
        return self.last_of(stamp) > 0

    def last_of(self, stamp: int) -> int:
        """The highest number of the frame of that name; 0: it is not on its way any more."""
        for at in range(self.flights):
            if self._stamp[at] == stamp:
                return self._last[at]
        return 0

    def hold_next(self) -> None:
        """The record that is appended next, a window, waits for `release`; an event after it takes it along."""
        self._held_seq = self._log.next_seq

    def release(self) -> None:
        self._held_seq = 0

    def recalled(self) -> None:
        """Records that were acknowledged are pending again."""
        self._rewind(renew_live=False)

    def next_ms(self, now_ms: int) -> int:
        """How long nothing has to be sent again."""
        if self._silence:
            wait = self._probe_ms - now_ms
        elif self.flights:
            wait = self._due_ms(self._oldest()) - now_ms
        else:
            wait = _IDLE_MS
        return max(0, min(wait, _IDLE_MS))

    def _free(self, ranges, epoch: int) -> int:  # type: ignore[no-untyped-def]
        """Free what the gateway has or does not want; how many. On a flash that takes nothing they are free in memory
        alone, and 0: the next start sends them again, which does no harm."""
        try:
            freed: int = self._log.acknowledge(ranges, epoch)
        except OSError:
            return 0
        return freed

    # --- sending again

    def _due_ms(self, at: int) -> int:
        began: int = self._began[at]
        if began <= self._lost_until_ms:
            return began
        if self._heard_ms >= began:
            return min(self._heard_ms + self._timeout_ms, began + _PATIENCE * self._timeout_ms)
        return began + self._timeout_ms

    def _oldest(self) -> int:
        oldest = 0
        for at in range(1, self.flights):
            if self._began[at] < self._began[oldest]:
                oldest = at
        return oldest

    def _expire(self, now_ms: int) -> None:
        """End the oldest flight if it is overdue: its records go out again. Or find that the gateway is away."""
        if not self.flights:
            return
        at = self._oldest()
        if now_ms < self._due_ms(at):
            return
        if self._heard_ms >= self._began[at]:
            if now_ms >= self._heard_ms + self._timeout_ms:
                # a broker hands on in order: of what it was given before the last ack came, it has the rest no more
                self._lost_until_ms = self._heard_ms
            self._remove(at)
            self.frames_repeated += 1
            self._rewind(renew_live=False)
        else:
            self._silence = 1
            self._probe_ms = now_ms

    def _probe(self, now_ms: int, room: int) -> "tuple[int, int, list[bytes]] | None":
        """The newest records once more, or new ones, to see whether the gateway is back."""
        interval = self._timeout_ms << min(self._silence - 1, _BACKOFF_MAX)
        self._probe_ms = now_ms + interval * 3 // 4 + interval * self._random_bytes(1)[0] // 512
        self._silence += 1
        if self.flights >= self._flights_max:
            self._remove(self._oldest())
            self._rewind(renew_live=False)
        found = self._live(room)
        if found is not None or not self.flights:
            return found
        newest = 0
        for at in range(1, self.flights):
            if self._last[at] > self._last[newest]:
                newest = at
        first, last = self._first[newest], self._last[newest]
        self._remove(newest)
        self.frames_repeated += 1
        return self._gather_down(self._log.previous_pending(last + 1), first, room)

    # --- lanes

    def _rewind(self, *, renew_live: bool) -> None:
        """Look through both lanes from their beginning again. Where the live lane begins anew, nothing of it waits: not
        even a window whose time has not come yet goes after the backlog."""
        if renew_live:
            self._live_from = max(self._log.next_seq - LIVE_RECORDS, 0)
            self._held_seq = 0
        self._live_sent = 0
        self._backlog_sent = 0

    def _live(self, room: int) -> "tuple[int, int, list[bytes]] | None":
        newest = self._log.next_seq - 1
        if newest <= self._held_seq:
            newest = self._held_seq - 1
        if self._live_sent >= newest:
            return None
        seq = self._log.previous_pending(newest + 1)
        while seq is not None and seq >= self._live_from:
            at = self._flight_of(seq)
            if at < 0:
                found = self._gather_down(seq, self._live_from, room)
                if found is not None:
                    return found
                seq = self._log.previous_pending(seq)
            else:
                seq = self._log.previous_pending(self._first[at])
        self._live_sent = newest
        return None

    def _backlog(self, room: int) -> "tuple[int, int, list[bytes]] | None":
        seq = self._log.next_pending(self._backlog_sent)
        while seq is not None and seq < self._live_from:
            at = self._flight_of(seq)
            if at < 0:
                found = self._gather_up(seq, room)
                if found is not None:
                    self._backlog_sent = found[1]
                    return found
                self._backlog_sent = seq
            else:
                self._backlog_sent = self._last[at]
            seq = self._log.next_pending(self._backlog_sent)
        return None

    def _gather_up(self, seq: "int | None", room: int) -> "tuple[int, int, list[bytes]] | None":
        """As many records as fit, from `seq` on, up to the next flight, epoch or the live lane."""
        end = self._live_from
        if seq is not None:
            end = min(end, self._log.epoch_of(seq)[2] + 1)
        for at in range(self.flights):
            if seq is not None and seq < self._first[at] < end:
                end = self._first[at]
        first = last = seq or 0
        records: "list[bytes]" = []
        while seq is not None and seq < end and len(records) < self._records_max:
            data = self._fitting(seq, room, first=not records)
            if data is None and records:
                break
            if data is not None:
                first = first if records else seq
                last = seq
                records.append(data)
                room -= len(data)
            seq = self._log.next_pending(seq)
        return (first, last, records) if records else None

    def _gather_down(self, seq: "int | None", end: int, room: int) -> "tuple[int, int, list[bytes]] | None":
        """As many records as fit, from `seq` down to the next flight, epoch or `end`; ascending in the frame."""
        if seq is not None:
            end = max(end, self._log.epoch_of(seq)[1])
        for at in range(self.flights):
            if seq is not None and end <= self._last[at] < seq:
                end = self._last[at] + 1
        first = last = seq or 0
        records: "list[bytes]" = []
        while seq is not None and seq >= end and len(records) < self._records_max:
            data = self._fitting(seq, room, first=not records)
            if data is None and records:
                break
            if data is not None:
                last = last if records else seq
                first = seq
                records.append(data)
                room -= len(data)
            seq = self._log.previous_pending(seq)
        records.reverse()
        return (first, last, records) if records else None

    def _fitting(self, seq: int, room: int, *, first: bool) -> "bytes | None":
        """The record, if it is intact and fits."""
        data: "bytes | None" = self._log.read(seq)
        if data is None or len(data) <= room:
            return data
        if first:
            self.records_too_large += 1
        return None

    # --- flights

    def _flight_of(self, seq: int) -> int:
        """The index of the flight that `seq` belongs to; -1: none."""
        for at in range(self.flights):
            if self._first[at] <= seq <= self._last[at]:
                return at
        return -1

    def _begin(self, first: int, last: int, stamp: int, now_ms: int) -> None:
        at = self.flights
        self._first[at] = first
        self._last[at] = last
        self._stamp[at] = stamp
        self._began[at] = now_ms
        self._state[at] = _SENT
        self.flights = at + 1
        self.frames_sent += 1

    def _land(self, first: int, last: int) -> None:
        """End the flights that first..last touch and of which nothing is pending any more."""
        at = 0
        while at < self.flights:
            touched = self._first[at] <= last and self._last[at] >= first
            if touched and self._log.acknowledged(self._first[at], self._last[at]):
                self._remove(at)
            else:
                at += 1

    def _remove(self, at: int) -> None:
        last = self.flights = self.flights - 1
        self._first[at] = self._first[last]
        self._last[at] = self._last[last]
        self._stamp[at] = self._stamp[last]
        self._began[at] = self._began[last]
        self._state[at] = self._state[last]
