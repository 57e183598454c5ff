"""Brings a database's schema to the version that this program writes, or says why that can't be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.forward.sink import SinkError

SCHEMA = Path(__file__).parent / "schema"
_LOCK = 7_215_502_051  # of PostgreSQL's advisory locks: two gateways that start together migrate once
_HYPERTABLES = ("windows", "readings")


def migrate(connection: Any, schema: str) -> None:
    """Within a transaction of its own. Raises SinkError (newer, foreign), and what the database refuses."""
    from psycopg import sql  # noqa: PLC0415  (an extra)

    steps = sorted(SCHEMA.glob("[0-9][0-9][0-9][0-9].sql"))
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        version = _version(connection, schema, len(steps))
        if version == len(steps):
            return
        if version == 0:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        _use(connection, schema)
        if version == 0:
            connection.execute("CREATE TABLE schema_version (version integer NOT NULL)")
            connection.execute("INSERT INTO schema_version VALUES (0)")
        for step in steps[version:]:
            connection.execute(step.read_text(encoding="utf-8"))
        connection.execute("UPDATE schema_version SET version = %s", (len(steps),))
        if version == 0:
            _make_hypertables(connection)


def _use(connection: Any, schema: str) -> None:
    connection.execute("SELECT set_config('search_path', %s, true)", (schema,))


def _version(connection: Any, schema: str, newest: int) -> int:
    """0: there is nothing of ours yet, and nothing in its way."""
    rows = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s", (schema,)
    ).fetchall()
    names = {row[0] for row in rows}
    ours = {"schema_version", "logs", "windows", "readings", "events", "gateways", "power"}
    if "schema_version" not in names:
        if in_the_way := sorted(names & ours):
            raise SinkError("foreign", f"schema {schema} has {', '.join(in_the_way)} already, and they are not ours")
        return 0
    _use(connection, schema)
    row = connection.execute("SELECT version FROM schema_version").fetchone()
    if row is None or not ours <= names:
        missing = ", ".join(sorted(ours - names)) or "a version"
        raise SinkError("foreign", f"schema {schema} lacks {missing}")
    if row[0] > newest:
        raise SinkError("newer", f"schema {schema} has version {row[0]}, this program knows up to {newest}")
    return int(row[0])


def _make_hypertables(connection: Any) -> None:
    """TimescaleDB, where the extension is there: a week a chunk."""
    if connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone():
        for table in _HYPERTABLES:
            connection.execute(
                "SELECT create_hypertable(%s::regclass, 'start', chunk_time_interval => interval '7 days')", (table,)
            )
