"""PostgreSQL, and a folder of Parquet files, as victims."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hil.abuse.load import EPOCH, Truth
from hil.abuse.verdict import Name
from hil.disk import Disk
from hil.link import Link
from hil.postgres import Postgres
from hil.terminal import ROOT
from protocol.record import Reading

COUNTY = "east"


def rows(made: Iterable[Truth]) -> dict[Name, Any]:
    """(terminal, epoch, seq, point): start, why there is no reading, and its values."""
    return {
        (one.terminal, EPOCH, one.seq, point): (one.start_s, None, *reading)
        for one in made
        for point, reading in enumerate(one.readings, start=1)
    }


class Database:
    """A PostgreSQL of its own. That it was put back is seen by the gateway without being told."""

    name = "postgres"
    copies_of_refeed = 0
    sees_put_back = True
    forgets = False
    disk = None

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._server = Postgres(ROOT / "build/postgres/bin", folder / "postgres.log")
        self.link = Link(folder / "link", self._server.port)

    @property
    def port(self) -> int:
        """See Victim."""
        return self._server.port

    def section(self) -> str:
        """See Victim."""
        return (
            f'[[sink]]\nname = "postgres"\nkind = "postgres"\nhost = "127.0.0.1"\nport = {self.link.port}\n'
            'database = "postgres"\nuser = "wattline"\nbatch_records = 50\n'
        )

    def start(self) -> None:
        """See Victim."""
        self._server.start()
        if not self.link.port:
            self.link.start()

    def stop(self) -> None:
        """See Victim."""
        self._server.stop()

    def kill(self) -> None:
        """See Victim."""
        self._server.process.kill()

    def keep(self, to: Path) -> None:
        """See Victim."""
        self._kept = self._server.copy_state(to.name)

    def put_back(self, kept: Path) -> None:  # noqa: ARG002  (the server's user reads only its own folder)
        """See Victim."""
        self._server.put_back(self._kept)

    def expected(self, made: Iterable[Truth]) -> Mapping[Name, Any]:
        """See Victim."""
        return rows(made)

    def held(self) -> Iterator[tuple[Name, Any]]:
        """Each reading."""
        import psycopg  # noqa: PLC0415  (an extra)

        names = ", ".join(f"r.{one}" for one in Reading._fields)
        query = (
            f"SELECT terminal, epoch, r.seq, point, extract(epoch FROM r.start)::bigint, none_because, {names}"  # noqa: S608
            " FROM wattline.readings r JOIN wattline.logs l ON l.id = r.log"
        )
        with psycopg.connect(self._server.dsn) as connection:
            for row in connection.execute(query.encode()):
                yield row[:4], row[4:]

    def close(self) -> None:
        """See Victim."""
        self._server.__exit__()
        self.link.process.kill()


class Files:
    """A folder. Killed: a file stands in its place."""

    name = "parquet"
    link = None
    port = None
    copies_of_refeed = 0
    sees_put_back = False
    forgets = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.disk = Disk(folder)
        self._aside = folder.with_name("parquet-aside")

    def section(self) -> str:
        """See Victim."""
        return (
            f'[[sink]]\nname = "parquet"\nkind = "parquet"\nfolder = "{self._folder}"\nbatch_records = 200\n'
            f'counties = {{T000 = "{COUNTY}"}}\n'
        )

    def start(self) -> None:
        """See Victim."""
        if self._aside.exists():
            self._folder.unlink()
            self._aside.rename(self._folder)
        self._folder.mkdir(exist_ok=True)

    def stop(self) -> None:
        """See Victim."""
        self._folder.rename(self._aside)
        self._folder.write_text("no folder\n", encoding="utf-8")

    kill = stop

    def keep(self, to: Path) -> None:
        """See Victim."""
        shutil.copytree(self._aside, to)

    def put_back(self, kept: Path) -> None:
        """See Victim."""
        shutil.rmtree(self._aside)
        shutil.copytree(kept, self._aside)

    def expected(self, made: Iterable[Truth]) -> Mapping[Name, Any]:
        """See Victim."""
        return rows(made)

    def held(self) -> Iterator[tuple[Name, Any]]:
        """Each row of each file."""
        from pyarrow import parquet  # noqa: PLC0415  (an extra)

        names = ["terminal", "epoch", "seq", "point", "start_unix_s", "none_because", *Reading._fields]
        for file in sorted(self._folder.rglob("*.parquet")):
            table = parquet.read_table(file, columns=names, partitioning=None)
            for row in zip(*(table[name].to_pylist() for name in names), strict=True):
                yield row[:4], row[4:]

    def close(self) -> None:
        """Nothing runs."""
