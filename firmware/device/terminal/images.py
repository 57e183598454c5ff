# Which image of MicroPython runs, of a board with two partitions for them: what is on trial, what it goes back to.
#
# `partitions` is esp32.Partition: the boot loader chooses, not this program. One that is set to boot runs once; unless
# it is marked valid in that start, the next start has the one before again. What always holds:
#   1. Only the partition that does not run is written, and only one that was read back whole is set to boot.
#   2. What is to be on trial is noted before it is set to boot: a start that does not find it running knows that it
#      went back.
#   3. What is not on trial is marked valid at each start, if it is not yet.
#   4. Where the power ended a trial, and not the image, the same image is tried again, TRIALS_MAX times in all: it lies
#      in the spare partition still. What it is, and what it may replace, was judged when it was taken.
#
# Updates of the application are loader/slots.py's, whose names for the same things these are.
import struct

from terminal import small_file

TRIALS_MAX = 3  # as many starts as an application has
_BACK_STARTS = 1  # protocol.record's BACK_x
_BACK_CRASHED = 3
_FORM = (
    # newest, number, coming, given_up, has_begun + 2 * cuts, untold, why; then the label of the coming one's partition
    "<IIIIBBB"
)
_LABEL = 4  # of a partition's info


class Images:
    """`path`: of the small file; power_failed: the power was gone before this start. Raises OSError where the board has
    no second partition after all.

    `tries_again`: what was on trial is set to boot once more; the terminal is to start anew at once."""

    def __init__(self, partitions, path: str, *, power_failed: bool) -> None:  # type: ignore[no-untyped-def]
        self._running = partitions(partitions.RUNNING)
        self.spare = self._running.get_next_update()
        self._mark_valid = partitions.mark_app_valid_cancel_rollback
        self._path = path
        self.newest = self.given_up = self.why = 0
        self._number = self._coming = self._begun = self._cuts = self._untold = 0
        self._label = ""
        self.tries_again = False
        self._load()
        self._begin(power_failed)

    @property
    def on_trial(self) -> bool:
        return self._coming != 0 and self._running.info()[_LABEL] == self._label

    @property
    def number(self) -> int:
        """Of the release that runs; 0: the technician's, of which nobody knows a number."""
        return self._coming if self.on_trial else self._number

    @property
    def newest_known(self) -> int:
        """The highest number that this board had."""
        return self.newest

    def spare_to_write(self):  # type: ignore[no-untyped-def]
        """The partition that does not run, for another image: what lies there is tried no more. Raises OSError."""
        if self._coming:  # the flash did not take that it is to be tried again, or given up
            self._coming = 0
            self._save()
        return self.spare

    def take(self, number: int) -> None:
        """What is in the spare partition, read back whole, runs from the next start on, on trial. Raises OSError."""
        self._coming, self._label = number, self.spare.info()[_LABEL]
        self.newest = max(self.newest, number)
        self._begun = self._cuts = self.why = 0
        self._save()
        try:
            self.spare.set_boot()
        except OSError:
            self._coming = 0
            self._save()
            raise

    def passed(self) -> bool:
        """The gateway has acknowledged a frame of what runs. True: that ended a trial."""
        if not self.on_trial:
            return False
        self._mark_valid()
        self._number, self._coming, self.why = self._coming, 0, 0
        self._save()
        return True

    def go_back(self, why: int) -> None:
        """From the next start on the one before runs. `why`: record.BACK_x. Raises OSError."""
        self.why = why
        self._save()  # the boot loader does the rest, as nothing marked it valid

    def to_tell(self) -> "tuple[bool, bool]":
        """(a release was taken, one was given up), neither told yet."""
        return self._untold != 0, self.given_up != 0

    def told(self) -> None:
        self._untold = self.given_up = 0
        self._save()

    # --- inside

    def _begin(self, power_failed: bool) -> None:
        """Note what the boot loader chose. A flash that takes nothing costs no reading."""
        try:
            if not self._coming:
                self._mark_valid()
            elif self.on_trial:
                self._runs()
            elif power_failed and not self.why and self._cuts + 1 < TRIALS_MAX:
                self._try_again()
            else:
                self.why = self.why or (_BACK_STARTS if self._begun else _BACK_CRASHED)
                self.given_up, self._coming = self._coming, 0
                self._save()
        except OSError as error:  # also: the technician's image runs, which can't be marked
            print("image:", error)

    def _runs(self) -> None:
        """What was taken runs. If it does though it was given up, it was marked valid, and the power failed then."""
        if self.why:
            self._number, self._coming, self.why = self._coming, 0, 0
        if self._coming and self._begun:
            return
        self._begun = self._untold = 1
        self._save()

    def _try_again(self) -> None:
        """Counted first: a power that fails in here is one more cut."""
        self._cuts += 1
        self._save()
        self.spare.set_boot()
        self.tries_again = True

    def _load(self) -> None:
        data = small_file.read(self._path) or b""
        size = struct.calcsize(_FORM)
        state = struct.unpack(_FORM, data[:size]) if len(data) >= size else (0,) * 7
        self.newest, self._number, self._coming, self.given_up = state[:4]
        begun, self._untold, self.why = state[4:]
        self._begun, self._cuts = begun & 1, begun >> 1
        self._label = data[size:].decode()

    def _save(self) -> None:
        """Durable on return. Raises OSError; then all is as the flash has it."""
        begun = self._begun + 2 * self._cuts
        state = (self.newest, self._number, self._coming, self.given_up, begun, self._untold, self.why)
        try:
            small_file.write(self._path, struct.pack(_FORM, *state) + self._label.encode())
        except OSError:
            self._load()
            raise
