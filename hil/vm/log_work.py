"""Works with the log of a flash image, on the VM, until the power fails or it is done:

    micropython log_work.py IMAGE SEGMENTS RUN STEPS MIX [CUT]

Each step appends, acknowledges, recalls or renumbers, as MIX weighs them (four numbers joined by `.`), by RUN alone.
CUT: cut_flash.Power; or `full.STEP.FREE`: before that step somebody else's file takes all but FREE blocks of the file
system; or `full.gone`: it is there already, and goes when all is done. What is done is said in lines, before and after;
witness.py reads them:

    B boot    E epoch    M seq name ...                         at the start, with what is pending
    A seq name      X name                                      an append has returned, or raised ENOSPC
    x                                                           something else has raised ENOSPC
    F first last    f first last                                freeing, freed
    C first last    c first last ... D                          recalling, each range that is here, done
    R first last    E epoch    M seq name ... r                 renumbering, each copy, done
    V seq code values                                           an event that is freed with the next F
    END operations

A record is `[seq, 1, "RUN-COUNT:" and filling]`; its name is RUN-COUNT, which the filling's length follows from.
"""

import os
import sys

import cut_flash
from boards import base, unix
from plain_events import body_of, log_event, named
from terminal import clock, counters, epochs, log

from protocol import record

_ENOSPC = 28
_FILLER = base.DATA_DIR + "/filler"
_PIECE_MAX = 6  # numbers that are freed, recalled or renumbered at once


class Draw:
    """The same numbers wherever it runs."""

    def __init__(self, seed: int) -> None:
        self._state = seed * 2654435761 & 0x7FFFFFFF

    def below(self, bound: int) -> int:
        """0 to bound - 1."""
        self._state = (self._state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._state >> 8) % bound

    def bytes(self, count: int) -> bytes:
        """For epochs."""
        return bytes(self.below(256) for _ in range(count))


class Work:
    """One run."""

    def __init__(self, store: log.Log, run: int, mix: "list[int]", draw: Draw) -> None:
        self._store = store
        self._run = run
        self._mix = mix
        self._draw = draw
        self._count = 0

    def step(self) -> None:
        """One thing or another."""
        drawn = self._draw.below(sum(self._mix))
        doing = 0
        while drawn >= self._mix[doing]:
            drawn -= self._mix[doing]
            doing += 1
        try:
            (self._append, self._free, self._recall, self._renumber)[doing]()
        except OSError as error:
            if error.errno != _ENOSPC:
                raise
            print("x")

    def _append(self) -> None:
        self._count += 1
        name = "%d-%d" % (self._run, self._count)
        try:
            print("A", self._store.append(lambda seq: named(seq, name)), name)
        except OSError as error:
            if error.errno != _ENOSPC:
                raise
            print("X", name)

    def _free(self) -> None:
        found = self._pending()
        if not found:
            return
        first, last = found
        for seq in range(first, last + 1):
            data = self._store.peek(seq)
            one = record.decode_record(data) if data and body_of(data) is None else None
            if one is not None:
                print("V", seq, one.body.code, *one.body.values)
        print("F", first, last)
        self._store.acknowledge([(first, last)])
        print("f", first, last)

    def _recall(self) -> None:
        oldest = self._store.oldest_seq
        first = oldest + self._draw.below(max(self._store.next_seq - oldest, 1))
        epoch, _, end = self._store.epoch_of(first)
        last = min(first + self._draw.below(_PIECE_MAX), end)
        print("C", first, last)
        for one in self._store.recall([(first, last)], epoch)[0]:
            print("c", *one)
        print("D")

    def _renumber(self) -> None:
        found = self._pending()
        if not found or len(self._store._epochs._all) >= epochs.EPOCHS_MAX:  # noqa: SLF001  else they are given up
            return
        first, last = found
        since = self._store.next_seq
        print("R", first, last)
        self._store.renumber([(first, last, 1)], self._store.epoch_of(first)[0])
        print("E", self._store.epoch)
        for seq in range(since, self._store.next_seq):
            name = body_of(self._store.peek(seq) or b"")
            if name is not None:
                print("M", seq, name)
        print("r")

    def _pending(self) -> "tuple[int, int] | None":
        """Some numbers in a row that are pending, of one epoch."""
        oldest = self._store.oldest_seq
        first = self._store.next_pending(oldest + self._draw.below(max(self._store.next_seq - oldest, 1)) - 1)
        if first is None:
            return None
        last = first
        end = min(self._store.epoch_of(first)[2], first + self._draw.below(_PIECE_MAX))
        while last < end and self._store.next_pending(last) == last + 1:
            last += 1
        return first, last


def main(image: str, segments: int, run: int, steps: int, mix: str, cut: str = "") -> None:
    """Do it."""
    full = cut.split(".")[1:] if cut.startswith("full.") else []
    power = cut_flash.Power("" if full else cut)
    flash, beside = cut_flash.opened(image, power)
    base.mount(flash)
    reserved = counters.Counters(beside)
    print("B", clock.next_boot(base.DATA_DIR + "/boot", reserved))
    draw = Draw(run)
    store = log.Log(base.DATA_DIR + "/log", log_event, draw.bytes, segments, reserved)
    print("E", store.epoch)
    seq = store.next_pending(0)
    while seq is not None:
        name = body_of(store.peek(seq) or b"")
        if name is not None:
            print("M", seq, name)
        seq = store.next_pending(seq)
    work = Work(store, run, [int(one) for one in mix.split(".")], draw)
    for number in range(steps):
        if full[:1] == [str(number)]:
            _fill(flash.blocks, int(full[1]))
        work.step()
    if full == ["gone"]:
        os.remove(_FILLER)
    print("END", power.operations)


def _fill(blocks: int, free: int) -> None:
    """Take all but so many blocks of the file system."""
    with open(_FILLER, "wb") as file:
        for _ in range(blocks):
            if os.statvfs(base.DATA_DIR)[3] <= free:
                return
            try:
                file.write(bytes(unix.BLOCK_BYTES))
                file.flush()
            except OSError:  # the copy of its last block has no room
                return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
