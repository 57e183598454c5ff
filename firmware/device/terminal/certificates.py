# What TLS needs, and the certificates that the gateway sent to stand in for the technician's (SPEC.md, FR-95). trial.py
# has what becomes of each. What has passed its trial takes the place of the technician's files: any application reads
# them, and what a technician lays later is in force at once.
from protocol import der, limits, record
from protocol.checked import ConfigError
from terminal import config, small_file
from terminal.trial import Trial

_CODES = (record.CERTIFICATES_TAKEN, record.CERTIFICATES_REFUSED, record.CERTIFICATES_ROLLED_BACK)
_CERTIFICATES_MIN, _CERTIFICATES_MAX = 2, 1 + limits.AUTHORITIES_MAX  # the terminal's own, and its authorities'


class Certificates(Trial):
    """`board` boards/README.md's contract. uses_tls: whether this terminal connects by it."""

    def __init__(self, board, *, uses_tls: bool) -> None:  # type: ignore[no-untyped-def]
        super().__init__(board.data_dir + "/certificates", _CODES)
        self._board = board
        self._uses_tls = uses_tls

    def context(self):  # type: ignore[no-untyped-def]
        """What `board.connect` needs. Counts a start of what is on trial, and gives it up if TLS does not take it.
        Raises ConfigError: not even the technician's files will do."""
        self.begin()
        if self._trial:
            found = self._tried()  # type: ignore[no-untyped-call]
            if found is not None:
                return found
            self._give_up()
        return self._technicians_context()  # type: ignore[no-untyped-call]

    def heard(self) -> bool:
        """What is on trial has passed: it takes the place of the files. On a flash that takes none, at a later ack. An
        ack that did not come by TLS proves nothing of it."""
        if not (self._trial and self._uses_tls and not self.restart):
            return False
        document = self._document(self._trial)
        try:
            if document is not None:
                self._install(document)
        except OSError:
            return False
        if not super().heard():
            return False
        self._forget()
        return True

    # --- inside

    def _fault(self, document: bytes) -> int:
        if not self._uses_tls:
            return record.CERTIFICATES_NO_TLS
        try:
            self._context_of(document)
        except ValueError:
            return record.CERTIFICATES_FORM
        return 0

    def _tried(self):  # type: ignore[no-untyped-def]
        """That of what is on trial; None: what was stored is no good."""
        document = self._document(self._trial)
        try:
            return None if document is None else self._context_of(document)
        except ValueError:
            return None

    def _context_of(self, document: bytes):  # type: ignore[no-untyped-def]
        """Raises ValueError: not these certificates, or TLS does not take them; ConfigError: the key's file."""
        found = der.split(document)
        if not _CERTIFICATES_MIN <= len(found) <= _CERTIFICATES_MAX:
            raise ValueError("a terminal's certificate, and 1 to %d authorities" % limits.AUTHORITIES_MAX)
        return self._board.tls_context(found[1:], found[0], config.load_der(self._board.data_dir + config.CLIENT_KEY))

    def _technicians_context(self):  # type: ignore[no-untyped-def]
        authorities, certificate, key = config.load_certificates(self._board.data_dir)
        try:
            return self._board.tls_context(authorities, certificate, key)
        except ValueError as error:
            raise ConfigError("ca.der, client.der, client.key.der", "(file)", error, "certificates and a key") from None

    def _install(self, document: bytes) -> None:
        """A cut in between leaves it on trial. Until all is moved, both halves work with what is of the other."""
        found = der.split(document)
        small_file.replace(self._board.data_dir + config.CLIENT, found[0])
        small_file.replace(self._board.data_dir + config.AUTHORITIES, document[len(found[0]) :])

    def _forget(self) -> None:
        """The document of what has passed: the files have it."""
        passed, self._passed = self._passed, 0
        self._remove(passed)
        self._passed = passed
