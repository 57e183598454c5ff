# Which application this board runs, and what it goes back to: the boot record.
#
#   0  the root's: what the technician put on the board; no update writes there
#   1, 2  the folders `a` and `b` beside it: what updates brought
#
# File `slots` (small_file.py): the struct below. What always holds:
#   1. `active` is what runs, `good` what it goes back to; the two are equal unless `active` is on trial.
#   2. Only the third slot is ever written, and only a slot that was read back whole becomes `active`, by one small file
#      that is replaced as a whole: a power cut at any moment leaves one application or the other, never half of one.
#   3. A start of what is on trial is counted before it begins, so that one that never gets anywhere is counted too.
#   4. `newest` never falls: a release is taken once.
#   5. If the record can't be read, the root's application runs.
import struct

from terminal import small_file

STARTS_MAX = 3  # of what is on trial without an ack; of what passed, that end before they have begun
ROOT = 0
_BACK_STARTS = 1  # protocol.record's BACK_x
_BACK_CRASHED = 3
_NAMES = ("", "a", "b")
_FORM = "<IIIIIBBBBB"  # newest, vouched, the numbers of 1 and 2, given_up, active, good, starts, untold, why


class Slots:
    """`prefix`: of what is at the root, such as "" or "/root/"; `root_number`: the number of the root's application.

    `begin` gives the folder of what is to run."""

    def __init__(self, prefix: str, root_number: int) -> None:
        self.prefix = prefix
        self._path = prefix + "slots"
        self._numbers = [root_number, 0, 0]
        self.newest = self.vouched = self.given_up = self.active = self.good = self.why = 0
        self._starts = self._untold = 0
        self._load()

    @property
    def on_trial(self) -> bool:
        return self.active != self.good

    @property
    def number(self) -> int:
        """Of the release that runs."""
        return self._numbers[self.active]

    @property
    def newest_known(self) -> int:
        """The highest number that this board had, whichever way it came."""
        return max(self.newest, self._numbers[ROOT], self.number)

    @property
    def spare(self) -> int:
        """A slot that is neither what runs nor what it goes back to. Not to be asked on trial: there may be none."""
        return 1 if 1 not in (self.active, self.good) else 2

    def folder(self, slot: int) -> str:
        """Of a slot's application: what sys.path has."""
        return self.prefix + _NAMES[slot] if slot else self.prefix.rstrip("/")

    def begin(self) -> str:
        """The folder of what is to run in this start. Raises OSError."""
        if self.active and self._numbers[ROOT] > self.number:  # a technician brought a newer one
            self.active = self.good = ROOT
            self._starts = 0
            self._save()
        elif self.on_trial and self._starts >= STARTS_MAX:
            self.go_back(_BACK_STARTS)
        elif self.on_trial:
            self._starts += 1
            self._save()
        return self.folder(self.active)

    def vouch(self, number: int) -> None:
        """The gateway vouches for a release of that number."""
        if number > self.vouched:
            self.vouched = number
            self._save()

    def take(self, slot: int, number: int) -> None:
        """What is in the slot, read back whole, runs from the next start on, on trial. Raises OSError."""
        self._numbers[slot] = number
        self.active = slot
        self.newest = max(self.newest, number)
        self._starts = 0
        self._untold = 1
        self._save()

    def passed(self) -> bool:
        """The gateway has acknowledged a frame of what runs. True: that ended a trial."""
        ended = self.on_trial
        if ended or self._starts:
            self.good = self.active
            self._starts = 0
            self._save()
        return ended

    def crashed(self) -> None:
        """What runs ended before it had begun. On trial it is given up at once."""
        self._starts += 1
        if self.on_trial or (self.active and self._starts >= STARTS_MAX):
            self.go_back(_BACK_CRASHED)
        elif self.active:
            self._save()

    def go_back(self, why: int) -> None:
        """From the next start on the last good one runs; if that is what runs, the root's. `why`: record.BACK_x."""
        self.given_up = self.number
        self.why = why
        self.active = self.good = self.good if self.on_trial else ROOT
        self._starts = 0
        self._save()

    def to_tell(self) -> "tuple[bool, bool]":
        """(a release was taken, one was given up), neither told yet."""
        return self._untold != 0, self.given_up != 0

    def told(self) -> None:
        self._untold = self.given_up = 0
        self._save()

    def _load(self) -> None:
        data = small_file.read(self._path)
        known = data is not None and len(data) == struct.calcsize(_FORM)
        state = struct.unpack(_FORM, data) if known and data else (0,) * 10
        self.newest, self.vouched, self._numbers[1], self._numbers[2], self.given_up, self.active, self.good = state[:7]
        self._starts, self._untold, self.why = state[7:]

    def _save(self) -> None:
        """Durable on return. Raises OSError; then all is as the flash has it, and the change may be tried again."""
        state = (self.newest, self.vouched, self._numbers[1], self._numbers[2], self.given_up)
        state += (self.active, self.good, self._starts, self._untold, self.why)  # type: ignore[assignment]
        try:
            small_file.write(self._path, struct.pack(_FORM, *state))
        except OSError:
            self._load()
            raise
