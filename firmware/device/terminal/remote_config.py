# Configurations that the gateway sent (SPEC.md, section 5): which one is in force, and what became of each.
#
# Files in its folder
#   state       which versions are what (small_file.py, the struct below)
#   %08x        the document of a version: the one that passed its trial last, and the one on trial
#
# What always holds
#   1. A configuration is stored before `state` names it, and `state` is replaced as a whole: a power cut at any moment
#      leaves the old one in force or the new one.
#   2. A version is taken once in the terminal's life: `newest` never falls.
#   3. What does not load, does not reach the gateway within CONFIGURATION_TRIAL_S, or starts STARTS_MAX times without
#      reaching it, is given up for the last one that passed; that for the technician's file, version 0.
#   4. What happened is told in an event, by the start after it if a power cut came between.
import os
import struct

from protocol import configuration, limits, record
from protocol.checked import ConfigError, base_name, read_json
from terminal import config, small_file

STARTS_MAX = 3
_REFUSALS_MAX = 16  # told a boot; a gateway that sends the same again is answered once
_FORM = "<IIIIBB"  # newest, passed, trial, given_up, starts, untold


class RemoteConfig:
    """`load` gives the configuration to work by; `offer` takes a new one, after which a restart is wanted.

    `check_meters(buses, file)` raises ConfigError for meters whose profile is not here or does not fit."""

    def __init__(self, folder: str, technicians: str, check_meters) -> None:  # type: ignore[no-untyped-def]
        self.restart = False  # the terminal is to start anew
        self._tell = None
        self._folder = folder
        self._technicians = technicians
        self._check_meters = check_meters
        self._refused: "list[tuple[int, int]]" = []
        small_file.make_folder(folder)
        data = small_file.read(folder + "/state")
        known = data is not None and len(data) == struct.calcsize(_FORM)
        state = struct.unpack(_FORM, data) if known and data else (0, 0, 0, 0, 0, 0)
        self._newest, self._passed, self._trial, self._given_up, self._starts, self._untold = state

    @property
    def version(self) -> int:
        """The one in force; 0 is the technician's."""
        return self._trial or self._passed

    @property
    def on_trial(self) -> bool:
        return self._trial != 0

    def load(self) -> config.Config:
        """The configuration in force, checked with its meters. Counts a start of one on trial. Raises ConfigError if
        not even the technician's is right."""
        if self._trial and self._starts >= STARTS_MAX:
            self._give_up()
        elif self._trial:
            self._starts += 1
            self._save()
        while True:
            try:
                found = self._read(self.version)
                self._check_meters(found.buses, base_name(self._technicians))
                return found
            except ConfigError:
                if not self.version:
                    raise
                self._give_up()

    def tell(self, event) -> None:  # type: ignore[no-untyped-def]
        """Write the events of what happened before this start; `event(code, point, values)` writes one, now and
        later."""
        self._tell = event
        if self._untold:
            self._event(record.CONFIG_TAKEN, (self._trial or self._newest,))
        if self._given_up:
            self._event(record.CONFIG_ROLLED_BACK, (self._given_up, self.version))
        if self._untold or self._given_up:
            self._untold = self._given_up = 0
            self._save()

    def offer(self, version: int, document: bytes) -> None:
        """A configuration from the gateway, authenticated. Stored if it is right; refused by an event if not."""
        if version == self.version or self.restart:
            return
        if version <= self._newest:
            self._refuse(version, record.CONFIG_STALE, (self._newest,))
            return
        reason = self._fault(document)
        if not reason:
            try:
                self._take(version, document)
            except OSError:
                reason = record.CONFIG_NOT_STORED
        if reason:
            self._refuse(version, reason, (self._newest,))

    def heard(self) -> None:
        """The gateway has answered a frame of this boot: what is on trial has passed."""
        if not self._trial or self.restart:
            return
        before = self._passed
        self._passed, self._trial, self._starts = self._trial, 0, 0
        self._save()
        self._remove(before)

    def due(self, uptime_ms: int) -> None:
        """Give up what is on trial if the gateway was not heard in time."""
        if self._trial and not self.restart and uptime_ms >= 1000 * limits.CONFIGURATION_TRIAL_S:
            self._give_up()
            self.restart = True

    # --- inside

    def _take(self, version: int, document: bytes) -> None:
        small_file.write(self._path(version), document)
        replaced = self._trial
        self._newest = self._trial = version
        self._starts, self._untold = 0, 1
        self._save()
        self.restart = True
        self._remove(replaced)

    def _fault(self, document: bytes) -> int:
        """Why a document can't be worked by; 0: it can."""
        file = base_name(self._technicians)
        try:
            members = configuration.read_document(document, "document")
        except ConfigError:
            return record.CONFIG_DOCUMENT
        try:
            found = config.check(configuration.overlay(read_json(self._technicians), members), file)
        except ConfigError:
            return record.CONFIG_MISFIT
        try:
            self._check_meters(found.buses, file)
        except ConfigError:
            return record.CONFIG_PROFILE
        return 0

    def _read(self, version: int) -> config.Config:
        technicians = read_json(self._technicians)
        if version:
            document = small_file.read(self._path(version))
            file = base_name(self._path(version))
            if document is None:
                raise ConfigError(file, "(file)", "damaged or missing", "what was stored")
            technicians = configuration.overlay(technicians, configuration.read_document(document, file))
        return config.check(technicians, base_name(self._technicians))

    def _give_up(self) -> None:
        """Back to the one before: from trial to what passed, from that to the technician's."""
        self._given_up = self.version
        if self._trial:
            self._trial = self._starts = 0
        else:
            self._passed = 0
        self._save()
        self._remove(self._given_up)

    def _refuse(self, version: int, reason: int, more: "tuple[int, ...]") -> None:
        if (version, reason) in self._refused or len(self._refused) >= _REFUSALS_MAX:
            return
        self._refused.append((version, reason))
        self._event(record.CONFIG_REFUSED, (version, reason) + more)

    def _event(self, code: int, values) -> None:  # type: ignore[no-untyped-def]
        self._tell(code, None, values)  # type: ignore[misc]

    def _save(self) -> None:
        state = (self._newest, self._passed, self._trial, self._given_up, self._starts, self._untold)
        small_file.write(self._folder + "/state", struct.pack(_FORM, *state))

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
