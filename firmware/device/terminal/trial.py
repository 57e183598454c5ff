# Numbered documents that the gateway sends (SPEC.md, section 5): one is in force, one may be on trial. What they mean
# is remote_config's and certificates'.
#
# Files in its folder
#   state       which versions are what (small_file.py, the struct below)
#   %08x        a version's document
#
# What always holds
#   1. A document is stored before `state` names it, and `state` is replaced as a whole: a power cut at any moment
#      leaves the old one in force or the new one.
#   2. A version is taken once in the terminal's life: `newest` never falls.
#   3. What can't be worked by, does not reach the gateway within CONFIGURATION_TRIAL_S, or starts STARTS_MAX times
#      without reaching it, is given up for what was in force before.
#   4. What happened is told in an event, by the start after it if a power cut came between.
#   5. On a flash that takes nothing a start goes by what it decides; the next one finds what was before. What is taken
#      is not decided by itself: it is refused.
import errno
import os
import struct

from protocol import limits, record
from terminal import small_file

STARTS_MAX = 3
_REFUSALS_MAX = 16  # told a boot; a gateway that sends the same again is answered once
_FORM = "<IIIIBB"  # newest, passed, trial, given_up, starts, untold


class Trial:
    """`offer` takes a document, after which a restart is wanted. `codes`: the events *taken*, *refused*, *rolled back*.

    To be said by who extends it: `_fault(document)`, why it can't be worked by (0: it can)."""

    def __init__(self, folder: str, codes: "tuple[int, int, int]") -> None:
        self.restart = False  # the terminal is to start anew
        self._event = None
        self._folder = folder
        self._taken, self._refused, self._rolled_back = codes
        self._told: "list[tuple[int, int]]" = []  # refusals
        self._newest = self._passed = self._trial = self._given_up = self._starts = self._untold = 0
        data = small_file.read(folder + "/state")
        known = data is not None and len(data) == struct.calcsize(_FORM)
        if known and data:
            self._set(struct.unpack(_FORM, data))

    @property
    def version(self) -> int:
        """The one in force; 0 is the technician's."""
        return self._trial or self._passed

    @property
    def on_trial(self) -> bool:
        return self._trial != 0

    def begin(self) -> None:
        """Count a start of what is on trial, or give it up after too many."""
        if self._trial and self._starts >= STARTS_MAX:
            self._give_up()
        elif self._trial:
            self._starts += 1
            self._kept()

    def tell(self, event) -> None:  # type: ignore[no-untyped-def]
        """Write the events of what happened before this start; `event(code, point, values)` writes one, now and
        later."""
        self._event = event
        if self._untold:
            event(self._taken, None, (self._trial or self._newest,))
        if self._given_up:
            event(self._rolled_back, None, (self._given_up, self.version))
        if self._untold or self._given_up:
            self._untold = self._given_up = 0
            self._kept()

    def offer(self, version: int, document: bytes) -> None:
        """A document from the gateway, authenticated. Stored if it is right; refused by an event if not."""
        if version == self.version or self.restart:
            return
        if version <= self._newest:
            self._refuse(version, record.CONFIG_STALE)
            return
        reason = self._fault(document)
        if not reason:
            try:
                self._take(version, document)
            except OSError:
                reason = record.CONFIG_NOT_STORED
        if reason:
            self._refuse(version, reason)

    def heard(self) -> bool:
        """The gateway has answered a frame of this boot: what is on trial has passed. True: now, and durably."""
        if not self._trial or self.restart:
            return False
        before = self._state()
        replaced, self._passed, self._trial, self._starts = self._passed, self._trial, 0, 0
        if not self._kept():  # again at the next ack
            self._set(before)
            return False
        self._remove(replaced)
        return True

    def due(self, uptime_ms: int) -> None:
        """Give up what is on trial if the gateway was not heard in time."""
        if self._trial and not self.restart and uptime_ms >= 1000 * limits.CONFIGURATION_TRIAL_S:
            before = self._state()
            self.restart = self._give_up()
            if not self.restart:  # the next start would try it anew: it is given up when the flash takes that
                self._set(before)

    # --- inside

    def _fault(self, document: bytes) -> int:
        raise NotImplementedError

    def _take(self, version: int, document: bytes) -> None:
        small_file.make_folder(self._folder)
        small_file.write(self._path(version), document)
        replaced, before = self._trial, self._state()
        self._newest = self._trial = version
        self._starts, self._untold = 0, 1
        if not self._kept():
            self._set(before)
            raise OSError(errno.EIO)
        self.restart = True
        self._remove(replaced)

    def _document(self, version: int) -> "bytes | None":
        return small_file.read(self._path(version))

    def _give_up(self) -> bool:
        """Back to the one before: from trial to what passed, from that to the technician's. True: durably."""
        self._given_up = self.version
        if self._trial:
            self._trial = self._starts = 0
        else:
            self._passed = 0
        if not self._kept():
            return False
        self._remove(self._given_up)
        return True

    def _refuse(self, version: int, reason: int) -> None:
        if (version, reason) in self._told or len(self._told) >= _REFUSALS_MAX:
            return
        self._told.append((version, reason))
        self._event(self._refused, None, (version, reason, self._newest))  # type: ignore[misc]

    def _state(self) -> "tuple[int, int, int, int, int, int]":
        return self._newest, self._passed, self._trial, self._given_up, self._starts, self._untold

    def _set(self, state: "tuple[int, int, int, int, int, int]") -> None:
        self._newest, self._passed, self._trial, self._given_up, self._starts, self._untold = state

    def _kept(self) -> bool:
        """Store the state; False: the flash did not take it."""
        try:
            small_file.write(self._folder + "/state", struct.pack(_FORM, *self._state()))
        except OSError as error:
            print("trial: not kept:", error)
            return False
        return True

    def _remove(self, version: int) -> None:
        """Forget the document of a version that is nothing any more."""
        if version in (0, self._passed, self._trial):
            return
        try:
            os.remove(self._path(version))
        except OSError:
            return  # it costs a block, and nothing else

    def _path(self, version: int) -> str:
        return "%s/%08x" % (self._folder, version)
