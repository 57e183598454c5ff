"""A world whose sink is a PostgreSQL."""

from pathlib import Path
from typing import Any

import psycopg

from gateway.config import PostgresConfig
from gateway.forward.postgres.sink import PostgresSink
from hil.postgres import Postgres
from tests.gateway.forward.world import FakeSink, World


class Database(World):
    """A world whose sink is PostgreSQL."""

    def __init__(self, folder: Path, server: Postgres, schema: str, batch_records: int = 50) -> None:
        self.server = server
        self.config = PostgresConfig(
            name="s", host="127.0.0.1", port=server.port, database="postgres", user="wattline", schema=schema,
            batch_records=batch_records,
        )  # fmt: skip
        super().__init__(folder, FakeSink())

    def open(self) -> None:
        super().open()
        self.postgres = PostgresSink(self.config, self.outbox, lambda _: None)
        self.forwarder._sink = self.postgres

    def restart(self) -> None:
        self.postgres.close()
        super().restart()

    def ask(self, query: str) -> list[Any]:
        with psycopg.connect(self.server.dsn, options=f"-c search_path={self.config.schema}") as connection:
            return connection.execute(query.encode()).fetchall()

    def command(self, text: str) -> None:
        with psycopg.connect(self.server.dsn, autocommit=True, options=f"-c search_path={self.config.schema}") as one:
            one.execute(text.encode())

    def seqs(self) -> list[int]:
        return [row[0] for row in self.ask("SELECT seq FROM windows UNION ALL SELECT seq FROM events ORDER BY seq")]

    def close(self) -> None:
        self.postgres.close()
        super().close()
