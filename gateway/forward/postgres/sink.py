"""PostgreSQL as a sink: a batch a transaction, copied straight in; merged by identity where some of it is there.

In that transaction stands also up to where everything of this gateway is there: a database that was put back to an
older state is seen by that, and fed again from there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from gateway.config import PostgresConfig
from gateway.files import read_password
from gateway.forward.outbox import Outbox
from gateway.forward.postgres.rows import HEADER, TRAILER, Copied, Log, Rows
from gateway.forward.postgres.schema import migrate
from gateway.forward.sink import Batch, BatchRefusedError, PromptSink, Receipt, SinkError
from protocol.record import WINDOW

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 60_000  # a batch takes some 50 ms; a checkpoint on a slow disk a few seconds
MARK = "postgres_record"  # what we left in `gateways`

_DELETE_PLACED = (
    (
        "DELETE FROM readings r USING windows w WHERE w.placed AND w.log = %s AND w.seq = %s"
        " AND w.start <> to_timestamp(%s) AND r.start = w.start AND r.log = w.log AND r.seq = w.seq"
    ),
    "DELETE FROM windows WHERE placed AND log = %s AND seq = %s AND start <> to_timestamp(%s)",
)
# libpq tells no SQLSTATE of a connection that was refused
_DENIALS = ("authentication", "password", "not permitted", "does not exist", "pg_hba", "certificate")
_MERGE = (
    "INSERT INTO windows SELECT * FROM new_windows ON CONFLICT DO NOTHING",
    (
        "UPDATE windows SET marks = n.marks FROM new_windows n"
        " WHERE windows.start = n.start AND windows.log = n.log AND windows.seq = n.seq AND windows.marks <> n.marks"
    ),
    "INSERT INTO readings SELECT * FROM new_readings ON CONFLICT DO NOTHING",
    "DELETE FROM new_windows",
    "DELETE FROM new_readings",
)
# a batch's rows are few and the tables large: look each one up, whatever the statistics say of a table just filled
_PLANS = "-c enable_hashjoin=off -c enable_mergejoin=off"
_ADD_LOGS = "INSERT INTO logs (terminal, epoch) SELECT * FROM unnest(%s::text[], %s::bigint[]) ON CONFLICT DO NOTHING"
_FIND_LOGS = (
    "SELECT id, terminal, epoch FROM logs JOIN unnest(%s::text[], %s::bigint[]) AS named (terminal, epoch)"
    " USING (terminal, epoch)"
)
_EVENT = (
    "INSERT INTO events (log, seq, at, received, boot, uptime_s, code, point, parameters)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)


class PostgresSink(PromptSink[PostgresConfig]):
    """What the forwarder drives. pause: waits so many seconds, or less when there is a reason to."""

    def __init__(self, config: PostgresConfig, outbox: Outbox, pause: Callable[[float], object]) -> None:
        super().__init__(config, pause)
        self._outbox = outbox
        self._connection: Any = None
        self._logs: dict[Log, int] = {}
        self._merges = False  # something of the last batch was there already: so may be the next
        self.merged = self.copied = 0  # batches, either way

    def take(self, batch: Batch) -> Receipt:
        """One transaction. Raises SinkError, BatchRefusedError."""
        import psycopg  # noqa: PLC0415  (an extra)

        try:
            connection = self._connect()
            with connection.transaction():
                self._write(connection, batch)
        except psycopg.Error as error:
            self.close()
            raise _explained(error) from error
        return Receipt(texts={MARK: str(batch.settled)})

    def close(self) -> None:
        """End the connection; `take` makes another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._logs.clear()

    def _connect(self) -> Any:
        import psycopg  # noqa: PLC0415  (an extra)

        if self._connection is None or self._connection.closed:
            config = self._config
            password = read_password(config.password_file)
            connection = psycopg.connect(
                host=config.host, port=config.port, dbname=config.database, user=config.user, password=password,
                sslmode="verify-full" if config.tls_ca_file else config.sslmode, sslrootcert=config.tls_ca_file,
                connect_timeout=CONNECT_TIMEOUT_S, tcp_user_timeout=STATEMENT_TIMEOUT_MS, application_name="wattline",
                options=f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={STATEMENT_TIMEOUT_MS} {_PLANS}",
                autocommit=True,
            )  # fmt: skip
            try:
                migrate(connection, config.schema)
                connection.execute("SELECT set_config('search_path', %s, false)", (config.schema,))
                for table in ("windows", "readings"):
                    connection.execute(f"CREATE TEMP TABLE new_{table} (LIKE {table}) ON COMMIT DELETE ROWS")
                self._see_whether_put_back(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _see_whether_put_back(self, connection: Any) -> None:
        left = int(self._outbox.text(MARK) or 0)
        row = connection.execute("SELECT record FROM gateways WHERE name = %s", (self._config.gateway,)).fetchone()
        found = int(row[0]) if row else 0
        if found < left:
            self._outbox.put_back(found)
            self._outbox.remember({MARK: str(found)})

    def _write(self, connection: Any, batch: Batch) -> None:
        self._know_logs(connection, batch)
        rows = Rows(batch, self._logs)
        for log, seq, start_s in rows.placed:
            for statement in _DELETE_PLACED:
                connection.execute(statement, (log, seq, start_s))
        self._merges = self._merges or not _copy(connection, rows.all())
        if self._merges:
            self._merge(connection, rows)
        else:
            self.copied += 1
        self._write_events(connection, batch)
        connection.execute(
            "INSERT INTO gateways (name, record) VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET record = excluded.record",
            (self._config.gateway, batch.settled),
        )

    def _merge(self, connection: Any, rows: Rows) -> None:
        """Those windows of which nothing is there are copied straight in, the others merged by identity."""
        _copy_to(connection, "new_windows", rows.windows())
        there = set(connection.execute("SELECT log, seq FROM new_windows JOIN windows USING (start, log, seq)"))
        connection.execute("DELETE FROM new_windows")
        _stage(connection, rows.part(there, among=True))
        new = rows.part(there, among=False)
        if not _copy(connection, new):  # readings without their window, or another gateway's this very moment
            _stage(connection, new)
        self._merges = bool(there)  # all of it was new: copy the next one
        self.merged += 1

    def _write_events(self, connection: Any, batch: Batch) -> None:
        records, integers = batch.columns.records, batch.columns.integers
        for one, row in zip(batch.records, batch.rows, strict=True):
            if one.type != WINDOW:
                first = records.first[row]
                received = datetime.fromtimestamp(batch.received_ms[records.frame[row]] / 1000, UTC)
                at = None if one.start_s is None else datetime.fromtimestamp(one.start_s, UTC)
                values = list(integers[first : first + records.count[row]])
                log = self._logs[one.terminal, one.epoch]
                told = (records.boot[row], records.uptime_s[row], records.code[row], records.point[row] or None)
                connection.execute(_EVENT, (log, one.seq, at, received, *told, values))

    def _know_logs(self, connection: Any, batch: Batch) -> None:
        wanted = sorted({(one.terminal, one.epoch) for one in batch.records} - self._logs.keys())
        if wanted:
            columns = [list(column) for column in zip(*wanted, strict=True)]
            connection.execute(_ADD_LOGS, columns)
            found = connection.execute(_FIND_LOGS, columns)
            self._logs |= {(terminal, epoch): number for number, terminal, epoch in found}


def _copy(connection: Any, windows: Copied) -> bool:
    """Straight in; False, and nothing done, where some of it is there already."""
    import psycopg  # noqa: PLC0415  (an extra)

    try:
        with connection.transaction():
            _copy_to(connection, "windows", windows.windows)
            _copy_to(connection, "readings", windows.readings)
    except psycopg.errors.UniqueViolation:
        return False
    return True


def _stage(connection: Any, windows: Copied) -> None:
    """By identity: what is there stays, but for marks, which may have been found later."""
    _copy_to(connection, "new_windows", windows.windows)
    _copy_to(connection, "new_readings", windows.readings)
    for statement in _MERGE:
        connection.execute(statement)


def _copy_to(connection: Any, table: str, rows: bytes) -> None:
    if rows:
        with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
            copy.write(HEADER + rows + TRAILER)


def _explained(error: Any) -> SinkError | BatchRefusedError:
    """What a database's error means for the sink. SQLSTATE: PostgreSQL's documentation, appendix A."""
    state = error.sqlstate or ""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    for prefixes, reason in (
        (("28", "42501", "3D000"), "denied"),
        (("25006",), "read_only"),
        (("53",), "full"),
        (("57014", "55P03"), "silent"),
        (("42",), "foreign"),
        (("08", "57", "XX"), "unreachable"),
    ):
        if state.startswith(prefixes):
            return SinkError(reason, text)
    if state.startswith(("22", "23", "P0")):
        return BatchRefusedError(text)
    if "timeout" in text:
        return SinkError("silent", text)
    return SinkError("denied" if any(word in text for word in _DENIALS) else "unreachable", text)
