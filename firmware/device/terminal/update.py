# An update of the application, as far as it concerns a terminal that none comes to: the trial of what runs, and events.
# What takes a release in (update_intake.py and what it needs) is loaded when the first one is offered.
#
# What a gateway says to it, and what it answers: protocol/UPDATES.md, sections 2 and 3. What happens when something
# fails: docs/updates.md.
import asyncio
import gc
import os

from protocol import record
from protocol.checked import ConfigError
from terminal import small_file

ALLOWANCE_MS = 600000  # without a sign of life: a step of the work takes a second at most
_ALIVE_MS = 60000
_MEMORY = 22  # protocol.update's, which is not loaded where there is no room for it
TRIAL_UP_MS = 3600000  # four windows' frames that the gateway could have acknowledged while the link was up
TRIAL_MS = 259200000  # three days: no outage that is not mended by then; what can't connect at all ends here
_REFUSALS_MAX = 32  # told a start; who offers the same again is answered once


class Update:
    """`slots` is loader.slots.Slots, or None where no application can be replaced; `images` terminal.images.Images, or
    None where the image can't be; `clock` terminal.clock; `say` prints a line. `run` is a task."""

    def __init__(self, board, slots, clock, say, images=None) -> None:  # type: ignore[no-untyped-def]
        self.restart = False  # the terminal is to start anew
        self.alive_ms = board.real_ms()
        self._board = board
        self._slots = slots
        self._images = images
        self._both = [one for one in (slots, images) if one is not None]
        self._clock = clock
        self._say = say
        self._event = None
        self._intake = None
        self._wanted = asyncio.Event()  # the intake has something to do
        self._refused: "list[tuple[int, int]]" = []
        self._seen_ms = 0  # uptime when the link was looked at last
        self._up_ms = 0  # how long it was up since the start
        self._is_heard = False  # the gateway has acknowledged a frame of this start
        self._reads = False  # a meter answers

    @property
    def on_trial(self):  # type: ignore[no-untyped-def]
        """The one of slots and images that is on trial; None: none is."""
        for one in self._both:
            if one.on_trial:
                return one
        return None

    @property
    def newest_known(self) -> int:
        """The highest number of a release, of either kind, that this board had."""
        return max([one.newest_known for one in self._both])

    def release(self) -> "list[int]":
        """The highest number of what runs, and 1 on trial; nothing where nothing can be replaced."""
        if not self._both:
            return []
        return [max([one.number for one in self._both]), int(self.on_trial is not None)]

    def tell(self, event) -> None:  # type: ignore[no-untyped-def]
        """Write the events of what happened before this start; `event(code, point, values)` writes one, now and
        later."""
        self._event = event
        for one in self._both:
            taken, given_up = one.to_tell()
            if taken:
                event(record.UPDATE_TAKEN, None, (one.newest,))
            if given_up:
                event(record.UPDATE_ROLLED_BACK, None, (one.given_up, self.release()[0], one.why))
            if taken or given_up:
                self._kept(one.told)

    def heard(self) -> None:
        """The gateway has acknowledged a frame of this start."""
        self._is_heard = True
        self._pass()

    def due(self, uptime_ms: int, *, is_up: bool, reads: bool) -> None:
        """Each second: let what is on trial pass, or give it up in time. is_up: the link is; reads: a meter answers."""
        if is_up:
            self._up_ms += uptime_ms - self._seen_ms
        self._seen_ms = uptime_ms
        read_before, self._reads = self._reads, reads
        if self.restart:
            return
        if reads and not read_before:
            self._has_read()
        tried = self.on_trial
        if tried is not None and (self._up_ms >= TRIAL_UP_MS or uptime_ms >= TRIAL_MS):
            self._say("the release has not reached gateway and meters: back to the last good one")
            why = record.BACK_NO_METER if self._is_heard and self._lacks_meter() else record.BACK_NO_ACK
            self.restart = self._kept(lambda: tried.go_back(why) or True)
            self._up_ms = 0  # if it was not kept: again in an hour

    def expect(self, number: int) -> None:
        """A release is about to be taken: if meters answer now, one must before it passes. Raises OSError."""
        if self._reads:
            small_file.write(self._expected_path, number.to_bytes(4, "little"))
        else:  # of another try to take it, while they did
            self._expect_none()

    def take(self, found) -> None:  # type: ignore[no-untyped-def]
        """A down.Offer, down.Chunk or down.Abort, authentic and fresh."""
        if self.restart:
            return
        try:
            if self._intake is None:
                self._intake = self._open()  # type: ignore[no-untyped-call]
            if self._intake is not None:
                self._intake.take(found)
        except MemoryError:  # a reset would help, and be asked for again by the next offer
            self._give_in()

    async def run(self) -> None:
        """Do what a release needs, in pieces. Never returns."""
        while True:
            self.alive_ms = self._board.real_ms()
            try:
                await self._board.wait_for_ms(self._wanted.wait(), _ALIVE_MS)
            except asyncio.TimeoutError:
                continue
            self._wanted.clear()
            try:
                for _ in self.work():  # type: ignore[no-untyped-call]
                    self.alive_ms = self._board.real_ms()
                    await asyncio.sleep(0)
            except MemoryError:
                self._give_in()

    def work(self):  # type: ignore[no-untyped-def]
        """What a release needs done; an iterator."""
        if self._intake is not None:
            yield from self._intake.work()

    def wake(self) -> None:
        """There is work."""
        self._wanted.set()

    def refuse(self, number: int, reason: int) -> None:
        """Say so by an event, once a start."""
        if (number, reason) in self._refused or len(self._refused) >= _REFUSALS_MAX:
            return
        self._refused.append((number, reason))
        newest = self.newest_known if self._both else 0
        self.event(record.UPDATE_REFUSED, (number, reason, newest))

    def event(self, code: int, values) -> None:  # type: ignore[no-untyped-def]
        self._say("update: event", code, *values)
        self._event(code, None, values)  # type: ignore[misc]

    # --- inside

    @property
    def _expected_path(self) -> str:
        return self._board.data_dir + "/update_reads"  # the number of the release that must read a meter

    def _pass(self) -> None:
        """What is on trial has passed: the gateway was heard, and a meter if one must be."""
        if self.restart or self._lacks_meter():
            return
        for one in self._both:
            if self._kept(one.passed):
                self.event(record.UPDATE_GOOD, (one.number,))

    def _has_read(self) -> None:
        """A meter answers. That is enough of what is on trial: by night a plant's meters may be without power."""
        if self.on_trial is not None:
            self._expect_none()
        if self._is_heard:
            self._pass()

    def _expect_none(self) -> None:
        try:
            os.remove(self._expected_path)
        except OSError:
            return  # none was noted; or the flash takes nothing, and it must read one again after a start

    def _lacks_meter(self) -> bool:
        """Whether what is on trial must read a meter first."""
        tried = self.on_trial
        if tried is None or self._reads:
            return False
        return small_file.read(self._expected_path) == tried.number.to_bytes(4, "little")

    def _kept(self, change) -> bool:  # type: ignore[no-untyped-def]
        """Change the boot record. A flash that does not take it costs no reading; False, then."""
        try:
            return bool(change())
        except OSError as error:
            self._say("update: the boot record is not kept:", error)
            return False

    def _give_in(self) -> None:
        """What came is forgotten: the heap is for the readings."""
        self._intake = None
        gc.collect()
        self.refuse(0, _MEMORY)

    def _open(self):  # type: ignore[no-untyped-def]
        """What takes a release in; None, told: this terminal takes none."""
        from terminal import update_intake  # 16 KB of heap that a terminal need not have before

        try:
            if self._slots is not None:
                keys = update_intake.load_keys(self._board.data_dir + update_intake.KEYS_FILE)
                return update_intake.Intake(self, self._board, self._slots, self._clock, keys, self._images)
            self._say("update: no place for another application")
        except ConfigError as error:
            self._say("update:", error)
        self.refuse(0, update_intake.NOT_HERE)
        return None
