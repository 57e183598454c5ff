"""Certificates at work in the running gateway: sent to who is heard, until the terminal says what became of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection

from cext.decoder import Columns
from gateway import desk
from gateway.database import StoreUnavailableError
from gateway.downward import Down, heard_of, said_by, sealed
from gateway.journal.journal import REPEATED
from gateway.registry import Terminal
from gateway.rotation import certificates
from gateway.rotation.store import Store
from gateway.wanted import configurations
from gateway.wanted.configurations import Version
from protocol.host import orders


class Desk(desk.Desk):
    """Made with the gateway's folder; commands write to its store."""

    name = "certificates"

    def __init__(self, folder: Path, around: desk.Around) -> None:
        """Raises StoreUnavailableError, NewerSchemaError, OSError."""
        super().__init__(Store(folder), around)
        self._pending: dict[str, Version] = {}
        self._early: dict[str, int] = {}  # versions of which it was said that they begin later

    def learn(self, names: Sequence[str], columns: Columns, outcomes: bytes) -> None:
        """What terminals say of certificates."""
        codes = columns.records.code.tobytes()
        if certificates.EVENTS.isdisjoint(codes):
            return
        now_ms = self._clock.now_ms()
        said = [
            said_by(names, columns, row, now_ms)
            for row, code in enumerate(codes)
            if code in certificates.EVENTS and 0 < outcomes[row] <= REPEATED
        ]
        with self._store.writing() as connection:
            for one in said:
                if state := certificates.hear(connection, one):
                    self._log.info("certificates", terminal=one.terminal, version=one.values[0], state=state)
        self._stale = True  # within a second

    def answer(self, terminals: Sequence[Terminal | None], columns: Columns) -> list[Down]:
        """Certificates that are due."""
        if not self._pending:
            return []
        now_ms, pending = self._clock.now_ms(), self._pending
        heard = heard_of(terminals, columns, lambda name: name in pending and pending[name].due_ms <= now_ms)
        if not heard:
            return []
        try:
            with self._store.writing() as connection:
                usable = [name for name in heard if self._is_usable(connection, pending[name], now_ms)]
                for name in usable:
                    pending[name] = configurations.send(connection, pending[name], now_ms)
        except StoreUnavailableError as error:
            self._fail(error)
            return []
        found = []
        for name in usable:
            one, version = heard[name], pending[name]
            payload = orders.certificates_payload(version.version, version.document, one.echo)
            found.append(Down(name, sealed(one, payload), "certificates"))
        return found

    def _is_usable(self, connection: Connection, version: Version, now_ms: int) -> bool:
        """Whether a broker takes them as of now: a trial of what it would not is an hour's silence.

        What has ended is withdrawn. What begins later waits, for it may be our clock that is behind.
        """
        try:
            certificates.check(version.document, version.terminal, datetime.fromtimestamp(now_ms / 1000, UTC))
        except certificates.NotYetError as error:
            self._wait(version, now_ms, str(error))
            return False
        except certificates.CertificatesError as error:
            configurations.withdraw(connection, version.terminal)
            self._stale = True
            self._metrics.down.labels("certificates", "dropped").inc()
            self._log.error("certificates_not_sent", terminal=version.terminal, error=str(error))
            return False
        return True

    def _wait(self, version: Version, now_ms: int, why: str) -> None:
        """Look at it again when the terminal is heard after a while; said once."""
        self._pending[version.terminal] = version._replace(due_ms=now_ms + configurations.AGAIN_MS)
        if self._early.get(version.terminal) != version.version:
            self._log.warning("certificates_early", terminal=version.terminal, error=why)
        self._early[version.terminal] = version.version

    def _see(self) -> None:
        with self._store.reading() as connection:
            self._pending = {one.terminal: one for one in configurations.pending(connection)}
        self._early = {name: version for name, version in self._early.items() if name in self._pending}
        self._stale = False

    def _look(self, now_ms: int) -> None:
        """Nothing is due without a frame."""
