"""PostgreSQL without room: the real server, whose tables lie on a disk that is full."""

import errno
import os
from pathlib import Path

import psycopg

from gateway.forward import outbox as store
from hil.disk import Disk
from hil.postgres import Postgres
from tests.gateway.forward.databases import Database
from tests.gateway.forward.world import old
from tests.gateway.support import ROOT


def test_a_database_without_room_is_named_and_goes_on_when_there_is_some(tmp_path: Path) -> None:
    """P-152: what was in the middle counts as nothing."""
    with Postgres(ROOT / "build/postgres/bin", tmp_path / "postgres.log") as server:
        small = server.folder / "small"
        disk = Disk(small)
        if os.geteuid() == 0:  # the server runs as somebody else then
            for one in (small, *Path(f"{small}.durable").rglob("*"), Path(f"{small}.durable")):
                os.chown(one, server.folder.stat().st_uid, server.folder.stat().st_gid)
        server.process.env |= disk.env()
        server.start()
        with psycopg.connect(server.dsn, autocommit=True) as keeper:
            keeper.execute(f"CREATE TABLESPACE small LOCATION '{small}'")
            keeper.execute("ALTER DATABASE postgres SET default_tablespace = small")
        database = Database(tmp_path / "data", server, "crowded")
        database.commit([old(1)])
        assert database.try_to_run() == []
        disk.fail(errno.ENOSPC)
        for block in range(4):
            database.commit([old(10 + 40 * block + number) for number in range(40)])
        assert database.try_to_run() == ["full"]
        assert "space" in str(store.status(database.folder, "s")["detail"])
        disk.fail(None)
        assert database.try_to_run() == []
        assert database.seqs() == [1, *range(10, 170)]
        database.close()
