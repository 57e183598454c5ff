"""PostgreSQL: readings a second that are safe, straight in and merged, against psycopg's COPY of the same bytes."""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from gateway.config import PostgresConfig
from gateway.forward.outbox import Outbox
from gateway.forward.postgres.rows import HEADER, TRAILER, Copied, Rows
from gateway.forward.postgres.sink import PostgresSink
from gateway.forward.sink import Batch
from gateway.journal.reader import Reader
from hil.benchmarks import processes
from hil.benchmarks.growth.filling import Filling
from hil.benchmarks.ingest.load import POINTS
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.benchmarks.timing import Samples
from hil.postgres import Postgres
from hil.terminal import ROOT

BATCH_WINDOWS = 556  # of 9 points: some 5,000 readings
BATCHES = 30  # a measurement: 150,000 readings
ROUNDS_MAX = 5
SCHEMA = "raw"
NOTES = [
    f"Windows of {POINTS} points out of a journal of a province, {BATCH_WINDOWS} a transaction; decoded beforehand.",
    "straight: all is new: COPY of `windows` and `readings`, and the gateway's cursor, in one transaction.",
    "merged: each batch has a window that is there already; again: all of it is there.",
    "The raw path: psycopg's COPY of the bytes that ours made, into tables of the same columns and keys, nothing else.",
    "A server of its own, as installed: fsync and synchronous_commit on. It shares the machine's cores.",
    "cpu: of our thread and the server's process. They take turns: 1 / cpu is what a machine without others comes to.",
]


class Part(NamedTuple):
    """What one measurement feeds."""

    batches: Sequence[Batch]

    @property
    def readings(self) -> int:
        """How many there are in it."""
        return sum(len(one.records) for one in self.batches) * POINTS


def parts(folder: Path) -> tuple[Part, Part]:
    """(batches one behind the other, batches behind them that share a window each with the one before)."""
    with closing(Reader(folder)) as reader:

        def batch(after: int) -> Batch:
            records = reader.records_after(after, BATCH_WINDOWS)
            found = reader.decoded([one.id for one in records])
            rows = [row for row in found.rows if row is not None]
            return Batch("backlog", records, rows, found.columns, found.frames, found.received_ms, after)

        plain = [batch(number * BATCH_WINDOWS) for number in range(BATCHES)]
        first = BATCHES * BATCH_WINDOWS - 1
        return Part(plain), Part([batch(first + number * (BATCH_WINDOWS - 1)) for number in range(BATCHES)])


class Cost(NamedTuple):
    """Of one measurement: wall time, and CPU of this thread and of the server's process, which take turns."""

    per_s: float
    cpu_us: float


def measure(options: Options) -> Result:
    """See the module."""
    rounds = max(2, min(options.rounds, ROUNDS_MAX))
    costs: dict[str, list[Cost]] = {name: [] for name in ("straight", "merged", "again", "raw")}
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = Path(name)
        filling = Filling(folder, 96, options.seed)
        filling.fill(2 * BATCHES * BATCH_WINDOWS * POINTS)
        filling.journal.close()
        plain, shared = parts(folder)
        with Postgres(ROOT / "build/postgres/bin", folder / "postgres.log") as server:
            server.start()
            for number in range(rounds):
                for contender, cost in _round(folder, server, f"round{number}", plain, shared):
                    costs[contender].append(cost)
    return _result(costs)


def _round(folder: Path, server: Postgres, schema: str, plain: Part, shared: Part) -> list[tuple[str, Cost]]:
    """(contender, what it cost), with tables of its own."""
    import psycopg  # noqa: PLC0415  (an extra)

    config = PostgresConfig(
        name=schema, host="127.0.0.1", port=server.port, database="postgres", user="wattline", schema=schema
    )
    rest = Part(plain.batches[1:])
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        with closing(Outbox(folder, schema)) as outbox, closing(PostgresSink(config, outbox, time.sleep)) as sink:
            sink.take(plain.batches[0])  # connects, and makes the tables
            (pid,), *_ = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'wattline'")
            ours = [_cost(part, part.batches, sink.take, pid) for part in (rest, shared, shared)]
        numbers = {(t, e): n for n, t, e in connection.execute(f"SELECT id, terminal, epoch FROM {schema}.logs")}  # noqa: S608
        connection.execute(
            f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}; SET search_path = {SCHEMA}"
        )
        for table in ("windows", "readings"):
            connection.execute(f"CREATE TABLE {table} (LIKE {schema}.{table} INCLUDING ALL)")

        def copy(one: Copied) -> None:
            with connection.transaction():
                _copy(connection, "windows", one.windows)
                _copy(connection, "readings", one.readings)

        ready = [Rows(one, numbers).all() for one in rest.batches]
        raw = _cost(rest, ready, copy, connection.info.backend_pid)
    return list(zip(("straight", "merged", "again", "raw"), [*ours, raw], strict=True))


def _cost(part: Part, each: Sequence[Any], take: Callable[[Any], object], server_pid: int) -> Cost:
    begun_s, cpu_s = time.monotonic(), time.thread_time() + processes.cpu_s(server_pid)
    for one in each:
        take(one)
    cpu_s = time.thread_time() + processes.cpu_s(server_pid) - cpu_s
    return Cost(part.readings / (time.monotonic() - begun_s), cpu_s / part.readings * 1e6)


def _copy(connection: Any, table: str, rows: bytes) -> None:
    with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
        copy.write(HEADER + rows + TRAILER)


def _result(costs: dict[str, list[Cost]]) -> Result:
    import psycopg  # noqa: PLC0415  (an extra)

    goals = {"straight": "at least 300,000", "merged": "at least 200,000", "again": "", "raw": ""}
    peer = f"psycopg {psycopg.__version__}, COPY"
    rates = {name: Samples([one.per_s for one in found]) for name, found in costs.items()}
    cpu = {name: Samples([one.cpu_us for one in found]) for name, found in costs.items()}
    figures = [
        Figure(f"postgres.{name}_readings_per_s", round(one.median), "readings/s", round(one.spread), "", goals[name])
        for name, one in rates.items()
    ]
    figures += [
        Figure(f"postgres.{name}_cpu_us", round(one.median, 2), "us/reading", round(one.spread, 2), "")
        for name, one in cpu.items()
    ]
    for name in ("straight", "merged", "again"):
        ratio = cpu["raw"].over(cpu[name])
        figures.append(
            Figure(f"postgres.{name}_cpu_ratio", round(ratio.median, 2), "ratio", round(ratio.spread, 2), peer)
        )
    bars = [Bar(peer if name == "raw" else name, one.median, ours=name != "raw") for name, one in rates.items()]
    return Result(figures, [Chart("Readings a second that are safe", "readings/s", bars)], NOTES)
