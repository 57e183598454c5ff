# Configurations that the gateway sent (SPEC.md, section 5): which one is in force. trial.py has what becomes of each.
from protocol import configuration, record
from protocol.checked import ConfigError, base_name, read_json
from terminal import config
from terminal.trial import Trial

_CODES = (record.CONFIG_TAKEN, record.CONFIG_REFUSED, record.CONFIG_ROLLED_BACK)


class RemoteConfig(Trial):
    """`load` gives the configuration to work by. What does not load is given up: at last for the technician's file.

    `check_meters(buses, file)` raises ConfigError for meters whose profile is not here or does not fit."""

    def __init__(self, folder: str, technicians: str, check_meters) -> None:  # type: ignore[no-untyped-def]
        super().__init__(folder, _CODES)
        self._technicians = technicians
        self._check_meters = check_meters

    def load(self) -> config.Config:
        """The configuration in force, checked with its meters. Counts a start of one on trial. Raises ConfigError if
        not even the technician's is right."""
        self.begin()
        while True:
            try:
                found = self._read(self.version)
                self._check_meters(found.buses, base_name(self._technicians))
                return found
            except ConfigError:
                if not self.version:
                    raise
                self._give_up()

    def _fault(self, document: bytes) -> int:
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
            document = self._document(version)
            file = base_name(self._path(version))
            if document is None:
                raise ConfigError(file, "(file)", "damaged or missing", "what was stored")
            technicians = configuration.overlay(technicians, configuration.read_document(document, file))
        return config.check(technicians, base_name(self._technicians))
